/* Plain types that both sides of the device interface share: dtypes, the
 * extended-range scale, activations, ways to run a recurrent loop. Valid C, C++ and
 * CUDA C++, so that kernels and host code cannot disagree. What describes a network
 * (net/config.h) needs no more of the devices than this. */
#ifndef GS_DEVICE_TYPES_H
#define GS_DEVICE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/names.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Storage types. tf32 is stored as f32 and multiplied with 10-bit mantissas. */
typedef enum gs_dtype { GS_F64, GS_F32, GS_TF32, GS_BF16, GS_F16, GS_DTYPE_COUNT } gs_dtype;

/* X(constant, name, bytes, min exponent, min normal exponent, max exponent):
 * exponents are ilogb() of the smallest subnormal, smallest normal and largest
 * number of the *storage* format (THEORY: f32 -149, -126, 127). */
#define GS_DTYPE_LIST(X)                                                                           \
  X(GS_F64, "f64", 8, -1074, -1022, 1023)                                                          \
  X(GS_F32, "f32", 4, -149, -126, 127)                                                             \
  X(GS_TF32, "tf32", 4, -149, -126, 127)                                                           \
  X(GS_BF16, "bf16", 2, -133, -126, 127)                                                           \
  X(GS_F16, "f16", 2, -24, -14, 15)

/* X(constant, name). The README defines each formula. */
#define GS_ACTIVATION_LIST(X)                                                                      \
  X(GS_IDENTITY, "identity")                                                                       \
  X(GS_SIGMOID, "sigmoid")                                                                         \
  X(GS_TANH, "tanh")                                                                               \
  X(GS_RELU, "relu")                                                                               \
  X(GS_LEAKY_RELU, "leaky_relu")                                                                   \
  X(GS_ELU, "elu")                                                                                 \
  X(GS_SELU, "selu")                                                                               \
  X(GS_GELU, "gelu")                                                                               \
  X(GS_SILU, "silu")                                                                               \
  X(GS_SOFTSIGN, "softsign")                                                                       \
  X(GS_SOFTPLUS, "softplus")

typedef enum gs_activation_kind {
#define GS_ACTIVATION_ENUM(constant, name) constant,
  GS_ACTIVATION_LIST(GS_ACTIVATION_ENUM)
#undef GS_ACTIVATION_ENUM
      GS_ACTIVATION_COUNT
} gs_activation_kind;

typedef struct gs_activation {
  gs_activation_kind kind;
  double slope; /* leaky_relu: the factor below zero; ignored by the others */
} gs_activation;

/* How the steps of a recurrent network are run. X(constant, name) */
#define GS_LOOP_LIST(X)                                                                            \
  X(GS_LOOP_AUTO, "auto")             /* the backend chooses, from shapes and dtype alone */       \
  X(GS_LOOP_STEPS, "steps")           /* operations of their own for each step */                  \
  X(GS_LOOP_PERSISTENT, "persistent") /* one kernel for all steps, W kept on the chip */
typedef enum gs_loop { GS_LOOP_LIST(GS_ROW_VALUE) GS_LOOP_COUNT } gs_loop;

/* What is normalised, x of B x n: every example over its n units, or every unit over the B
 * examples of the batch (Ba, Kiros & Hinton 2016; Zhang & Sennrich 2019; Ioffe & Szegedy
 * 2015), without gain and offset:
 *
 *   y = (x - mean) / sqrt(mean((x - mean)^2) + GS_NORM_EPSILON), rms without the mean
 *
 * mean and square in float64, whatever the dtype; epsilon is that of true values. */
#define GS_NORM_LIST(X)                                                                            \
  X(GS_NORM_NONE, "none")                                                                          \
  X(GS_NORM_LAYER, "layer")                                                                        \
  X(GS_NORM_RMS, "rms")                                                                            \
  X(GS_NORM_BATCH, "batch")
typedef enum gs_norm { GS_NORM_LIST(GS_ROW_VALUE) GS_NORM_COUNT } gs_norm;
#define GS_NORM_EPSILON 1e-5

/* The exponent slot of one tensor and one replica (README: extended range).
 * The true value of an element is digits * 2^exponent. `peak` is the largest
 * ilogb among the tensor's finite non-zero digits, GS_PEAK_NONE if there is
 * none: the next operation reads it to decide how far to shift its own output,
 * so no value has to come back to the host. */
typedef struct gs_scale {
  int32_t exponent;
  int32_t peak;
} gs_scale;

#define GS_PEAK_NONE INT32_MIN

/* ---- facts about them (types.c) ---- */

/* What an activation's backward pass needs: enough of z, in a tensor of z's
 * shape whose content only the backend that wrote it can read. Activations
 * whose derivative follows from the sign of h need none. */
bool gs_activation_needs_saved(gs_activation_kind kind);
/* Bounded activations count as saturated at h <= low or h >= high: 1 % of the
 * range from either end. Returns false for unbounded ones. */
bool gs_activation_saturation(gs_activation_kind kind, double *low, double *high);

/* Bins of an exponent histogram: bin i counts finite non-zero elements whose
 * digits have ilogb() == gs_dtype_min_exponent(dtype) + i. */
int gs_dtype_min_exponent(gs_dtype dtype);
int gs_dtype_exponent_bins(gs_dtype dtype);
size_t gs_dtype_bytes(gs_dtype dtype);
/* Half the distance of 1 from the next larger number: of what is stored, for tf32 of what is
 * multiplied (10 bits). */
double gs_dtype_roundoff(gs_dtype dtype);

#ifdef __cplusplus
}
#endif

#endif
