/* What must hold of every prediction, whatever the configuration. Some thousand random
 * ones: layers, units and inputs of 1 to 64, depths to 100 and sequences to 400, batches
 * to 256, every activation and random initialisation, biases, both losses and their places.
 *
 * Inside reach:
 *   finite     every number (a network's gradient may be zero: -infinity)
 *   Jensen     E log <= log E: typical <= rms, but for 0.02 decades of order 1/n
 *   telling    sd is at most a quarter of what a factor of two in the weights' variance makes
 *              of delta, 0.5 log10 2 decades a layer, or 2 decades; the exact laws of relu
 *              and linear mlps spread as they do
 *   a batch    is averaged over: of delta at the loss, |delta^L|^2 per example spreads less
 *              with twice the examples
 * Outside reach: no number. GRADSWEEP_PROPERTY_CELLS asks for more of them, from
 * GRADSWEEP_PROPERTY_SEED on. */
#include <math.h>
#include <stdlib.h>

#include "net/init.h"
#include "support_network.h"
#include "support_sanitizer.h"
#include "theory/ratio.h"
#include "theory/theory.h"

/* ---- random configurations ---- */

static uint64_t state;

/* SplitMix64 (Steele, Lea & Flood 2014). */
static uint64_t draw(void) {
  uint64_t z = (state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

static int64_t up_to(int64_t max) { return 1 + (int64_t)(draw() % (uint64_t)max); }

static double uniform(double min, double max) {
  return min + (max - min) * (double)(draw() >> 11) * 0x1p-53;
}

static int64_t min_units; /* of one configuration */

static int64_t units(void) { return min_units - 1 + up_to(65 - min_units); }

static gs_init random_init(void) {
  gs_init init = gs_init_default((gs_init_kind)(draw() % GS_INIT_IDENTITY));
  init.std = pow(10, uniform(-2, 0.3));
  init.sigma_w2 = uniform(0.1, 6);
  init.gain = init.kind == GS_INIT_ORTHOGONAL ? uniform(0.5, 2) : init.gain;
  return init;
}

static void random_mlp(gs_config *config, gs_activation_kind phi, gs_init_kind init) {
  int64_t widths[41];
  const int64_t depth = up_to(40);
  *config = gs_support_mlp(up_to(100), units(), phi, init);
  if (draw() % 2) {
    for (int64_t l = 0; l <= depth; l++) widths[l] = units();
    gs_support_set_widths(config, depth, widths);
  }
  if (draw() % 5 == 0) {
    config->output_activation =
        gs_support_activation((gs_activation_kind)(draw() % GS_ACTIVATION_COUNT));
  }
}

static void random_rnn(gs_config *config, gs_activation_kind phi, gs_init_kind init) {
  *config = gs_support_rnn(up_to(draw() % 2 ? 400 : 30), units(), phi, init);
  config->input = units();
  config->tied = draw() % 3 > 0;
  config->loss_at = draw() % 3 ? GS_LOSS_LAST : GS_LOSS_EVERY;
  config->input_init.sigma_w2 = pow(10, uniform(-1, 0.5));
}

static gs_config random_config(void) {
  gs_config config;
  const gs_activation_kind phi = (gs_activation_kind)(draw() % GS_ACTIVATION_COUNT);
  const gs_init init = random_init();
  min_units = draw() % 3 ? 16 : 1; /* below 16 little is inside reach */
  if (draw() % 2) {
    random_mlp(&config, phi, init.kind);
  } else {
    random_rnn(&config, phi, init.kind);
  }
  config.init = init;
  if (phi == GS_LEAKY_RELU) config.activation.slope = uniform(0, 1.5);
  if (config.output_activation.kind == GS_LEAKY_RELU) { /* one slope serves both */
    config.output_activation.slope =
        phi == GS_LEAKY_RELU ? config.activation.slope : uniform(0, 1.5);
  }
  config.batch = (int64_t)1 << (draw() % 9);
  config.bias_std = draw() % 2 ? pow(10, uniform(-2, 0.3)) : 0;
  if (config.bias_std == 0 && draw() % 2) config.bias = gs_init_bias(init.kind, config.model);
  config.loss = draw() % 8 ? GS_LOSS_LINEAR : GS_LOSS_MSE;
  return config;
}

/* ---- properties ---- */

static int faults;

static void fault(const gs_config *config, const char *what, double value, double limit) {
  faults++;
  print_message(
      "%s %s %s (%s) L %d T %d n %d x %d B %d bias %g%s%s: %s: %.6g, limit %.6g\n",
      gs_name(&gs_model_names, config->model),
      gs_name(&gs_activation_names, config->activation.kind),
      gs_name(&gs_init_names, config->init.kind),
      gs_name(&gs_activation_names, config->output_activation.kind), (int)config->depth,
      (int)config->seq_len, (int)(config->model == GS_MLP ? config->widths[1] : config->hidden),
      (int)config->input, (int)config->batch, config->bias_std, config->tied ? " tied" : "",
      config->loss_at == GS_LOSS_EVERY ? " every" : "", what, value, limit);
}

static void check_number(const gs_config *config, const char *what, double rms, double typical,
                         double sd, double max_sd) {
  const double order = 0.02;
  if (isnan(rms) && isnan(typical) && isnan(sd)) return; /* not predicted */
  if (typical == -INFINITY && rms == -INFINITY) return;
  if (!isfinite(rms) || !isfinite(typical) || !isfinite(sd)) fault(config, what, typical, rms);
  if (!(typical <= rms + order)) fault(config, what, typical, rms + order);
  if (!(sd >= 0 && sd <= max_sd)) fault(config, what, sd, max_sd);
}

static void check_inside(const gs_config *config, const gs_theory *theory) {
  const bool homogeneous =
      (config->activation.kind == GS_RELU || config->activation.kind == GS_IDENTITY) &&
      config->model == GS_MLP;
  const double telling = fmax(2, 0.125 * log10(2) * (double)(theory->points - 1));
  const double max = homogeneous ? INFINITY : telling;
  if (isnan(theory->decades_typical)) fault(config, "decades", NAN, NAN);
  check_number(config, "decades", theory->decades_rms, theory->decades_typical, theory->decades_sd,
               max);
  for (int q = 0; q < GS_QUANTITY_COUNT; q++) {
    const gs_theory_series *s = &theory->series[q];
    for (int64_t i = 0; i < s->points; i++) {
      check_number(config, gs_name(&gs_quantity_names, (gs_quantity)q), s->rms[i], s->typical[i],
                   s->sd[i], max);
    }
  }
}

static void check_outside(const gs_config *config, const gs_theory *theory) {
  bool reason = false;
  for (int r = 0; r < GS_REASON_COUNT; r++) {
    reason = reason || (theory->reasons[r] && gs_reason_outside((gs_reason)r));
  }
  if (!reason) fault(config, "outside reach without a reason", 0, 0);
  if (!isnan(theory->decades_rms) || !isnan(theory->decades_typical)) {
    fault(config, "decades outside reach", theory->decades_rms, NAN);
  }
  for (int q = 0; q < GS_QUANTITY_COUNT; q++) {
    const gs_theory_series *s = &theory->series[q];
    for (int64_t i = 0; i < s->points; i++) {
      if (!isnan(s->rms[i]) || !isnan(s->typical[i]) || !isnan(s->sd[i])) {
        fault(config, "a number outside reach", s->rms[i], NAN);
        return;
      }
    }
  }
}

static gs_theory theory_of(const gs_config *config) {
  gs_theory theory;
  gs_error error = {0};
  gs_support_ok(gs_config_check(config, &error), &error);
  gs_support_ok(gs_theory_of(config, &theory, &error), &error);
  return theory;
}

static void check_batches(const gs_config *config, const gs_theory *theory) {
  const double slack = 1.01; /* tables are interpolated */
  const int64_t last = theory->points - 1;
  gs_config twice = *config;
  twice.batch *= 2;
  gs_theory more = theory_of(&twice);
  const double one_sd = theory->series[GS_DELTA].sd[last];
  const double two_sd = more.series[GS_DELTA].sd[last];
  if (more.validity != GS_VALIDITY_OUTSIDE && !(two_sd <= one_sd * slack)) {
    fault(config, "sd of delta at the loss with twice the batch", two_sd, one_sd);
  }
  gs_theory_clear(&more);
}

static int64_t number_of(const char *name, int64_t usual) {
  const char *text = getenv(name);
  return text ? strtoll(text, NULL, 10) : usual;
}

static void test_random_configurations(void **unused) {
  (void)unused;
  const int64_t count = number_of("GRADSWEEP_PROPERTY_CELLS", GS_SANITIZED ? 100 : 2000);
  const int64_t first = number_of("GRADSWEEP_PROPERTY_SEED", 1);
  int64_t inside = 0;
  faults = 0;
  for (int64_t i = 0; i < count; i++) {
    state = (uint64_t)(first + i) << 20;
    gs_config config = random_config();
    gs_theory theory = theory_of(&config);
    if (theory.validity == GS_VALIDITY_OUTSIDE) {
      check_outside(&config, &theory);
    } else {
      inside++;
      check_inside(&config, &theory);
      if (i % 4 == 0) check_batches(&config, &theory);
    }
    gs_theory_clear(&theory);
    gs_config_clear(&config);
  }
  print_message("%d of %d inside reach\n", (int)inside, (int)count);
  assert_int_equal(faults, 0);
  assert_true(inside >= count / 10);
}

/* ---- what must be monotone ---- */

/* Layers of equal law add the same to ln: rms is linear in depth (chi of relu and linear
 * nets, and of a settled one, does not change), sd grows, and the typical network falls
 * further behind; it comes nearer with every unit. */
static void test_monotone(void **unused) {
  (void)unused;
  const gs_activation_kind kinds[] = {GS_RELU, GS_IDENTITY};
  const gs_init_kind inits[] = {GS_INIT_HE_NORMAL, GS_INIT_XAVIER_NORMAL, GS_INIT_LECUN_NORMAL};
  for (int a = 0; a < 2; a++) {
    for (int k = 0; k < 3; k++) {
      double sd = 0, gap = 0, slope = NAN;
      for (int64_t depth = 2; depth <= 300; depth += depth < 20 ? 1 : 40) {
        gs_config config = gs_support_mlp(depth, 24, kinds[a], inits[k]);
        config.batch = 1;
        gs_theory theory = theory_of(&config);
        const double layers = (double)(depth - 1);
        const double behind = theory.decades_rms - theory.decades_typical;
        if (isnan(slope)) slope = theory.decades_rms;
        assert_true(fabs(theory.decades_rms - slope * layers) <= 1e-9 * layers);
        assert_true(theory.decades_sd > sd && behind > gap);
        sd = theory.decades_sd;
        gap = behind;
        gs_theory_clear(&theory);
        gs_config_clear(&config);
      }
      gap = INFINITY;
      for (int64_t width = 8; width <= 4096; width *= 2) {
        gs_config config = gs_support_mlp(30, width, kinds[a], inits[k]);
        config.batch = 1;
        gs_theory theory = theory_of(&config);
        const double behind = theory.decades_rms - theory.decades_typical;
        assert_true(behind > 0 && behind < gap);
        gap = behind;
        gs_theory_clear(&theory);
        gs_config_clear(&config);
      }
    }
  }
}

/* The average of B examples that are chi-square and independent is chi-square: delta at
 * the loss of a linear layer, for every number of outputs. */
static void test_chi_square(void **unused) {
  (void)unused;
  const double interpolated = 0.06;
  const int64_t outputs[] = {1, 1, 1, 2, 3, 4, 4};
  const int64_t batches[] = {2, 8, 256, 8, 32, 2, 16};
  for (int i = 0; i < 7; i++) {
    const int64_t widths[] = {64, 64, outputs[i]};
    gs_config config = gs_support_mlp(2, 64, GS_IDENTITY, GS_INIT_LECUN_NORMAL);
    gs_support_set_widths(&config, 2, widths);
    config.batch = batches[i];
    gs_theory theory = theory_of(&config);
    const gs_theory_series *delta = &theory.series[GS_DELTA];
    const gs_ratio_law exact = gs_ratio_gamma(2 / (double)(outputs[i] * batches[i]));
    const double mean = 2 * log(10) * (delta->typical[1] - delta->rms[1]);
    const double variance = pow(2 * log(10) * delta->sd[1], 2);
    print_message("n %d, B %d: %.4f, exact %.4f; %.4f, exact %.4f\n", (int)outputs[i],
                  (int)batches[i], mean, exact.mean, variance, exact.variance);
    assert_true(fabs(mean / exact.mean - 1) <= interpolated);
    assert_true(fabs(variance / exact.variance - 1) <= interpolated);
    gs_theory_clear(&theory);
    gs_config_clear(&config);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_random_configurations),
      cmocka_unit_test(test_monotone),
      cmocka_unit_test(test_chi_square),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
