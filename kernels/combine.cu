/* h = phi(by_a a + by_b b), without a product (gs_combination): a residual connection's sum, an
 * activation by itself, a gradient's multiple. One pass, 16 bytes at a time where addresses
 * allow. Between sums phi is the identity, which is compiled for itself. */
#include "kernels/activation.cuh"
#include "kernels/kernels.h"
#include "kernels/reduce.cuh"
#include "kernels/vector.cuh"

namespace gs {
namespace {

constexpr int COMBINE_THREADS = 256;

struct Combine {
  gs_tensor a, b, saved, h;
  double by_a, by_b;
  gs_activation phi;
  bool has_b, keeps; /* keeps: saved is wanted */
  bool whole;        /* every tensor's packs are aligned */
  uint32_t blocks_per_replica;
  int64_t packs_per_row;
};

__device__ gs_scale slot_of(const gs_tensor &tensor, int64_t replica) {
  gs_scale none;
  none.exponent = 0;
  none.peak = GS_PEAK_NONE;
  return gs_scale_input(tensor.scale ? tensor.scale[replica] : none);
}

template <typename T, bool IDENTITY>
__global__ void __launch_bounds__(COMBINE_THREADS)
    combine_kernel(const __grid_constant__ Combine pass) {
  using C = Compute<T>;
  constexpr int V = lanes_of<T>;
  const uint32_t replica = blockIdx.x / pass.blocks_per_replica;
  const uint32_t block = blockIdx.x - replica * pass.blocks_per_replica;
  const gs_activate_scale scale =
      gs_activate_scale_of_sum(slot_of(pass.a, replica), slot_of(pass.b, replica), pass.has_b,
                               pass.h.dtype, pass.phi.kind, pass.h.scale != nullptr);
  const C by_a = static_cast<C>(gs_scale_factor(scale.factor) * pass.by_a);
  const C by_b = static_cast<C>(gs_scale_factor(scale.addend) * pass.by_b);
  const int64_t step = static_cast<int64_t>(pass.blocks_per_replica) * COMBINE_THREADS;
  C most = 0;
  for (int64_t item = static_cast<int64_t>(block) * COMBINE_THREADS + threadIdx.x;
       item < pass.packs_per_row * pass.h.rows; item += step) {
    const int64_t row = item / pass.packs_per_row;
    const int64_t col = (item - row * pass.packs_per_row) * V;
    const int64_t left = pass.h.cols - col;
    const int count = left < V ? static_cast<int>(left) : V;
    const bool whole = pass.whole && count == V;
    const Pack<T, V> a = load_pack<T, V>(element<T>(pass.a, replica, row, col), whole, count);
    Pack<T, V> b{};
    if (pass.has_b) b = load_pack<T, V>(element<T>(pass.b, replica, row, col), whole, count);
    Pack<T, V> h;
    Pack<T, V> saved{};
#pragma unroll
    for (int i = 0; i < V; i++) {
      C z = widen(a.at[i]) * by_a;
      if (pass.has_b) z = z + widen(b.at[i]) * by_b;
      if constexpr (IDENTITY) {
        h.at[i] = narrow<T>(z);
      } else {
        const Slope<C> both = activation(pass.phi, z, scale.z, scale.exponent);
        h.at[i] = narrow<T>(both.h);
        saved.at[i] = narrow<T>(both.slope);
      }
      if (i < count) raise_magnitude(most, widen(h.at[i]));
    }
    store_pack<T, V>(element<T>(pass.h, replica, row, col), h, whole, count);
    if (!IDENTITY && pass.keeps) {
      store_pack<T, V>(element<T>(pass.saved, replica, row, col), saved, whole, count);
    }
  }
  if (pass.h.scale == nullptr) return;
  if (block == 0 && threadIdx.x == 0) pass.h.scale[replica].exponent = scale.exponent;
  raise_peak(&pass.h.scale[replica], most);
}

/* Blocks enough to fill the device some times over, no more than there are packs for. */
template <typename T> cudaError_t launch(gs_queue queue, Combine pass) {
  constexpr int V = lanes_of<T>;
  pass.whole = packs<T, V>(pass.a) && packs<T, V>(pass.h) && (!pass.has_b || packs<T, V>(pass.b)) &&
               (!pass.keeps || packs<T, V>(pass.saved));
  pass.packs_per_row = (pass.h.cols + V - 1) / V;
  const int64_t items = pass.packs_per_row * pass.h.rows;
  const int64_t wanted = (items + COMBINE_THREADS - 1) / COMBINE_THREADS;
  const int64_t share = static_cast<int64_t>(queue.multiprocessors) * 16 / pass.h.replicas;
  const int64_t most = share > 1 ? share : 1;
  pass.blocks_per_replica = static_cast<uint32_t>(wanted < most ? wanted : most);
  const dim3 grid(static_cast<unsigned>(pass.blocks_per_replica * pass.h.replicas));
  return pass.phi.kind == GS_IDENTITY ? gs_launch(combine_kernel<T, true>, grid,
                                                  dim3(COMBINE_THREADS), 0, queue.stream, pass)
                                      : gs_launch(combine_kernel<T, false>, grid,
                                                  dim3(COMBINE_THREADS), 0, queue.stream, pass);
}

} // namespace
} // namespace gs

cudaError_t gs_launch_combine(gs_queue queue, const gs_combination *of) {
  gs::Combine pass{};
  pass.a = *of->a;
  pass.by_a = of->by_a;
  pass.by_b = of->by_b;
  pass.has_b = of->b != nullptr;
  if (of->b) pass.b = *of->b;
  pass.phi = of->activation;
  pass.keeps = of->saved != nullptr && gs_activation_needs_saved(of->activation.kind);
  if (pass.keeps) pass.saved = *of->saved;
  pass.h = *of->h;
  return gs::with_storage(of->h->dtype,
                          [&](auto type) { return gs::launch<decltype(type)>(queue, pass); });
}
