/* Random orthogonal matrices: the Householder QR of base/orthogonal.c, where every column
 * goes through the same operations in the same order, so that the bits are the same.
 *
 * A column is a chain of sums in the order of its rows, and what is parallel are columns
 * and replicas: a lane has a column, a block (one warp) a tile of 32, which lies in memory
 * row by row. A tile's sweep over the rows does two things at once to its columns x:
 *
 *   update   x -= w v, with the reflector v and the w = beta v^T x of the sweep before,
 *   next     sums for the next reflector: u^T x of the x just updated, or |x|^2.
 *
 * So a reflector costs one sweep of a tile. For each panel of 32 columns one launch makes
 * its reflectors (a block for each replica: there every reflector takes two sweeps, since
 * its first element needs the whole norm), and one launch applies them to all tiles to the
 * right of it. Then each tile of Q = H_0 ... H_{n-1} I is made by one block from the last
 * reflector to the first. A reflector stays where its column was; R is not wanted.
 *
 * Sweeps start at a multiple of ROWS, above the reflector's first element: it counts as 0
 * there, as do rows past the last, and adding 0 to a sum that starts from 0 changes no bit
 * of it. */
#include "kernels/language.h"

#include "base/random.h"
#include "kernels/kernels.h"
#include "kernels/random.cuh"
#include "kernels/reduce.cuh"
#include "kernels/vector.cuh"

namespace gs {
namespace {

constexpr int TILE = 32; /* columns: a warp */
constexpr int ROWS = 16; /* that a sweep takes at a time */

/* Scratch for one matrix A of m x n, m >= n. */
struct Factors {
  int64_t m;
  int64_t n;
  int64_t rows;  /* m, rounded up to ROWS */
  int64_t tiles; /* of columns */
  double *data;  /* replicas after each other; of each: */

