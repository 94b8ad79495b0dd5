/* gs_measure_options as JSON: in a run's context.options and in what a worker is asked. */
#ifndef GS_MEASURE_OPTIONS_JSON_H
#define GS_MEASURE_OPTIONS_JSON_H

#include "base/json_writer.h"
#include "measure/measure.h"

/* Puts the members that records depend on; with_round: round and steps_per_sample, too, which
 * differ from request to request. */
void gs_measure_options_put(gs_json_writer *w, const gs_measure_options *options, bool with_round);

/* The way back, of all members. False: one is missing, no number, or out of its limits. */
bool gs_measure_options_from_json(const cJSON *object, gs_measure_options *options);

#endif
