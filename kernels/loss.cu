/* Loss of each replica and its gradient:
 *
 *   linear: L = sum target h,             dL/dh = target
 *   mse:    L = 1/2 sum (h - target)^2,   dL/dh = h - target
 *
 * mse sums the differences before they are rounded to the storage type of dh.
 *
 * Every step of every replica is cut into parts (parts.cuh), one block each, which leave
 * their sum in float64, and its exponent, in scratch. The last block of a replica adds
 * them: each of its threads every so many of them in their order, at the largest exponent
 * of all, then the threads' sums as a block reduces. */
#include "kernels/kernels.h"
#include "kernels/parts.cuh"
#include "kernels/reduce.cuh"

namespace gs {
namespace {

constexpr int64_t LOSS_PART_ELEMENTS = 4096; /* a loss is small: many blocks end it sooner */
constexpr int64_t LOSS_MAX_BLOCKS = 1 << 30;

/* One of the tensors: element (row, col) of a step as it is walked is at
 * row * ld + col behind the step's first. */
struct LossTensor {
  void *data;
  int64_t ld, step_stride, replica_stride;
};

struct Loss {
  LossTensor h, target, dh;
  const gs_scale *h_scale;
  gs_scale *dh_scale;
  Parts parts;          /* of a step */
  int64_t replicas;     /* of the tensors */
  int64_t first;        /* replica of this launch */
  uint32_t per_replica; /* blocks */
  bool copies;          /* linear: dh is not target itself */
  gs_scaled *partial;   /* [replicas of this launch][per_replica] */
  uint32_t *counters;   /* [replicas of this launch] */
  gs_scaled *value;     /* [R] */
};

template <typename T>
__device__ __forceinline__ T *step_of(const LossTensor &tensor, int64_t step, int64_t replica) {
  return static_cast<T *>(tensor.data) + step * tensor.step_stride +
         replica * tensor.replica_stride;
}

/* Where a thread finds a tensor's packs: pack k begins at from + k * step. */
template <typename T> struct Track {
  T *from;
  int64_t step;
  bool aligned;
};

template <typename T>
__device__ __forceinline__ Track<T> track_of(const LossTensor &tensor, int64_t step,
                                             int64_t replica, const PackWalk &walk) {
  constexpr int V = lanes_of<T>;
  T *base = step_of<T>(tensor, step, replica);
  Track<T> track;
  track.from = base + (walk.row * tensor.ld + walk.col);
  track.step = walk.row_step * tensor.ld;
  track.aligned = reinterpret_cast<size_t>(base) % sizeof(Pack<T, V>) == 0 && tensor.ld % V == 0;
  return track;
}

template <typename T>
__device__ __forceinline__ Packed<T, lanes_of<T>> load(const Track<T> &track, int32_t k,
                                                       int32_t width) {
  constexpr int V = lanes_of<T>;
  return load_packed<T, V>(track.from + k * track.step, track.aligned && width == V, width);
}

template <typename T>
__device__ __forceinline__ void store(const Track<T> &track, int32_t k, int32_t width,
                                      const Pack<T, lanes_of<T>> &pack) {
  constexpr int V = lanes_of<T>;
  store_pack<T, V>(track.from + k * track.step, pack, track.aligned && width == V, width);
}

/* What h and target are multiplied by in their difference, and its exponent. */
__device__ gs_rescale difference_of(const Loss &loss, int64_t slot) {
  gs_scale h = gs_scale_none();
  if (loss.h_scale) h = gs_scale_input(loss.h_scale[slot]);
  return gs_rescale_of_difference(h, loss.dh_scale != nullptr);
}

/* A thread's share of a part: returns its sum; most: the largest magnitude of dh. */
template <typename T, bool MSE>
__device__ double take_part(const Loss &loss, int64_t step, int64_t replica, const PackWalk &walk,
                            const gs_rescale &difference, Compute<T> &most) {
  using C = Compute<T>;
  constexpr int V = lanes_of<T>;
  constexpr int GROUP = sizeof(T) == 2 ? 2 : 4; /* packs read before the first is written */
  const C by_h = static_cast<C>(difference.product);
  const C by_target = static_cast<C>(difference.addend);
  const Track<T> h = track_of<T>(loss.h, step, replica, walk);
  const Track<T> target = track_of<T>(loss.target, step, replica, walk);
  const Track<T> dh = track_of<T>(loss.dh, step, replica, walk);
  double sum = 0;
  for (int32_t first = 0; first < walk.count; first += GROUP) {
    Packed<T, V> h_packs[GROUP];
    Packed<T, V> target_packs[GROUP];
#pragma unroll
    for (int i = 0; i < GROUP; i++) {
      h_packs[i] = load<T>(h, first + i, width_of(walk, first + i));
      target_packs[i] = load<T>(target, first + i, width_of(walk, first + i));
    }
#pragma unroll
    for (int i = 0; i < GROUP; i++) {
      const Pack<T, V> h_pack = unpacked<T, V>(h_packs[i]);
      const Pack<T, V> target_pack = unpacked<T, V>(target_packs[i]);
      Pack<T, V> result = target_pack;
#pragma unroll
      for (int j = 0; j < V; j++) {
        const C at_h = widen(h_pack.at[j]);
        const C at_target = widen(target_pack.at[j]);
        if (MSE) {
          const C d = at_h * by_h - at_target * by_target;
          result.at[j] = narrow<T>(d);
          raise_magnitude(most, widen(result.at[j]));
          sum = fma(static_cast<double>(d), static_cast<double>(d), sum);
        } else {
          sum = fma(static_cast<double>(at_h), static_cast<double>(at_target), sum);
        }
      }
      if (MSE || loss.copies) store<T>(dh, first + i, width_of(walk, first + i), result);
    }
  }
  return sum;
}

/* Adds a replica's partial sums. All threads call it. */
__device__ inline gs_scaled add_partials(const gs_scaled *partial, uint32_t count) {
  int64_t most = INT64_MIN;
  for (uint32_t i = threadIdx.x; i < count; i += PART_THREADS) {
    /* what is zero is so at any exponent */
    if (__ldcg(&partial[i].value) != 0) most = Larger{}(most, __ldcg(&partial[i].exponent));
  }
  most = block_reduce(most, Larger{});
  if (most == INT64_MIN) most = 0; /* all are zero */
  double sum = 0;
  for (uint32_t i = threadIdx.x; i < count; i += PART_THREADS) {
    sum += __ldcg(&partial[i].value) * gs_scale_factor(__ldcg(&partial[i].exponent) - most);
  }
  gs_scaled total;
  total.value = block_reduce(sum, Add{});
  total.exponent = most;
  return total;
}

template <typename T, bool MSE>
__global__ void __launch_bounds__(PART_THREADS) loss_kernel(const __grid_constant__ Loss loss) {
  const uint32_t place = blockIdx.x / loss.per_replica;
  const uint32_t block = blockIdx.x - place * loss.per_replica;
  const uint32_t parts = static_cast<uint32_t>(loss.parts.count);
  const uint32_t step = block / parts;
  const uint32_t part = block - step * parts;
  const int64_t replica = loss.first + place;
  const int64_t slot = step * loss.replicas + replica;
  const PackWalk walk = walk_of<lanes_of<T>>(loss.parts, part);
  const gs_rescale difference = difference_of(loss, slot);
  Compute<T> most = 0;
  double sum = take_part<T, MSE>(loss, step, replica, walk, difference, most);
  sum = block_reduce(sum, Add{});
  if (MSE && loss.dh_scale) raise_peak(&loss.dh_scale[slot], most);
  if (threadIdx.x == 0) {
    gs_scaled own;
    own.value = MSE ? 0.5 * sum : sum;
    own.exponent = MSE ? 2 * static_cast<int64_t>(difference.exponent) : 0;
    if (!MSE && loss.h_scale) own.exponent = loss.h_scale[slot].exponent;
    loss.partial[static_cast<int64_t>(place) * loss.per_replica + block] = own;
    if (part == 0 && loss.dh_scale) {
      loss.dh_scale[slot].exponent = MSE ? difference.exponent : 0;
      if (!MSE) loss.dh_scale[slot].peak = GS_PEAK_NONE;
    }
  }
  if (last_block(&loss.counters[place], loss.per_replica)) {
    const gs_scaled total = add_partials(
        loss.partial + static_cast<int64_t>(place) * loss.per_replica, loss.per_replica);
    if (threadIdx.x == 0) loss.value[replica] = total;
  }
}

/* ---- launching ---- */

bool without_gaps(const gs_tensor &tensor, int64_t step_rows) {
  return tensor.ld == tensor.cols || step_rows == 1;
}

LossTensor walked(const gs_tensor &tensor, int64_t steps, const Parts &parts) {
  LossTensor walked;
  walked.data = tensor.data;
  walked.ld = parts.run ? parts.ld : tensor.ld;
  walked.step_stride = tensor.rows / steps * tensor.ld;
  walked.replica_stride = tensor.stride;
  return walked;
}

template <typename T>
cudaError_t launch(gs_queue queue, gs_device_loss kind, const Loss &loss, int64_t replicas) {
  const dim3 grid(static_cast<unsigned>(replicas * loss.per_replica));
  const dim3 block(PART_THREADS);
  return kind == GS_DEVICE_LOSS_MSE
             ? gs_launch(loss_kernel<T, true>, grid, block, 0, queue.stream, loss)
             : gs_launch(loss_kernel<T, false>, grid, block, 0, queue.stream, loss);
}

} // namespace
} // namespace gs

