/* Initialisations against their frameworks' definitions, over 10^8 numbers that the
 * device draws and the host sums in float64.
 *
 *   torch.nn.init.kaiming_normal_  N(0, gain^2/fan), gain^2 = 2/(1 + a^2), a = 0, fan_in
 *   keras HeNormal   N(0, s^2) within two of its standard deviations s, where
 *                    s = sqrt(2/fan_in)/0.87962566103423978: the variance is 2/fan_in
 *
 * Standard errors are those of the definition's own moments: with mu_k the moments of the
 * standardised variate (odd ones 0),
 *   mean 1/N   variance (mu_4 - 1)/N   skewness (mu_6 - 6 mu_4 + 9)/N
 *   kurtosis (mu_8 - 4 mu_4 mu_6 + 4 mu_4^3 - mu_4^2)/N   (squared) */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "claims/claims.h"
#include "device/device.h"
#include "net/init.h"

enum {
  ROWS = 500,
  COLS = 2000,
  REPLICAS = 10,
  CHUNKS = 10, /* 10^8 = 10 chunks of 10 matrices of 10^6 */
  TAILS = 6
};

static const double TRUNCATED_SD = 0.87962566103423978;

/* Sums of x/sd, sd the definition's. */
typedef struct sums {
  double count;
  double power[5];
  double largest;
  int64_t beyond[TAILS];
  double edges[TAILS];
} sums;

static void add_values(sums *all, const float *values, int64_t count, double sd) {
  double power[5] = {0};
  for (int64_t i = 0; i < count; i++) {
    const double x = (double)values[i] / sd;
    const double square = x * x;
    power[1] += x;
    power[2] += square;
    power[3] += square * x;
    power[4] += square * square;
    all->largest = fmax(all->largest, fabs(x));
    for (int k = 0; k < TAILS && fabs(x) > all->edges[k]; k++) all->beyond[k]++;
  }
  for (int k = 1; k <= 4; k++) all->power[k] += power[k];
  all->count += (double)count;
}

static gs_status device_failed(gs_device *device, gs_error *error) {
  if (error) *error = device->error;
  return device->error.status;
}

/* One chunk, as the weights of one layer of a network of REPLICAS networks. */
static gs_status draw_chunk(gs_claim_run *run, const gs_init *init, int layer, void *memory,
                            float *host, gs_error *error) {
  const gs_fill fill =
      gs_init_fill(init, COLS, ROWS, run->seed, gs_tensor_id(GS_KIND_WEIGHT, layer));
  const int64_t matrix = (int64_t)ROWS * COLS;
  const gs_tensor tensor = {.data = memory,
                            .rows = ROWS,
                            .cols = COLS,
                            .ld = COLS,
                            .stride = matrix,
                            .replicas = REPLICAS,
                            .dtype = GS_F32};
  const gs_device_ops *ops = run->device->ops;
  const size_t bytes = (size_t)(matrix * REPLICAS) * sizeof *host;
  if (ops->fill(run->device, &tensor, &fill) != GS_OK ||
      ops->download(run->device, host, memory, bytes) != GS_OK) {
    return device_failed(run->device, error);
  }
  return GS_OK;
}

static gs_status draw(gs_claim_run *run, const gs_init *init, int chunks, double sd, sums *all,
                      gs_error *error) {
  const int64_t count = (int64_t)ROWS * COLS * REPLICAS;
  float *host = calloc((size_t)count, sizeof *host);
  void *memory = NULL;
  if (!host) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for %lld numbers", (long long)count);
  gs_status status = run->device->ops->alloc(run->device, (size_t)count * sizeof *host, &memory);
  if (status != GS_OK) status = device_failed(run->device, error);
  for (int c = 0; status == GS_OK && c < chunks; c++) {
    status = draw_chunk(run, init, c + 1, memory, host, error);
    if (status == GS_OK) add_values(all, host, count, sd);
  }
  if (memory) run->device->ops->free(run->device, memory);
  free(host);
  return status;
}

/* ---- checks ---- */

typedef struct definition {
  const char *source;
  const char *setup;
  double mu4, mu6, mu8; /* standardised moments */
} definition;

