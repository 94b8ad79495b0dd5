/* A warp's share of a matrix-vector product, its weights in registers:
 *
 *   y[u] = sum over its inputs k of m[u][k] x[k],  u = 0 .. UNITS - 1
 *
 * for two rows x at a time. Lane l has inputs of its own, the same for all units, so
 * that each element of x is loaded once and used UNITS times. The lanes' UNITS partial
 * sums of a row are then added by exchanges that halve their number: after 4 exchanges
 * each lane has one sum, of unit l % 16, over the inputs of 16 lanes; the fifth joins the
 * two halves of the warp, the lower half keeping the first row and the upper the second.
 *
 * An exchange keeps one half of the sums and sends the other. Which half that is depends
 * on the lane, and registers cannot be chosen by the lane; so lane l holds in place i
 * the weights of unit i ^ (l % 16): the half to keep is then the first in every lane.
 */
#ifndef GS_KERNELS_PERSISTENT_PRODUCT_CUH
#define GS_KERNELS_PERSISTENT_PRODUCT_CUH

#include "kernels/persistent_plan.cuh"
#include "kernels/reduce.cuh"
#include "kernels/vector.cuh"

namespace gs::persistent {

/* Which inputs a lane has: of every 32 * V, V neighbours; CHUNKS times. */
template <typename T, int INPUTS> struct Share {
  static constexpr int V = lanes_of<T> < INPUTS ? lanes_of<T> : INPUTS;
  static constexpr int CHUNKS = INPUTS / V;
  static constexpr int STEP = 32 * V; /* between a lane's chunks */
  static __device__ __forceinline__ int first(int slice, int lane) {
    return slice * 32 * INPUTS + lane * V;
  }
};

/* ---- weights ---- */

/* m[u][k] = w[unit + u][k] for a lane's inputs, the first of which is `input`; 0 beyond n. */
template <typename T, int INPUTS>
__device__ __forceinline__ void load_rows_of(float (&m)[UNITS][INPUTS], const T *w, int64_t ld,
                                             int n, int unit, int input, bool whole) {
  using S = Share<T, INPUTS>;
  const T *row = w + unit * ld + input;
#pragma unroll
  for (int u = 0; u < UNITS; u++, row += ld) {
#pragma unroll
    for (int c = 0; c < S::CHUNKS; c++) {
      const int count = unit + u < n ? n - input - c * S::STEP : 0;
      const Pack<T, S::V> pack =
          load_pack<T, S::V>(row + c * S::STEP, whole && count >= S::V, count);
#pragma unroll
      for (int i = 0; i < S::V; i++) m[u][c * S::V + i] = widen(pack.at[i]);
    }
  }
}

/* m[u][k] = w[k][unit + u]. */
template <typename T, int INPUTS>
__device__ __forceinline__ void load_columns_of(float (&m)[UNITS][INPUTS], const T *w, int64_t ld,
                                                int n, int unit, int input, bool whole) {
  using S = Share<T, INPUTS>;
#pragma unroll
  for (int i = 0; i < INPUTS; i++) {
    const int k = input + i / S::V * S::STEP + i % S::V;
    const T *row = w + k * ld + unit;
#pragma unroll
    for (int u = 0; u < UNITS; u += S::V) {
      const int count = k < n ? n - unit - u : 0;
      const Pack<T, S::V> pack = load_pack<T, S::V>(row + u, whole && count >= S::V, count);
#pragma unroll
      for (int j = 0; j < S::V; j++) m[u + j][i] = widen(pack.at[j]);
    }
  }
}

/* Moves the weights of unit i ^ (lane % UNITS) to place i. */
template <int INPUTS> __device__ __forceinline__ void arrange(float (&m)[UNITS][INPUTS], int lane) {
#pragma unroll
  for (int bit = 1; bit < UNITS; bit *= 2) {
    const bool swap = (lane & bit) != 0;
#pragma unroll
    for (int u = 0; u < UNITS; u++) {
      if (u & bit) continue;
#pragma unroll
      for (int i = 0; i < INPUTS; i++) {
        const float low = m[u][i];
        const float high = m[u + bit][i];
        m[u][i] = swap ? high : low;
        m[u + bit][i] = swap ? low : high;
      }
    }
  }
}

/* ---- products ---- */

/* A lane's inputs of one row, as they were loaded: taken apart where they are multiplied. Taken
 * apart before, 16-bit ones would be waited for as soon as they are asked for. */
template <typename T, int INPUTS> struct Inputs {
  using Chunk = Pack<T, Share<T, INPUTS>::V>;
  Bits<Chunk> chunk[Share<T, INPUTS>::CHUNKS];
};

/* The rows that are still to be read, from a lane's first input of the next one. */
template <typename T> struct Rows {
  const T *next;
  int64_t ld;
  int count;
  int left; /* inputs from the lane's first to n; 0 or less: the lane has none */
};

/* The lane's inputs of the next row, if there is one; what is beyond n stays as it is.
 * WHOLE: packs are aligned, and n is a multiple of them. */
template <bool WHOLE, typename T, int INPUTS>
__device__ __forceinline__ void load_row(Inputs<T, INPUTS> &x, Rows<T> &rows) {
  using S = Share<T, INPUTS>;
  const int left = rows.count > 0 ? rows.left : 0;
#pragma unroll
  for (int c = 0; c < S::CHUNKS; c++) {
    using Chunk = typename Inputs<T, INPUTS>::Chunk;
    if constexpr (WHOLE) {
      const auto *from = reinterpret_cast<const Bits<Chunk> *>(rows.next + c * S::STEP);
      if (c * S::STEP < left) x.chunk[c] = __ldcg(from);
    } else {
      Chunk chunk = from_bits<Chunk>(x.chunk[c]);
#pragma unroll
      for (int i = 0; i < S::V; i++) {
        const int at = c * S::STEP + i;
        if (at < left) chunk.at[i] = load_fresh(rows.next + at);
      }
      x.chunk[c] = to_bits(chunk);
    }
  }
  rows.next += rows.ld;
  rows.count--;
}

/* Exchanges of 2 * HALF sums, of HALF, ... with the lanes HALF, HALF / 2, ... away. */
template <int HALF> __device__ __forceinline__ void fold(float *sum) {
#pragma unroll
  for (int u = 0; u < HALF; u++) sum[u] += __shfl_xor_sync(ALL_LANES, sum[u + HALF], HALF);
  if constexpr (HALF > 1) fold<HALF / 2>(sum);
}

/* One row's sum of unit lane % UNITS, over the inputs of 16 lanes. */
template <typename T, int INPUTS>
__device__ __forceinline__ float multiply_row(const float (&m)[UNITS][INPUTS],
                                              const Inputs<T, INPUTS> &x) {
  constexpr int V = Share<T, INPUTS>::V;
  float sum[UNITS];
#pragma unroll
  for (int i = 0; i < INPUTS; i++) {
    const float input =
        widen(from_bits<typename Inputs<T, INPUTS>::Chunk>(x.chunk[i / V]).at[i % V]);
#pragma unroll
    for (int u = 0; u < UNITS; u++) {
      sum[u] = i == 0 ? m[u][0] * input : fmaf(m[u][i], input, sum[u]);
    }
  }
  fold<UNITS / 2>(sum);
  return sum[0];
}

/* The lane's finished sum, over the warp's inputs, of the pair of rows in x. Loads the next
 * pair in its place while it computes. */
template <bool WHOLE, typename T, int INPUTS>
__device__ __forceinline__ float multiply_pair(const float (&m)[UNITS][INPUTS],
                                               Inputs<T, INPUTS> (&x)[2], Rows<T> &rows, int lane) {
  const float even = multiply_row(m, x[0]);
  load_row<WHOLE>(x[0], rows);
  const float odd = multiply_row(m, x[1]);
  load_row<WHOLE>(x[1], rows);
  const bool second = lane / UNITS == 1;
  return (second ? odd : even) + __shfl_xor_sync(ALL_LANES, second ? even : odd, UNITS);
}

} // namespace gs::persistent

#endif
