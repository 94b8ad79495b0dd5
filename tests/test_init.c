/* Initialisations, as networks really hold them: moments and bounds against
 * theory over a million weights (five standard errors), exact values where the
 * streams of random numbers define them, orthogonality, independence, hashes. */
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "net/init.h"

enum { FAN_IN = 512, FAN_OUT = 700, REPLICAS = 3, SAMPLES = FAN_IN * FAN_OUT * REPLICAS };

#define LIMIT 5.0 /* standard errors */

/* sqrt of the variance of N(0,1) cut at 2, as Keras has it */
static const double CUT_DEVIATION = 0.87962566103423978;

static gs_network *create(gs_device *device, const gs_config *config) {
  gs_network *network = NULL;
  gs_error error = {0};
  gs_support_ok(gs_network_create(device, config, NULL, &network, &error), &error);
  return network;
}

static gs_config mlp_config(int64_t fan_in, int64_t fan_out, gs_init init) {
  gs_config config;
  gs_error error = {0};
  gs_support_ok(gs_config_default(GS_MLP, &config, &error), &error);
  gs_support_ok(gs_config_set_widths(&config, 2, fan_out, &error), &error);
  config.widths[0] = fan_in;
  config.width = fan_in == fan_out ? fan_out : 0;
  config.init = init;
  config.replicas = REPLICAS;
  config.batch = 2;
  config.stats = GS_STATS_NORMS;
  return config;
}

static double *tensor_of(const gs_network *network, gs_role role, int64_t index) {
  const gs_tensor tensor = gs_network_tensor(network, role, index);
  assert_non_null(tensor.data);
  return gs_support_download(gs_network_device(network), &tensor);
}

/* ---- distributions ---- */

typedef enum law_kind { NORMAL, UNIFORM, CUT, TWO_UNIFORMS } law_kind;

/* Even moments 2, 4, 6, 8 of the law with variance 1, and its largest value. */
typedef struct moments {
  double m[4];
  double max;
} moments;

static moments moments_of(law_kind law) {
  if (law == NORMAL) return (moments){{1, 3, 15, 105}, INFINITY};
  if (law == UNIFORM) return (moments){{1, 9.0 / 5, 27.0 / 7, 81.0 / 9}, sqrt(3)};
  /* of u + v: 2/3, 16/15, 16/7, 256/45 */
  if (law == TWO_UNIFORMS) return (moments){{1, 12.0 / 5, 54.0 / 7, 144.0 / 5}, sqrt(6)};
  /* N(0,1) | |x| < 2: E x^k = (k - 1) E x^(k-2) - 2 2^(k-1) density / mass */
  const double density = exp(-2) / sqrt(2 * acos(-1.0));
  const double mass = erf(sqrt(2));
  moments cut = {{0}, 0};
  double before = 1;
  for (int i = 0; i < 4; i++) {
    const int k = 2 * (i + 1);
    cut.m[i] = (k - 1) * before - 2 * ldexp(1, k - 1) * density / mass;
    before = cut.m[i];
  }
  const double variance = cut.m[0];
  for (int i = 0; i < 4; i++) cut.m[i] /= pow(variance, i + 1);
  cut.max = 2 / sqrt(variance);
  return cut;
}

/* Mean, variance and kurtosis of a sample within LIMIT standard errors of a law
 * with mean 0 and this variance, and no value beyond its bounds. */
