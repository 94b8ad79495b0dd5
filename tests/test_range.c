/* Extended range against native, where native's numbers stay normal: the same
 * bits in gradients, loss and statistics, although most of these networks leave
 * the window within which nothing is shifted. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "device/scale.h"
#include "support_network.h"

/* ---- comparison ---- */

static bool same_scaled(gs_scaled a, gs_scaled b) {
  return memcmp(&a.value, &b.value, sizeof a.value) == 0 && a.exponent == b.exponent;
}

/* What must agree whatever the tensor's exponent. */
static bool same_stats(const gs_stats *a, const gs_stats *b) {
  return a->count == b->count && a->nan == b->nan && a->inf == b->inf && a->zero == b->zero &&
         a->subnormal == b->subnormal && a->saturated == b->saturated && a->dead == b->dead &&
         same_scaled(a->sum, b->sum) && same_scaled(a->sum_sq, b->sum_sq) &&
         same_scaled(gs_scaled_canonical(a->min_abs, a->exponent),
                     gs_scaled_canonical(b->min_abs, b->exponent)) &&
         same_scaled(gs_scaled_canonical(a->max_abs, a->exponent),
                     gs_scaled_canonical(b->max_abs, b->exponent));
}

/* Bins of true exponents: bin i of a is bin i + shift of b. */
static bool same_histogram(const uint32_t *a, const uint32_t *b, int bins, int64_t shift) {
  for (int64_t i = 0; i < bins; i++) {
    const bool inside = i + shift >= 0 && i + shift < bins;
    if (a[i] != (inside ? b[i + shift] : 0)) return false;
  }
  int64_t total_a = 0, total_b = 0;
  for (int i = 0; i < bins; i++) {
    total_a += a[i];
    total_b += b[i];
  }
  return total_a == total_b;
}

/* All numbers must be normal for the promise to hold, or relu's zeros. */
static void check_in_range(const gs_stats *stats, const char *range, const char *quantity,
                           bool zeros) {
  if (stats->nan || stats->inf || stats->subnormal || (stats->zero && !zeros))
    fail_msg("%s %s: %d NaN, %d infinities, %d subnormals, %d zeros", range, quantity,
             (int)stats->nan, (int)stats->inf, (int)stats->subnormal, (int)stats->zero);
}

/* Compares one quantity's statistics; returns the farthest exponent seen. */
static int64_t compare_quantity(gs_network *extended, gs_network *native, gs_quantity quantity) {
  gs_quantity_stats a = gs_support_stats(extended, quantity);
  gs_quantity_stats b = gs_support_stats(native, quantity);
  const gs_config *config = gs_network_config(native);
  const int64_t replicas = config->replicas;
  /* untied, dW_1 is all zero: h_0 is */
  const bool zeros = config->activation.kind == GS_RELU ||
                     (quantity == GS_GRAD_WEIGHT && config->model == GS_RNN && !config->tied);
  int64_t farthest = 0;
  assert_int_equal(a.points, b.points);
  for (int64_t i = 0; i < a.points * replicas; i++) {
    check_in_range(&a.stats[i], "extended", gs_name(&gs_quantity_names, quantity), zeros);
    check_in_range(&b.stats[i], "native", gs_name(&gs_quantity_names, quantity), zeros);
    assert_int_equal(b.stats[i].exponent, 0);
    if (!same_stats(&a.stats[i], &b.stats[i]))
      fail_msg("%s, point %d of %d: other statistics with exponent %d",
               gs_name(&gs_quantity_names, quantity), (int)(i / replicas) + 1, (int)a.points,
               (int)a.stats[i].exponent);
    if (!same_histogram(a.histogram + i * a.bins, b.histogram + i * b.bins, a.bins,
                        a.stats[i].exponent))
      fail_msg("%s, point %d: another histogram", gs_name(&gs_quantity_names, quantity),
               (int)(i / replicas) + 1);
    farthest = llabs(a.stats[i].exponent) > llabs(farthest) ? a.stats[i].exponent : farthest;
  }
  gs_quantity_stats_clear(&a);
  gs_quantity_stats_clear(&b);
  return farthest;
}

static void compare_gradients(gs_network *extended, gs_network *native) {
  gs_support_parameter parameters[GS_SUPPORT_MAX_PARAMETERS];
  const int count = gs_support_parameters(gs_network_config(native), parameters);
  for (int k = 0; k < count; k++) {
    const gs_tensor of_a = gs_network_tensor(extended, parameters[k].gradient, parameters[k].index);
    const gs_tensor of_b = gs_network_tensor(native, parameters[k].gradient, parameters[k].index);
    const size_t size = (size_t)(of_a.replicas * of_a.rows * of_a.cols);
    double *a = gs_support_download(gs_group_device, &of_a);
    double *b = gs_support_download(gs_group_device, &of_b);
    for (size_t i = 0; i < size; i++)
      if (!(a[i] == b[i]))
        fail_msg("gradient %d of role %d, element %zu: %a, not %a", (int)parameters[k].index,
                 (int)parameters[k].gradient, i, a[i], b[i]);
    free(b);
    free(a);
  }
}