static gs_status add(gs_claim_run *run, const definition *of, const char *sentence,
                     const char *quantity, gs_expectation expected, gs_estimate measured,
                     const char *from, gs_error *error) {
  gs_check check = {.sentence = sentence,
                    .source = of->source,
                    .quantity = quantity,
                    .expected = expected,
                    .measured = measured};
  snprintf(check.setup, sizeof check.setup, "%s", of->setup);
  snprintf(check.from, sizeof check.from, "%s", from);
  return gs_claim_add(run, &check, error);
}

static gs_status check_moments(gs_claim_run *run, const definition *of, const sums *all,
                               gs_error *error) {
  const double N = all->count;
  double m[5];
  for (int k = 1; k <= 4; k++) m[k] = all->power[k] / N;
  const double mean = m[1];
  const double variance = m[2] - mean * mean;
  const double third = m[3] - 3 * mean * m[2] + 2 * mean * mean * mean;
  const double fourth = m[4] - 4 * mean * m[3] + 6 * mean * mean * m[2] - 3 * pow(mean, 4);
  const double fine = 0.005; /* resolution */
  const double b = of->mu4;
  const double kurtosis_error = sqrt((of->mu8 - 4 * b * of->mu6 + 4 * b * b * b - b * b) / N);
  GS_TRY(add(run, of, "The mean is 0.", "mean, in standard deviations", gs_expect_near(0, 0, fine),
             gs_estimate_normal(mean, sqrt(1 / N)), "definition", error));
  GS_TRY(add(run, of, "The variance is 2/fan_in.", "variance over 2/fan_in",
             gs_expect_near(1, 0, fine), gs_estimate_normal(variance, sqrt((b - 1) / N)),
             "definition", error));
  GS_TRY(add(run, of, "It is symmetric.", "skewness", gs_expect_near(0, 0, fine),
             gs_estimate_normal(third / pow(variance, 1.5), sqrt((of->mu6 - 6 * b + 9) / N)),
             "definition", error));
  return add(run, of, "Its kurtosis is the definition's.", "fourth moment over squared second",
             gs_expect_near(b, 0, fine),
             gs_estimate_normal(fourth / (variance * variance), kurtosis_error), "definition",
             error);
}

/* A share of rare numbers is judged by the counts that chance allows, one of many by the
 * error of the expected share; its interval is exact. */
static gs_status add_share(gs_claim_run *run, const definition *of, const char *sentence,
                           const char *quantity, double expected, int64_t count, double total,
                           const char *from, gs_error *error) {
  const double rare = 1000;
  gs_estimate estimate = gs_estimate_share(count, (int64_t)total);
  gs_expectation wanted = gs_expect_near(expected, 0, 0.001);
  estimate.error = sqrt(expected * (1 - expected) / total);
  if (expected * total < rare) {
    int64_t low = 0;
    int64_t high = 0;
    gs_binomial_range((int64_t)total, expected, GS_CHECK_CHANCE, &low, &high);
    wanted = gs_expect_inside((double)low / total, (double)high / total);
    estimate.error = 0;
  }
  return add(run, of, sentence, quantity, wanted, estimate, from, error);
}

gs_status gs_claim_kaiming_normal(gs_claim_run *run, gs_error *error) {
  static const char *const quantities[TAILS] = {
      "share beyond 1 standard deviation",  "share beyond 2 standard deviations",
      "share beyond 3 standard deviations", "share beyond 4 standard deviations",
      "share beyond 5 standard deviations", "share beyond 6 standard deviations"};
  const definition normal = {"kaiming_normal_(w), w of 500 x 2000: mode fan_in, a = 0",
                             "he_normal, 500 x 2000, 10 layers of 10 replicas: 10^8 numbers", 3, 15,
                             105};
  const definition leaky = {"kaiming_normal_(w, a=0.25, mode='fan_out')",
                            "he_normal:slope=0.25:fan=out, 500 x 2000, 10 replicas", 3, 15, 105};
  gs_init init = gs_init_default(GS_INIT_HE_NORMAL);
  sums all = {.edges = {1, 2, 3, 4, 5, 6}};
  sums other = {.edges = {1, 2, 3, 4, 5, 6}};
  GS_TRY(draw(run, &init, CHUNKS, sqrt(2.0 / COLS), &all, error));
  GS_TRY(check_moments(run, &normal, &all, error));
  for (int k = 0; k < TAILS; k++) {
    const double expected = 2 * gs_normal_cdf(-all.edges[k]);
    GS_TRY(add_share(run, &normal, "It is normal: nothing is cut off.", quantities[k], expected,
                     all.beyond[k], all.count, "2 Phi(-k)", error));
  }
  init.slope = 0.25;
  init.fan = GS_FAN_OUT;
  GS_TRY(draw(run, &init, 1, sqrt(2 / (1 + init.slope * init.slope) / ROWS), &other, error));
  return add(run, &leaky, "gain^2 = 2/(1 + a^2), and fan_out is the rows.",
             "mean square over 2/((1 + a^2) fan_out)", gs_expect_near(1, 0, 0.01),
             gs_estimate_normal(other.power[2] / other.count, sqrt(2 / other.count)), "definition",
             error);
}

