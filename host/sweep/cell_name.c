/* The readable name of a cell. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/init.h"
#include "sweep/spec.h"

typedef struct name_buffer {
  char text[GS_CELL_NAME_BYTES];
  size_t length;
  bool overflowed;
} name_buffer;

static void append(name_buffer *name, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void append(name_buffer *name, const char *format, ...) {
  const size_t room = sizeof name->text - name->length;
  va_list arguments;
  va_start(arguments, format);
  const int length = vsnprintf(name->text + name->length, room, format, arguments);
  va_end(arguments);
  if (length < 0 || (size_t)length >= room) {
    name->overflowed = true;
    name->length = sizeof name->text - 1;
  } else {
    name->length += (size_t)length;
  }
}

/* key=value with the fewest digits that read back equal. */
static void append_number(name_buffer *name, const char *separator, const char *key, double value) {
  char digits[40];
  int precision = 1;
  do {
    snprintf(digits, sizeof digits, "%.*g", precision, value);
  } while (precision++ < 17 && strtod(digits, NULL) != value);
  append(name, "%s%s=%s", separator, key, digits);
}

static void append_init(name_buffer *name, const gs_init *init) {
  const gs_init usual = gs_init_default(init->kind);
  append(name, "%s", gs_name(&gs_init_names, init->kind));
  if (init->std != usual.std) append_number(name, ":", "std", init->std);
  if (init->kind == GS_INIT_SCALED) append_number(name, ":", "sigma_w2", init->sigma_w2);
  if (init->fan != usual.fan) append(name, ":fan=%s", gs_name(&gs_fan_names, init->fan));
  if (init->slope != usual.slope) append_number(name, ":", "slope", init->slope);
  if (init->gain != usual.gain) append_number(name, ":", "gain", init->gain);
}

static void append_activation(name_buffer *name, const gs_activation *activation) {
  append(name, "%s", gs_name(&gs_activation_names, activation->kind));
  const bool leaky = activation->kind == GS_LEAKY_RELU;
  if (leaky && activation->slope != GS_LEAKY_DEFAULT_SLOPE) {
    append_number(name, ":", "slope", activation->slope);
  }
}

static void append_shape(name_buffer *name, const gs_config *config) {
  if (config->model == GS_RNN) {
    append(name, "/T%" PRId64 "/n%" PRId64, config->seq_len, config->hidden);
    if (config->input != config->hidden) append(name, "/x%" PRId64, config->input);
  } else if (config->width > 0) {
    append(name, "/L%" PRId64 "/n%" PRId64, config->depth, config->width);
  } else {
    append(name, "/n%" PRId64, config->widths[0]);
    for (int64_t l = 1; l <= config->depth && !name->overflowed; l++) {
      append(name, "-%" PRId64, config->widths[l]);
    }
  }
  append(name, "/B%" PRId64 "/R%" PRId64, config->batch, config->replicas);
}

static bool same_activation(const gs_activation *a, const gs_activation *b) {
  return a->kind == b->kind && (a->kind != GS_LEAKY_RELU || a->slope == b->slope);
}

static bool same_init(const gs_init *a, const gs_init *b) {
  return a->kind == b->kind && a->std == b->std && a->sigma_w2 == b->sigma_w2 &&
         a->gain == b->gain && a->slope == b->slope && a->fan == b->fan;
}

/* What the initialisation leaves to be said: `usual` has the model's defaults, and a
 * framework's name sets its own. */
static void append_input_init(name_buffer *name, const gs_config *config, const gs_config *usual) {
  gs_init expected = usual->input_init;
  if (gs_init_is_framework(config->init.kind)) expected = gs_init_default(config->init.kind);
  if (config->model != GS_RNN || same_init(&config->input_init, &expected)) return;
  append(name, "/input_init=");
  append_init(name, &config->input_init);
}

static void append_bias(name_buffer *name, const gs_config *config) {
  const gs_bias usual = gs_init_bias(config->init.kind, config->model);
  if (config->bias != usual || config->bias_std != 0) {
    append_number(name, "/", "bias_std", config->bias_std);
  }
}

/* What is not as in `usual`, the model's defaults. Where the cell runs is no part of
 * what it is. */
static void append_rest(name_buffer *name, const gs_config *config, const gs_config *usual) {
  if (config->model == GS_MLP &&
      !same_activation(&config->output_activation, &config->activation)) {
    append(name, "/output_activation=");
    append_activation(name, &config->output_activation);
  }
  append_input_init(name, config, usual);
  if (config->tied != usual->tied) append(name, "/tied=%s", config->tied ? "true" : "false");
  append_bias(name, config);
  if (config->loss != usual->loss) append(name, "/loss=%s", gs_name(&gs_loss_names, config->loss));
  if (config->loss_at != usual->loss_at) {
    append(name, "/loss_at=%s", gs_name(&gs_loss_at_names, config->loss_at));
  }
  if (config->seed != usual->seed) append(name, "/seed=%" PRIu64, config->seed);
  if (config->dtype != usual->dtype)
    append(name, "/dtype=%s", gs_name(&gs_dtype_names, config->dtype));
  if (config->range != usual->range)
    append(name, "/range=%s", gs_name(&gs_range_names, config->range));
  if (config->stats != usual->stats)
    append(name, "/stats=%s", gs_name(&gs_stats_names, config->stats));
  if (config->jacobian != usual->jacobian) {
    append(name, "/jacobian=%s", config->jacobian ? "true" : "false");
  }
  if (config->launch != usual->launch)
    append(name, "/launch=%s", gs_name(&gs_launch_names, config->launch));
  if (config->loop != usual->loop) append(name, "/loop=%s", gs_name(&gs_loop_names, config->loop));
}

gs_status gs_config_describe(const gs_config *config, char name[GS_CELL_NAME_BYTES],
                             gs_error *error) {
  gs_config usual;
  GS_TRY(gs_config_default(config->model, &usual, error));
  name_buffer words = {.length = 0};
  append(&words, "%s/", gs_name(&gs_model_names, config->model));
  append_activation(&words, &config->activation);
  append(&words, "/");
  append_init(&words, &config->init);
  append_shape(&words, config);
  append_rest(&words, config, &usual);
  gs_config_clear(&usual);
  memcpy(name, words.text, sizeof words.text);
  if (!words.overflowed) return GS_OK;
  char id[GS_CELL_ID_BYTES];
  GS_TRY(gs_config_id(config, id, error));
  snprintf(name + GS_CELL_NAME_BYTES - sizeof id - 1, sizeof id + 1, "~%s", id);
  return GS_OK;
}
