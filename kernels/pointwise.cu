/* The pointwise halves of dense layers and of recurrent steps, after a matrix product:
 *
 *   forward    h = phi(z),  z = product 2^. + addend 2^.,  saved = phi'(z)
 *   backward   delta = phi'(z) (product 2^. + dh 2^.),  db = sum of delta over rows
 *
 * (THEORY section 0), with the exponent of the result chosen from the slots of what went
 * in (device/scale.h) and its peak raised, in one pass over the data.
 *
 * Without db a thread takes packs of V neighbouring columns, 16 bytes where addresses
 * allow. With db a block takes V * 32 columns and a run of rows; the sums of such runs
 * are added in the order of their rows by the strip's last block.
 *
 * A thread's first pack is on its way before the slots are read: what is multiplied by
 * depends on them, where data lie does not. Activations are compiled each for itself. */
#include "kernels/activation.cuh"
#include "kernels/kernels.h"
#include "kernels/reduce.cuh"
#include "kernels/vector.cuh"

namespace gs {
namespace {

constexpr int THREADS = 256;
constexpr int STRIP_LANES = 32;                    /* packs of a strip's row */
constexpr int STRIP_WARPS = THREADS / STRIP_LANES; /* rows at a time */
constexpr int STRIP_ROWS = 128;                    /* of one block */

/* Packs of a row, rows and replicas as one range of items. */
struct Items {
  uint32_t per_row;
  uint32_t blocks_per_replica; /* a grid has fewer than 2^31 */
  int64_t per_replica;
};

struct Forward {
  gs_tensor product, addend, saved, h;
  const gs_scale *source;
  double slope;           /* of leaky_relu */
  bool has_addend, keeps; /* keeps: saved is wanted */
  bool whole;             /* every tensor's packs are aligned */
  Items items;
};

struct Backward {
  gs_tensor product, dh, saved, h, delta, db;
  const gs_scale *source;
  double slope; /* of leaky_relu */
  bool has_product, has_dh;
  bool whole;
  Items items;
  uint32_t runs;      /* of rows, with db */
  void *partial;      /* [R][row runs][cols] column sums, with db */
  uint32_t *counters; /* [R][strips] */
};

__device__ gs_scale slot_or_none(const gs_scale *slots, int64_t replica) {
  gs_scale none;
  none.exponent = 0;
  none.peak = GS_PEAK_NONE;
  return slots ? slots[replica] : none;
}

/* Row and column of an item, by 32-bit division: rows are cut so that a block's items fit. */
struct Place {
  int64_t row;
  int64_t col;
};
__device__ __forceinline__ Place place_of(const Items &items, int64_t item, int lanes) {
  Place place;
  if (item <= 0xffffffff) {
    const uint32_t row = static_cast<uint32_t>(item) / items.per_row;
    place.row = row;
    place.col = static_cast<int64_t>(static_cast<uint32_t>(item) - row * items.per_row) * lanes;
  } else {
    place.row = item / items.per_row;
    place.col = (item - place.row * items.per_row) * lanes;
  }
  return place;
}

/* A product's element times its factor. One that came in f32 for the sake of range is
 * rounded to T here, where it would have been had it come in T. */
template <typename T, typename P>
__device__ __forceinline__ Compute<T> scaled(P product, Compute<T> factor) {
  const Compute<T> x = static_cast<Compute<T>>(widen(product)) * factor;
  if constexpr (sizeof(P) > sizeof(T)) return widen(narrow<T>(x));
  return x;
}

/* ---- forward ---- */

/* Exponents of z and h, and what the digits of its two addends are multiplied by. */
template <typename C> struct ForwardScale {
  int32_t z, exponent;
  C by_product, by_addend;
};

template <gs_activation_kind PHI, typename C>
__device__ __forceinline__ ForwardScale<C> forward_scale_of(const Forward &pass, int64_t replica) {
  const gs_activate_scale of =
      gs_activate_scale_of(slot_or_none(pass.source, replica), pass.h.dtype, PHI,
                           pass.h.scale != nullptr, pass.has_addend);
  ForwardScale<C> scale;
  scale.z = of.z;
  scale.exponent = of.exponent;
  scale.by_product = static_cast<C>(gs_scale_factor(of.factor));
  scale.by_addend = static_cast<C>(gs_scale_factor(of.addend));
  return scale;
}

/* What a thread reads of one item, and where it lies. */
template <typename T, typename P, int V> struct ForwardPacks {
  Packed<P, V> product;
  Packed<T, V> addend;
  Place at;
  int count;
  bool whole;
};

template <typename T, typename P, int V>
__device__ __forceinline__ ForwardPacks<T, P, V> load_forward(const Forward &pass, int64_t replica,
                                                              int64_t item) {
  ForwardPacks<T, P, V> packs{};
  packs.at = place_of(pass.items, item, V);
  const int64_t left = pass.h.cols - packs.at.col;
  packs.whole = pass.whole && left >= V;
  packs.count = left < V ? static_cast<int>(left) : V;
  packs.product = load_packed<P, V>(element<P>(pass.product, replica, packs.at.row, packs.at.col),
                                    packs.whole, packs.count);
  if (pass.has_addend) {
    const int64_t row = pass.addend.rows == 1 ? 0 : packs.at.row;
    packs.addend = load_packed<T, V>(element<T>(pass.addend, replica, row, packs.at.col),
                                     packs.whole, packs.count);
  }
  return packs;
}

template <gs_activation_kind PHI, typename T, typename P, int V>
__device__ __forceinline__ void
finish_forward(const Forward &pass, int64_t replica, const ForwardPacks<T, P, V> &packs,
               const ForwardScale<Compute<T>> &scale, Compute<T> &most) {
  using C = Compute<T>;
  const gs_activation phi = {PHI, pass.slope};
  const Pack<P, V> product = unpacked<P, V>(packs.product);
  const Pack<T, V> addend = unpacked<T, V>(packs.addend);
  Pack<T, V> h;
  Pack<T, V> saved;
#pragma unroll
  for (int i = 0; i < V; i++) {
    C z = scaled<T>(product.at[i], scale.by_product);
    if (pass.has_addend) z = z + widen(addend.at[i]) * scale.by_addend;
    const Slope<C> both = activation(phi, z, scale.z, scale.exponent);
    h.at[i] = narrow<T>(both.h);
    saved.at[i] = narrow<T>(both.slope);
    if (i < packs.count) raise_magnitude(most, widen(h.at[i]));
  }
  store_pack<T, V>(element<T>(pass.h, replica, packs.at.row, packs.at.col), h, packs.whole,
                   packs.count);
  if (saves_slope<PHI> && pass.keeps) {
    store_pack<T, V>(element<T>(pass.saved, replica, packs.at.row, packs.at.col), saved,
                     packs.whole, packs.count);
  }
}

template <gs_activation_kind PHI, typename T, typename P, int V>
__global__ void __launch_bounds__(THREADS)
    activate_forward_kernel(const __grid_constant__ Forward pass) {
  const uint32_t replica = blockIdx.x / pass.items.blocks_per_replica;
  const uint32_t block = blockIdx.x - replica * pass.items.blocks_per_replica;
  const int64_t step = static_cast<int64_t>(pass.items.blocks_per_replica) * THREADS;
  const int64_t first = static_cast<int64_t>(block) * THREADS + threadIdx.x;
  ForwardScale<Compute<T>> scale{};
  Compute<T> most = 0;
  for (int64_t item = first; item < pass.items.per_replica; item += step) {
    const ForwardPacks<T, P, V> packs = load_forward<T, P, V>(pass, replica, item);
    if (item == first) scale = forward_scale_of<PHI, Compute<T>>(pass, replica);
    finish_forward<PHI>(pass, replica, packs, scale, most);
  }
  if (pass.h.scale == nullptr) return;
  if (block == 0 && threadIdx.x == 0) pass.h.scale[replica].exponent = scale.exponent;
  raise_peak(&pass.h.scale[replica], most);
}

/* ---- backward ---- */

__device__ gs_rescale backward_scale_of(const Backward &pass, int64_t replica) {
  const gs_scale product = gs_scale_input(slot_or_none(pass.source, replica));
  const gs_scale dh = gs_scale_input(slot_or_none(pass.dh.scale, replica));
  return gs_rescale_of(product, pass.has_product, dh, pass.has_dh, pass.delta.dtype,
                       pass.delta.scale != nullptr);
}

/* How phi' is told: by the sign of h, by a saved value, or not at all. One for each kind of
 * arithmetic, so that activations that save phi' share theirs. */
constexpr gs_activation_kind SAVED = GS_SIGMOID;

template <typename T, typename P, int V> struct BackwardPacks {
  Packed<P, V> product;
  Packed<T, V> dh;
  Packed<T, V> other; /* phi' or, where its sign tells phi', h */
  Place at;
  int count;
  bool whole;
};

template <gs_activation_kind PHI, typename T, typename P, int V>
__device__ __forceinline__ BackwardPacks<T, P, V> load_backward(const Backward &pass,
                                                                int64_t replica, Place at) {
  BackwardPacks<T, P, V> packs{};
  packs.at = at;
  const int64_t left = pass.delta.cols - at.col;
  packs.whole = pass.whole && left >= V;
  packs.count = left < V ? static_cast<int>(left) : V;
  if (pass.has_product) {
    packs.product = load_packed<P, V>(element<P>(pass.product, replica, at.row, at.col),
                                      packs.whole, packs.count);
  }
  if (pass.has_dh) {
    packs.dh =
        load_packed<T, V>(element<T>(pass.dh, replica, at.row, at.col), packs.whole, packs.count);
  }
  if (PHI != GS_IDENTITY) {
    const gs_tensor &from = saves_slope<PHI> ? pass.saved : pass.h;
    packs.other =
        load_packed<T, V>(element<T>(from, replica, at.row, at.col), packs.whole, packs.count);
  }
  return packs;
}

template <gs_activation_kind PHI, typename T, typename P, int V>
__device__ __forceinline__ Pack<T, V> finish_backward(const Backward &pass, int64_t replica,
                                                      const BackwardPacks<T, P, V> &packs,
                                                      const gs_rescale &scale, Compute<T> &most) {
  using C = Compute<T>;
  const gs_activation phi = {PHI, pass.slope};
  const C by_product = static_cast<C>(scale.product);
  const C by_dh = static_cast<C>(scale.addend);
  const Pack<P, V> product = unpacked<P, V>(packs.product);
  const Pack<T, V> dh = unpacked<T, V>(packs.dh);
  const Pack<T, V> other = unpacked<T, V>(packs.other);
  Pack<T, V> delta;
#pragma unroll
  for (int i = 0; i < V; i++) {
    C eps = 0;
    if (pass.has_product) eps = scaled<T>(product.at[i], by_product);
    if (pass.has_dh) {
      const C part = widen(dh.at[i]) * by_dh;
      eps = pass.has_product ? eps + part : part;
    }
    const C factor = widen(other.at[i]);
    delta.at[i] = narrow<T>(activation_backward(phi, eps, factor, factor));
    if (i < packs.count) raise_magnitude(most, widen(delta.at[i]));
  }
  store_pack<T, V>(element<T>(pass.delta, replica, packs.at.row, packs.at.col), delta, packs.whole,
                   packs.count);
  return delta;
}

template <typename T>
__device__ void write_backward_slots(const Backward &pass, int64_t replica, bool first,
                                     int32_t exponent, Compute<T> most) {
  if (!pass.delta.scale) return;
  if (first && threadIdx.x == 0 && threadIdx.y == 0) {
    pass.delta.scale[replica].exponent = exponent;
    if (pass.db.scale) pass.db.scale[replica].exponent = exponent;
  }
  raise_peak(&pass.delta.scale[replica], most);
}

template <gs_activation_kind PHI, typename T, typename P, int V>
__global__ void __launch_bounds__(THREADS)
    activate_backward_kernel(const __grid_constant__ Backward pass) {
  const uint32_t replica = blockIdx.x / pass.items.blocks_per_replica;
  const uint32_t block = blockIdx.x - replica * pass.items.blocks_per_replica;
  const int64_t step = static_cast<int64_t>(pass.items.blocks_per_replica) * THREADS;
  const int64_t first = static_cast<int64_t>(block) * THREADS + threadIdx.x;
  gs_rescale scale{};
  Compute<T> most = 0;
  for (int64_t item = first; item < pass.items.per_replica; item += step) {
    const BackwardPacks<T, P, V> packs =
        load_backward<PHI, T, P, V>(pass, replica, place_of(pass.items, item, V));
    if (item == first) scale = backward_scale_of(pass, replica);
    finish_backward<PHI>(pass, replica, packs, scale, most);
  }
  write_backward_slots<T>(pass, replica, block == 0, scale.exponent, most);
}

/* ---- backward with column sums ---- */

/* Adds the runs' sums of one strip in the order of their rows. */
template <typename T, int V>
__device__ void combine_runs(const Backward &pass, int64_t replica, int64_t strip, int64_t runs) {
  using C = Compute<T>;
  const C *partial = static_cast<const C *>(pass.partial) + replica * runs * pass.delta.cols;
  const int64_t end = (strip + 1) * STRIP_LANES * V;
  const int64_t last = end < pass.delta.cols ? end : pass.delta.cols;
  for (int64_t col = strip * STRIP_LANES * V + threadIdx.y * STRIP_LANES + threadIdx.x; col < last;
       col += THREADS) {
    C sum = __ldcg(&partial[col]);
    for (int64_t run = 1; run < runs; run++) sum += __ldcg(&partial[run * pass.delta.cols + col]);
    *element<T>(pass.db, replica, 0, col) = narrow<T>(sum);
  }
}

/* items.blocks_per_replica = strips x runs of rows. */
template <gs_activation_kind PHI, typename T, typename P, int V>
__global__ void __launch_bounds__(THREADS)
    activate_backward_sums_kernel(const __grid_constant__ Backward pass) {
  using C = Compute<T>;
  GS_SHARED_ARRAY(C, sums, [STRIP_WARPS][STRIP_LANES * V]);
  const uint32_t runs = pass.runs;
  const uint32_t replica = blockIdx.x / pass.items.blocks_per_replica;
  const uint32_t block = blockIdx.x - replica * pass.items.blocks_per_replica;
  const uint32_t strip = block / runs;
  const uint32_t run = block - strip * runs;
  const int64_t strips = pass.items.blocks_per_replica / runs;
  const int64_t end = (static_cast<int64_t>(run) + 1) * STRIP_ROWS;
  const int64_t last = end < pass.delta.rows ? end : pass.delta.rows;
  Place at;
  at.col = (static_cast<int64_t>(strip) * STRIP_LANES + threadIdx.x) * V;
  at.row = static_cast<int64_t>(run) * STRIP_ROWS + threadIdx.y;
  const bool inside = at.col < pass.delta.cols;
  const int64_t first = at.row;
  gs_rescale scale{};
  C most = 0;
  C own[V];
#pragma unroll
  for (int i = 0; i < V; i++) own[i] = 0;
  for (; inside && at.row < last; at.row += STRIP_WARPS) {
    const BackwardPacks<T, P, V> packs = load_backward<PHI, T, P, V>(pass, replica, at);
    if (at.row == first) scale = backward_scale_of(pass, replica);
    const Pack<T, V> delta = finish_backward<PHI>(pass, replica, packs, scale, most);
#pragma unroll
    for (int i = 0; i < V; i++) own[i] += widen(delta.at[i]);
  }
#pragma unroll
  for (int i = 0; i < V; i++) sums[threadIdx.y][static_cast<int>(threadIdx.x) * V + i] = own[i];
  __syncthreads();
  C *partial = static_cast<C *>(pass.partial) +
               (static_cast<int64_t>(replica) * runs + run) * pass.delta.cols;
  const int thread = static_cast<int>(threadIdx.y) * STRIP_LANES + static_cast<int>(threadIdx.x);
  for (int i = thread; i < STRIP_LANES * V; i += THREADS) {
    const int64_t col = static_cast<int64_t>(strip) * STRIP_LANES * V + i;
    if (col >= pass.delta.cols) continue;
    C sum = sums[0][i];
    for (int warp = 1; warp < STRIP_WARPS; warp++) sum += sums[warp][i];
    partial[col] = sum;
  }
  write_backward_slots<T>(pass, replica, block == 0, scale.exponent, most);
  if (last_block(&pass.counters[replica * strips + strip], runs)) {
    combine_runs<T, V>(pass, replica, strip, runs);
  }
}

/* ---- launching ---- */

/* Blocks of a replica: enough to fill the device some times over, no more than items. */
Items items_of(gs_queue queue, const gs_tensor &tensor, int lanes) {
  Items items;
  items.per_row = static_cast<uint32_t>((tensor.cols + lanes - 1) / lanes);
  items.per_replica = items.per_row * tensor.rows;
  const int64_t wanted = (items.per_replica + THREADS - 1) / THREADS;
  const int64_t share = static_cast<int64_t>(queue.multiprocessors) * 16 / tensor.replicas;
  const int64_t most = share > 1 ? share : 1;
  items.blocks_per_replica = static_cast<uint32_t>(wanted < most ? wanted : most);
  return items;
}

unsigned grid_of(const Items &items, const gs_tensor &tensor) {
  return static_cast<unsigned>(items.blocks_per_replica * tensor.replicas);
}

/* Calls f with a kind of activation as a constant. */
template <gs_activation_kind KIND> using Kind = std::integral_constant<gs_activation_kind, KIND>;
template <typename F> cudaError_t with_activation(gs_activation_kind kind, F f) {
  switch (kind) {
#define GS_CASE(constant, name)                                                                    \
  case constant: return f(Kind<constant>{});
    GS_ACTIVATION_LIST(GS_CASE)
#undef GS_CASE
  case GS_ACTIVATION_COUNT: break;
  }
  return cudaErrorInvalidValue;
}
/* The same with one for all that save phi'. */
template <typename F> cudaError_t with_slope(gs_activation_kind kind, F f) {
  switch (kind) {
  case GS_IDENTITY: return f(Kind<GS_IDENTITY>{});
  case GS_RELU: return f(Kind<GS_RELU>{});
  case GS_LEAKY_RELU: return f(Kind<GS_LEAKY_RELU>{});
  default: return f(Kind<SAVED>{});
  }
}

template <typename T, typename P>
cudaError_t launch_forward(gs_queue queue, gs_activation_kind kind, Forward pass) {
  constexpr int V = lanes_of<T>;
  pass.whole = packs<P, V>(pass.product) && packs<T, V>(pass.h) &&
               (!pass.has_addend || packs<T, V>(pass.addend)) &&
               (!pass.keeps || packs<T, V>(pass.saved));
  pass.items = items_of(queue, pass.h, V);
  return with_activation(kind, [&](auto phi) {
    return gs_launch(activate_forward_kernel<phi, T, P, V>, dim3(grid_of(pass.items, pass.h)),
                     dim3(THREADS), 0, queue.stream, pass);
  });
}

template <typename T, typename P>
cudaError_t launch_backward(gs_queue queue, gs_activation_kind kind, Backward pass, bool sums) {
  constexpr int V = lanes_of<T>;
  const gs_tensor &told_by = gs_activation_needs_saved(kind) ? pass.saved : pass.h;
  pass.whole = packs<T, V>(pass.delta) && (!pass.has_product || packs<P, V>(pass.product)) &&
               (!pass.has_dh || packs<T, V>(pass.dh)) &&
               (kind == GS_IDENTITY || packs<T, V>(told_by));
  pass.items = items_of(queue, pass.delta, V);
  if (sums) {
    const int64_t strips = (pass.delta.cols + STRIP_LANES * V - 1) / (STRIP_LANES * V);
    pass.runs = static_cast<uint32_t>((pass.delta.rows + STRIP_ROWS - 1) / STRIP_ROWS);
    pass.items.blocks_per_replica = static_cast<uint32_t>(strips * pass.runs);
  }
  const dim3 blocks(grid_of(pass.items, pass.delta));
  return with_slope(kind, [&](auto phi) {
    return sums ? gs_launch(activate_backward_sums_kernel<phi, T, P, V>, blocks,
                            dim3(STRIP_LANES, STRIP_WARPS), 0, queue.stream, pass)
                : gs_launch(activate_backward_kernel<phi, T, P, V>, blocks, dim3(THREADS), 0,
                            queue.stream, pass);
  });
}

/* P: the product's storage, T itself or float. */
template <typename F> cudaError_t with_product(gs_dtype dtype, bool wide, F f) {
  if (dtype == GS_F16 && wide) return f(__half{}, float{});
  return with_storage(dtype, [&](auto type) { return f(type, type); });
}

} // namespace
} // namespace gs

