/* One parser for all command lines. See options.h. */
#include "cli/options.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/integer.h"
#include "base/location.h"
#include "net/param.h"

enum { NAME_BYTES = 32, MAX_NAMES = 96 };

/* ---- values ---- */

/* A decimal number in [min, max]. */
static gs_status parse_number(const gs_option *option, const char *text, double *value,
                              gs_error *error) {
  char quoted[GS_QUOTE_BYTES];
  char *end = NULL;
  const bool decimal = *text && text[strspn(text, "0123456789+-.eE")] == '\0';
  *value = decimal ? strtod(text, &end) : NAN;
  if (decimal && *end == '\0' && *value >= option->min && *value <= option->max) return GS_OK;
  return GS_FAIL(error, GS_ERR_USAGE, "--%s: %s is not a number from %.15g to %.15g", option->name,
                 gs_quote(text, quoted), option->min, option->max);
}

static gs_status parse_whole(const gs_option *option, const char *text, int64_t *value,
                             gs_error *error) {
  double number = 0;
  GS_TRY(parse_number(option, text, &number, error));
  if (gs_integer_of(number, -GS_INTEGER_MAX, GS_INTEGER_MAX, value)) return GS_OK;
  return GS_FAIL(error, GS_ERR_USAGE, "--%s: %s is not a whole number", option->name, text);
}

static gs_status parse_bytes(const gs_option *option, const char *text, double *value,
                             gs_error *error) {
  static const char units[] = "kMGT";
  char quoted[GS_QUOTE_BYTES];
  char digits[NAME_BYTES];
  const size_t length = strlen(text);
  const char *unit = length > 1 ? strchr(units, text[length - 1]) : NULL;
  snprintf(digits, sizeof digits, "%.*s", (int)(unit ? length - 1 : length), text);
  if (length < sizeof digits && parse_number(option, digits, value, error) == GS_OK) {
    if (unit) *value = ldexp(*value, 10 * (int)(unit - units + 1));
    return GS_OK;
  }
  return GS_FAIL(error, GS_ERR_USAGE, "--%s: %s is not a number of bytes (k, M, G, T may follow)",
                 option->name, gs_quote(text, quoted));
}

static gs_status parse_seed(const gs_option *option, const char *text, uint64_t *value,
                            gs_error *error) {
  char quoted[GS_QUOTE_BYTES];
  char *end = NULL;
  errno = 0;
  *value = strtoull(text, &end, 10);
  if (*text >= '0' && *text <= '9' && *end == '\0' && errno == 0) return GS_OK;
  return GS_FAIL(error, GS_ERR_USAGE, "--%s: %s is not a whole number from 0 to %llu", option->name,
                 gs_quote(text, quoted), (unsigned long long)UINT64_MAX);
}

static gs_status parse_choice(const gs_option *option, const char *text, int *value,
                              gs_error *error) {
  char quoted[GS_QUOTE_BYTES];
  char names[128] = "";
  *value = gs_value_of(option->names, text, NULL);
  if (*value >= 0) return GS_OK;
  for (int i = 0; i < gs_names_count(option->names); i++) {
    const size_t length = strlen(names);
    snprintf(names + length, sizeof names - length, "%s%s", i ? ", " : "",
             gs_name(option->names, i));
  }
  return GS_FAIL(error, GS_ERR_USAGE, "--%s: %s is none of %s", option->name,
                 gs_quote(text, quoted), names);
}

static gs_status store(const gs_option *option, const char *value, void *arguments,
                       gs_error *error) {
  void *field = (unsigned char *)arguments + option->offset;
  switch (option->kind) {
  case GS_OPTION_FLAG: *(bool *)field = true; return GS_OK;
  case GS_OPTION_TEXT: *(const char **)field = value; return GS_OK;
  case GS_OPTION_WHOLE: return parse_whole(option, value, field, error);
  case GS_OPTION_NUMBER: return parse_number(option, value, field, error);
  case GS_OPTION_BYTES: return parse_bytes(option, value, field, error);
  case GS_OPTION_SEED: return parse_seed(option, value, field, error);
  case GS_OPTION_CHOICE: return parse_choice(option, value, field, error);
  case GS_OPTION_CALL: return option->set(arguments, value, error);
  }
  return GS_OK;
}

/* ---- names ---- */

/* An option of the command, or a parameter of a cell, or neither. */
typedef struct found {
  const gs_option *option;
  const gs_param *param;
  bool help;
} found;

