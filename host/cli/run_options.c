/* The command line of `gradsweep run`. See run_options.h. */
#include "cli/run_options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/integer.h"
#include "base/names.h"
#include "base/place.h"

typedef enum option_id {
  OPTION_BACKEND = 256,
  OPTION_DEVICE,
  OPTION_DRY_RUN,
  OPTION_FILTER,
  OPTION_HELP,
  OPTION_INTERLEAVE,
  OPTION_IDENTIFY,
  OPTION_LIST,
  OPTION_MAX_POINTS,
  OPTION_MEMORY_LIMIT,
  OPTION_MIN_SAMPLES,
  OPTION_MIN_TIME,
  OPTION_ORDER_SEED,
  OPTION_OUT,
  OPTION_OVERWRITE,
  OPTION_QUIET,
  OPTION_REQUIRE,
  OPTION_RESUME,
  OPTION_THREADS,
  OPTION_THRESHOLD,
  OPTION_TIMEOUT,
  OPTION_TIME_LIMIT,
  OPTION_PARAMETER /* plus the parameter's place in gs_params */
} option_id;

static const struct option run_options[] = {
    {"backend", required_argument, NULL, OPTION_BACKEND},
    {"device", required_argument, NULL, OPTION_DEVICE},
    {"dry-run", no_argument, NULL, OPTION_DRY_RUN},
    {"filter", required_argument, NULL, OPTION_FILTER},
    {"help", no_argument, NULL, OPTION_HELP},
    {"identify", no_argument, NULL, OPTION_IDENTIFY},
    {"interleave", required_argument, NULL, OPTION_INTERLEAVE},
    {"list", no_argument, NULL, OPTION_LIST},
    {"max-points", required_argument, NULL, OPTION_MAX_POINTS},
    {"memory-limit", required_argument, NULL, OPTION_MEMORY_LIMIT},
    {"min-samples", required_argument, NULL, OPTION_MIN_SAMPLES},
    {"min-time", required_argument, NULL, OPTION_MIN_TIME},
    {"order-seed", required_argument, NULL, OPTION_ORDER_SEED},
    {"out", required_argument, NULL, OPTION_OUT},
    {"overwrite", no_argument, NULL, OPTION_OVERWRITE},
    {"quiet", no_argument, NULL, OPTION_QUIET},
    {"require", required_argument, NULL, OPTION_REQUIRE},
    {"resume", no_argument, NULL, OPTION_RESUME},
    {"threads", required_argument, NULL, OPTION_THREADS},
    {"threshold", required_argument, NULL, OPTION_THRESHOLD},
    {"time-limit", required_argument, NULL, OPTION_TIME_LIMIT},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
};

enum {
  RUN_OPTION_COUNT = sizeof run_options / sizeof *run_options,
  KEY_BYTES = 32,
  MAX_OPTIONS = RUN_OPTION_COUNT + 2 * GS_PARAM_COUNT
};

/* Every option getopt_long is to know: those of the run, and the parameters,
 * with hyphens as well as with underscores. */
typedef struct known_options {
  struct option options[MAX_OPTIONS + 1];
  const char *names[MAX_OPTIONS];
  char hyphened[GS_PARAM_COUNT][KEY_BYTES];
  int count;
} known_options;

static void add_known(known_options *known, const struct option *option) {
  known->options[known->count] = *option;
  known->names[known->count] = option->name;
  known->count++;
}

static void collect_known(known_options *known) {
  memset(known, 0, sizeof *known);
  for (int i = 0; i < RUN_OPTION_COUNT; i++) add_known(known, &run_options[i]);
  for (int i = 1; i < GS_PARAM_COUNT; i++) { /* 0 is the model: a word, not an option */
    const char *key = gs_params[i].key;
    if (gs_param_is_place(key)) continue; /* of every run */
    char *hyphened = known->hyphened[i];
    strncpy(hyphened, key, KEY_BYTES - 1);
    for (char *at = hyphened; *at; at++) *at = *at == '_' ? '-' : *at;
    add_known(known, &(struct option){hyphened, required_argument, NULL, OPTION_PARAMETER + i});
    if (strcmp(key, hyphened) == 0) continue;
    add_known(known, &(struct option){key, required_argument, NULL, OPTION_PARAMETER + i});
  }
}

/* ---- values ---- */

/* A number in [least, most] after which only `unit` letters may come. */
static gs_status parse_number(const char *option, const char *text, double least, double most,
                              double *value, gs_error *error) {
  char quoted[GS_QUOTE_BYTES];
  char *end = NULL;
  const bool decimal = *text && text[strspn(text, "0123456789+-.eE")] == '\0';
  *value = decimal ? strtod(text, &end) : NAN;
  if (decimal && *end == '\0' && *value >= least && *value <= most) return GS_OK;
  return GS_FAIL(error, GS_ERR_USAGE, "--%s: %s is not a number from %g to %g", option,
                 gs_quote(text, quoted), least, most);
}