static void assert_law(const char *name, const double *x, int64_t count, law_kind law,
                       double variance) {
  const moments want = moments_of(law);
  const double *m = want.m;
  const double n = (double)count;
  double sum = 0, squares = 0, fourths = 0, max = 0;
  for (int64_t i = 0; i < count; i++) {
    const double square = x[i] * x[i] / variance;
    sum += x[i];
    squares += square;
    fourths += square * square;
    max = fmax(max, fabs(x[i]));
  }
  const double mean_error = fabs(sum / n) / sqrt(variance / n);
  const double variance_error = fabs(squares / n - 1) / sqrt((m[1] - 1) / n);
  const double kurtosis = fourths / n / (squares / n) / (squares / n);
  /* the delta method for m4 / m2^2 */
  const double spread = m[3] - 4 * m[1] * m[2] + 4 * m[1] * m[1] * m[1] - m[1] * m[1];
  const double kurtosis_error = fabs(kurtosis - m[1]) / sqrt(spread / n);
  if (!(mean_error <= LIMIT && variance_error <= LIMIT && kurtosis_error <= LIMIT))
    fail_msg("%s: mean %.2f, variance %.2f, kurtosis %.2f standard errors off", name, mean_error,
             variance_error, kurtosis_error);
  assert_true(max <= want.max * sqrt(variance) * (1 + 1e-6));
  if (law == TWO_UNIFORMS) assert_true(max >= 0.95 * want.max * sqrt(variance));
  if (law == UNIFORM || law == CUT) assert_true(max >= 0.999 * want.max * sqrt(variance));
  if (law == NORMAL) assert_true(max >= 4.5 * sqrt(variance)); /* nobody cut it */
}

typedef struct expectation {
  gs_init init;
  law_kind law;
  double variance; /* THEORY section 0 for fan_in FAN_IN and fan_out FAN_OUT */
} expectation;

static void test_laws(void **state) {
  const double in = FAN_IN, out = FAN_OUT;
  const expectation table[] = {
      {{.kind = GS_INIT_NORMAL, .std = 1}, NORMAL, 1},
      {{.kind = GS_INIT_NORMAL, .std = 0.3}, NORMAL, 0.09},
      {{.kind = GS_INIT_SCALED, .sigma_w2 = 1.5}, NORMAL, 1.5 / in},
      {{.kind = GS_INIT_HE_NORMAL}, NORMAL, 2 / in},
      {{.kind = GS_INIT_HE_NORMAL, .fan = GS_FAN_OUT}, NORMAL, 2 / out},
      {{.kind = GS_INIT_HE_NORMAL, .slope = 0.2}, NORMAL, 2 / 1.04 / in},
      {{.kind = GS_INIT_HE_UNIFORM}, UNIFORM, 2 / in},
      {{.kind = GS_INIT_HE_UNIFORM, .fan = GS_FAN_OUT, .slope = 1}, UNIFORM, 1 / out},
      {{.kind = GS_INIT_HE_TRUNCATED}, CUT, 2 / in},
      {{.kind = GS_INIT_HE_TRUNCATED, .fan = GS_FAN_OUT}, CUT, 2 / out},
      {{.kind = GS_INIT_HE_TRUNCATED, .slope = 0.5}, CUT, 1.6 / in},
      {{.kind = GS_INIT_HE_TRUNCATED_UNCORRECTED}, CUT, CUT_DEVIATION * CUT_DEVIATION * 2 / in},
      {{.kind = GS_INIT_HE_TRUNCATED_UNCORRECTED, .fan = GS_FAN_OUT},
       CUT,
       CUT_DEVIATION * CUT_DEVIATION * 2 / out},
      /* torch.nn.init.xavier_normal_, xavier_uniform_: std = gain sqrt(2/(fan_in + fan_out)) */
      {{.kind = GS_INIT_XAVIER_NORMAL, .gain = 1}, NORMAL, 2 / (in + out)},
      {{.kind = GS_INIT_XAVIER_NORMAL, .gain = 1.4}, NORMAL, 1.96 * 2 / (in + out)},
      {{.kind = GS_INIT_XAVIER_UNIFORM, .gain = 1}, UNIFORM, 2 / (in + out)},
      {{.kind = GS_INIT_XAVIER_UNIFORM, .gain = 5.0 / 3}, UNIFORM, 25.0 / 9 * 2 / (in + out)},
      {{.kind = GS_INIT_LECUN_NORMAL}, NORMAL, 1 / in},
      /* keras.initializers.LecunUniform: limit sqrt(3/fan_in) */
      {{.kind = GS_INIT_LECUN_UNIFORM}, UNIFORM, 1 / in},
      /* torch.nn.init.uniform_(w, -a, a) */
      {{.kind = GS_INIT_UNIFORM, .a = 1}, UNIFORM, 1.0 / 3},
      {{.kind = GS_INIT_UNIFORM, .a = 0.1}, UNIFORM, 0.01 / 3},
      /* torch.nn.init.trunc_normal_(w, std=std, a=-2*std, b=2*std): std before the cut */
      {{.kind = GS_INIT_TRUNCATED_NORMAL, .std = 1}, CUT, CUT_DEVIATION * CUT_DEVIATION},
      {{.kind = GS_INIT_TRUNCATED_NORMAL, .std = 0.02}, CUT, 4e-4 * CUT_DEVIATION * CUT_DEVIATION},
      {{.kind = GS_INIT_TORCH_DEFAULT}, UNIFORM, 1 / (3 * in)},
      {{.kind = GS_INIT_TORCH_DEFAULT, .fan = GS_FAN_OUT}, UNIFORM, 1 / (3 * out)},
      {{.kind = GS_INIT_KERAS_DEFAULT}, UNIFORM, 2 / (in + out)}};
  bool seen[GS_INIT_COUNT] = {[GS_INIT_ORTHOGONAL] = true,
                              [GS_INIT_IDENTITY] = true,
                              [GS_INIT_CONSTANT] = true,
                              [GS_INIT_ZEROS] = true};
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    const expectation *e = &table[i];
    seen[e->init.kind] = true;
    const double said = gs_init_variance(&e->init, FAN_IN, FAN_OUT);
    if (!(fabs(said / e->variance - 1) <= 1e-12))
      fail_msg("%s: %g is not %g", gs_name(&gs_init_names, e->init.kind), said, e->variance);
    gs_config config = mlp_config(FAN_IN, FAN_OUT, e->init);
    gs_network *network = create(*state, &config);
    double *w = tensor_of(network, GS_ROLE_WEIGHT, 1);
    assert_law(gs_name(&gs_init_names, e->init.kind), w, SAMPLES, e->law, e->variance);
    free(w);
    gs_network_destroy(network);
    gs_config_clear(&config);
  }
  for (int kind = 0; kind < GS_INIT_COUNT; kind++) assert_true(seen[kind]);
  assert_true(fabs(moments_of(CUT).m[1] - 2.36553) < 1e-4);
  assert_true(fabs(moments_of(CUT).max - 2 / CUT_DEVIATION) < 1e-9);
}

