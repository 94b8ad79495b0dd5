/* phi and phi' in kernels: the arithmetic of device/activation_f32.h and _f64.h, so
 * that both backends compute the same function, in f32 bit for bit. */
#ifndef GS_KERNELS_ACTIVATION_CUH
#define GS_KERNELS_ACTIVATION_CUH

#include "device/activation_f32.h"
#include "device/activation_f64.h"
#include "device/activation_scale.h"
#include "kernels/language.h"

namespace gs {

template <typename C> struct Slope {
  C h;
  C slope; /* phi'(z) */
};

__device__ inline Slope<double> activation(gs_activation phi, double z) {
  const gs_f64_slope both = gs_f64_activation(phi, z);
  return {both.h, both.slope};
}

/* relu and leaky_relu let NaN pass: it is not <= 0. */
__device__ inline Slope<float> activation(gs_activation phi, float z) {
  gs_f32_slope both = gs_f32_slope_of(z, 1.0f);
  switch (phi.kind) {
  case GS_SIGMOID: both = gs_f32_sigmoid(z); break;
  case GS_TANH: both = gs_f32_hyperbolic_tangent(z); break;
  case GS_RELU:
    if (z <= 0.0f) both = gs_f32_slope_of(0.0f, 0.0f);
    break;
  case GS_LEAKY_RELU:
    if (z <= 0.0f) {
      both = gs_f32_slope_of(static_cast<float>(phi.slope) * z, static_cast<float>(phi.slope));
    }
    break;
  case GS_ELU: both = gs_f32_elu(z); break;
  case GS_SELU: both = gs_f32_selu(z); break;
  case GS_GELU: both = gs_f32_gelu(z); break;
  case GS_SILU: both = gs_f32_silu(z); break;
  case GS_SOFTSIGN: both = gs_f32_softsign(z); break;
  case GS_SOFTPLUS: both = gs_f32_softplus(z); break;
  case GS_IDENTITY:
  case GS_ACTIVATION_COUNT: break;
  }
  return {both.h, both.slope};
}

__device__ __forceinline__ float argument(float digits, int32_t z) {
  return gs_f32_argument(digits, z);
}
__device__ __forceinline__ double argument(double digits, int32_t z) {
  return gs_f64_argument(digits, z);
}
__device__ __forceinline__ float moved_back(float h, float digits, int32_t z, int32_t exponent) {
  return gs_f32_moved_back(h, digits, z, exponent);
}
__device__ __forceinline__ double moved_back(double h, double digits, int32_t z, int32_t exponent) {
  return gs_f64_moved_back(h, digits, z, exponent);
}

/* phi(digits 2^z), as digits with this exponent (device/activation_scale.h), and phi'. */
template <typename C>
__device__ __forceinline__ Slope<C> activation(gs_activation phi, C digits, int32_t z,
                                               int32_t exponent) {
  Slope<C> both = activation(phi, z == 0 ? digits : argument(digits, z));
  if (z != 0) both.h = moved_back(both.h, digits, z, exponent);
  return both;
}

/* gs_activation_needs_saved, for a constant. */
template <gs_activation_kind PHI>
constexpr bool saves_slope = PHI != GS_IDENTITY &&PHI != GS_RELU &&PHI != GS_LEAKY_RELU;

/* delta = phi' eps. By the sign of h where that tells phi'; a unit that is off has
 * delta 0 whatever eps is, NaN and infinity included. */
template <typename C>
__device__ __forceinline__ C activation_backward(gs_activation phi, C eps, C saved, C h) {
  if (phi.kind == GS_IDENTITY) return eps;
  if (phi.kind == GS_RELU) return h <= 0 ? C(0) : eps;
  if (phi.kind == GS_LEAKY_RELU) return h <= 0 ? static_cast<C>(phi.slope) * eps : eps;
  return eps * saved;
}

} // namespace gs

#endif
