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
  gs_roofline roofline;
  double limit_bytes; /* of one cell */
  double max_bytes;
  double seconds;
  gs_run_report *report;
  uint32_t dtypes; /* of the cells that can run, bit per gs_dtype */
} dry_run;

static double device_bytes(const cJSON *device) {
  const cJSON *bytes = gs_json_get(device, "memory_bytes");
  return cJSON_IsNumber(bytes) && bytes->valuedouble > 0 ? bytes->valuedouble : INFINITY;
}

/* Asks for the memory of the network of a cell. INFINITY: more than any machine has.
 * Errors: what stands against the cell, or, when the worker is gone, the run. */
static gs_status predict(dry_run *dry, const gs_config *config, double *bytes, gs_error *error) {
  const gs_status status = gs_session_predict(&dry->session, config, bytes, error);
  if (status != GS_ERR_MEMORY || !dry->session.process) return status;
  *bytes = INFINITY;
  return GS_OK;
}

static bool has_room(const dry_run *dry, double bytes) {
  return isfinite(bytes) && bytes <= dry->limit_bytes;
}

/* The most replicas that fit where one more does not. */
static gs_status count_fitting(dry_run *dry, const gs_config *config, int64_t *fitting,
                               gs_error *error) {
  gs_config fewer;
  int64_t max = config->replicas; /* which do not fit */
  *fitting = 0;
  GS_TRY(gs_config_copy(config, &fewer, error));
  gs_status status = GS_OK;
  while (status == GS_OK && !dry->session.interrupted && max - *fitting > 1) {
    double bytes = NAN;
    fewer.replicas = *fitting + (max - *fitting) / 2;
    status = predict(dry, &fewer, &bytes, error);
    if (has_room(dry, bytes)) {
      *fitting = fewer.replicas;
    } else {
      max = fewer.replicas;
    }
  }
  gs_config_clear(&fewer);
  return status;
}

/* In all rounds together. */
static double seconds_of(const dry_run *dry, const gs_config *config) {
  gs_measure_options later = dry->options->measure;
  later.round = 1;
  return gs_estimate_seconds(config, &dry->options->measure, &dry->roofline) +
         (double)(gs_run_rounds(dry->options) - 1) *
             gs_estimate_seconds(config, &later, &dry->roofline);
}

/* words: why the cell is skipped; empty when it is not. */
static void print_cell(dry_run *dry, int64_t index, double bytes, const char *message) {
  char texts[4][GS_NUMBER_BYTES];
  const gs_cell *cell = &dry->sweep->cells[index];
  const bool fits = !message[0];
  const double flops = gs_cost_of(&cell->config).flops;
  const double seconds = seconds_of(dry, &cell->config);
  dry->report->outcomes[index].status = fits ? GS_CELL_OK : GS_CELL_SKIPPED;
  if (fits) {
    dry->seconds += seconds;
    dry->max_bytes = fmax(dry->max_bytes, bytes);
    dry->dtypes |= 1u << cell->config.dtype;
  }
  (void)fprintf(
      dry->stream, "%10s  %10s  %9s  %s%s%s\n",
      isfinite(bytes) ? gs_text_bytes(bytes, texts[0]) : "-", gs_text_short(flops, texts[1]),
      fits ? gs_text_seconds(seconds, texts[2]) : "skipped", cell->name, fits ? "" : ": ", message);
}

static gs_status try_cell(dry_run *dry, int64_t index, gs_error *error) {
  const gs_config *config = &dry->sweep->cells[index].config;
  char message[GS_ERROR_MESSAGE_BYTES] = "";
  double bytes = NAN;
  gs_status status = predict(dry, config, &bytes, error);
  if (status == GS_OK && !has_room(dry, bytes)) {
    int64_t fitting = 0;
    status = count_fitting(dry, config, &fitting, error);
    snprintf(message, sizeof message, "too large, %lld replica%s would fit", (long long)fitting,
             fitting == 1 ? "" : "s");
  }
  if (dry->session.interrupted) return GS_OK;
  if (status != GS_OK && !dry->session.process) return status;
  /* a worker that is still there has refused this cell alone */
  if (status != GS_OK) snprintf(message, sizeof message, "%s", error->message);
  print_cell(dry, index, bytes, message);
  return GS_OK;
}