static gs_status parse_whole(const char *option, const char *text, double least, double most,
                             int64_t *value, gs_error *error) {
  double number = 0;
  GS_TRY(parse_number(option, text, least, most, &number, error));
  if (gs_integer_of(number, -GS_INTEGER_MOST, GS_INTEGER_MOST, value)) return GS_OK;
  return GS_FAIL(error, GS_ERR_USAGE, "--%s: %s is not a whole number", option, text);
}

/* Bytes, with k, M, G or T for powers of 1024. */
static gs_status parse_bytes(const char *option, const char *text, double *value, gs_error *error) {
  static const char units[] = "kMGT";
  char digits[KEY_BYTES];
  const size_t length = strlen(text);
  const char *unit = length > 1 ? strchr(units, text[length - 1]) : NULL;
  snprintf(digits, sizeof digits, "%.*s", (int)(unit ? length - 1 : length), text);
  if (length >= sizeof digits || parse_number(option, digits, 1, 1e18, value, error) != GS_OK) {
    char quoted[GS_QUOTE_BYTES];
    return GS_FAIL(error, GS_ERR_USAGE, "--%s: %s is not a number of bytes (k, M, G, T may follow)",
                   option, gs_quote(text, quoted));
  }
  if (unit) *value = ldexp(*value, 10 * (int)(unit - units + 1));
  return GS_OK;
}

static gs_status set_parameter(gs_run_arguments *arguments, const char *key, const char *value,
                               gs_error *error) {
  const size_t length = strlen(key) + strlen(value) + 4;
  char *parameter = malloc(length);
  if (!parameter) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the options");
  snprintf(parameter, length, "--%s=%s", key, value);
  arguments->parameters[arguments->parameter_count++] = parameter;
  return GS_OK;
}

static gs_status set_option(gs_run_arguments *arguments, int id, const char *value,
                            gs_error *error) {
  int64_t whole = 0;
  switch (id) {
  case OPTION_BACKEND: arguments->backend = value; return GS_OK;
  case OPTION_DEVICE: arguments->device = value; return GS_OK;
  case OPTION_DRY_RUN: arguments->dry_run = true; return GS_OK;
  case OPTION_FILTER: arguments->filter = value; return GS_OK;
  case OPTION_HELP: arguments->help = true; return GS_OK;
  case OPTION_IDENTIFY: arguments->identify = true; return GS_OK;
  case OPTION_LIST: arguments->list = true; return GS_OK;
  case OPTION_OUT: arguments->folder = value; return GS_OK;
  case OPTION_OVERWRITE: arguments->overwrite = true; return GS_OK;
  case OPTION_QUIET: arguments->quiet = true; return GS_OK;
  case OPTION_REQUIRE: return gs_requirements_add(&arguments->require, value, error);
  case OPTION_RESUME: arguments->resume = true; return GS_OK;
  case OPTION_MAX_POINTS:
    return parse_whole("max-points", value, 2, GS_MAX_DEPTH, &arguments->max_points, error);
  case OPTION_INTERLEAVE:
    return parse_whole("interleave", value, 0, 1000, &arguments->interleave, error);
  case OPTION_MIN_SAMPLES:
    return parse_whole("min-samples", value, 1, GS_TIMING_MAX_SAMPLES, &arguments->min_samples,
                       error);
  case OPTION_MIN_TIME:
    return parse_number("min-time", value, 0, 1e6, &arguments->min_time_s, error);
  case OPTION_ORDER_SEED:
    return parse_whole("order-seed", value, 0, 9e15, &arguments->order_seed, error);
  case OPTION_MEMORY_LIMIT:
    return parse_bytes("memory-limit", value, &arguments->memory_limit_bytes, error);
  case OPTION_THREADS:
    GS_TRY(parse_whole("threads", value, 0, 4096, &whole, error));
    arguments->threads = (int)whole;
    return GS_OK;
  case OPTION_THRESHOLD:
    return parse_number("threshold", value, 0, 1e6, &arguments->threshold_decades, error);
  case OPTION_TIMEOUT:
    return parse_number("timeout", value, 0.001, 1e9, &arguments->timeout_s, error);
  case OPTION_TIME_LIMIT:
    return parse_number("time-limit", value, 0, 1e6, &arguments->time_limit_s, error);
  default: return set_parameter(arguments, gs_params[id - OPTION_PARAMETER].key, value, error);
  }
}

/* ---- the whole line ---- */

/* What getopt_long could not take, argv[at]. */
static gs_status refuse(const known_options *known, int found, const char *word, gs_error *error) {
  char quoted[GS_QUOTE_BYTES];
  char name[KEY_BYTES];
  gs_quote(word, quoted);
  if (found == ':') return GS_FAIL(error, GS_ERR_USAGE, "the option %s needs a value", quoted);
  if (optopt >= OPTION_BACKEND) {
    return GS_FAIL(error, GS_ERR_USAGE, "the option %s takes no value", quoted);
  }
  snprintf(name, sizeof name, "%s", word + strspn(word, "-"));
  name[strcspn(name, "=")] = '\0';
  const char *close = gs_closest(name, known->names, known->count);
  return GS_FAIL(error, GS_ERR_USAGE, "unknown option %s%s%s: see gradsweep run --help", quoted,
                 close ? ", did you mean --" : "", close ? close : "");
}

