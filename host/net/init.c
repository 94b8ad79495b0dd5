/* Variances and distributions of the initialisations.
 *
 *   he_*       gain^2 / fan, gain^2 = 2 / (1 + slope^2): He et al. 2015 (eq. 10
 *              and 15), PyTorch kaiming_normal_ and kaiming_uniform_
 *   he_truncated  Keras HeNormal: a normal cut at two standard deviations, its
 *              deviation divided by that of the cut unit normal
 *   xavier_*   gain^2 2 / (fan_in + fan_out): Glorot & Bengio 2010 (eq. 16), with a gain
 *              PyTorch xavier_normal_ and xavier_uniform_
 *   lecun_*    1 / fan_in: LeCun et al. 1998; Keras LecunUniform
 *   uniform    a^2 / 3: U(-a, a), PyTorch uniform_(-a, a)
 *   truncated_normal  N(0, std^2) cut at 2 std: std is that before the cut, after it
 *              0.8796 std. PyTorch trunc_normal_(std=std, a=-2*std, b=2*std)
 *   constant, zeros   every weight is value, or 0: PyTorch constant_, zeros_, ones_
 *   torch_default 1 / (3 fan_in), uniform: torch.nn.Linear's reset_parameters; of an rnn's
 *              U 1 / (3 hidden), with `fan` set to out: torch.nn.RNNBase's
 *   keras_default xavier_uniform: keras.layers.Dense; of an rnn's W orthogonal:
 *              keras.layers.SimpleRNN */
#include "net/init.h"

#include <math.h>
#include <string.h>

const gs_init_param gs_init_params[GS_INIT_PARAM_COUNT] = {
    {"std", offsetof(gs_init, std), 1, NULL, false},
    {"sigma_w2", offsetof(gs_init, sigma_w2), 1, NULL, false},
    {"fan", offsetof(gs_init, fan), GS_FAN_IN, &gs_fan_names, false},
    {"slope", offsetof(gs_init, slope), 0, NULL, false},
    {"gain", offsetof(gs_init, gain), 1, NULL, false},
    {"a", offsetof(gs_init, a), 1, NULL, false},
    {"value", offsetof(gs_init, value), 1, NULL, true}};

/* Does the blank-separated list hold the word? */
static bool has_word(const char *list, const char *word) {
  const size_t length = strlen(word);
  while (*list) {
    const size_t span = strcspn(list, " ");
    if (span == length && strncmp(word, list, length) == 0) return true;
    list += span;
    list += strspn(list, " ");
  }
  return false;
}

const gs_init_param *gs_init_param_of(gs_init_kind kind, const char *key) {
  if (!has_word(gs_init_takes(kind), key)) return NULL;
  for (int i = 0; i < GS_INIT_PARAM_COUNT; i++) {
    if (strcmp(gs_init_params[i].key, key) == 0) return &gs_init_params[i];
  }
  return NULL;
}

bool gs_init_param_is_later(gs_init_kind kind, const gs_init_param *param) {
  return has_word(gs_init_later(kind), param->key);
}

gs_init gs_init_default(gs_init_kind kind) {
  gs_init init = {.kind = kind};
  for (int i = 0; i < GS_INIT_PARAM_COUNT; i++) {
    const gs_init_param *param = &gs_init_params[i];
    const int choice = (int)param->usual;
    void *field = (unsigned char *)&init + param->offset;
    memcpy(field, param->choices ? (const void *)&choice : (const void *)&param->usual,
           param->choices ? sizeof choice : sizeof param->usual);
  }
  return init;
}

/* Standard deviation of N(0,1) conditioned on |x| < 2. */
static const double TRUNCATED_DEVIATION = 0.87962566103423978;

enum { KIND_SHIFT = 28 }; /* GS_MAX_DEPTH fits below */

uint32_t gs_tensor_id(gs_tensor_kind kind, int64_t index) {
  return (uint32_t)kind << KIND_SHIFT | (uint32_t)index;
}

static double he_variance(const gs_init *init, int64_t fan_in, int64_t fan_out) {
  const double fan = (double)(init->fan == GS_FAN_OUT ? fan_out : fan_in);
  return 2.0 / (1.0 + init->slope * init->slope) / fan;
}