/* The defaults are He et al.'s: fan_in, no slope. */
static void test_defaults(void **state) {
  (void)state;
  const gs_init he = gs_init_default(GS_INIT_HE_NORMAL);
  assert_true(gs_init_variance(&he, 50, 70) == 2.0 / 50);
  const gs_init normal = gs_init_default(GS_INIT_NORMAL);
  assert_true(gs_init_variance(&normal, 50, 70) == 1);
  const gs_init scaled = gs_init_default(GS_INIT_SCALED);
  assert_true(gs_init_variance(&scaled, 50, 70) == 1.0 / 50);
}

/* Bit for bit: element i of replica r is the stream's number times the standard
 * deviation. PyTorch's kaiming_normal_: sqrt(2 / fan_in). Keras's HeNormal:
 * sqrt(2 / fan_in) / 0.8796, cut at twice that. */
static void test_exact_values(void **state) {
  enum { IN = 33, OUT = 37 };
  for (int keras = 0; keras < 2; keras++) {
    const gs_init init = gs_init_default(keras ? GS_INIT_HE_TRUNCATED : GS_INIT_HE_NORMAL);
    gs_config config = mlp_config(IN, OUT, init);
    gs_network *network = create(*state, &config);
    for (int64_t layer = 1; layer <= 2; layer++) {
      const int64_t fan_in = layer == 1 ? IN : OUT;
      const float std = (float)(sqrt(2.0 / (double)fan_in) / (keras ? CUT_DEVIATION : 1));
      double *w = tensor_of(network, GS_ROLE_WEIGHT, layer);
      const uint32_t id = gs_tensor_id(GS_KIND_WEIGHT, layer);
      for (int64_t i = 0; i < fan_in * OUT * REPLICAS; i++) {
        const uint64_t index = (uint64_t)(i % (fan_in * OUT));
        const uint32_t r = (uint32_t)(i / (fan_in * OUT));
        const float unit = keras ? gs_random_truncated_at(index, config.seed, id, r)
                                 : gs_random_normal_at(index, config.seed, id, r);
        assert_true((float)w[i] == unit * std);
      }
      free(w);
    }
    gs_network_destroy(network);
    gs_config_clear(&config);
  }
}

