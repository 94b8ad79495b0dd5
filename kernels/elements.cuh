/* A batch of matrices four elements at a time, in row-major order without padding: the
 * blocks that base/random.h draws and counts in. A thread walks quads of one replica, of
 * 16-bit elements two together: it moves 16 bytes at a time where addresses allow. */
#ifndef GS_KERNELS_ELEMENTS_CUH
#define GS_KERNELS_ELEMENTS_CUH

#include <type_traits>

#include "kernels/vector.cuh"

namespace gs {

constexpr int QUAD = 4;
constexpr unsigned WALK_THREADS = 256;

/* A run: so many quads, and elements, a thread takes together. */
template <typename T> constexpr int RUN_QUADS = sizeof(T) == 2 ? 2 : 1;
template <typename T> constexpr int RUN = QUAD *RUN_QUADS<T>;

/* How a tensor is walked, in blocks of x by y threads: y replicas, x threads on each, and
 * `tiles` blocks on the same y replicas. */
struct QuadWalk {
  int64_t elements; /* of one replica */
  int64_t quads;    /* that hold them, the last perhaps in part */
  int64_t whole;    /* so many of these, from the first on, are aligned as quads, */
  int64_t wide;     /* and so many in runs that are as a whole */
  int64_t cols;
  int64_t ld;
  int64_t stride;
  int64_t replicas;
  int64_t step;      /* quads from one of a thread's runs to its next, */
  int64_t step_rows; /* which lies so many rows */
  int64_t step_cols; /* and columns on */
  unsigned tiles;
  bool flat; /* nothing lies between the rows, and quads are counted in 32 bits */
};

/* Most quads of a replica that is walked flat, so that one step behind the last is below
 * 2^32, too. One of more than 2^32 elements is walked with rows, in 64 bits. */
constexpr int64_t FLAT_QUADS = INT64_C(1) << 30;

struct QuadWalkLaunch {
  QuadWalk walk;
  dim3 grid;
  dim3 block;
};

/* Can N elements be moved together, from any multiple of N? */
template <typename T, int N>
inline bool walks_packs(const gs_tensor &tensor, int64_t replicas, bool flat) {
  if (reinterpret_cast<size_t>(tensor.data) % alignof(Pack<T, N>) != 0) return false;
  if (replicas > 1 && tensor.stride % N != 0) return false;
  return flat || (tensor.ld % N == 0 && tensor.cols % N == 0);
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
  walk.flat = (tensor.ld == tensor.cols || tensor.rows == 1) && walk.quads <= FLAT_QUADS;
  walk.whole = walks_packs<T, QUAD>(tensor, replicas, walk.flat) ? walk.elements / QUAD : 0;
  walk.wide = walks_packs<T, RUN<T>>(tensor, replicas, walk.flat)
                  ? walk.elements / RUN<T> * RUN_QUADS<T>
                  : 0;

  const int64_t runs = (walk.quads + RUN_QUADS<T> - 1) / RUN_QUADS<T>;
  unsigned x = 32; /* whole warps: a warp stays on one replica */
  while (x < WALK_THREADS && x < runs) x *= 2;
  const int64_t y = WALK_THREADS / x;
  const int64_t groups = (replicas + y - 1) / y;
  const int64_t useful = (runs + x - 1) / x;
  const int64_t wanted = (BLOCKS * multiprocessors + groups - 1) / groups;
  const int64_t tiles = useful < wanted ? useful : wanted;
  walk.tiles = static_cast<unsigned>(tiles > 1 ? tiles : 1);
  walk.step = static_cast<int64_t>(walk.tiles) * x * RUN_QUADS<T>;
  walk.step_rows = QUAD * walk.step / walk.cols;
  walk.step_cols = QUAD * walk.step % walk.cols;
  plan.grid = dim3(static_cast<unsigned>(groups) * walk.tiles);
  plan.block = dim3(x, static_cast<unsigned>(y));
  return plan;
}

/* What quads are counted in: a flat walk is shorter by several instructions in 32 bits. */
template <bool ROWS> using QuadIndex = std::conditional_t<ROWS, int64_t, uint32_t>;

/* Where a thread is: at a run from element 4 quad of its replica on. */
template <typename T, bool ROWS> struct RunPlace {
  int64_t replica;
  QuadIndex<ROWS> quad;
  bool wide;   /* all of the run is there, in one aligned access */
  bool whole;  /* or in one for each quad */
  T *at;       /* flat: the run's first element; with rows: the replica's */
  int64_t row; /* with rows: of the run's first element */
  int64_t col;

  __device__ __forceinline__ int64_t first() const { return QUAD * static_cast<int64_t>(quad); }
};

/* The replica that this thread walks; walk.replicas or more for one without any. */
__device__ __forceinline__ int64_t walk_replica(const QuadWalk &walk) {
  const unsigned replica = blockIdx.x / walk.tiles * blockDim.y + threadIdx.y;
  return replica; /* random.h numbers replicas in 32 bits */
}

template <bool ROWS, typename T>
__device__ __forceinline__ RunPlace<T, ROWS> first_place(const QuadWalk &walk, T *data) {
  using Index = QuadIndex<ROWS>;
  RunPlace<T, ROWS> place{};
  place.replica = walk_replica(walk);
  const Index run = static_cast<Index>(blockIdx.x % walk.tiles) * blockDim.x + threadIdx.x;
  place.quad = run * RUN_QUADS<T>;
  if (place.replica >= walk.replicas) { /* nothing to walk */
    place.quad = static_cast<Index>(walk.quads);
  }
  place.at = data + place.replica * walk.stride;
  if (ROWS) {
    place.row = place.first() / walk.cols;
    place.col = place.first() % walk.cols;
  } else {
    place.at += place.first();
  }
  return place;
}

template <bool ROWS, typename T>
__device__ __forceinline__ void next_place(const QuadWalk &walk, RunPlace<T, ROWS> &place) {
  place.quad += static_cast<QuadIndex<ROWS>>(walk.step);
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

/* Calls f(place) for every run of this thread. ROWS: keeps row and column up, at the price
 * of one division a thread. */
template <bool ROWS, typename T, typename F>
__device__ __forceinline__ void walk_runs(const QuadWalk &walk, T *data, F f) {
  using Index = QuadIndex<ROWS>;
  const Index quads = static_cast<Index>(walk.quads);
  const Index whole = static_cast<Index>(walk.whole);
  const Index wide = static_cast<Index>(walk.wide);
  RunPlace<T, ROWS> place = first_place<ROWS>(walk, data);
  for (; place.quad < quads; next_place<ROWS>(walk, place)) {
    place.wide = place.quad < wide;
    place.whole = RUN_QUADS<T> > 1 ? place.quad + RUN_QUADS<T> <= whole : place.wide;
    f(place);
  }
}

/* Calls f(j, element) for each of the run's elements that exists, `element` being where it
 * lies. */
template <bool ROWS, typename T, typename F>
__device__ __forceinline__ void each_element(const QuadWalk &walk, const RunPlace<T, ROWS> &place,
                                             F f) {
  int64_t row = place.row;
  int64_t col = place.col;
#pragma unroll
  for (int j = 0; j < RUN<T>; j++) {
    T *element = ROWS ? place.at + row * walk.ld + col : place.at + j;
    if (place.first() + j < walk.elements) f(j, element);
    if (ROWS && ++col == walk.cols) {
      col = 0;
      row++;
    }
  }
}

/* Calls f(j, element) for each quad of a whole run, whose first element is the run's j. */
template <bool ROWS, typename T, typename F>
__device__ __forceinline__ void each_quad(const QuadWalk &walk, const RunPlace<T, ROWS> &place,
                                          F f) {
  each_element<ROWS>(walk, place, [&](int j, T *element) {
    if (j % QUAD == 0) f(j, element);
  });
}

template <bool ROWS, typename T>
__device__ __forceinline__ T *wide_at(const QuadWalk &walk, const RunPlace<T, ROWS> &place) {
  return ROWS ? place.at + place.row * walk.ld + place.col : place.at;
}

template <bool ROWS, typename T>
__device__ __forceinline__ void store_run(const QuadWalk &walk, const RunPlace<T, ROWS> &place,
                                          const Pack<T, RUN<T>> &run) {
  if (place.wide) {
    store_pack(wide_at<ROWS>(walk, place), run, true, RUN<T>);
  } else if (RUN_QUADS<T> > 1 && place.whole) {
    each_quad<ROWS>(walk, place, [&](int j, T *element) {
      Pack<T, QUAD> quad;
      for (int i = 0; i < QUAD; i++) quad.at[i] = run.at[j + i];
      store_pack(element, quad, true, QUAD);
    });
  } else {
    each_element<ROWS>(walk, place, [&](int j, T *element) { *element = run.at[j]; });
  }
}

/* Elements that do not exist are 0. */
template <bool ROWS, typename T>
__device__ __forceinline__ Pack<T, RUN<T>> load_run(const QuadWalk &walk,
                                                    const RunPlace<const T, ROWS> &place) {
  Pack<T, RUN<T>> run = {};
  if (place.wide) {
    run = load_pack<T, RUN<T>>(wide_at<ROWS>(walk, place), true, RUN<T>);
  } else if (RUN_QUADS<T> > 1 && place.whole) {
    each_quad<ROWS>(walk, place, [&](int j, const T *element) {
      const Pack<T, QUAD> quad = load_pack<T, QUAD>(element, true, QUAD);
      for (int i = 0; i < QUAD; i++) run.at[j + i] = quad.at[i];
    });
  } else {
    each_element<ROWS>(walk, place, [&](int j, const T *element) { run.at[j] = *element; });
  }
  return run;
}

} // namespace gs

#endif
