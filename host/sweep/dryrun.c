/* A run that does not run. See dryrun.h. */
#include "sweep/dryrun.h"

#include <math.h>
#include <string.h>

#include "measure/cost.h"
#include "sweep/device_facts.h"
#include "sweep/estimate.h"
#include "sweep/interrupt.h"
#include "sweep/session.h"
#include "sweep/text.h"

typedef struct dry_run {
  FILE *stream;
  const gs_sweep *sweep;
  const gs_run_options *options;
  gs_session session;
  gs_floor floor;
  double limit_bytes; /* of one cell */
  double most_bytes;
  double seconds;
  int64_t too_large;
  uint32_t dtypes; /* of the cells that can run, bit per gs_dtype */
} dry_run;

static double device_bytes(const cJSON *device) {
  const cJSON *bytes = cJSON_GetObjectItemCaseSensitive(device, "memory_bytes");
  return cJSON_IsNumber(bytes) && bytes->valuedouble > 0 ? bytes->valuedouble : INFINITY;
}

static void print_cell(dry_run *dry, const gs_cell *cell, double bytes, const char *refusal) {
  char texts[4][GS_NUMBER_BYTES];
  const bool fits = !refusal && bytes <= dry->limit_bytes;
  const double flops = gs_cost_of(&cell->config).flops;
  const double seconds = gs_estimate_seconds(&cell->config, &dry->options->measure, &dry->floor);
  if (fits) {
    dry->seconds += seconds;
    dry->most_bytes = fmax(dry->most_bytes, bytes);
    dry->dtypes |= 1u << cell->config.dtype;
  } else {
    dry->too_large++;
  }
  (void)fprintf(dry->stream, "%10s  %10s  %9s  %s%s%s\n",
                refusal ? "-" : gs_text_bytes(bytes, texts[0]), gs_text_short(flops, texts[1]),
                fits ? gs_text_seconds(seconds, texts[2]) : "skipped", cell->name,
                refusal ? ": " : "", refusal ? refusal : "");
}

static gs_status print_cells(dry_run *dry, gs_error *error) {
  (void)fprintf(dry->stream, "%10s  %10s  %9s  %s\n", "memory", "flops/step", "time", "cell");
  for (int64_t i = 0; i < dry->sweep->count && !ferror(dry->stream); i++) {
    const gs_cell *cell = &dry->sweep->cells[i];
    double bytes = NAN;
    const gs_status status = gs_session_predict(&dry->session, &cell->config, &bytes, error);
    if (dry->session.interrupted) return GS_OK;
    /* a worker that is still there has refused this cell alone */
    if (status != GS_OK && !dry->session.process) return status;
    print_cell(dry, cell, bytes, status == GS_OK ? NULL : error->message);
  }
  return GS_OK;
}

/* The rates behind the times: of the dtypes that the cells have, and of a copy. */
static void print_limits(const dry_run *dry) {
  char text[GS_NUMBER_BYTES];
  const char *separator = "";
  (void)fprintf(dry->stream, "time at %.0f%% of the measured limits, ", GS_ESTIMATE_SHARE * 100);
  for (int d = 0; d < GS_DTYPE_COUNT; d++) {
    const double rate = dry->floor.flops_per_s[d];
    if (!(dry->dtypes >> d & 1u) || !(rate > 0)) continue;
    (void)fprintf(dry->stream, "%s%s (%s)", separator, gs_text_rate(rate, "FLOP/s", text),
                  gs_dtype_name((gs_dtype)d));
    separator = ", ";
  }
  (void)fprintf(dry->stream, "%s%s, and with --time-limit %g s per cell\n",
                *separator ? " and " : "", gs_text_rate(dry->floor.copy_bytes_per_s, "B/s", text),
                dry->options->measure.time_limit_s);
}

static void print_totals(const dry_run *dry) {
  char texts[3][GS_NUMBER_BYTES];
  (void)fprintf(dry->stream, "%lld cells", (long long)dry->sweep->count);
  if (dry->too_large) {
    (void)fprintf(dry->stream, ", %lld of them skipped", (long long)dry->too_large);
  }
  (void)fprintf(dry->stream, "; at most %s of %s; about %s\n",
                gs_text_bytes(dry->most_bytes, texts[0]), gs_text_bytes(dry->limit_bytes, texts[1]),
                gs_text_seconds(dry->seconds, texts[2]));
  print_limits(dry);
}

static gs_status run(dry_run *dry, gs_error *error) {
  cJSON *floor = NULL;
  gs_process_options process = {.threads = dry->options->threads,
                                .interrupt = dry->options->interrupt};
  GS_TRY(gs_sweep_device(dry->sweep, &process.backend, &process.device, error));
  GS_TRY(gs_session_open(&dry->session, &process, error));
  if (dry->session.interrupted) return GS_OK;
  GS_TRY(gs_session_floor(&dry->session, &floor, error));
  if (dry->session.interrupted) return GS_OK;
  (void)gs_floor_from_json(floor, &dry->floor); /* has been checked */
  cJSON_Delete(floor);
  dry->limit_bytes = device_bytes(dry->session.device);
  if (dry->options->memory_limit_bytes > 0) {
    dry->limit_bytes = fmin(dry->limit_bytes, dry->options->memory_limit_bytes);
  }
  GS_TRY(print_cells(dry, error));
  if (!dry->session.interrupted) print_totals(dry);
  return GS_OK;
}

gs_status gs_dry_run(FILE *stream, const gs_sweep *sweep, const gs_run_options *options,
                     int *signal_number, gs_error *error) {
  dry_run dry = {.stream = stream, .sweep = sweep, .options = options};
  const gs_status status = run(&dry, error);
  *signal_number = dry.session.interrupted ? gs_interrupt_take(options->interrupt) : 0;
  gs_session_close(&dry.session);
  return status;
}