static found find(const gs_command *command, const char *name) {
  char hyphened[NAME_BYTES];
  char scored[NAME_BYTES];
  const size_t length = strlen(name);
  if (length >= sizeof hyphened) return (found){NULL, NULL, false};
  for (size_t i = 0; i <= length; i++) {
    hyphened[i] = (char)(name[i] == '_' ? '-' : name[i]);
    scored[i] = (char)(name[i] == '-' ? '_' : name[i]);
  }
  if (strcmp(hyphened, "help") == 0) return (found){NULL, NULL, true};
  for (const gs_option *option = command->options; option && option->name; option++) {
    if (strcmp(option->name, hyphened) == 0) return (found){option, NULL, false};
  }
  const int param = command->parameters ? gs_param_find(scored) : -1;
  const bool settable = param >= 0 && gs_params[param].type->set;
  return (found){NULL, settable ? &gs_params[param] : NULL, false};
}

/* The known option that an unknown one is most likely a slip of, or NULL. */
static const char *closest(const gs_command *command, const char *name,
                           char kept[GS_PARAM_COUNT][NAME_BYTES]) {
  const char *names[MAX_NAMES] = {"help"};
  int count = 1;
  for (const gs_option *option = command->options; option && option->name; option++) {
    if (count < MAX_NAMES) names[count++] = option->name;
  }
  for (int i = 0; command->parameters && i < GS_PARAM_COUNT; i++) {
    if (!gs_params[i].type->set || count == MAX_NAMES) continue;
    snprintf(kept[i], NAME_BYTES, "%s", gs_params[i].key);
    for (char *at = kept[i]; *at; at++) *at = *at == '_' ? '-' : *at;
    names[count++] = kept[i];
  }
  return gs_closest(name, names, count);
}

static gs_status refuse(const gs_command *command, const char *word, const char *name,
                        gs_error *error) {
  char quoted[GS_QUOTE_BYTES];
  char kept[GS_PARAM_COUNT][NAME_BYTES];
  const char *close = closest(command, name, kept);
  return GS_FAIL(error, GS_ERR_USAGE, "unknown option %s%s%s: see gradsweep %s --help",
                 gs_quote(word, quoted), close ? ", did you mean --" : "", close ? close : "",
                 command->name);
}

/* ---- the whole line ---- */

/* One option, words[0] and perhaps its value words[1]; *used is how many it took. */
static gs_status take_option(const gs_command *command, char **words, int count, void *arguments,
                             gs_given *given, int *used, gs_error *error) {
  char quoted[GS_QUOTE_BYTES];
  const char *word = words[0];
  const char *equals = strchr(word, '=');
  char name[GS_QUOTE_BYTES];
  const char *start = word + strspn(word, "-");
  const size_t length = equals ? (size_t)(equals - start) : strlen(start);
  snprintf(name, sizeof name, "%.*s", (int)(length < sizeof name ? length : sizeof name), start);
  const bool is_long = strncmp(word, "--", 2) == 0;
  found what = find(command, name);
  if (strcmp(word, "-h") == 0)
    what = (found){NULL, NULL, true};
  else if (!is_long)
    what = (found){NULL, NULL, false};
  if (!what.option && !what.param && !what.help) return refuse(command, word, name, error);
  const bool takes = what.param || (what.option && what.option->argument);
  if (!takes && equals) {
    return GS_FAIL(error, GS_ERR_USAGE, "the option %s takes no value", gs_quote(word, quoted));
  }
  if (takes && !equals && count < 2) {
    return GS_FAIL(error, GS_ERR_USAGE, "the option %s needs a value", gs_quote(word, quoted));
  }
  const char *value = equals ? equals + 1 : takes ? words[1] : "";
  *used = takes && !equals ? 2 : 1;
  given->help |= what.help;
  if (what.option) return store(what.option, value, arguments, error);
  if (what.param) given->settings[given->setting_count++] = (gs_setting){what.param->key, value};
  return GS_OK;
}

