/* A prediction as JSON: {"decades": {"rms", "typical", "sd"}, "depth_scale", "validity",
 * "reasons": [names], "recurrent" (rnn): {"steepest", "singular", "spectral_radius",
 * "must_vanish"}, "index", "log10_q", "log10_chi", "layers": {quantity: {"index",
 * "rms", "typical", "sd"}}}; null for what is not finite. theory.h says what they
 * mean. */
#ifndef GS_THEORY_JSON_H
#define GS_THEORY_JSON_H

#include "base/json.h"
#include "theory/theory.h"

/* Axes longer than max_points are thinned as measured ones are, with the kept
 * indices listed. The caller owns *json. Errors: GS_ERR_MEMORY. */
gs_status gs_theory_json(const gs_config *config, const gs_theory *theory, int64_t max_points,
                         cJSON **json, gs_error *error);

#endif