/* ---- truncated ---- */

/* E x^k of N(0,1) given |x| < 2: m_k = (k - 1) m_{k-2} - 2^{k-1} 2 phi(2)/Z. */
static void truncated_moments(double m[9]) {
  const double edge = 2 * exp(-2) / sqrt(2 * M_PI) / (1 - 2 * gs_normal_cdf(-2));
  m[0] = 1;
  for (int k = 2; k <= 8; k += 2) m[k] = (k - 1) * m[k - 2] - ldexp(edge, k - 1);
}

static gs_status check_cut(gs_claim_run *run, const definition *of, const sums *all,
                           gs_error *error) {
  static const char *const quantities[] = {"share beyond 1 standard deviation of the uncut normal",
                                           "share beyond 1.5 standard deviations of it",
                                           "share beyond 1.9 standard deviations of it"};
  const double kept = 1 - 2 * gs_normal_cdf(-2);
  const double parent = 1 / TRUNCATED_SD; /* in standard deviations of what is left */
  for (int k = 0; k < 3; k++) {
    const double expected = 2 * (gs_normal_cdf(-all->edges[k] / parent) - gs_normal_cdf(-2)) / kept;
    GS_TRY(add_share(run, of, "Inside the cut it is normal.", quantities[k], expected,
                     all->beyond[k], all->count, "the cut normal's distribution", error));
  }
  GS_TRY(add(run, of, "Nothing lies beyond two standard deviations of the uncut normal.",
             "numbers beyond", gs_expect_near(0, 0, 0), gs_estimate_exact((double)all->beyond[3]),
             "definition: none", error));
  return add(run, of, "The cut is there and not nearer.",
             "largest magnitude, in standard deviations of the uncut normal",
             gs_expect_inside(1.99999, 2), gs_estimate_exact(all->largest / parent),
             "definition, and 10^8 numbers reach it to about 10^-7", error);
}

gs_status gs_claim_keras_he_normal(gs_claim_run *run, gs_error *error) {
  double m[9] = {0};
  truncated_moments(m);
  const definition truncated = {"HeNormal()(shape=(2000, 500)): fan_in 2000",
                                "he_truncated, 500 x 2000, 10 layers of 10 replicas: 10^8 numbers",
                                m[4] / pow(m[2], 2), m[6] / pow(m[2], 3), m[8] / pow(m[2], 4)};
  const definition uncorrected = {"a normal of variance 2/fan_in, cut at two standard deviations",
                                  "he_truncated_uncorrected, 500 x 2000, 10 replicas",
                                  truncated.mu4, 0, 0};
  gs_init init = gs_init_default(GS_INIT_HE_TRUNCATED);
  const double parent = 1 / TRUNCATED_SD;
  /* float32 rounds the standard deviation: the edge may be off by half a unit */
  sums all = {.edges = {parent, 1.5 * parent, 1.9 * parent, 2 * parent * (1 + 1e-7), 1e9, 1e9}};
  sums other = all;
  GS_TRY(draw(run, &init, CHUNKS, sqrt(2.0 / COLS), &all, error));
  GS_TRY(check_moments(run, &truncated, &all, error));
  GS_TRY(check_cut(run, &truncated, &all, error));
  init = gs_init_default(GS_INIT_HE_TRUNCATED_UNCORRECTED);
  const double left = TRUNCATED_SD * TRUNCATED_SD;
  GS_TRY(draw(run, &init, 1, sqrt(2.0 / COLS), &other, error));
  return add(run, &uncorrected, "Without the correction 0.774 of the variance is left.",
             "mean square over 2/fan_in", gs_expect_near(left, 0, 0.005),
             gs_estimate_normal(other.power[2] / other.count,
                                left * sqrt((truncated.mu4 - 1) / other.count)),
             "0.87962566103423978^2", error);
}
