/* See check.h. */
#include "net/check.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "net/init.h"

gs_status gs_check_range(const char *field, int64_t value, int64_t max, gs_error *error) {
  if (value >= 1 && value <= max) return GS_OK;
  return GS_FAIL(error, GS_ERR_DATA, "%s must be 1 to %" PRId64 ", not %" PRId64, field, max,
                 value);
}

gs_status gs_check_size(const char *field, int64_t value, gs_error *error) {
  return gs_check_range(field, value, GS_MAX_SIZE, error);
}

gs_status gs_check_value(const char *field, double value, gs_error *error) {
  if (isfinite(value) && value >= 0.0) return GS_OK;
  return GS_FAIL(error, GS_ERR_DATA, "%s must be a finite number >= 0, not %g", field, value);
}

gs_status gs_check_slope(const char *field, gs_activation activation, gs_error *error) {
  if (activation.kind != GS_LEAKY_RELU) return GS_OK;
  return gs_check_value(field, activation.slope, error);
}

gs_status gs_check_init(const char *field, const gs_init *init, gs_error *error) {
  char name[64];
  double value = 0;
  for (int i = 0; i < GS_INIT_PARAM_COUNT; i++) {
    if (gs_init_params[i].choices) continue;
    snprintf(name, sizeof name, "%s %s", field, gs_init_params[i].key);
    memcpy(&value, (const unsigned char *)init + gs_init_params[i].offset, sizeof value);
    if (gs_init_params[i].any_sign) value = fabs(value);
    GS_TRY(gs_check_value(name, value, error));
  }
  return GS_OK;
}