cudaError_t gs_launch_activate(gs_queue queue, const gs_tensor *product, const gs_scale *source,
                               const gs_tensor *addend, gs_activation activation,
                               const gs_tensor *saved, const gs_tensor *h) {
  gs::Forward pass{};
  pass.product = *product;
  pass.source = source;
  pass.has_addend = addend != nullptr;
  if (addend) pass.addend = *addend;
  pass.slope = activation.slope;
  pass.keeps = saved != nullptr && gs_activation_needs_saved(activation.kind);
  if (pass.keeps) pass.saved = *saved;
  pass.h = *h;
  return gs::with_product(h->dtype, product->dtype != h->dtype, [&](auto type, auto wide) {
    return gs::launch_forward<decltype(type), decltype(wide)>(queue, activation.kind, pass);
  });
}

cudaError_t gs_launch_activate_backward(gs_queue queue, const gs_tensor *product,
                                        const gs_scale *source, const gs_tensor *dh,
                                        gs_activation activation, const gs_tensor *saved,
                                        const gs_tensor *h, const gs_tensor *delta,
                                        const gs_tensor *db, gs_scratch scratch) {
  gs::Backward pass{};
  pass.has_product = product != nullptr;
  if (product) pass.product = *product;
  pass.source = source;
  pass.has_dh = dh != nullptr;
  if (dh) pass.dh = *dh;
  pass.slope = activation.slope;
  if (gs_activation_needs_saved(activation.kind)) pass.saved = *saved;
  pass.h = *h;
  pass.delta = *delta;
  if (db) pass.db = *db;
  pass.partial = scratch.data;
  pass.counters = scratch.counters;
  const bool wide = product && product->dtype != delta->dtype;
  return gs::with_product(delta->dtype, wide, [&](auto type, auto product_type) {
    return gs::launch_backward<decltype(type), decltype(product_type)>(queue, activation.kind, pass,
                                                                       db != nullptr);
  });
}

size_t gs_column_sums_bytes(int64_t rows, int64_t cols, int64_t replicas, gs_dtype dtype) {
  const size_t runs = static_cast<size_t>((rows + gs::STRIP_ROWS - 1) / gs::STRIP_ROWS);
  const size_t bytes = dtype == GS_F64 ? sizeof(double) : sizeof(float);
  return static_cast<size_t>(replicas) * runs * static_cast<size_t>(cols) * bytes;
}

/* One for each strip; a strip is narrowest in f64. */
size_t gs_column_sums_counters(int64_t cols, int64_t replicas) {
  constexpr int64_t narrowest = gs::STRIP_LANES * gs::lanes_of<double>;
  return static_cast<size_t>(replicas) * static_cast<size_t>((cols + narrowest - 1) / narrowest);
}
