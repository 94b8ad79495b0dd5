/* Plain types that both sides of the device interface share: dtypes, the
 * extended-range scale, activations. Valid C, C++ and CUDA C++, so that kernels
 * and host code cannot disagree. */
#ifndef GS_DEVICE_TYPES_H
#define GS_DEVICE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

#endif