/* Variance of the untruncated distribution that is drawn from. */
static double drawn_variance(const gs_init *init, int64_t fan_in, int64_t fan_out) {
  const double in = (double)fan_in;
  const double out = (double)fan_out;
  switch (init->kind) {
  case GS_INIT_NORMAL:
  case GS_INIT_TRUNCATED_NORMAL: return init->std * init->std;
  case GS_INIT_UNIFORM: return init->a * init->a / 3.0;
  case GS_INIT_SCALED: return init->sigma_w2 / in;
  case GS_INIT_HE_NORMAL:
  case GS_INIT_HE_UNIFORM:
  case GS_INIT_HE_TRUNCATED_UNCORRECTED: return he_variance(init, fan_in, fan_out);
  case GS_INIT_HE_TRUNCATED:
    return he_variance(init, fan_in, fan_out) / (TRUNCATED_DEVIATION * TRUNCATED_DEVIATION);
  case GS_INIT_XAVIER_NORMAL:
  case GS_INIT_XAVIER_UNIFORM: return init->gain * init->gain * (2.0 / (in + out));
  case GS_INIT_KERAS_DEFAULT: return 2.0 / (in + out);
  case GS_INIT_LECUN_NORMAL:
  case GS_INIT_LECUN_UNIFORM: return 1.0 / in;
  case GS_INIT_TORCH_DEFAULT: return 1.0 / (3.0 * (init->fan == GS_FAN_OUT ? out : in));
  case GS_INIT_ORTHOGONAL: return init->gain * init->gain / (in > out ? in : out);
  case GS_INIT_IDENTITY: return init->gain * init->gain / in;
  case GS_INIT_CONSTANT: return init->value * init->value;
  case GS_INIT_ZEROS: return 0.0;
  case GS_INIT_COUNT: break;
  }
  return NAN;
}

double gs_init_variance(const gs_init *init, int64_t fan_in, int64_t fan_out) {
  const bool truncated = init->kind == GS_INIT_HE_TRUNCATED ||
                         init->kind == GS_INIT_HE_TRUNCATED_UNCORRECTED ||
                         init->kind == GS_INIT_TRUNCATED_NORMAL;
  const double kept = truncated ? TRUNCATED_DEVIATION * TRUNCATED_DEVIATION : 1.0;
  return drawn_variance(init, fan_in, fan_out) * kept;
}

bool gs_init_is_constant(const gs_init *init) {
  return init->kind == GS_INIT_CONSTANT || init->kind == GS_INIT_ZEROS;
}

bool gs_init_is_zero(const gs_init *init) {
  switch (init->kind) {
  case GS_INIT_ZEROS: return true;
  case GS_INIT_CONSTANT: return init->value == 0;
  case GS_INIT_SCALED: return init->sigma_w2 == 0;
  default: return gs_init_log_square(init) == -INFINITY;
  }
}

double gs_init_log_square(const gs_init *init) {
  switch (init->kind) {
  case GS_INIT_NORMAL:
  case GS_INIT_TRUNCATED_NORMAL: return 2 * log(init->std);
  case GS_INIT_XAVIER_NORMAL:
  case GS_INIT_XAVIER_UNIFORM:
  case GS_INIT_ORTHOGONAL:
  case GS_INIT_IDENTITY: return 2 * log(init->gain);
  case GS_INIT_UNIFORM: return 2 * log(init->a);
  default: return 0;
  }
}

gs_fill gs_init_fill(const gs_init *init, int64_t fan_in, int64_t fan_out, uint64_t seed,
                     uint32_t tensor_id) {
  gs_init unit = *init;
  unit.gain = 1; /* the square of a huge or tiny one is never formed */
  const double variance = drawn_variance(&unit, fan_in, fan_out);
  gs_fill fill = {GS_FILL_NORMAL, sqrt(variance), seed, tensor_id};
  switch (init->kind) {
  case GS_INIT_NORMAL: fill.value = init->std; break;
  case GS_INIT_XAVIER_NORMAL: fill.value *= init->gain; break;
  case GS_INIT_HE_UNIFORM:
  case GS_INIT_LECUN_UNIFORM:
  case GS_INIT_TORCH_DEFAULT:
  case GS_INIT_KERAS_DEFAULT:
    fill.kind = GS_FILL_UNIFORM;
    fill.value = sqrt(3.0 * variance); /* U(-a, a) has variance a^2 / 3 */
    break;
  case GS_INIT_XAVIER_UNIFORM:
    fill.kind = GS_FILL_UNIFORM;
    fill.value = init->gain * sqrt(3.0 * variance);
    break;
  case GS_INIT_UNIFORM:
    fill.kind = GS_FILL_UNIFORM;
    fill.value = init->a;
    break;
  case GS_INIT_TRUNCATED_NORMAL:
    fill.kind = GS_FILL_TRUNCATED_NORMAL;
    fill.value = init->std;
    break;
  case GS_INIT_CONSTANT:
  case GS_INIT_ZEROS:
    fill.kind = GS_FILL_CONSTANT;
    fill.value = init->kind == GS_INIT_ZEROS ? 0.0 : init->value;
    break;
  case GS_INIT_HE_TRUNCATED:
  case GS_INIT_HE_TRUNCATED_UNCORRECTED: fill.kind = GS_FILL_TRUNCATED_NORMAL; break;
  case GS_INIT_ORTHOGONAL:
    fill.kind = GS_FILL_ORTHOGONAL;
    fill.value = init->gain;
    break;
  case GS_INIT_IDENTITY:
    fill.kind = GS_FILL_IDENTITY;
    fill.value = init->gain;
    break;
  default: break;
  }
  return fill;
}
