/* Checks of single fields, for gs_config_check and the models' own. Each names the field and
 * the value. Errors: GS_ERR_DATA. */
#ifndef GS_NET_CHECK_H
#define GS_NET_CHECK_H

#include "net/config.h"

gs_status gs_check_range(const char *field, int64_t value, int64_t max, gs_error *error);
gs_status gs_check_size(const char *field, int64_t value, gs_error *error);
/* Finite and >= 0. */
gs_status gs_check_value(const char *field, double value, gs_error *error);
gs_status gs_check_slope(const char *field, gs_activation activation, gs_error *error);
gs_status gs_check_init(const char *field, const gs_init *init, gs_error *error);

/* The models' own (model_check.c). */
gs_status gs_check_mlp(const gs_config *config, gs_error *error);
gs_status gs_check_rnn(const gs_config *config, gs_error *error);

#endif
