/* Writing set-ups. */
#include "claims/setup.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/init.h"

enum { VALUE_BYTES = 160, NUMBER_BYTES = 32 };

typedef struct writer {
  char *text;
  size_t capacity;
  size_t length;
  const char *axis;
  const char *values;
} writer;

static void append(writer *to, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void append(writer *to, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const int length = vsnprintf(to->text + to->length, to->capacity - to->length, format, arguments);
  va_end(arguments);
  if (length > 0) to->length += (size_t)length;
  if (to->length >= to->capacity) to->length = to->capacity - 1;
}

static void option(writer *to, const char *name, const char *value) {
  const bool swept = to->axis && strcmp(to->axis, name) == 0;
  append(to, " --%s %s", name, swept ? to->values : value);
}

static void option_whole(writer *to, const char *name, int64_t value) {
  char digits[NUMBER_BYTES];
  snprintf(digits, sizeof digits, "%" PRId64, value);
  option(to, name, digits);
}

/* The fewest digits that read back equal. */
static const char *number_text(double value, char digits[NUMBER_BYTES]) {
  int precision = 1;
  do {
    snprintf(digits, NUMBER_BYTES, "%.*g", precision, value);
  } while (precision++ < 17 && strtod(digits, NULL) != value);
  return digits;
}

static void option_number(writer *to, const char *name, double value) {
  char digits[NUMBER_BYTES];
  option(to, name, number_text(value, digits));
}

static const char *init_text(const gs_init *init, char text[VALUE_BYTES]) {
  const gs_init usual = gs_init_default(init->kind);
  const struct {
    const char *key;
    double value, usual;
  } numbers[] = {{"std", init->std, usual.std},
                 {"sigma_w2", init->sigma_w2, usual.sigma_w2},
                 {"slope", init->slope, usual.slope},
                 {"gain", init->gain, usual.gain}};
  char digits[NUMBER_BYTES];
  writer to = {.text = text, .capacity = VALUE_BYTES};
  append(&to, "%s", gs_name(&gs_init_names, init->kind));
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    if (numbers[i].value == numbers[i].usual) continue;
    append(&to, ":%s=%s", numbers[i].key, number_text(numbers[i].value, digits));
  }
  if (init->fan != usual.fan) append(&to, ":fan=%s", gs_name(&gs_fan_names, init->fan));
  return text;
}

static void shape(writer *to, const gs_config *config) {
  char sizes[VALUE_BYTES];
  writer list = {.text = sizes, .capacity = sizeof sizes};
  if (config->model == GS_RNN) {
    option_whole(to, "seq-len", config->seq_len);
    option_whole(to, "hidden", config->hidden);
    option_whole(to, "input", config->input);
  } else if (config->width > 0) {
    option_whole(to, "depth", config->depth);
    option_whole(to, "width", config->width);
  } else {
    for (int64_t l = 0; l <= config->depth; l++) {
      append(&list, "%s%" PRId64, l > 0 ? "," : "", config->widths[l]);
    }
    option(to, "widths", sizes);
  }
}

/* What the initialisation's name does not say: other input weights and biases than those
 * that it means. */
static void rest_of_init(writer *to, const gs_config *config) {
  char value[VALUE_BYTES];
  char usual[VALUE_BYTES];
  const bool framework = gs_init_is_framework(config->init.kind);
  const gs_init expected = gs_init_default(framework ? config->init.kind : GS_INIT_SCALED);
  init_text(&expected, usual);
  if (config->model == GS_RNN && strcmp(init_text(&config->input_init, value), usual) != 0) {
    option(to, "input-init", value);
  }
  if (config->bias != gs_init_bias(config->init.kind, config->model) || config->bias_std > 0) {
    option_number(to, "bias-std", config->bias_std);
  }
}

const char *gs_setup_words(const gs_config *config, const char *axis, const char *values,
                           char *text, size_t capacity) {
  char value[VALUE_BYTES];
  writer to = {text, capacity, 0, axis, values};
  append(&to, "%s", gs_name(&gs_model_names, config->model));
  shape(&to, config);
  option(&to, "activation", gs_name(&gs_activation_names, config->activation.kind));
  if (config->activation.kind == GS_LEAKY_RELU) {
    option_number(&to, "slope", config->activation.slope);
  }
  option(&to, "init", init_text(&config->init, value));
  rest_of_init(&to, config);
  option_whole(&to, "batch", config->batch);
  option_whole(&to, "replicas", config->replicas);
  if (config->jacobian) option(&to, "jacobian", "true");
  snprintf(value, sizeof value, "%" PRIu64, config->seed);
  if (config->seed != 1 || (axis && strcmp(axis, "seed") == 0)) option(&to, "seed", value);
  return text;
}