/* ---- orthogonal and identity ---- */

static void assert_orthogonal(gs_device *device, int64_t fan_in, int64_t fan_out, double gain) {
  gs_init init = gs_init_default(GS_INIT_ORTHOGONAL);
  init.gain = gain;
  gs_config config = mlp_config(fan_in, fan_out, init);
  gs_network *network = create(device, &config);
  double *w = tensor_of(network, GS_ROLE_WEIGHT, 1);
  const bool wide = fan_out <= fan_in; /* rows are orthonormal; else columns */
  const int64_t short_side = wide ? fan_out : fan_in, long_side = wide ? fan_in : fan_out;
  const int64_t step = wide ? 1 : fan_in, next = wide ? fan_in : 1;
  double squares = 0;
  for (int64_t r = 0; r < REPLICAS; r++) {
    const double *m = w + r * fan_in * fan_out;
    for (int64_t i = 0; i < short_side; i++) {
      for (int64_t j = 0; j <= i; j++) {
        double dot = 0;
        for (int64_t k = 0; k < long_side; k++)
          dot += m[i * next + k * step] * m[j * next + k * step];
        assert_true(fabs(dot - (i == j ? gain * gain : 0)) <= 2e-6 * gain * gain);
      }
    }
    for (int64_t i = 0; i < fan_in * fan_out; i++) squares += m[i] * m[i];
  }
  const double variance = squares / (double)(REPLICAS * fan_in * fan_out);
  assert_true(fabs(variance / gs_init_variance(&init, fan_in, fan_out) - 1) <= 1e-5);
  free(w);
  gs_network_destroy(network);
  gs_config_clear(&config);
}

static void test_orthogonal(void **state) {
  assert_orthogonal(*state, 64, 64, 1);
  assert_orthogonal(*state, 90, 41, 1.5);
  assert_orthogonal(*state, 41, 90, 0.25);
  assert_orthogonal(*state, 1, 1, 2);
}

static gs_config rnn_config(int64_t hidden, int64_t input, int64_t steps) {
  gs_config config;
  gs_error error = {0};
  gs_support_ok(gs_config_default(GS_RNN, &config, &error), &error);
  config.hidden = hidden;
  config.input = input;
  config.seq_len = steps;
  config.replicas = 2;
  config.stats = GS_STATS_NORMS;
  return config;
}

static void test_identity(void **state) {
  gs_config config = rnn_config(17, 5, 2);
  config.init = gs_init_default(GS_INIT_IDENTITY);
  config.init.gain = 0.75;
  gs_network *network = create(*state, &config);
  double *w = tensor_of(network, GS_ROLE_WEIGHT, 1);
  for (int i = 0; i < 2 * 17 * 17; i++) assert_true(w[i] == (i % 289 / 17 == i % 17 ? 0.75 : 0));
  free(w);
  gs_network_destroy(network);
  gs_config_clear(&config);
}

/* ---- one value ---- */

static void assert_all(gs_device *device, gs_init init, float value) {
  gs_config config = mlp_config(33, 37, init);
  gs_network *network = create(device, &config);
  double *w = tensor_of(network, GS_ROLE_WEIGHT, 2);
  for (int i = 0; i < 37 * 37 * REPLICAS; i++) assert_true((float)w[i] == value);
  free(w);
  gs_network_destroy(network);
  gs_config_clear(&config);
}

/* torch.nn.init.constant_, ones_ and zeros_. */
static void test_constants(void **state) {
  gs_init constant = gs_init_default(GS_INIT_CONSTANT);
  assert_all(*state, constant, 1);
  constant.value = -0.3;
  assert_all(*state, constant, -0.3F);
  assert_true(fabs(gs_init_variance(&constant, 50, 70) - 0.09) < 1e-15); /* mean square */
  assert_all(*state, gs_init_default(GS_INIT_ZEROS), 0);
}