static void compare_losses(gs_network *extended, gs_network *native) {
  gs_scaled *a = gs_support_loss(extended);
  gs_scaled *b = gs_support_loss(native);
  for (int64_t r = 0; r < gs_network_config(native)->replicas; r++)
    if (!same_scaled(a[r], b[r]))
      fail_msg("loss: %a * 2^%d, not %a * 2^%d", a[r].value, (int)a[r].exponent, b[r].value,
               (int)b[r].exponent);
  free(b);
  free(a);
}

/* Does a network leave the window? */
typedef enum excursion { STAYS, LEAVES, EITHER } excursion;

/* Runs the network both ways. */
static void compare_ranges(gs_config *config, excursion expected) {
  config->stats = GS_STATS_FULL;
  config->range = GS_RANGE_EXTENDED;
  gs_network *extended = gs_support_network(gs_group_device, config, true);
  config->range = GS_RANGE_NATIVE;
  gs_network *native = gs_support_network(gs_group_device, config, true);
  gs_support_step(extended, true);
  gs_support_step(native, true);
  int64_t farthest = 0;
  for (int q = 0; q < GS_QUANTITY_COUNT; q++) {
    const int64_t exponent = compare_quantity(extended, native, (gs_quantity)q);
    farthest = llabs(exponent) > llabs(farthest) ? exponent : farthest;
  }
  compare_gradients(extended, native);
  compare_losses(extended, native);
  if (expected == LEAVES && farthest == 0) fail_msg("the network never left the window");
  if (expected == STAYS) assert_int_equal(farthest, 0);
  gs_network_destroy(native);
  gs_network_destroy(extended);
  gs_config_clear(config);
}

/* ---- networks ---- */

typedef struct mlp_case {
  const char *name;
  gs_dtype dtype;
  int64_t depth, width, batch;
  gs_activation_kind activation;
  gs_init_kind init;
  double std, bias_std;
  gs_loss loss;
  excursion expected;
} mlp_case;

static const mlp_case mlps[] = {
    {"inside", GS_F32, 8, 33, 3, GS_RELU, GS_INIT_HE_NORMAL, 1, 0, GS_LOSS_LINEAR, STAYS},
    {"relu up", GS_F32, 16, 64, 5, GS_RELU, GS_INIT_NORMAL, 4, 0, GS_LOSS_LINEAR, LEAVES},
    {"relu up, bias", GS_F32, 16, 64, 5, GS_RELU, GS_INIT_NORMAL, 4, 1, GS_LOSS_LINEAR, LEAVES},
    {"relu up, mse", GS_F32, 11, 64, 5, GS_RELU, GS_INIT_NORMAL, 4, 1, GS_LOSS_MSE, LEAVES},
    {"relu down", GS_F32, 10, 64, 5, GS_RELU, GS_INIT_NORMAL, 1e-4, 0, GS_LOSS_LINEAR, LEAVES},
    {"relu down, bias", GS_F32, 9, 64, 5, GS_RELU, GS_INIT_NORMAL, 1e-4, 1, GS_LOSS_LINEAR, LEAVES},
    {"leaky up", GS_F32, 20, 64, 4, GS_LEAKY_RELU, GS_INIT_NORMAL, 2, 0, GS_LOSS_LINEAR, LEAVES},
    {"leaky down", GS_F32, 9, 64, 4, GS_LEAKY_RELU, GS_INIT_NORMAL, 1e-4, 0, GS_LOSS_MSE, LEAVES},
    {"identity up", GS_F32, 20, 64, 4, GS_IDENTITY, GS_INIT_NORMAL, 2, 1, GS_LOSS_LINEAR, LEAVES},
    {"identity down", GS_F32, 9, 64, 4, GS_IDENTITY, GS_INIT_NORMAL, 1e-4, 0, GS_LOSS_LINEAR,
     LEAVES},
    {"sigmoid down", GS_F32, 46, 48, 4, GS_SIGMOID, GS_INIT_XAVIER_NORMAL, 1, 0, GS_LOSS_LINEAR,
     LEAVES},
    {"sigmoid, bias", GS_F32, 40, 48, 4, GS_SIGMOID, GS_INIT_XAVIER_NORMAL, 1, 1, GS_LOSS_MSE,
     LEAVES},
    {"tanh up", GS_F32, 40, 64, 4, GS_TANH, GS_INIT_NORMAL, 1, 0, GS_LOSS_LINEAR, LEAVES},
    {"packed", GS_F32, 10, 260, 130, GS_RELU, GS_INIT_NORMAL, 4, 1, GS_LOSS_LINEAR, LEAVES},
    {"relu up f64", GS_F64, 160, 33, 3, GS_RELU, GS_INIT_NORMAL, 4, 1, GS_LOSS_LINEAR, LEAVES},
    {"identity down f64", GS_F64, 80, 33, 3, GS_IDENTITY, GS_INIT_NORMAL, 1e-4, 0, GS_LOSS_LINEAR,
     LEAVES},
    {"leaky up f64", GS_F64, 80, 33, 3, GS_LEAKY_RELU, GS_INIT_NORMAL, 4, 0, GS_LOSS_MSE, LEAVES},
    {"sigmoid down f64", GS_F64, 240, 33, 3, GS_SIGMOID, GS_INIT_XAVIER_NORMAL, 1, 1,
     GS_LOSS_LINEAR, LEAVES},
};

