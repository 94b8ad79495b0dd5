/* gradsweep theory: what a sweep's cells should show, without running them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/place.h"
#include "cli/commands.h"
#include "cli/theory_print.h"
#include "measure/measure.h"
#include "sweep/spec.h"
#include "theory/theory_json.h"

typedef struct arguments {
  const char *source;  /* mlp, rnn, or a sweep file */
  char **parameters;   /* of the model: what is not this command's own */
  int parameter_count; /* borrowed words in an owned list */
  int64_t points;
  bool json;
  bool realised;
  bool help;
} arguments;

/* ---- the command line ---- */

static gs_status parse_points(const char *text, int64_t *points, gs_error *error) {
  char quoted[GS_QUOTE_BYTES];
  char *end = NULL;
  const long value = strtol(text, &end, 10);
  if (*text >= '0' && *text <= '9' && *end == '\0' && value >= 2 && value <= GS_MAX_DEPTH) {
    *points = value;
    return GS_OK;
  }
  return GS_FAIL(error, GS_ERR_USAGE, "--points: %s is not a whole number from 2 to %d",
                 gs_quote(text, quoted), GS_MAX_DEPTH);
}

/* Takes one of this command's own options; *used is how many words it took, 0
 * when it is none. */
static gs_status take_own(int count, char **words, arguments *a, int *used, gs_error *error) {
  const char *word = words[0];
  *used = 1;
  if (strcmp(word, "--json") == 0) {
    a->json = true;
  } else if (strcmp(word, "--realised") == 0) {
    a->realised = true;
  } else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
    a->help = true;
  } else if (strncmp(word, "--points=", 9) == 0) {
    return parse_points(word + 9, &a->points, error);
  } else if (strcmp(word, "--points") == 0) {
    if (count < 2) return GS_FAIL(error, GS_ERR_USAGE, "the option '--points' needs a value");
    *used = 2;
    return parse_points(words[1], &a->points, error);
  } else {
    *used = 0;
  }
  return GS_OK;
}

static gs_status parse(int argc, char **argv, arguments *a, gs_error *error) {
  for (int i = 1; i < argc;) {
    int used = 0;
    GS_TRY(take_own(argc - i, argv + i, a, &used, error));
    if (used == 0) {
      used = 1;
      if (!a->source && argv[i][0] != '-') {
        a->source = argv[i];
      } else {
        a->parameters[a->parameter_count++] = argv[i];
      }
    }
    i += used;
  }
  if (a->json && a->realised) {
    return GS_FAIL(error, GS_ERR_USAGE, "--json and --realised exclude each other");
  }
  if (a->source || a->help) return GS_OK;
  return GS_FAIL(error, GS_ERR_USAGE,
                 "theory of what? mlp, rnn or a sweep file: see gradsweep theory --help");
}

static gs_status read_sweep(const arguments *a, gs_sweep *sweep, gs_error *error) {
  char quoted[GS_QUOTE_BYTES];
  if (gs_value_of(&gs_model_names, a->source, NULL) >= 0) {
    return gs_sweep_from_options(a->source, a->parameters, a->parameter_count, sweep, error);
  }
  if (a->parameter_count > 0) {
    return GS_FAIL(error, GS_ERR_USAGE,
                   "%s belongs to theory mlp and theory rnn: a file has its own",
                   gs_quote(a->parameters[0], quoted));
  }
  return gs_sweep_from_file(a->source, sweep, error);
}

/* ---- what is printed ---- */

static gs_status no_memory(gs_error *error) {
  return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the theory");
}

static bool fill_cell(const gs_cell *cell, cJSON *theory, cJSON *object) {
  const bool named = gs_json_add_string(object, "id", cell->id) &&
                     gs_json_add_string(object, "name", cell->name) &&
                     gs_json_add(object, "params", gs_config_to_json(&cell->config));
  if (!named) cJSON_Delete(theory);
  return named && gs_json_add(object, "theory", theory);
}

/* One line of the document. */
static gs_status print_cell_json(const gs_cell *cell, int64_t points, gs_error *error) {
  gs_theory theory;
  cJSON *json = NULL;
  GS_TRY(gs_theory_of(&cell->config, &theory, error));
  gs_status status = gs_theory_json(&cell->config, &theory, points, &json, error);
  gs_theory_clear(&theory);
  if (status != GS_OK) return status;
  cJSON *object = cJSON_CreateObject();
  char *line = object && fill_cell(cell, json, object) ? gs_json_print_line(object) : NULL;
  if (!object) cJSON_Delete(json);
  if (line) (void)fputs(line, stdout); /* main looks at stdout */
  status = line ? GS_OK : no_memory(error);
  free(line);
  cJSON_Delete(object);
  return status;
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

static gs_status print_tables(const arguments *a, const gs_sweep *sweep, gs_error *error) {
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

static gs_status show(const arguments *a, const gs_sweep *sweep, gs_error *error) {
  if (!a->json) return print_tables(a, sweep, error);
  return print_json(sweep, a->points > 0 ? a->points : gs_measure_defaults().max_points, error);
}

gs_status gs_command_theory(int argc, char **argv, int *code, gs_error *error) {
  arguments a = {0};
  gs_sweep sweep;
  memset(&sweep, 0, sizeof sweep);
  *code = 0;
  a.parameters = calloc((size_t)argc + 1, sizeof *a.parameters);
  if (!a.parameters) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the options");
  gs_status status = parse(argc, argv, &a, error);
  if (status == GS_OK && a.help) {
    gs_help_theory_print(stdout);
  } else if (status == GS_OK) {
    status = read_sweep(&a, &sweep, error);
    if (status == GS_OK) status = show(&a, &sweep, error);
    gs_sweep_clear(&sweep);
  }
  free(a.parameters);
  return status;
}