/* A scale is a factor: its square need not be a number. */
static void test_far_scales(void **state) {
  (void)state;
  const gs_init_kind kinds[] = {GS_INIT_XAVIER_NORMAL, GS_INIT_XAVIER_UNIFORM, GS_INIT_UNIFORM,
                                GS_INIT_TRUNCATED_NORMAL};
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
    gs_init init = gs_init_default(kinds[k]);
    const gs_fill unit = gs_init_fill(&init, 50, 70, 1, 1);
    init.gain = init.a = init.std = 0x1p-700;
    const gs_fill far = gs_init_fill(&init, 50, 70, 1, 1);
    assert_true(far.kind == unit.kind && far.value == unit.value * 0x1p-700);
    assert_true(gs_init_log_square(&init) == 2 * log(0x1p-700));
    assert_false(gs_init_is_zero(&init));
    init.gain = init.a = init.std = 0;
    assert_true(gs_init_is_zero(&init));
  }
}

/* ---- what frameworks' names set ---- */

static void assert_independent(const char *what, const double *a, const double *b, int64_t count) {
  double ab = 0, aa = 0, bb = 0;
  for (int64_t i = 0; i < count; i++) {
    ab += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  const double correlation = ab / sqrt(aa * bb);
  if (!(fabs(correlation) <= LIMIT / sqrt((double)count))) fail_msg("%s: %g", what, correlation);
}

static gs_config framework(gs_config config, gs_init_kind kind) {
  config.init = gs_init_default(kind);
  config.input_init = config.init;
  config.bias = gs_init_bias(kind, config.model);
  return config;
}

static void assert_tensor_law(const char *name, const gs_network *network, gs_role role,
                              int64_t index, law_kind law, double variance) {
  const gs_tensor tensor = gs_network_tensor(network, role, index);
  double *values = tensor_of(network, role, index);
  assert_law(name, values, tensor.rows * tensor.cols * tensor.replicas, law, variance);
  free(values);
}

/* torch.nn.Linear: each layer by its own fan_in. */
static void test_torch_linear(void **state) {
  enum { IN = 6, UNITS = 20000 };
  gs_config config =
      framework(mlp_config(IN, 4, gs_init_default(GS_INIT_NORMAL)), GS_INIT_TORCH_DEFAULT);
  config.widths[1] = UNITS;
  gs_network *network = create(*state, &config);
  assert_tensor_law("W^1", network, GS_ROLE_WEIGHT, 1, UNIFORM, 1.0 / (3 * IN));
  assert_tensor_law("b^1", network, GS_ROLE_BIAS, 1, UNIFORM, 1.0 / (3 * IN));
  assert_tensor_law("W^2", network, GS_ROLE_WEIGHT, 2, UNIFORM, 1.0 / (3 * UNITS));
  double *b2 = tensor_of(network, GS_ROLE_BIAS, 2);
  for (int i = 0; i < 4 * REPLICAS; i++) assert_true(b2[i] != 0 && fabs(b2[i]) < 1 / sqrt(UNITS));
  double *w1 = tensor_of(network, GS_ROLE_WEIGHT, 1), *b1 = tensor_of(network, GS_ROLE_BIAS, 1);
  assert_independent("W, b", w1, b1, UNITS * REPLICAS);
  assert_true(fabs(gs_bias_log_variance(&config, 1) - log(1.0 / (3 * IN))) < 1e-12);
  assert_true(fabs(gs_bias_log_variance(&config, 2) - log(1.0 / (3 * UNITS))) < 1e-12);
  free(w1);
  free(b1);
  free(b2);
  gs_network_destroy(network);
  gs_config_clear(&config);
}

/* torch.nn.RNN: everything by hidden, and b_ih + b_hh, streams 0 and 1 of the biases. */
static void test_torch_rnn(void **state) {
  enum { HIDDEN = 500, IN = 80 };
  gs_config config = framework(rnn_config(HIDDEN, IN, 2), GS_INIT_TORCH_DEFAULT);
  config.replicas = 40;
  gs_network *network = create(*state, &config);
  assert_tensor_law("W", network, GS_ROLE_WEIGHT, 1, UNIFORM, 1.0 / (3 * HIDDEN));
  assert_tensor_law("U", network, GS_ROLE_INPUT_WEIGHT, 0, UNIFORM, 1.0 / (3 * HIDDEN));
  assert_tensor_law("b", network, GS_ROLE_BIAS, 0, TWO_UNIFORMS, 2.0 / (3 * HIDDEN));
  assert_true(fabs(gs_bias_log_variance(&config, 0) - log(2.0 / (3 * HIDDEN))) < 1e-12);
  double *b = tensor_of(network, GS_ROLE_BIAS, 0);
  const float bound = (float)(1 / sqrt(HIDDEN));
  for (uint32_t i = 0; i < HIDDEN * 40; i++) {
    const float sum =
        gs_random_uniform_at(i % HIDDEN, config.seed, gs_tensor_id(GS_KIND_BIAS, 0), i / HIDDEN) +
        gs_random_uniform_at(i % HIDDEN, config.seed, gs_tensor_id(GS_KIND_BIAS, 1), i / HIDDEN);
    assert_true((float)b[i] == sum * bound);
  }
  free(b);
  gs_network_destroy(network);
  gs_config_clear(&config);
}

/* keras.layers.Dense and SimpleRNN: biases are there, and 0. */
static void test_keras(void **state) {
  enum { HIDDEN = 61, IN = 700 };
  gs_config config = framework(rnn_config(HIDDEN, IN, 2), GS_INIT_KERAS_DEFAULT);
  gs_network *network = create(*state, &config);
  assert_tensor_law("U", network, GS_ROLE_INPUT_WEIGHT, 0, UNIFORM, 2.0 / (HIDDEN + IN));
  double *w = tensor_of(network, GS_ROLE_WEIGHT, 1), *b = tensor_of(network, GS_ROLE_BIAS, 0);
  for (int i = 0; i < HIDDEN; i++) {
    double dot[2] = {0, 0}; /* rows are orthonormal */
    for (int j = 0; j < HIDDEN; j++) {
      dot[0] += w[i * HIDDEN + j] * w[i * HIDDEN + j];
      dot[1] += w[i * HIDDEN + j] * w[(i + 1) % HIDDEN * HIDDEN + j];
    }
    assert_true(fabs(dot[0] - 1) < 1e-6 && fabs(dot[1]) < 1e-6);
    assert_true(b[i] == 0 && b[HIDDEN + i] == 0);
  }
  free(w);
  free(b);
  gs_network_destroy(network);
  gs_config_clear(&config);

  config = framework(mlp_config(IN, 300, gs_init_default(GS_INIT_NORMAL)), GS_INIT_KERAS_DEFAULT);
  network = create(*state, &config);
  assert_tensor_law("W", network, GS_ROLE_WEIGHT, 1, UNIFORM, 2.0 / (IN + 300));
  b = tensor_of(network, GS_ROLE_BIAS, 2);
  for (int i = 0; i < 300 * REPLICAS; i++) assert_true(b[i] == 0);
  free(b);
  gs_network_destroy(network);
  gs_config_clear(&config);
}

/* A framework's biases only where init names that framework. */
static void test_foreign_biases(void **state) {
  (void)state;
  gs_error error = {0};
  gs_config config = rnn_config(8, 8, 2);
  config.bias = GS_BIAS_ZEROS;
  assert_int_equal(gs_config_check(&config, &error), GS_ERR_DATA);
  config = framework(config, GS_INIT_TORCH_DEFAULT);
  gs_support_ok(gs_config_check(&config, &error), &error);
  config.bias_std = 1;
  assert_int_equal(gs_config_check(&config, &error), GS_ERR_DATA);
  gs_config_clear(&config);
}

/* ---- data, independence ---- */

static void test_data_and_independence(void **state) {
  enum { N = 400, B = 900 };
  gs_config config = mlp_config(N, N, gs_init_default(GS_INIT_HE_NORMAL));
  config.batch = B;
  config.bias_std = 0.5;
  gs_network *network = create(*state, &config);
  double *x = tensor_of(network, GS_ROLE_INPUT, 0), *g = tensor_of(network, GS_ROLE_TARGET, 0);
  double *w1 = tensor_of(network, GS_ROLE_WEIGHT, 1), *w2 = tensor_of(network, GS_ROLE_WEIGHT, 2);
  double *b1 = tensor_of(network, GS_ROLE_BIAS, 1), *b2 = tensor_of(network, GS_ROLE_BIAS, 2);
  assert_law("x", x, N * B * REPLICAS, NORMAL, 1);
  assert_law("target", g, N * B * REPLICAS, NORMAL, 1);
  assert_independent("x, target", x, g, N * B * REPLICAS);
  assert_independent("x, W", x, w1, N * N);
  assert_independent("layers", w1, w2, N * N * REPLICAS);
  assert_independent("replicas", w1, w1 + N * N, N * N);
  assert_independent("replicas", w1, w1 + 2 * N * N, N * N);
  assert_independent("replicas of x", x, x + N * B, N * B);
  assert_independent("neighbours", w1, w1 + 1, N * N - 1);
  assert_independent("biases", b1, b2, N * REPLICAS);
  assert_independent("W, b", w1, b1, N * REPLICAS);
  double *all[] = {x, g, w1, w2, b1, b2};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
  gs_network_destroy(network);
  gs_config_clear(&config);

  config = rnn_config(300, 300, 30);
  config.batch = 64;
  config.tied = false;
  config.loss_at = GS_LOSS_EVERY;
  network = create(*state, &config);
  double *seq = tensor_of(network, GS_ROLE_INPUT, 0), *t = tensor_of(network, GS_ROLE_TARGET, 0);
  double *u = tensor_of(network, GS_ROLE_INPUT_WEIGHT, 0);
  double *step1 = tensor_of(network, GS_ROLE_WEIGHT, 1);
  double *step30 = tensor_of(network, GS_ROLE_WEIGHT, 30);
  assert_law("x_t", seq, 30 * 64 * 300 * 2, NORMAL, 1);
  assert_law("targets", t, 30 * 64 * 300 * 2, NORMAL, 1);
  assert_law("U", u, 300 * 300 * 2, NORMAL, 1.0 / 300);
  assert_independent("steps", step1, step30, 300 * 300 * 2);
  assert_independent("W, U", step1, u, 300 * 300 * 2);
  assert_independent("x_t, targets", seq, t, 30 * 64 * 300 * 2);
  double *others[] = {seq, t, u, step1, step30};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) free(others[i]);
  gs_network_destroy(network);
  gs_config_clear(&config);
}