  __host__ __device__ int64_t tile() const { return rows * TILE; }
  __host__ __device__ int64_t size() const { return 2 * tiles * (tile() + TILE); }
  /* tiles of A, in whose columns reflectors take the place of A */
  __device__ double *a(int64_t replica, int64_t index) const {
    return data + replica * size() + index * tile();
  }
  /* tiles of Q */
  __device__ double *q(int64_t replica, int64_t index) const {
    return a(replica, tiles) + index * tile();
  }
  __device__ double *beta(int64_t replica) const { return a(replica, 2 * tiles); }
  /* of R's diagonal */
  __device__ double *sign(int64_t replica) const { return beta(replica) + tiles * TILE; }
};

/* One column of a tile, as a vector that is 0 above its row `head`. */
struct Reflector {
  const double *at;
  int64_t head;
};

__device__ __forceinline__ Reflector reflector(const Factors &f, int64_t replica, int64_t k) {
  return {f.a(replica, k / TILE) + k % TILE, k};
}

enum class Next { NOTHING, DOT, SQUARE };

/* One row's elements of the two vectors that a sweep works with. */
struct alignas(16) Pair {
  double update;
  double next;
};

/* What lane 0..15 (update) or 16..31 (next) brings to rows first .. first + 15: an element
 * of its vector; for squares a 1, since (1 x) x is x x. */
template <Next NEXT>
__device__ __forceinline__ double fetch(const Reflector &vector, int64_t first) {
  const int64_t row = first + threadIdx.x % ROWS;
  if (row < vector.head) return 0;
  if (NEXT == Next::SQUARE && threadIdx.x >= ROWS) return 1;
  return vector.at[row * TILE];
}

__device__ __forceinline__ void stage(Pair pairs[ROWS], double value) {
  Pair &pair = pairs[threadIdx.x % ROWS];
  (threadIdx.x < ROWS ? pair.update : pair.next) = value;
}

/* One sweep over this lane's column of a tile; all lanes call it. Returns the sum. `mine`:
 * whether this lane's column is to be updated. */
template <bool UPDATE, Next NEXT>
__device__ double sweep(double *column, int64_t rows, const Reflector &update, double w, bool mine,
                        const Reflector &next, Pair pairs[2][ROWS]) {
  Reflector vector = threadIdx.x < ROWS ? update : next; /* which this lane fetches */
  const bool fetches = threadIdx.x < ROWS ? UPDATE : NEXT != Next::NOTHING;
  if (!fetches) vector.head = rows; /* zeros */
  const int64_t head =
      UPDATE && (NEXT == Next::NOTHING || update.head < next.head) ? update.head : next.head;
  double x[ROWS];
  double ahead[ROWS]; /* the next rows */
  double sum = 0;
  int64_t row = head / ROWS * ROWS;
  __syncwarp(ALL_LANES); /* earlier sweeps are done: with pairs, and with columns now read */
  stage(pairs[0], fetch<NEXT>(vector, row));
#pragma unroll
  for (int i = 0; i < ROWS; i++) x[i] = column[(row + i) * TILE];
#pragma unroll 2
  for (int turn = 0; row < rows; turn ^= 1, row += ROWS) {
    /* On their way before the barrier, so while this turn computes; in the last turn its
     * own rows once more, for nothing. */
    const int64_t later = row + ROWS < rows ? row + ROWS : row;
    const double coming = fetch<NEXT>(vector, later);
#pragma unroll
    for (int i = 0; i < ROWS; i++) ahead[i] = column[(later + i) * TILE];
    __syncwarp(ALL_LANES); /* pairs[turn] are written, the others are read */
#pragma unroll
    for (int i = 0; i < ROWS; i++) {
      const Pair pair = pairs[turn][i];
      if (UPDATE) {
        x[i] -= pair.update * w;
        if (mine) column[(row + i) * TILE] = x[i];
      }
      if (NEXT == Next::DOT) sum += pair.next * x[i];
      if (NEXT == Next::SQUARE) sum += pair.next * x[i] * x[i];
    }
    stage(pairs[turn ^ 1], coming);
#pragma unroll
    for (int i = 0; i < ROWS; i++) x[i] = ahead[i];
  }
  return sum;
}

/* ---- A ---- */

/* Element (i, j) of A is element i * row + j * col of the stream. Blocks of TILE x 8
 * threads, one after the other through the tiles of all replicas. */
__global__ void draw_kernel(Factors f, Stream stream, uint32_t replica, int64_t row, int64_t col) {
  const int64_t groups = f.rows / blockDim.y; /* of rows in a tile */
  const int64_t tile = blockIdx.x / groups;
  const int64_t i = blockIdx.x % groups * blockDim.y + threadIdx.y;
  const int64_t j = tile % f.tiles * TILE + threadIdx.x;
  const int64_t r = tile / f.tiles;
  double x = 0;
  if (i < f.m && j < f.n) {
    const int64_t index = i * row + j * col;
    x = random_normal(stream, replica + static_cast<uint32_t>(r), index / 4,
                      static_cast<int>(index % 4), 0);
  }
  f.a(r, tile % f.tiles)[i * TILE + threadIdx.x] = x;
}

/* v = x + sign(x_k) |x| e_k, of which only element k differs from x. */
__device__ __forceinline__ void make_reflector(const Factors &f, int64_t replica, int64_t k,
                                               double square, double *head_at) {
  const double norm = sqrt(square);
  const double head = *head_at;
  const double towards = head < 0 ? -1.0 : 1.0;
  const double magnitude = norm * (norm + head * towards); /* v^T v / 2 */
  *head_at = head + towards * norm;
  f.beta(replica)[k] = magnitude > 0 ? 1.0 / magnitude : 0.0;
  f.sign(replica)[k] = magnitude > 0 ? -towards : 1.0;
}

/* The reflectors of one panel, from its columns. A block for each replica. */
__global__ void __launch_bounds__(TILE) panel_kernel(Factors f, int64_t panel) {
  GS_SHARED_ARRAY(Pair, pairs, [2][ROWS]);
  const int64_t replica = blockIdx.x;
  const int lane = static_cast<int>(threadIdx.x);
  const int64_t first = panel * TILE;
  const int count = f.n - first < TILE ? static_cast<int>(f.n - first) : TILE;
  double *column = f.a(replica, panel) + lane;
  const Reflector none = {nullptr, 0};
  double square =
      sweep<false, Next::SQUARE>(column, f.rows, none, 0, false, {nullptr, first}, pairs);
  for (int c = 0; c < count; c++) {
    const Reflector v = reflector(f, replica, first + c);
    if (lane == c) make_reflector(f, replica, v.head, square, column + v.head * TILE);
    if (c + 1 == count) break; /* nothing to the right of it in this panel */
    double w = sweep<false, Next::DOT>(column, f.rows, none, 0, false, v, pairs);
    w *= f.beta(replica)[v.head];
    square =
        sweep<true, Next::SQUARE>(column, f.rows, v, w, lane > c, {nullptr, v.head + 1}, pairs);
  }
}

/* Applies reflectors from, from + step, ... (count of them, at least one) to a column. */
__device__ __forceinline__ void apply(const Factors &f, int64_t replica, double *column,
                                      int64_t from, int64_t step, int64_t count,
                                      Pair pairs[2][ROWS]) {
  const double *beta = f.beta(replica);
  Reflector v = reflector(f, replica, from);
  double dot = sweep<false, Next::DOT>(column, f.rows, {nullptr, 0}, 0, false, v, pairs);
  for (int64_t done = 1; done < count; done++) {
    const Reflector next = reflector(f, replica, v.head + step);
    dot = sweep<true, Next::DOT>(column, f.rows, v, dot * beta[v.head], true, next, pairs);
    v = next;
  }
  sweep<true, Next::NOTHING>(column, f.rows, v, dot * beta[v.head], true, {nullptr, 0}, pairs);
}

/* Applies a panel's reflectors to the tiles to its right: a block for each. */
__global__ void __launch_bounds__(TILE) apply_kernel(Factors f, int64_t panel) {
  GS_SHARED_ARRAY(Pair, pairs, [2][ROWS]);
  const int64_t right = f.tiles - panel - 1;
  const int64_t replica = blockIdx.x / right;
  const int64_t tile = panel + 1 + blockIdx.x % right;
  apply(f, replica, f.a(replica, tile) + threadIdx.x, panel * TILE, 1, TILE, pairs);
}

/* ---- Q ---- */

/* Where Q's elements go: (i, j) is element i * row + j * col of its replica. */
template <typename T> struct Target {
  T *data;
  int64_t stride;
  int64_t row;
  int64_t col;
};

/* One tile of Q times R's signs and the gain, rounded to float32 and then to T. The last
 * tile, which takes the most reflectors, comes first. */
template <typename T>
__global__ void __launch_bounds__(TILE)
    orthogonal_kernel(Factors f, Target<T> target, int64_t replicas, double gain) {
  GS_SHARED_ARRAY(Pair, pairs, [2][ROWS]);
  const int64_t replica = blockIdx.x % replicas;
  const int64_t tile = f.tiles - 1 - blockIdx.x / replicas;
  const int64_t j = tile * TILE + threadIdx.x;
  const int64_t last = (tile + 1) * TILE < f.n ? (tile + 1) * TILE : f.n;
  double *column = f.q(replica, tile) + threadIdx.x;
  for (int64_t i = 0; i < f.rows; i++) column[i * TILE] = i == j && j < f.n ? 1 : 0;
  apply(f, replica, column, last - 1, -1, last, pairs);
  if (j >= f.n) return;
  T *out = target.data + replica * target.stride + j * target.col;
  const double sign = f.sign(replica)[j];
  for (int64_t i = 0; i < f.m; i++) {
    const float x = static_cast<float>(column[i * TILE] * sign * gain);
    out[i * target.row] = narrow<T>(x);
  }
}

/* ---- launches ---- */

constexpr size_t LIKED_BYTES = size_t{256} << 20;

Factors factors_of(const gs_tensor &tensor, void *scratch) {
  const bool tall = tensor.rows >= tensor.cols;
  Factors f{};
  f.m = tall ? tensor.rows : tensor.cols;
  f.n = tall ? tensor.cols : tensor.rows;
  f.rows = (f.m + ROWS - 1) / ROWS * ROWS;
  f.tiles = (f.n + TILE - 1) / TILE;
  f.data = static_cast<double *>(scratch);
  return f;
}

/* `count` replicas from `first` on, which is the first in target. */
template <typename T>
cudaError_t make(gs_queue queue, const Factors &f, const Target<T> &target, const Stream &stream,
                 int64_t first, int64_t count, int64_t row, int64_t col, double gain) {
  constexpr unsigned GROUP = 8; /* rows of a tile in one block; divides ROWS */
  const auto blocks = [&](int64_t each) { return dim3(static_cast<unsigned>(count * each)); };
  cudaError_t status =
      gs_launch(draw_kernel, blocks(f.tiles * f.rows / GROUP), dim3(TILE, GROUP), 0, queue.stream,
                f, stream, static_cast<uint32_t>(first), row, col);
  for (int64_t panel = 0; panel < f.tiles && status == cudaSuccess; panel++) {
    status = gs_launch(panel_kernel, blocks(1), dim3(TILE), 0, queue.stream, f, panel);
    const int64_t right = f.tiles - panel - 1;
    if (right == 0 || status != cudaSuccess) continue;
    status = gs_launch(apply_kernel, blocks(right), dim3(TILE), 0, queue.stream, f, panel);
  }
  if (status != cudaSuccess) return status;
  return gs_launch(orthogonal_kernel<T>, blocks(f.tiles), dim3(TILE), 0, queue.stream, f, target,
                   count, gain);
}

template <typename T>
cudaError_t launch(gs_queue queue, const gs_tensor &tensor, const gs_fill &fill,
                   gs_scratch scratch) {
  const Factors f = factors_of(tensor, scratch.data);
  const bool tall = tensor.rows >= tensor.cols;
  const int64_t replicas = tensor.stride ? tensor.replicas : 1;
  const int64_t room =
      static_cast<int64_t>(scratch.bytes / (static_cast<size_t>(f.size()) * sizeof(double)));
  if (room == 0) return cudaErrorInvalidValue;
  const Stream stream = make_stream(fill);
  Target<T> target = {static_cast<T *>(tensor.data), tensor.stride, tall ? tensor.ld : 1,
                      tall ? 1 : tensor.ld};
  cudaError_t status = cudaSuccess;
  for (int64_t first = 0; first < replicas && status == cudaSuccess; first += room) {
    const int64_t count = replicas - first < room ? replicas - first : room;
    status = make(queue, f, target, stream, first, count, tall ? tensor.cols : 1,
                  tall ? 1 : tensor.cols, fill.value);
    target.data += room * tensor.stride;
  }
  return status;
}

} // namespace
} // namespace gs

size_t gs_orthogonal_bytes(int64_t elements, int64_t longest, int64_t replicas) {
  /* (m + 15) (n + 31) with m n <= elements and m, n <= longest */
  const int64_t padded = elements + 46 * longest + 15 * 31;
  const size_t one = static_cast<size_t>(2 * (padded + longest + gs::TILE)) * sizeof(double);
  const size_t all = one * static_cast<size_t>(replicas);
  const size_t bound = one > gs::LIKED_BYTES ? one : gs::LIKED_BYTES;
  return all < bound ? all : bound;
}

cudaError_t gs_launch_orthogonal(gs_queue queue, const gs_tensor *tensor, const gs_fill *fill,
                                 gs_scratch scratch) {
  return gs::with_storage(tensor->dtype, [&](auto tag) {
    return gs::launch<decltype(tag)>(queue, *tensor, *fill, scratch);
  });
}