static gs_status take_words(gs_run_arguments *arguments, char **words, int count, gs_error *error) {
  char quoted[GS_QUOTE_BYTES];
  if (arguments->help) return GS_OK;
  if (count == 0) {
    return GS_FAIL(error, GS_ERR_USAGE,
                   "run what? a sweep file, mlp or rnn: see gradsweep run "
                   "--help");
  }
  if (count > 1) {
    return GS_FAIL(error, GS_ERR_USAGE, "one sweep at a time: what is %s?",
                   gs_quote(words[1], quoted));
  }
  const int model = gs_value_of(&gs_model_names, words[0], NULL);
  if (model >= 0) {
    arguments->model = (gs_model)model;
    return GS_OK;
  }
  arguments->sweep = words[0];
  if (arguments->parameter_count == 0) return GS_OK;
  char *option = arguments->parameters[0];
  option[strcspn(option, "=")] = '\0';
  return GS_FAIL(error, GS_ERR_USAGE, "%s belongs to run mlp and run rnn: %s has its own", option,
                 gs_quote(words[0], quoted));
}

gs_status gs_backend_parse(const char *value, gs_backend *backend, gs_error *error) {
  char quoted[GS_QUOTE_BYTES];
  const int known = gs_value_of(&gs_backend_names, value, NULL);
  if (known >= 0) {
    *backend = (gs_backend)known;
    return GS_OK;
  }
  return GS_FAIL(error, GS_ERR_USAGE, "--backend: %s is none of auto, cpu, cuda",
                 gs_quote(value, quoted));
}

static gs_status check_together(const gs_run_arguments *arguments, gs_error *error) {
  gs_backend backend;
  if (arguments->resume && arguments->overwrite) {
    return GS_FAIL(error, GS_ERR_USAGE, "--resume and --overwrite exclude each other");
  }
  if (arguments->list && arguments->dry_run) {
    return GS_FAIL(error, GS_ERR_USAGE, "--list and --dry-run exclude each other");
  }
  if (arguments->list && arguments->require.count > 0) {
    return GS_FAIL(error, GS_ERR_USAGE,
                   "--list and --require exclude each other: a list runs nothing");
  }
  if (arguments->resume && !arguments->folder) {
    return GS_FAIL(error, GS_ERR_USAGE, "--resume needs --out: the folder of the run to continue");
  }
  if (arguments->folder && !arguments->folder[0]) {
    return GS_FAIL(error, GS_ERR_USAGE, "--out needs the name of a folder");
  }
  return arguments->backend ? gs_backend_parse(arguments->backend, &backend, error) : GS_OK;
}

static gs_status parse_options(const known_options *known, int argc, char **argv,
                               gs_run_arguments *arguments, gs_error *error) {
  optind = 1;
  opterr = 0;
  for (;;) {
    const int at = optind;
    const int found = getopt_long(argc, argv, ":", known->options, NULL);
    if (found == -1) return take_words(arguments, argv + optind, argc - optind, error);
    /* getopt moves words that are no options to the end: the one it stands
     * behind is the one it could not take */
    const char *word = argv[optind > at ? optind - 1 : at];
    if (found == '?' || found == ':') return refuse(known, found, word, error);
    GS_TRY(set_option(arguments, found, optarg, error));
  }
}

gs_status gs_run_arguments_parse(int argc, char **argv, gs_run_arguments *arguments,
                                 gs_error *error) {
  const gs_measure_options usual = gs_measure_defaults();
  const double usual_timeout_s = 600;
  *arguments = (gs_run_arguments){.time_limit_s = -1,
                                  .min_time_s = -1,
                                  .min_samples = -1,
                                  .order_seed = 1,
                                  .timeout_s = usual_timeout_s,
                                  .threshold_decades = usual.threshold_decades,
                                  .max_points = usual.max_points};
  arguments->parameters = calloc((size_t)argc, sizeof *arguments->parameters);
  known_options *known = malloc(sizeof *known);
  if (!arguments->parameters || !known) {
    free(known);
    return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the options");
  }
  collect_known(known);
  gs_status status = parse_options(known, argc, argv, arguments, error);
  free(known);
  if (status == GS_OK) status = check_together(arguments, error);
  return status;
}

void gs_run_arguments_clear(gs_run_arguments *arguments) {
  for (int i = 0; i < arguments->parameter_count; i++) free(arguments->parameters[i]);
  free(arguments->parameters);
  memset(arguments, 0, sizeof *arguments);
}