static void test_mlp(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof mlps / sizeof *mlps; i++) {
    const mlp_case *c = &mlps[i];
    if (!gs_support_takes(3)) continue;
    gs_config config = gs_support_mlp(c->depth, c->width, c->activation, c->init);
    config.dtype = c->dtype;
    config.init.std = c->std;
    config.bias_std = c->bias_std;
    config.loss = c->loss;
    config.batch = c->batch;
    config.replicas = 2;
    print_message("%s\n", c->name);
    compare_ranges(&config, c->expected);
  }
}

typedef struct rnn_case {
  const char *name;
  gs_dtype dtype;
  int64_t seq_len, hidden, batch;
  gs_activation_kind activation;
  double std;      /* of W */
  double bias_std; /* of b */
  excursion expected;
} rnn_case;

static const rnn_case rnns[] = {
    {"inside", GS_F32, 12, 33, 3, GS_TANH, 0.15, 1, STAYS},
    {"identity up", GS_F32, 18, 64, 3, GS_IDENTITY, 1, 0, LEAVES},
    {"relu up", GS_F32, 18, 64, 33, GS_RELU, 1, 1, LEAVES},
    {"leaky up", GS_F32, 18, 64, 3, GS_LEAKY_RELU, 1, 1, LEAVES},
    {"identity down", GS_F32, 18, 33, 3, GS_IDENTITY, 0.005, 1, LEAVES},
    {"leaky down", GS_F32, 14, 33, 3, GS_LEAKY_RELU, 0.005, 1, LEAVES},
    {"tanh up", GS_F32, 60, 64, 3, GS_TANH, 1, 1, LEAVES},
    {"tanh down", GS_F32, 17, 33, 33, GS_TANH, 0.005, 1, LEAVES},
    {"many rows", GS_F32, 14, 200, 130, GS_IDENTITY, 1, 1, LEAVES},
    {"many rows f64", GS_F64, 150, 60, 33, GS_RELU, 1, 1, LEAVES},
    {"identity up f64", GS_F64, 160, 33, 3, GS_IDENTITY, 1, 1, LEAVES},
    {"tanh down f64", GS_F64, 130, 17, 3, GS_TANH, 0.005, 1, LEAVES},
};

static void test_rnn(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof rnns / sizeof *rnns; i++)
    for (int variant = 0; variant < 8; variant++) {
      const rnn_case *c = &rnns[i];
      if (!gs_support_takes(9)) continue;
      gs_config config = gs_support_rnn(c->seq_len, c->hidden, c->activation, GS_INIT_NORMAL);
      config.dtype = c->dtype;
      config.init.std = c->std;
      config.bias_std = c->bias_std;
      config.batch = c->batch;
      config.input = 7;
      config.tied = variant & 1;
      config.loss_at = variant & 2 ? GS_LOSS_EVERY : GS_LOSS_LAST;
      config.loss = variant & 4 ? GS_LOSS_MSE : GS_LOSS_LINEAR;
      config.replicas = c->batch > 4 ? 1 : 2;
      print_message("%s, tied %d, loss %s at %s\n", c->name, config.tied,
                    gs_name(&gs_loss_names, config.loss),
                    gs_name(&gs_loss_at_names, config.loss_at));
      /* a gradient that enters at every step keeps delta from vanishing */
      const bool fed = c->expected == LEAVES && config.loss_at == GS_LOSS_EVERY;
      compare_ranges(&config, fed ? EITHER : c->expected);
    }
}

/* ---- the check itself ---- */

static void test_comparison(void **state) {
  (void)state;
  const gs_scaled four = {1, 2}, also_four = gs_scaled_canonical(0.5, 3);
  assert_true(same_scaled(four, also_four));
  assert_false(same_scaled(four, (gs_scaled){nextafter(1, 2), 2}));
  const uint32_t a[] = {0, 1, 2, 0}, b[] = {0, 0, 1, 2};
  assert_true(same_histogram(a, b, 4, 1));
  assert_true(same_histogram(b, a, 4, -1));
  assert_false(same_histogram(a, b, 4, 0));
  assert_false(same_histogram(b, a, 4, 1));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_comparison),
      cmocka_unit_test(test_mlp),
      cmocka_unit_test(test_rnn),
  };
  return cmocka_run_group_tests(tests, gs_support_open_device, gs_support_close_device);
}
