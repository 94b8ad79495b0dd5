/* A simple RNN's recurrent loop in one launch, all T steps of it:
 *
 *   forward    h_t = phi(W h_{t-1} + p_t),                        t = 1 .. T
 *   backward   delta_t = phi'(z_t) (W^T delta_{t+1} + dh_t),      t = T .. 1
 *
 * (THEORY section 5) with the exponents of device/scale.h, as the CPU's loops choose them
 * (device/cpu_recurrent.c). W stays in the registers of blocks that wait for each other
 * after every step (persistent_plan.cuh says how it is cut, persistent_product.cuh how it
 * is multiplied, persistent_loop.cuh how blocks wait); h_t and delta_t go through L2.
 * Tied weights and f32, bf16, f16 storage; arithmetic is float's. */
#include "kernels/activation.cuh"
#include "kernels/kernels.h"
#include "kernels/persistent_loop.cuh"

namespace gs::persistent {
namespace {

/* Exponent of a step's result and the factors of its two addends; forward, z's exponent. */
struct Scale {
  int32_t exponent, z;
  float by_product, by_addend;
};

/* What gs_scale_factor is in float, without its loop: 0 and infinity where that rounds to
 * them. */
__device__ __forceinline__ float power_of_two(int64_t exponent) {
  if (exponent > 127) return gs_float_from_bits(0x7f800000u);
  if (exponent >= -126) return gs_float_from_bits(static_cast<uint32_t>(exponent + 127) << 23);
  return exponent < -149 ? 0.0f : gs_float_from_bits(1u << (exponent + 149));
}

__device__ __forceinline__ gs_scale empty_slot() {
  gs_scale slot;
  slot.exponent = 0;
  slot.peak = GS_PEAK_NONE;
  return slot;
}

/* ---- forward ---- */

template <typename T> struct Forward {
  gs_tensor w, projection, saved, h;
  gs_activation phi;
  bool keeps; /* phi' is saved */
  bool whole_w;

  struct Operands {
    T p;
  };

  __device__ const gs_tensor &states() const { return h; }
  __device__ int64_t source(int k) const { return k; }
  __device__ bool multiplies(int) const { return true; }
  __device__ int fetch_slot(const Plan &, int, int) const { return 0; }
  __device__ gs_scale start(int replica) const { return h.scale ? h.scale[replica] : empty_slot(); }

  template <int INPUTS>
  __device__ __forceinline__ void load_weights(float (&m)[UNITS][INPUTS], const Plan &plan,
                                               const Place &place, int replica) const {
    load_rows_of<T, INPUTS>(m, element<T>(w, replica, 0, 0), w.ld, plan.n, place.unit,
                            Share<T, INPUTS>::first(place.slice, place.lane), whole_w);
  }

  __device__ __forceinline__ Operands fetch(const Plan &plan, const Place &place, int replica,
                                            int k, int row, int col) const {
    Operands operands{};
    if (row < place.rows && col < plan.n) {
      const int64_t at = static_cast<int64_t>(k) * plan.batch + place.first_row + row;
      operands.p = *element<T>(projection, replica, at, col);
    }
    return operands;
  }

  __device__ __forceinline__ Scale rescale(gs_scale before, int, int) const {
    const gs_activate_scale of =
        gs_activate_scale_of(before, h.dtype, phi.kind, h.scale != nullptr, true);
    return {of.exponent, of.z, power_of_two(of.factor), power_of_two(of.addend)};
  }

  __device__ __forceinline__ float finish(const Plan &plan, const Place &place, int replica, int k,
                                          int row, int col, float sum, const Operands &operands,
                                          const Scale &scale) const {
    const int64_t at = static_cast<int64_t>(k) * plan.batch + place.first_row + row;
    const float z = sum * scale.by_product + widen(operands.p) * scale.by_addend;
    const Slope<float> both = activation(phi, z, scale.z, scale.exponent);
    const T digits = narrow<T>(both.h);
    store_fresh(element<T>(h, replica, plan.batch + at, col), digits);
    if (keeps) *element<T>(saved, replica, at, col) = narrow<T>(both.slope);
    return widen(digits);
  }
};

/* ---- backward: step k is t = T - k ---- */

template <typename T> struct Backward {
  gs_tensor w, dh, saved, h, delta;
  gs_activation phi;
  int steps;
  bool every; /* dh has every step, not the last alone */
  bool keeps; /* phi' is read from saved, not from the sign of h */
  bool whole_w;

  struct Operands {
    T dh;
    T factor; /* of phi': saved or h */
  };

  __device__ const gs_tensor &states() const { return delta; }
  __device__ int64_t source(int k) const { return steps - k; }
  __device__ bool multiplies(int k) const { return k > 0; }
  __device__ bool has_dh(int k) const { return every || k == 0; }
  __device__ int64_t dh_block(int k) const { return every ? steps - 1 - k : 0; }
  __device__ gs_scale start(int) const { return empty_slot(); }

  __device__ gs_scale fetch_slot(const Plan &plan, int replica, int k) const {
    return has_dh(k) && dh.scale ? dh.scale[dh_block(k) * plan.replicas + replica] : empty_slot();
  }

  template <int INPUTS>
  __device__ __forceinline__ void load_weights(float (&m)[UNITS][INPUTS], const Plan &plan,
                                               const Place &place, int replica) const {
    load_columns_of<T, INPUTS>(m, element<T>(w, replica, 0, 0), w.ld, plan.n, place.unit,
                               Share<T, INPUTS>::first(place.slice, place.lane), whole_w);
  }

  __device__ __forceinline__ Operands fetch(const Plan &plan, const Place &place, int replica,
                                            int k, int row, int col) const {
    Operands operands{};
    if (row < place.rows && col < plan.n) {
      const int64_t inside = place.first_row + row;
      const int64_t block = steps - 1 - k;
      if (has_dh(k)) {
        operands.dh = *element<T>(dh, replica, dh_block(k) * plan.batch + inside, col);
      }
      if (keeps) {
        operands.factor = *element<T>(saved, replica, block * plan.batch + inside, col);
      } else if (phi.kind != GS_IDENTITY) {
        operands.factor = *element<T>(h, replica, (block + 1) * plan.batch + inside, col);
      }
    }
    return operands;
  }

  __device__ __forceinline__ Scale rescale(gs_scale next, gs_scale of_dh, int k) const {
    Scale scale;
    next = gs_scale_input(next);
    of_dh = gs_scale_input(of_dh);
    scale.exponent = 0;
    scale.z = 0;
    if (delta.scale) {
      scale.exponent = gs_scale_of_sum(next, k > 0, of_dh, has_dh(k), delta.dtype);
    }
    scale.by_product = power_of_two(static_cast<int64_t>(next.exponent) - scale.exponent);
    scale.by_addend = power_of_two(static_cast<int64_t>(of_dh.exponent) - scale.exponent);
    return scale;
  }

  __device__ __forceinline__ float finish(const Plan &plan, const Place &place, int replica, int k,
                                          int row, int col, float sum, const Operands &operands,
                                          const Scale &scale) const {
    const int64_t at = static_cast<int64_t>(steps - 1 - k) * plan.batch + place.first_row + row;
    float eps = sum * scale.by_product;
    if (has_dh(k)) {
      const float part = widen(operands.dh) * scale.by_addend;
      eps = k > 0 ? eps + part : part;
    }
    const float factor = widen(operands.factor);
    const T digits = narrow<T>(activation_backward(phi, eps, factor, factor));
    store_fresh(element<T>(delta, replica, at, col), digits);
    return widen(digits);
  }
};

/* ---- kernels ---- */

template <typename T, int INPUTS, bool WHOLE>
__global__ void __launch_bounds__(32 * MAX_WARPS, INPUTS == 4 && WHOLE ? 2 : 1)
    persistent_forward_kernel(const __grid_constant__ Forward<T> pass,
                              const __grid_constant__ Plan plan, uint32_t *counters) {
  run_loop<WHOLE, T, INPUTS>(pass, plan, counters);
}

template <typename T, int INPUTS, bool WHOLE>
__global__ void __launch_bounds__(32 * MAX_WARPS, INPUTS == 4 && WHOLE ? 2 : 1)
    persistent_backward_kernel(const __grid_constant__ Backward<T> pass,
                               const __grid_constant__ Plan plan, uint32_t *counters) {
  run_loop<WHOLE, T, INPUTS>(pass, plan, counters);
}

/* ---- launching ---- */

/* Calls f with a value of the storage type and the number of inputs of a lane. */
template <typename F> cudaError_t with_kernel(gs_dtype dtype, int inputs, F f) {
  return with_storage(dtype, [&](auto type) {
    using T = decltype(type);
    if constexpr (sizeof(T) > sizeof(float)) {
      return cudaErrorNotSupported;
    } else {
      return inputs == 4 ? f(type, std::integral_constant<int, 4>{})
                         : f(type, std::integral_constant<int, 8>{});
    }
  });
}

/* The plan for a kernel on the queue's device; teams 0 where W does not fit. */
template <typename Kernel>
cudaError_t plan_for(gs_queue queue, const Loop &loop, Kernel kernel, Plan &plan) {
  int per_multiprocessor = 0;
  plan = cut_of(loop);
  const cudaError_t status = cudaOccupancyMaxActiveBlocksPerMultiprocessor(
      &per_multiprocessor, reinterpret_cast<const void *>(kernel), 32 * warps_of(plan), 0);
  if (status != cudaSuccess) return status;
  plan = plan_of(loop, queue.multiprocessors, per_multiprocessor);
  return cudaSuccess;
}

template <typename Pass, typename Kernel>
cudaError_t launch(gs_queue queue, const Loop &loop, Kernel kernel, const Pass &pass,
                   gs_scratch scratch) {
  Plan plan;
  const cudaError_t status = plan_for(queue, loop, kernel, plan);
  if (status != cudaSuccess) return status;
  if (plan.teams == 0) return cudaErrorCooperativeLaunchTooLarge;
  if (scratch.counter_count < gs_persistent_counters(loop.replicas)) return cudaErrorInvalidValue;
  const int blocks = plan.teams * plan.tiles * plan.blocks;
  return gs_launch_cooperative(kernel, dim3(static_cast<unsigned>(blocks)),
                               dim3(static_cast<unsigned>(32 * warps_of(plan))), 0, queue.stream,
                               pass, plan, scratch.counters);
}

/* Packs of an n-wide tensor that are either whole or beyond n. */
template <typename T, int INPUTS> bool whole_packs(const gs_tensor &tensor) {
  constexpr int V = Share<T, INPUTS>::V;
  return packs<T, V>(tensor) && tensor.cols % V == 0;
}

} // namespace
} // namespace gs::persistent