cudaError_t gs_launch_loss(gs_queue queue, gs_device_loss kind, const gs_tensor *h,
                           const gs_tensor *target, int64_t steps, const gs_tensor *dh,
                           gs_scaled *value, gs_scratch scratch) {
  const int64_t rows = h->rows / steps;
  const bool run =
      gs::without_gaps(*h, rows) && gs::without_gaps(*target, rows) && gs::without_gaps(*dh, rows);
  const int lanes = static_cast<int>(16 / gs_dtype_bytes(h->dtype));
  gs::Loss loss{};
  /* the walk's rows are h's where there are gaps; each tensor has its own ld */
  loss.parts =
      gs::parts_of(lanes, rows, h->cols, run ? h->cols : h->ld, !run, gs::LOSS_PART_ELEMENTS);
  loss.h = gs::walked(*h, steps, loss.parts);
  loss.target = gs::walked(*target, steps, loss.parts);
  loss.dh = gs::walked(*dh, steps, loss.parts);
  loss.h_scale = h->scale;
  loss.dh_scale = dh->scale;
  loss.replicas = h->replicas;
  loss.copies = dh->data != target->data;
  loss.value = value;
  loss.partial = static_cast<gs_scaled *>(scratch.data);
  loss.counters = scratch.counters;
  const int64_t per_replica = steps * loss.parts.count;
  if (per_replica > gs::LOSS_MAX_BLOCKS) return cudaErrorInvalidValue;
  loss.per_replica = static_cast<uint32_t>(per_replica);
  /* as many replicas at a time as there is room for */
  int64_t most = gs::LOSS_MAX_BLOCKS / per_replica;
  const int64_t by_bytes =
      static_cast<int64_t>(scratch.bytes / (static_cast<size_t>(per_replica) * sizeof(gs_scaled)));
  const int64_t by_counters = static_cast<int64_t>(scratch.counter_count);
  if (most > by_bytes) most = by_bytes;
  if (most > by_counters) most = by_counters;
  if (most < 1) return cudaErrorInvalidValue;
  for (loss.first = 0; loss.first < h->replicas; loss.first += most) {
    const int64_t left = h->replicas - loss.first;
    const cudaError_t status = gs::with_storage(h->dtype, [&](auto type) {
      return gs::launch<decltype(type)>(queue, kind, loss, left < most ? left : most);
    });
    if (status != cudaSuccess) return status;
  }
  return cudaSuccess;
}

size_t gs_loss_bytes(int64_t rows, int64_t cols, int64_t replicas, int64_t steps) {
  int64_t most = 0;
  for (int lanes = 2; lanes <= 8; lanes *= 2) { /* f64, f32, 16 bits */
    for (int run = 0; run < 2; run++) {
      const int64_t parts =
          gs::parts_of(lanes, rows / steps, cols, cols, !run, gs::LOSS_PART_ELEMENTS).count;
      if (parts > most) most = parts;
    }
  }
  return static_cast<size_t>(replicas * steps * most) * sizeof(gs_scaled);
}

size_t gs_loss_counters(int64_t replicas) { return static_cast<size_t>(replicas); }
