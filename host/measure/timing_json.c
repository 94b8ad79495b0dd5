/* The timing of a record. See timing_json.h. */
#include "measure/timing_json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/integer.h"
#include "base/sort.h"
#include "measure/machine.h"
#include "measure/sample.h"

static gs_status out_of_memory(gs_error *error) {
  return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the record");
}

/* ---- one round ---- */

static void put_lacks(gs_json_writer *w, unsigned lacks) {
  gs_json_open_array(w, "lacks");
#define GS_TIMING_LACK_PUT(constant, bit, name)                                                    \
  if (lacks & (constant)) gs_json_put_string(w, NULL, name);
  GS_TIMING_LACK_LIST(GS_TIMING_LACK_PUT)
#undef GS_TIMING_LACK_PUT
  gs_json_close(w);
}

/* The entry of "rounds". */
static void put_round(gs_json_writer *w, const gs_timing *timing, int64_t round, double median_ns) {
  int64_t disturbed = 0;
  for (int64_t i = 0; i < timing->count; i++) disturbed += timing->disturbed[i];
  gs_json_open_object(w, NULL);
  gs_json_put_int(w, "round", round);
  gs_json_put_int(w, "samples", timing->count);
  gs_json_put_number(w, "median_ns", median_ns);
  gs_json_put_string(w, "stopped", gs_name(&gs_timing_stop_names, timing->stopped));
  put_lacks(w, timing->lacks);
  gs_json_put_int(w, "disturbed", disturbed);
  gs_json_put_number(w, "wall_ns", timing->wall_ns);
  gs_json_put_number(w, "held_up_ns", timing->held_up_ns);
  gs_json_put_int(w, "involuntary_switches", timing->taken);
  gs_json_close(w);
}

/* What was measured, with nothing made of it yet. */
static cJSON *raw_to_json(const gs_timing *timing, int64_t round, double median_ns) {
  gs_json_writer w = gs_json_writer_object();
  gs_json_open_array(&w, "rounds");
  put_round(&w, timing, round, median_ns);
  gs_json_close(&w);
  gs_json_put_string(&w, "launch", gs_name(&gs_launch_names, timing->launch));
  gs_json_put_int(&w, "steps_per_sample", timing->steps_per_sample);
  gs_json_put_numbers(&w, "samples_ns", timing->samples_ns, (size_t)timing->count);
  gs_json_open_array(&w, "disturbed_samples");
  for (int64_t i = 0; i < timing->count; i++) {
    if (timing->disturbed[i]) gs_json_put_int(&w, NULL, i);
  }
  return gs_json_finish(&w);
}

gs_status gs_timing_json(const gs_timing *timing, int64_t round, const gs_config *config,
                         const gs_roofline_best *roofline, cJSON **json, gs_error *error) {
  gs_sample s;
  *json = NULL;
  GS_TRY(gs_sample_of(timing->samples_ns, (size_t)timing->count, &s, error));
  cJSON *raw = raw_to_json(timing, round, s.p50);
  if (!raw) return out_of_memory(error);
  const cJSON *const rounds[] = {raw};
  const gs_status status = gs_timing_compose(rounds, 1, config, roofline, json, error);
  cJSON_Delete(raw);
  return status;
}

/* ---- reading rounds ---- */

/* All rounds together. */
typedef struct pooled {
  int rounds;
  const cJSON **entries; /* of "rounds", borrowed */
  double *medians;       /* of the rounds, ascending */
  double *samples;       /* in order */
  int64_t count;
} pooled;

static void pooled_clear(pooled *all) {
  free(all->entries);
  free(all->medians);
  free(all->samples);
}

static bool is_list_of_samples(const cJSON *list, double max) {
  const cJSON *item = NULL;
  if (!cJSON_IsArray(list)) return false;
  cJSON_ArrayForEach(item, list) {
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble <= max)) {
      return false;
    }
  }
  return true;
}

/* GS_STOP_NOT_YET when it is none. */
static gs_timing_stop stop_of(const cJSON *item) {
  return (gs_timing_stop)gs_value_of(&gs_timing_stop_names, cJSON_GetStringValue(item), NULL);
}

static bool is_whole(double value, int64_t min, int64_t max) {
  int64_t whole = 0;
  return gs_integer_of(value, min, max, &whole);
}