size_t gs_persistent_counters(int64_t) {
  return static_cast<size_t>(gs::persistent::MAX_BARRIER_GROUPS) * gs::persistent::COUNTER_WORDS;
}

int gs_persistent_blocks(gs_queue queue, const gs_recurrence *recurrence, int64_t batch,
                         int64_t replicas) {
  using namespace gs::persistent;
  if (!supported(*recurrence, recurrence->w.dtype)) return 0;
  const Loop loop = loop_of(*recurrence, batch, replicas, true);
  Plan forward{};
  Plan backward{};
  const cudaError_t status =
      with_kernel(recurrence->w.dtype, cut_of(loop).inputs, [&](auto type, auto inputs) {
        using T = decltype(type);
        const cudaError_t first =
            plan_for(queue, loop, persistent_forward_kernel<T, inputs, true>, forward);
        if (first != cudaSuccess) return first;
        return plan_for(queue, loop, persistent_backward_kernel<T, inputs, true>, backward);
      });
  const bool fits = status == cudaSuccess && forward.teams > 0 && backward.teams > 0;
  return fits ? forward.blocks : 0;
}

cudaError_t gs_launch_persistent_forward(gs_queue queue, const gs_recurrence *recurrence,
                                         const gs_tensor *projection, const gs_tensor *saved,
                                         const gs_tensor *h, gs_scratch scratch) {
  using namespace gs::persistent;
  if (!supported(*recurrence, recurrence->w.dtype)) return cudaErrorNotSupported;
  const int64_t batch = projection->rows / recurrence->steps;
  const Loop loop = loop_of(*recurrence, batch, h->replicas, h->scale != nullptr);
  return with_kernel(h->dtype, cut_of(loop).inputs, [&](auto type, auto inputs) {
    using T = decltype(type);
    Forward<T> pass{};
    pass.w = recurrence->w;
    pass.projection = *projection;
    pass.h = *h;
    pass.phi = recurrence->activation;
    pass.keeps = gs_activation_needs_saved(pass.phi.kind);
    if (pass.keeps) pass.saved = *saved;
    pass.whole_w = whole_packs<T, inputs>(recurrence->w);
    const auto kernel = whole_packs<T, inputs>(*h) ? persistent_forward_kernel<T, inputs, true>
                                                   : persistent_forward_kernel<T, inputs, false>;
    return launch(queue, loop, kernel, pass, scratch);
  });
}

