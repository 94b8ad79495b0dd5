/* The names of a configuration's choices, one row for each enumeration. */
#include "net/config.h"

#define DTYPE_NAME(constant, name, bytes, min, min_normal, max) name,
#define MODEL_NAME(constant, name, row) name,
#define INIT_NAME(constant, name, takes, later) name,
#define INIT_TAKES(constant, name, takes, later) [constant] = (takes),
#define INIT_LATER(constant, name, takes, later) [constant] = (later),

static const gs_synonym activation_synonyms[] = {{"swish", "silu"},
                                                 {"linear", "identity"},
                                                 {"none", "identity"},
                                                 {"logistic", "sigmoid"},
                                                 {NULL, NULL}};
static const gs_synonym init_synonyms[] = {{"kaiming_normal", "he_normal"},
                                           {"kaiming_uniform", "he_uniform"},
                                           {"glorot_normal", "xavier_normal"},
                                           {"glorot_uniform", "xavier_uniform"},
                                           {"pytorch_default", "torch_default"},
                                           {"eye", "identity"},
                                           {"ones", "constant"},
                                           {"trunc_normal", "truncated_normal"},
                                           {"random_normal", "normal"},
                                           {"random_uniform", "uniform"},
                                           {NULL, NULL}};
static const gs_synonym dtype_synonyms[] = {
    {"float64", "f64"},   {"double", "f64"},  {"float32", "f32"}, {"float", "f32"},
    {"bfloat16", "bf16"}, {"float16", "f16"}, {"half", "f16"},    {NULL, NULL}};
static const gs_synonym backend_synonyms[] = {{"gpu", "cuda"}, {NULL, NULL}};

static const gs_synonym norm_synonyms[] = {
    {"layernorm", "layer"}, {"layer_norm", "layer"}, {"rmsnorm", "rms"}, {"rms_norm", "rms"},
    {"batchnorm", "batch"}, {"batch_norm", "batch"}, {NULL, NULL}};

const gs_names gs_model_names = {"model", GS_NAMES(GS_MODEL_LIST(MODEL_NAME)), NULL};
const gs_names gs_dtype_names = {"dtype", GS_NAMES(GS_DTYPE_LIST(DTYPE_NAME)), dtype_synonyms};
const gs_names gs_activation_names = {"activation", GS_NAMES(GS_ACTIVATION_LIST(GS_ROW_NAME)),
                                      activation_synonyms};
const gs_names gs_init_names = {"init", GS_NAMES(GS_INIT_LIST(INIT_NAME)), init_synonyms};
const gs_names gs_fan_names = {"fan", GS_NAMES(GS_FAN_LIST(GS_ROW_NAME)), NULL};
const gs_names gs_bias_names = {"bias", GS_NAMES(GS_BIAS_LIST(GS_ROW_NAME)), NULL};
const gs_names gs_loss_names = {"loss", GS_NAMES(GS_LOSS_LIST(GS_ROW_NAME)), NULL};
const gs_names gs_loss_at_names = {"loss_at", GS_NAMES(GS_LOSS_AT_LIST(GS_ROW_NAME)), NULL};
const gs_names gs_range_names = {"range", GS_NAMES(GS_RANGE_LIST(GS_ROW_NAME)), NULL};
const gs_names gs_stats_names = {"stats", GS_NAMES(GS_STATS_LIST(GS_ROW_NAME)), NULL};
const gs_names gs_launch_names = {"launch", GS_NAMES(GS_LAUNCH_LIST(GS_ROW_NAME)), NULL};
const gs_names gs_loop_names = {"loop", GS_NAMES(GS_LOOP_LIST(GS_ROW_NAME)), NULL};
const gs_names gs_norm_names = {"norm", GS_NAMES(GS_NORM_LIST(GS_ROW_NAME)), norm_synonyms};
const gs_names gs_norm_at_names = {"norm_at", GS_NAMES(GS_NORM_AT_LIST(GS_ROW_NAME)), NULL};
const gs_names gs_residual_names = {"residual", GS_NAMES(GS_RESIDUAL_LIST(GS_ROW_NAME)), NULL};
const gs_names gs_residual_activation_names = {
    "residual_activation", GS_NAMES(GS_RESIDUAL_ACTIVATION_LIST(GS_ROW_NAME)), NULL};
const gs_names gs_backend_names = {"backend", GS_NAMES(GS_BACKEND_LIST(GS_ROW_NAME)),
                                   backend_synonyms};

const char *gs_init_takes(gs_init_kind kind) {
  static const char *const takes[GS_INIT_COUNT] = {GS_INIT_LIST(INIT_TAKES)};
  return (int)kind >= 0 && kind < GS_INIT_COUNT ? takes[kind] : "unknown";
}

const char *gs_init_later(gs_init_kind kind) {
  static const char *const later[GS_INIT_COUNT] = {GS_INIT_LIST(INIT_LATER)};
  return (int)kind >= 0 && kind < GS_INIT_COUNT ? later[kind] : "";
}
