/* How large a cell's record can be. See record_size.h. */
#include "sweep/record_size.h"

#include <math.h>

#include "measure/formats.h"
#include "measure/timing_rule.h"
#include "net/model.h"
#include "net/network.h"

enum {
  NUMBER_BYTES = 26,           /* -1.2345678901234567e-123, a comma and a space */
  FIXED_BYTES = 1 << 18,       /* keys, words, the device, what there is one of */
  QUANTITY_COLUMNS = 24,       /* of measure/layers.c, and their predictions */
  HISTOGRAMS_BYTES = 1 << 28,  /* replicas a whole range of the dtype apart would fill more */
  OTHER_COLUMNS = 3 + 30 + 10, /* of the theory, singular values, Lyapunov exponents */
};

/* The longest axis: layers or steps, or the exponents of a Jacobian. */
static double points_of(const gs_config *config, const gs_measure_options *options) {
  double longest = (double)gs_model_points(config);
  if (config->jacobian) longest = fmax(longest, GS_JACOBIAN_MAX_WIDTH);
  return fmin(longest + 2, (double)options->max_points);
}

double gs_record_max_bytes(const gs_config *config, const gs_measure_options *options) {
  const double points = points_of(config, options);
  const double columns = GS_QUANTITY_COUNT * (QUANTITY_COLUMNS + 3 * GS_FORMAT_COUNT);
  const double plain = 2 * GS_TIMING_MAX_SAMPLES + points * (columns + OTHER_COLUMNS);
  const double bins = gs_dtype_exponent_bins(config->dtype); /* every other one may be empty */
  const double counts = config->stats == GS_STATS_FULL
                            ? points * GS_QUANTITY_COUNT * 2 * bins * (double)config->replicas
                            : 0;
  return FIXED_BYTES + NUMBER_BYTES * plain + fmin(NUMBER_BYTES * counts, HISTOGRAMS_BYTES);
}