cudaError_t gs_launch_persistent_backward(gs_queue queue, const gs_recurrence *recurrence,
                                          const gs_tensor *dh, int64_t dh_steps,
                                          const gs_tensor *saved, const gs_tensor *h,
                                          const gs_tensor *delta, gs_scratch scratch) {
  using namespace gs::persistent;
  if (!supported(*recurrence, recurrence->w.dtype)) return cudaErrorNotSupported;
  const int64_t batch = delta->rows / recurrence->steps;
  const Loop loop = loop_of(*recurrence, batch, delta->replicas, delta->scale != nullptr);
  return with_kernel(delta->dtype, cut_of(loop).inputs, [&](auto type, auto inputs) {
    using T = decltype(type);
    Backward<T> pass{};
    pass.w = recurrence->w;
    pass.dh = *dh;
    pass.h = *h;
    pass.delta = *delta;
    pass.phi = recurrence->activation;
    pass.steps = loop.steps;
    pass.every = dh_steps > 1;
    pass.keeps = gs_activation_needs_saved(pass.phi.kind);
    if (pass.keeps) pass.saved = *saved;
    pass.whole_w = whole_packs<T, inputs>(recurrence->w);
    const auto kernel = whole_packs<T, inputs>(*delta)
                            ? persistent_backward_kernel<T, inputs, true>
                            : persistent_backward_kernel<T, inputs, false>;
    return launch(queue, loop, kernel, pass, scratch);
  });
}