bool gs_timing_is_round(const cJSON *timing) {
  const int64_t max_steps = INT64_C(1000000000000); /* of a sample; all of them are in range */
  const cJSON *entry = cJSON_GetArrayItem(gs_json_get(timing, "rounds"), 0);
  const cJSON *samples = gs_json_get(timing, "samples_ns");
  const int count = cJSON_GetArraySize(samples);
  return cJSON_GetArraySize(gs_json_get(timing, "rounds")) == 1 &&
         cJSON_IsString(gs_json_get(timing, "launch")) &&
         is_whole(gs_json_get_number(timing, "steps_per_sample"), 1, max_steps) && count > 0 &&
         gs_json_get_number(entry, "samples") == count && is_list_of_samples(samples, 1e300) &&
         gs_json_get_number(entry, "median_ns") > 0 &&
         is_whole(gs_json_get_number(entry, "round"), 0, INT32_MAX) &&
         is_whole(gs_json_get_number(entry, "disturbed"), 0, count) &&
         gs_json_get_number(entry, "wall_ns") >= 0 && cJSON_IsArray(gs_json_get(entry, "lacks")) &&
         stop_of(gs_json_get(entry, "stopped")) != GS_STOP_NOT_YET &&
         is_list_of_samples(gs_json_get(timing, "disturbed_samples"), count - 1);
}

static gs_status pool(const cJSON *const *rounds, int count, pooled *all, gs_error *error) {
  for (int i = 0; i < count; i++) {
    if (!gs_timing_is_round(rounds[i]))
      return GS_FAIL(error, GS_ERR_DATA, "not the timing of a round");
    all->count += cJSON_GetArraySize(gs_json_get(rounds[i], "samples_ns"));
  }
  all->rounds = count;
  all->entries = malloc((size_t)count * sizeof *all->entries);
  all->medians = malloc((size_t)count * sizeof *all->medians);
  all->samples = malloc((size_t)all->count * sizeof *all->samples);
  if (!all->entries || !all->medians || !all->samples) return out_of_memory(error);
  int64_t at = 0;
  for (int i = 0; i < count; i++) {
    const cJSON *sample = NULL;
    all->entries[i] = cJSON_GetArrayItem(gs_json_get(rounds[i], "rounds"), 0);
    all->medians[i] = gs_json_get_number(all->entries[i], "median_ns");
    cJSON_ArrayForEach(sample, gs_json_get(rounds[i], "samples_ns")) {
      all->samples[at++] = sample->valuedouble;
    }
  }
  gs_sort(all->medians, (size_t)count);
  return GS_OK;
}

/* ---- what was measured ---- */

unsigned gs_timing_lacks_from_json(const cJSON *list) {
  unsigned lacks = 0;
  const cJSON *item = NULL;
  cJSON_ArrayForEach(item, list) {
    const char *name = cJSON_GetStringValue(item);
#define GS_TIMING_LACK_FIND(constant, bit, text)                                                   \
  if (name && strcmp(name, text) == 0) lacks |= (constant);
    GS_TIMING_LACK_LIST(GS_TIMING_LACK_FIND)
#undef GS_TIMING_LACK_FIND
  }
  return lacks;
}

/* Every sample, its round, and which are disturbed. */
static void put_samples(gs_json_writer *w, const pooled *all, const cJSON *const *rounds) {
  gs_json_put_numbers(w, "samples_ns", all->samples, (size_t)all->count);
  cJSON *of_rounds = gs_json_put_column(w, "sample_round");
  cJSON *disturbed = gs_json_put_column(w, "disturbed_samples");
  double before = 0;
  for (int i = 0; i < all->rounds; i++) {
    const double round = gs_json_get_number(all->entries[i], "round");
    const int count = cJSON_GetArraySize(gs_json_get(rounds[i], "samples_ns"));
    const cJSON *item = NULL;
    for (int k = 0; k < count; k++) gs_json_append_number(w, of_rounds, round);
    cJSON_ArrayForEach(item, gs_json_get(rounds[i], "disturbed_samples")) {
      gs_json_append_number(w, disturbed, before + item->valuedouble);
    }
    before += count;
  }
}

static void put_rounds(gs_json_writer *w, const pooled *all) {
  gs_json_open_array(w, "rounds");
  for (int i = 0; i < all->rounds; i++) gs_json_put_copy(w, NULL, all->entries[i]);
  gs_json_close(w);
}

/* What is said of all rounds: the one that reached least, and what is lacking in any. */
static void put_endings(gs_json_writer *w, const pooled *all) {
  gs_timing_stop stopped = GS_STOP_NOT_YET;
  unsigned lacks = 0;
  double disturbed = 0;
  double wall_ns = 0;
  double held_up_ns = 0;
  for (int i = 0; i < all->rounds; i++) {
    const cJSON *entry = all->entries[i];
    const gs_timing_stop of_round = stop_of(gs_json_get(entry, "stopped"));
    if (of_round > stopped) stopped = of_round;
    lacks |= gs_timing_lacks_from_json(gs_json_get(entry, "lacks"));
    disturbed += gs_json_get_number(entry, "disturbed");
    wall_ns += gs_json_get_number(entry, "wall_ns");
    held_up_ns += gs_json_get_number(entry, "held_up_ns");
  }
  const double share = wall_ns > 0 ? held_up_ns / wall_ns : (double)NAN;
  gs_json_put_string(w, "stopped", gs_name(&gs_timing_stop_names, stopped));
  put_lacks(w, lacks);
  gs_json_put_number(w, "disturbed", disturbed);
  gs_json_put_number(w, "held_up_share", share);
  gs_json_put_bool(w, "machine_busy", gs_machine_busy(wall_ns, held_up_ns));
}

