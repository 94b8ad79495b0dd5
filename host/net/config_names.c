/* The names that JSON, the command line and tables use for a configuration's
 * choices, and the way back. Unknown values have the name "unknown". */
#include "net/config.h"

#include <string.h>

typedef struct name_table {
  const char *const *names; /* by enum value */
  int count;
} name_table;

static const char *name_of(name_table table, int value) {
  return value >= 0 && value < table.count ? table.names[value] : "unknown";
}

/* The value of a name, -1 if there is none. */
static int value_of(name_table table, const char *name) {
  for (int i = 0; i < table.count; i++) {
    if (strcmp(table.names[i], name) == 0) return i;
  }
  return -1;
}

static const char *const model_list[] = {[GS_MLP] = "mlp", [GS_RNN] = "rnn"};
static const char *const dtype_list[GS_DTYPE_COUNT] = {
#define DTYPE_NAME(constant, name, bytes, min, min_normal, max) [constant] = (name),
    GS_DTYPE_LIST(DTYPE_NAME)
#undef DTYPE_NAME
};
static const char *const activation_list[GS_ACTIVATION_COUNT] = {
#define ACTIVATION_NAME(constant, name) [constant] = (name),
    GS_ACTIVATION_LIST(ACTIVATION_NAME)
#undef ACTIVATION_NAME
};
static const char *const init_list[GS_INIT_COUNT] = {
#define INIT_NAME(constant, name, takes) [constant] = (name),
    GS_INIT_LIST(INIT_NAME)
#undef INIT_NAME
};
static const char *const takes_list[GS_INIT_COUNT] = {
#define INIT_TAKES(constant, name, takes) [constant] = (takes),
    GS_INIT_LIST(INIT_TAKES)
#undef INIT_TAKES
};
static const char *const bias_list[GS_BIAS_COUNT] = {
#define BIAS_NAME(constant, name) [constant] = (name),
    GS_BIAS_LIST(BIAS_NAME)
#undef BIAS_NAME
};
static const char *const loss_list[] = {[GS_LOSS_LINEAR] = "linear", [GS_LOSS_MSE] = "mse"};
static const char *const loss_at_list[] = {[GS_LOSS_LAST] = "last", [GS_LOSS_EVERY] = "every"};
static const char *const range_list[] = {
    [GS_RANGE_EXTENDED] = "extended", [GS_RANGE_NATIVE] = "native"};
static const char *const stats_list[] = {
    [GS_STATS_OFF] = "off", [GS_STATS_NORMS] = "norms", [GS_STATS_FULL] = "full"};
static const char *const launch_list[] = {
    [GS_LAUNCH_AUTO] = "auto", [GS_LAUNCH_GRAPH] = "graph", [GS_LAUNCH_EAGER] = "eager"};
static const char *const loop_list[] = {
    [GS_LOOP_AUTO] = "auto", [GS_LOOP_STEPS] = "steps", [GS_LOOP_PERSISTENT] = "persistent"};
static const char *const backend_list[] = {
    [GS_BACKEND_AUTO] = "auto", [GS_BACKEND_CPU] = "cpu", [GS_BACKEND_CUDA] = "cuda"};
static const char *const fan_list[] = {[GS_FAN_IN] = "in", [GS_FAN_OUT] = "out"};

static const name_table models = {model_list, 2};
static const name_table dtypes = {dtype_list, GS_DTYPE_COUNT};
static const name_table activations = {activation_list, GS_ACTIVATION_COUNT};
static const name_table inits = {init_list, GS_INIT_COUNT};
static const name_table takes = {takes_list, GS_INIT_COUNT};
static const name_table biases = {bias_list, GS_BIAS_COUNT};
static const name_table losses = {loss_list, 2};
static const name_table loss_ats = {loss_at_list, 2};
static const name_table ranges = {range_list, 2};
static const name_table stats_levels = {stats_list, 3};
static const name_table launches = {launch_list, 3};
static const name_table loops = {loop_list, 3};
static const name_table backends = {backend_list, 3};
static const name_table fans = {fan_list, 2};

const char *gs_model_name(gs_model model) { return name_of(models, (int)model); }
const char *gs_dtype_name(gs_dtype dtype) { return name_of(dtypes, (int)dtype); }
const char *gs_activation_name(gs_activation_kind kind) { return name_of(activations, (int)kind); }
const char *gs_init_name(gs_init_kind kind) { return name_of(inits, (int)kind); }
const char *gs_init_takes(gs_init_kind kind) { return name_of(takes, (int)kind); }
const char *gs_bias_name(gs_bias bias) { return name_of(biases, (int)bias); }
const char *gs_loss_name(gs_loss loss) { return name_of(losses, (int)loss); }
const char *gs_loss_at_name(gs_loss_at loss_at) { return name_of(loss_ats, (int)loss_at); }
const char *gs_range_name(gs_range range) { return name_of(ranges, (int)range); }
const char *gs_stats_level_name(gs_stats_level level) { return name_of(stats_levels, (int)level); }
const char *gs_launch_name(gs_launch launch) { return name_of(launches, (int)launch); }
const char *gs_loop_name(gs_loop loop) { return name_of(loops, (int)loop); }
const char *gs_backend_name(gs_backend backend) { return name_of(backends, (int)backend); }
const char *gs_fan_name(gs_fan fan) { return name_of(fans, (int)fan); }

bool gs_model_find(const char *name, gs_model *model) {
  const int value = value_of(models, name);
  if (value >= 0) *model = (gs_model)value;
  return value >= 0;
}

bool gs_dtype_find(const char *name, gs_dtype *dtype) {
  const int value = value_of(dtypes, name);
  if (value >= 0) *dtype = (gs_dtype)value;
  return value >= 0;
}

bool gs_activation_find(const char *name, gs_activation_kind *kind) {
  const int value = value_of(activations, name);
  if (value >= 0) *kind = (gs_activation_kind)value;
  return value >= 0;
}

bool gs_init_find(const char *name, gs_init_kind *kind) {
  const int value = value_of(inits, name);
  if (value >= 0) *kind = (gs_init_kind)value;
  return value >= 0;
}

bool gs_loss_find(const char *name, gs_loss *loss) {
  const int value = value_of(losses, name);
  if (value >= 0) *loss = (gs_loss)value;
  return value >= 0;
}

bool gs_loss_at_find(const char *name, gs_loss_at *loss_at) {
  const int value = value_of(loss_ats, name);
  if (value >= 0) *loss_at = (gs_loss_at)value;
  return value >= 0;
}

bool gs_range_find(const char *name, gs_range *range) {
  const int value = value_of(ranges, name);
  if (value >= 0) *range = (gs_range)value;
  return value >= 0;
}

bool gs_stats_level_find(const char *name, gs_stats_level *level) {
  const int value = value_of(stats_levels, name);
  if (value >= 0) *level = (gs_stats_level)value;
  return value >= 0;
}

bool gs_launch_find(const char *name, gs_launch *launch) {
  const int value = value_of(launches, name);
  if (value >= 0) *launch = (gs_launch)value;
  return value >= 0;
}

bool gs_loop_find(const char *name, gs_loop *loop) {
  const int value = value_of(loops, name);
  if (value >= 0) *loop = (gs_loop)value;
  return value >= 0;
}

bool gs_backend_find(const char *name, gs_backend *backend) {
  const int value = value_of(backends, name);
  if (value >= 0) *backend = (gs_backend)value;
  return value >= 0;
}

bool gs_fan_find(const char *name, gs_fan *fan) {
  const int value = value_of(fans, name);
  if (value >= 0) *fan = (gs_fan)value;
  return value >= 0;
}
