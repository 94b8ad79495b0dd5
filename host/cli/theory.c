/* gradsweep theory: what a sweep's cells should show, without running them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_writer.h"
#include "base/location.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/theory_print.h"
#include "measure/measure.h"
#include "sweep/spec.h"
#include "theory/theory_json.h"

typedef struct theory_arguments {
  int64_t points; /* 0: not given */
  bool json;
  bool realised;
} theory_arguments;

#define FIELD(name) offsetof(theory_arguments, name)
static const gs_option options[] = {
    {.name = "json",
     .help = "JSON instead of tables, with every quantity of every cell",
     .kind = GS_OPTION_FLAG,
     .offset = FIELD(json)},
    {.name = "points",
     .argument = "N",
     .help = "longer layer axes are thinned (17; with --json 1024)",
     .kind = GS_OPTION_WHOLE,
     .offset = FIELD(points),
     .min = 2,
     .max = GS_MAX_DEPTH},
    {.name = "realised",
     .help = "rnn: also spectral radius and largest singular value of the "
             "recurrent matrices that the seed draws",
     .kind = GS_OPTION_FLAG,
     .offset = FIELD(realised)},
    {.name = NULL}};
#undef FIELD

/* ---- what is printed ---- */

static gs_status no_memory(gs_error *error) {
  return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the theory");
}

/* One line of the document. */
static gs_status print_cell_json(const gs_cell *cell, int64_t points, gs_error *error) {
  gs_theory theory;
  cJSON *json = NULL;
  char *line = NULL;
  GS_TRY(gs_theory_of(&cell->config, &theory, error));
  const gs_status status = gs_theory_json(&cell->config, &theory, points, &json, error);
  gs_theory_clear(&theory);
  if (status != GS_OK) return status;
  gs_json_writer w = gs_json_writer_object();
  gs_json_put_string(&w, "id", cell->id);
  gs_json_put_string(&w, "name", cell->name);
  gs_json_put(&w, "params", gs_config_to_json(&cell->config));
  gs_json_put(&w, "theory", json);
  GS_TRY(gs_json_take_line(gs_json_finish(&w), "the theory", &line, error));
  (void)fputs(line, stdout); /* main looks at stdout */
  free(line);
  return GS_OK;
}

static gs_status print_json(const gs_sweep *sweep, int64_t points, gs_error *error) {
  (void)fputs("{\"cells\": [\n", stdout);
  for (int64_t i = 0; i < sweep->count && !ferror(stdout); i++) {
    GS_TRY(print_cell_json(&sweep->cells[i], points, error));
    (void)fputs(i + 1 < sweep->count ? ",\n" : "\n", stdout);
  }
  (void)fputs("]}\n", stdout);
  return GS_OK;
}

/* A table of many cells needs their layers no longer. */
static void keep_summary(gs_theory *theory) {
  gs_theory summary = *theory;
  gs_theory_clear(theory);
  summary.points = 0;
  summary.log10_q = summary.log10_chi = NULL;
  memset(summary.series, 0, sizeof summary.series);
  *theory = summary;
}

static gs_status print_tables(const theory_arguments *a, const gs_sweep *sweep, gs_error *error) {
  const int64_t usual_points = 17;
  gs_theory *theories = calloc((size_t)sweep->count, sizeof *theories);
  if (!theories) return no_memory(error);
  gs_status status = GS_OK;
  for (int64_t i = 0; status == GS_OK && i < sweep->count; i++) {
    status = gs_theory_of(&sweep->cells[i].config, &theories[i], error);
    if (status == GS_OK && sweep->count > 1) keep_summary(&theories[i]);
  }
  if (status == GS_OK) {
    const int64_t points = a->points > 0 ? a->points : usual_points;
    status = gs_theory_print(stdout, sweep, theories, points, error);
  }
  for (int64_t i = 0; i < sweep->count; i++) gs_theory_clear(&theories[i]);
  free(theories);
  if (status == GS_OK && a->realised) status = gs_theory_print_realised(stdout, sweep, error);
  return status;
}

static gs_status show(const theory_arguments *a, const gs_sweep *sweep, gs_error *error) {
  if (!a->json) return print_tables(a, sweep, error);
  return print_json(sweep, a->points > 0 ? a->points : gs_measure_defaults().max_points, error);
}

static gs_status run(void *arguments, const gs_given *given, int *code, gs_error *error) {
  const theory_arguments *a = arguments;
  gs_sweep sweep;
  memset(&sweep, 0, sizeof sweep);
  (void)code;
  if (a->json && a->realised) {
    return GS_FAIL(error, GS_ERR_USAGE, "--json and --realised exclude each other");
  }
  gs_status status = gs_given_sweep(&gs_theory_command, given, NULL, NULL, &sweep, error);
  if (status == GS_OK) status = show(a, &sweep, error);
  gs_sweep_clear(&sweep);
  return status;
}

const gs_command gs_theory_command = {
    .name = "theory",
    .summary = "predict it without running it",
    .usages = (const char *const[]){"SWEEP.json [options]", "mlp|rnn [parameters] [options]", NULL},
    .description =
        "Predicts what gradsweep run would measure, without running it: decades of delta (rms\n"
        "over networks, typical of one, spread between them), the depth scale, and, for a single\n"
        "cell, the norms of every layer or step. It says how far the prediction can be trusted.\n",
    .options = options,
    .arguments_size = sizeof(theory_arguments),
    .operands = true,
    .parameters = true,
    .run = run};