/* ---- what is made of it ---- */

void gs_median_interval(const double *sorted, int64_t count, double *low, double *high) {
  const double tail = 0.025;
  double term = pow(0.5, (double)count); /* C(n, k) / 2^n */
  double below = term;                   /* sum of the first k + 1 */
  int64_t k = 0;
  while (below <= tail && k < count) {
    k++;
    term *= (double)(count - k + 1) / (double)k;
    below += term;
  }
  *low = k > 0 ? sorted[k - 1] : (double)NAN;
  *high = k > 0 ? sorted[count - k] : (double)NAN;
}

static void put_interval(gs_json_writer *w, const pooled *all) {
  double ends[2];
  gs_median_interval(all->medians, all->rounds, &ends[0], &ends[1]);
  if (isnan(ends[0])) {
    gs_json_put_string(w, "median_interval_ns", NULL);
  } else {
    gs_json_put_numbers(w, "median_interval_ns", ends, 2);
  }
}

static void put_statistics(gs_json_writer *w, const pooled *all, const gs_cost *cost,
                           double median_ns, const gs_sample *s) {
  const double noise = s->count > 1 ? (s->p95 - s->p05) / median_ns : (double)NAN;
  gs_json_put_number(w, "median_ns", median_ns);
  put_interval(w, all);
  gs_json_put_number(w, "p5_ns", s->p05);
  gs_json_put_number(w, "p95_ns", s->p95);
  gs_json_put_number(w, "noise", noise);
  gs_json_put_number(w, "samples_per_s", cost->samples / median_ns * 1e9);
  gs_json_put_number(w, "flops_per_s", cost->flops / median_ns * 1e9);
  gs_json_put_number(w, "bytes_per_s", cost->bytes / median_ns * 1e9);
}

static void put_floor(gs_json_writer *w, const gs_cost *cost, double median_ns, gs_dtype dtype,
                      const gs_roofline_best *best) {
  const gs_time_bound bound = gs_cost_time_bound(cost, dtype, &best->limits);
  const double share = bound.floor_ns / median_ns;
  gs_json_put_number(w, "fraction_of_flops", bound.arithmetic_ns / median_ns);
  gs_json_put_number(w, "fraction_of_copy", bound.traffic_ns / median_ns);
  gs_json_put_number(w, "fraction_of_barriers", bound.barriers_ns / median_ns);
  gs_json_put_number(w, "fraction_of_launches", bound.launches_ns / median_ns);
  gs_json_put_number(w, "floor_ns", bound.floor_ns);
  gs_json_put_number(w, "fraction_of_floor", share);
  gs_json_put_string(w, "floor", share <= GS_FLOOR_MAX_SHARE ? "trustworthy" : GS_FLOOR_WRONG);
  gs_json_put_int(w, "floor_measurements", best->measurements);
}

static gs_status compose(const pooled *all, const cJSON *const *rounds, const gs_config *config,
                         const gs_roofline_best *roofline, cJSON **json, gs_error *error) {
  const gs_cost cost = gs_cost_of(config);
  const double median_ns = gs_quantile(all->medians, (size_t)all->rounds, 0.5);
  gs_sample s;
  GS_TRY(gs_sample_of(all->samples, (size_t)all->count, &s, error));
  gs_json_writer w = gs_json_writer_object();
  gs_json_put_string(&w, "launch", gs_json_get(rounds[0], "launch")->valuestring);
  gs_json_put_number(&w, "steps_per_sample", gs_json_get_number(rounds[0], "steps_per_sample"));
  put_samples(&w, all, rounds);
  put_rounds(&w, all);
  put_endings(&w, all);
  put_statistics(&w, all, &cost, median_ns, &s);
  if (roofline) put_floor(&w, &cost, median_ns, config->dtype, roofline);
  return gs_json_finish_as(&w, "the record", json, error);
}

gs_status gs_timing_compose(const cJSON *const *rounds, int count, const gs_config *config,
                            const gs_roofline_best *roofline, cJSON **json, gs_error *error) {
  pooled all = {0};
  *json = NULL;
  gs_status status = pool(rounds, count, &all, error);
  if (status == GS_OK) status = compose(&all, rounds, config, roofline, json, error);
  pooled_clear(&all);
  return status;
}
