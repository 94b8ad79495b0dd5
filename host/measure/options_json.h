/* gs_measure_options as JSON: in a run's context.options and in what a worker is asked. */
#ifndef GS_MEASURE_OPTIONS_JSON_H
#define GS_MEASURE_OPTIONS_JSON_H

#include "base/json.h"
#include "measure/measure.h"

/* Adds the members that records depend on; with_round: round and steps_per_sample, too, which
 * differ from request to request. False: out of memory. */
bool gs_measure_options_to_json(cJSON *object, const gs_measure_options *options, bool with_round);

/* The way back, of all members. False: one is missing, no number, or out of its limits. */
bool gs_measure_options_from_json(const cJSON *object, gs_measure_options *options);

#endif