gs_status gs_options_parse(const gs_command *command, int argc, char **argv, void *arguments,
                           gs_given *given, gs_error *error) {
  const size_t max = argc > 0 ? (size_t)argc : 1;
  bool only_operands = false;
  *given = (gs_given){.argv = argv,
                      .operands = calloc(max, sizeof *given->operands),
                      .settings = calloc(max, sizeof *given->settings)};
  if (!given->operands || !given->settings) {
    return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the options");
  }
  for (int i = 1; i < argc;) {
    int used = 1;
    if (only_operands || argv[i][0] != '-' || !argv[i][1]) {
      given->operands[given->operand_count++] = argv[i];
    } else if (strcmp(argv[i], "--") == 0) {
      only_operands = true;
    } else {
      GS_TRY(take_option(command, argv + i, argc - i, arguments, given, &used, error));
    }
    i += used;
  }
  if (command->operands || given->operand_count == 0 || given->help) return GS_OK;
  char quoted[GS_QUOTE_BYTES];
  return GS_FAIL(error, GS_ERR_USAGE, "gradsweep %s takes no %s, only options: --help has them",
                 command->name, gs_quote(given->operands[0], quoted));
}

void gs_given_clear(gs_given *given) {
  free(given->operands);
  free(given->settings);
  *given = (gs_given){0};
}

/* ---- a sweep ---- */

/* Sets a key of every block, so that the sweep is expanded, checked and named
 * as if it had been written so. What is no block is the expansion's to refuse. */
static gs_status set_in_blocks(cJSON *root, const char *key, const char *value, gs_error *error) {
  cJSON *block = NULL;
  if (!value) return GS_OK;
  cJSON_ArrayForEach(block, gs_json_get(root, "blocks")) {
    if (!cJSON_IsObject(block)) continue;
    cJSON_DeleteItemFromObjectCaseSensitive(block, key);
    if (!gs_json_add(block, key, cJSON_CreateString(value))) {
      return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the sweep");
    }
  }
  return GS_OK;
}

static gs_status read_file(const char *path, const char *backend, const char *device,
                           gs_sweep *sweep, gs_error *error) {
  cJSON *root = NULL;
  GS_TRY(gs_json_read_file(path, GS_JSON_MAX_INPUT_BYTES, &root, error));
  gs_status status = set_in_blocks(root, "backend", backend, error);
  if (status == GS_OK) status = set_in_blocks(root, "device", device, error);
  if (status == GS_OK) status = gs_sweep_from_json(root, path, sweep, error);
  cJSON_Delete(root);
  return status;
}

/* A plain word without a file of that name was meant to be a model. */
static gs_status refuse_word(const char *word, const char *meant, gs_error *error) {
  char quoted[GS_QUOTE_BYTES];
  return GS_FAIL(error, GS_ERR_USAGE, "%s is neither a model (mlp, rnn) nor a file%s%s%s",
                 gs_quote(word, quoted), meant ? " (did you mean " : "", meant ? meant : "",
                 meant ? "?)" : "");
}

static gs_status model_sweep(const gs_given *given, const char *backend, const char *device,
                             gs_sweep *sweep, gs_error *error) {
  int count = given->setting_count;
  gs_setting *all = malloc(((size_t)count + 2) * sizeof *all);
  if (!all) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the options");
  if (count > 0) memcpy(all, given->settings, (size_t)count * sizeof *all);
  if (backend) all[count++] = (gs_setting){"backend", backend};
  if (device) all[count++] = (gs_setting){"device", device};
  const gs_status status = gs_sweep_from_settings(given->operands[0], all, count, sweep, error);
  free(all);
  return status;
}

gs_status gs_given_sweep(const gs_command *command, const gs_given *given, const char *backend,
                         const char *device, gs_sweep *sweep, gs_error *error) {
  char quoted[GS_QUOTE_BYTES];
  const char *meant = NULL;
  if (given->operand_count == 0) {
    return GS_FAIL(error, GS_ERR_USAGE,
                   "gradsweep %s takes a sweep file, mlp or rnn: see gradsweep %s --help",
                   command->name, command->name);
  }
  const char *word = given->operands[0];
  if (given->operand_count > 1) {
    return GS_FAIL(error, GS_ERR_USAGE, "one sweep at a time: what is %s?",
                   gs_quote(given->operands[1], quoted));
  }
  if (gs_value_of(&gs_model_names, word, &meant) >= 0) {
    return model_sweep(given, backend, device, sweep, error);
  }
  if (!strpbrk(word, "/.") && access(word, F_OK) != 0) return refuse_word(word, meant, error);
  if (given->setting_count == 0) return read_file(word, backend, device, sweep, error);
  return GS_FAIL(error, GS_ERR_USAGE, "--%s belongs to %s mlp and %s rnn: %s has its own",
                 given->settings[0].key, command->name, command->name, gs_quote(word, quoted));
}