static int compare_ids(const void *a, const void *b) {
  const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

/* Every stream that one network may draw from, to the greatest depth. */
static void test_tensor_ids(void **state) {
  (void)state;
  static const int64_t layers[] = {1, 2, 3, 255, 256, 65535, 65536, GS_MAX_DEPTH - 1, GS_MAX_DEPTH};
  uint32_t ids[64];
  for (int model = 0; model < 2; model++) {
    size_t count = 0;
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
      ids[count++] = gs_tensor_id(GS_KIND_WEIGHT, layers[i]);
      if (model == GS_MLP) ids[count++] = gs_tensor_id(GS_KIND_BIAS, layers[i]);
    }
    if (model == GS_RNN) ids[count++] = gs_tensor_id(GS_KIND_BIAS, 0);
    if (model == GS_RNN) ids[count++] = gs_tensor_id(GS_KIND_BIAS, 1);
    if (model == GS_RNN) ids[count++] = gs_tensor_id(GS_KIND_INPUT_WEIGHT, 0);
    ids[count++] = gs_tensor_id(GS_KIND_INPUT, 0);
    ids[count++] = gs_tensor_id(GS_KIND_TARGET, 0);
    qsort(ids, count, sizeof *ids, compare_ids);
    for (size_t i = 1; i < count; i++) assert_true(ids[i] != ids[i - 1]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_defaults),     cmocka_unit_test(test_laws),
      cmocka_unit_test(test_exact_values), cmocka_unit_test(test_orthogonal),
      cmocka_unit_test(test_identity),     cmocka_unit_test(test_data_and_independence),
      cmocka_unit_test(test_torch_linear), cmocka_unit_test(test_torch_rnn),
      cmocka_unit_test(test_keras),        cmocka_unit_test(test_foreign_biases),
      cmocka_unit_test(test_tensor_ids),   cmocka_unit_test(test_constants),
      cmocka_unit_test(test_far_scales),
  };
  return cmocka_run_group_tests(tests, gs_support_open_device, gs_support_close_device);
}