static gs_status print_cells(dry_run *dry, gs_error *error) {
  (void)fprintf(dry->stream, "%10s  %10s  %9s  %s\n", "memory", "flops/step", "time", "cell");
  for (int64_t i = 0; i < dry->sweep->count && !ferror(dry->stream); i++) {
    GS_TRY(try_cell(dry, i, error));
    if (dry->session.interrupted) return GS_OK;
  }
  return GS_OK;
}

/* The rates behind the times: of the dtypes that the cells have, and of a copy. */
static void print_limits(const dry_run *dry) {
  char text[GS_NUMBER_BYTES];
  const char *separator = "";
  (void)fprintf(dry->stream, "time at %.0f%% of the measured limits, ", GS_ESTIMATE_SHARE * 100);
  for (int d = 0; d < GS_DTYPE_COUNT; d++) {
    const double rate = dry->roofline.flops_per_s[d];
    if (!(dry->dtypes >> d & 1u) || !(rate > 0)) continue;
    (void)fprintf(dry->stream, "%s%s (%s)", separator, gs_text_rate(rate, "FLOP/s", text),
                  gs_name(&gs_dtype_names, (gs_dtype)d));
    separator = ", ";
  }
  (void)fprintf(dry->stream, "%s%s, and with --time-limit %g s per cell", *separator ? " and " : "",
                gs_text_rate(dry->roofline.copy_bytes_per_s, "B/s", text),
                dry->options->measure.timing.time_limit_s);
  const int64_t rounds = gs_run_rounds(dry->options);
  if (rounds > 1) (void)fprintf(dry->stream, " in each of %lld rounds", (long long)rounds);
  (void)fputs("\n", dry->stream);
}

static void print_totals(const dry_run *dry) {
  char texts[3][GS_NUMBER_BYTES];
  int64_t skipped = 0;
  for (int64_t i = 0; i < dry->sweep->count; i++) {
    skipped += dry->report->outcomes[i].status == GS_CELL_SKIPPED;
  }
  (void)fprintf(dry->stream, "%lld cells", (long long)dry->sweep->count);
  if (skipped) (void)fprintf(dry->stream, ", %lld of them skipped", (long long)skipped);
  (void)fprintf(dry->stream, "; at most %s of %s; about %s\n",
                gs_text_bytes(dry->max_bytes, texts[0]), gs_text_bytes(dry->limit_bytes, texts[1]),
                gs_text_seconds(dry->seconds, texts[2]));
  print_limits(dry);
}

static gs_status run(dry_run *dry, gs_error *error) {
  cJSON *roofline = NULL;
  gs_process_options process = {.threads = dry->options->threads,
                                .interrupt = dry->options->interrupt};
  GS_TRY(gs_sweep_device(dry->sweep, &process.backend, &process.device, error));
  GS_TRY(gs_session_open(&dry->session, &process, error));
  if (dry->session.interrupted) return GS_OK;
  dry->report->refused = !gs_run_accepts(dry->options, dry->session.device);
  if (dry->report->refused) return GS_OK;
  GS_TRY(gs_session_roofline(&dry->session, &roofline, error));
  if (dry->session.interrupted) return GS_OK;
  (void)gs_roofline_from_json(roofline, &dry->roofline); /* has been checked */
  cJSON_Delete(roofline);
  dry->limit_bytes = device_bytes(dry->session.device);
  if (dry->options->memory_limit_bytes > 0) {
    dry->limit_bytes = fmin(dry->limit_bytes, dry->options->memory_limit_bytes);
  }
  GS_TRY(print_cells(dry, error));
  if (!dry->session.interrupted) print_totals(dry);
  return GS_OK;
}

gs_status gs_dry_run(FILE *stream, const gs_sweep *sweep, const gs_run_options *options,
                     gs_run_report *report, gs_error *error) {
  dry_run dry = {.stream = stream, .sweep = sweep, .options = options, .report = report};
  memset(report, 0, sizeof *report);
  report->outcomes = gs_outcomes_pending(sweep->count);
  if (!report->outcomes) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the cells");
  const gs_status status = run(&dry, error);
  if (dry.session.interrupted) report->signal_number = gs_interrupt_take(options->interrupt);
  gs_session_close(&dry.session);
  return status;
}
