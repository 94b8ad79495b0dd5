/* Types of parameters: how their values are read and written. */
#ifndef GS_NET_PARAM_TYPES_H
#define GS_NET_PARAM_TYPES_H

#include "net/param.h"

extern const gs_param_type gs_type_model;      /* gs_model */
extern const gs_param_type gs_type_size;       /* int64_t, 1 to max */
extern const gs_param_type gs_type_sizes;      /* gs_config's widths, up to max + 1 of them */
extern const gs_param_type gs_type_real;       /* double, finite and >= 0 */
extern const gs_param_type gs_type_flag;       /* bool */
extern const gs_param_type gs_type_choice;     /* an enumeration: one of choices */
extern const gs_param_type gs_type_init;       /* gs_init */
extern const gs_param_type gs_type_seed;       /* gs_config's seed: 64 bits */
extern const gs_param_type gs_type_text;       /* gs_config's device: short and printable */
extern const gs_param_type gs_type_bias;       /* gs_config's bias and bias_std: real, or null */
extern const gs_param_type gs_type_activation; /* gs_config's activations: the hidden one ... */
extern const gs_param_type gs_type_output;     /* ... and the last layer's */
extern const gs_param_type gs_type_slope;      /* ... and the slope of both */

#endif
