/* A batch of matrices four elements at a time, in row-major order without padding: the
 * blocks that base/random.h draws and counts in. A thread walks quads of one replica. */
#ifndef GS_KERNELS_ELEMENTS_CUH
#define GS_KERNELS_ELEMENTS_CUH

#include "kernels/vector.cuh"

namespace gs {

constexpr int QUAD = 4;
constexpr unsigned WALK_THREADS = 256;

/* How a tensor is walked, in blocks of x by y threads: y replicas, x threads on each, and
 * `tiles` blocks on the same y replicas. */
struct QuadWalk {
  int64_t elements; /* of one replica */
  int64_t quads;    /* that hold them, the last perhaps in part */
  int64_t cols;
  int64_t ld;
  int64_t stride;
  int64_t replicas;
  int64_t step;      /* quads from one of a thread's to its next, */
  int64_t step_rows; /* which lies so many rows */
  int64_t step_cols; /* and columns on */
  unsigned tiles;
  bool flat;  /* nothing lies between the rows */
  bool whole; /* every full quad is one aligned access */
};

struct QuadWalkLaunch {
  QuadWalk walk;
  dim3 grid;
  dim3 block;
};

template <typename T>
inline bool whole_quads(const gs_tensor &tensor, int64_t replicas, bool flat) {
  if (reinterpret_cast<size_t>(tensor.data) % alignof(Pack<T, QUAD>) != 0) return false;
  if (replicas > 1 && tensor.stride % QUAD != 0) return false;
  return flat || (tensor.ld % QUAD == 0 && tensor.cols % QUAD == 0);
}

/* Plans a walk over the first `replicas` matrices, with as many blocks as keep so many
 * multiprocessors busy. */
template <typename T>
inline QuadWalkLaunch plan_walk(const gs_tensor &tensor, int64_t replicas, int multiprocessors) {
  constexpr int64_t BLOCKS = 32; /* for each multiprocessor: four rounds of eight */
  QuadWalkLaunch plan{};
  QuadWalk &walk = plan.walk;
  walk.elements = tensor.rows * tensor.cols;
  walk.quads = (walk.elements + QUAD - 1) / QUAD;
  walk.cols = tensor.cols;
  walk.ld = tensor.ld;
  walk.stride = tensor.stride;
  walk.replicas = replicas;
  walk.flat = tensor.ld == tensor.cols || tensor.rows == 1;
  walk.whole = whole_quads<T>(tensor, replicas, walk.flat);

  unsigned x = 32; /* whole warps: a warp stays on one replica */
  while (x < WALK_THREADS && x < walk.quads) x *= 2;
  const int64_t y = WALK_THREADS / x;
  const int64_t groups = (replicas + y - 1) / y;
  const int64_t useful = (walk.quads + x - 1) / x;
  const int64_t wanted = (BLOCKS * multiprocessors + groups - 1) / groups;
  const int64_t tiles = useful < wanted ? useful : wanted;
  walk.tiles = static_cast<unsigned>(tiles > 1 ? tiles : 1);
  walk.step = static_cast<int64_t>(walk.tiles) * x;
  walk.step_rows = QUAD * walk.step / walk.cols;
  walk.step_cols = QUAD * walk.step % walk.cols;
  plan.grid = dim3(static_cast<unsigned>(groups) * walk.tiles);
  plan.block = dim3(x, static_cast<unsigned>(y));
  return plan;
}

/* Where a thread is: at elements 4 quad .. 4 quad + 3 of its replica. */
template <typename T> struct QuadPlace {
  int64_t replica;
  int64_t quad;
  bool whole;  /* all four are there, in one aligned access */
  T *at;       /* flat: the first of the four; with rows: the replica's first element */
  int64_t row; /* with rows: of the first of the four */
  int64_t col;
};

/* The replica that this thread walks; walk.replicas or more for one without any. */
__device__ __forceinline__ int64_t walk_replica(const QuadWalk &walk) {
  return static_cast<int64_t>(blockIdx.x / walk.tiles) * blockDim.y + threadIdx.y;
}

template <bool ROWS, typename T>
__device__ __forceinline__ QuadPlace<T> first_place(const QuadWalk &walk, T *data) {
  QuadPlace<T> place{};
  place.replica = walk_replica(walk);
  place.quad = static_cast<int64_t>(blockIdx.x % walk.tiles) * blockDim.x + threadIdx.x;
  if (place.replica >= walk.replicas) place.quad = walk.quads; /* nothing to walk */
  place.at = data + place.replica * walk.stride;
  if (ROWS) {
    place.row = QUAD * place.quad / walk.cols;
    place.col = QUAD * place.quad % walk.cols;
  } else {
    place.at += QUAD * place.quad;
  }
  return place;
}

template <bool ROWS, typename T>
__device__ __forceinline__ void next_place(const QuadWalk &walk, QuadPlace<T> &place) {
  place.quad += walk.step;
  if (!ROWS) {
    place.at += QUAD * walk.step;
    return;
  }
  place.row += walk.step_rows;
  place.col += walk.step_cols;
  if (place.col >= walk.cols) {
    place.col -= walk.cols;
    place.row++;
  }
}

/* Calls f(place) for every quad of this thread. ROWS: keeps row and column up, at the price
 * of one division a thread. */
template <bool ROWS, typename T, typename F>
__device__ __forceinline__ void walk_quads(const QuadWalk &walk, T *data, F f) {
  const int64_t whole = walk.whole ? walk.elements / QUAD : 0;
  QuadPlace<T> place = first_place<ROWS>(walk, data);
  for (; place.quad < walk.quads; next_place<ROWS>(walk, place)) {
    place.whole = place.quad < whole;
    f(place);
  }
}

/* Calls f(j, element) for each of the four that exists, `element` being where it lies. */
template <bool ROWS, typename T, typename F>
__device__ __forceinline__ void each_element(const QuadWalk &walk, const QuadPlace<T> &place, F f) {
  int64_t row = place.row;
  int64_t col = place.col;
#pragma unroll
  for (int j = 0; j < QUAD; j++) {
    T *element = ROWS ? place.at + row * walk.ld + col : place.at + j;
    if (QUAD * place.quad + j < walk.elements) f(j, element);
    if (ROWS && ++col == walk.cols) {
      col = 0;
      row++;
    }
  }
}

template <bool ROWS, typename T>
__device__ __forceinline__ T *whole_at(const QuadWalk &walk, const QuadPlace<T> &place) {
  return ROWS ? place.at + place.row * walk.ld + place.col : place.at;
}

template <bool ROWS, typename T>
__device__ __forceinline__ void store_quad(const QuadWalk &walk, const QuadPlace<T> &place,
                                           const Pack<T, QUAD> &quad) {
  if (place.whole) {
    store_pack(whole_at<ROWS>(walk, place), quad, true, QUAD);
  } else {
    each_element<ROWS>(walk, place, [&](int j, T *element) { *element = quad.at[j]; });
  }
}

/* Elements that do not exist are 0. */
template <bool ROWS, typename T>
__device__ __forceinline__ Pack<T, QUAD> load_quad(const QuadWalk &walk,
                                                   const QuadPlace<const T> &place) {
  Pack<T, QUAD> quad = {};
  if (place.whole) {
    quad = load_pack<T, QUAD>(whole_at<ROWS>(walk, place), true, QUAD);
  } else {
    each_element<ROWS>(walk, place, [&](int j, const T *element) { quad.at[j] = *element; });
  }
  return quad;
}

} // namespace gs

#endif
