/* Plain float64 references. */
#include "support_reference.h"

#include <math.h>
#include <stdlib.h>

static double sigmoid(double z) { return 1 / (1 + exp(-z)); }

/* Klambauer et al. 2017. */
static const double SELU_LAMBDA = 1.0507009873554804934193349852946;
static const double SELU_ALPHA = 1.6732632423543772848170429916717;
static const double SQRT_HALF = 0.70710678118654752440;
static const double INVERSE_SQRT_2PI = 0.39894228040143267794;

double gs_reference_activation(gs_activation activation, double z) {
  switch (activation.kind) {
  case GS_IDENTITY: return z;
  case GS_SIGMOID: return sigmoid(z);
  case GS_TANH: return tanh(z);
  case GS_RELU: return fmax(z, 0);
  case GS_LEAKY_RELU: return z > 0 ? z : activation.slope * z;
  case GS_ELU: return z > 0 ? z : expm1(z);
  case GS_SELU: return SELU_LAMBDA * (z > 0 ? z : SELU_ALPHA * expm1(z));
  case GS_GELU: return z * 0.5 * erfc(-z * SQRT_HALF);
  case GS_SILU: return z * sigmoid(z);
  case GS_SOFTSIGN: return z / (1 + fabs(z));
  case GS_SOFTPLUS: return z > 30 ? z : log1p(exp(z));
  case GS_ACTIVATION_COUNT: break;
  }
  return NAN;
}

double gs_reference_slope(gs_activation activation, double z) {
  const double s = sigmoid(z);
  switch (activation.kind) {
  case GS_IDENTITY: return 1;
  case GS_SIGMOID: return s * sigmoid(-z);
  case GS_TANH: return 1 / (cosh(z) * cosh(z));
  case GS_RELU: return z > 0 ? 1 : 0;
  case GS_LEAKY_RELU: return z > 0 ? 1 : activation.slope;
  case GS_ELU: return z > 0 ? 1 : exp(z);
  case GS_SELU: return SELU_LAMBDA * (z > 0 ? 1 : SELU_ALPHA * exp(z));
  case GS_GELU: return 0.5 * erfc(-z * SQRT_HALF) + z * INVERSE_SQRT_2PI * exp(-z * z / 2);
  case GS_SILU: return s + z * s * sigmoid(-z);
  case GS_SOFTSIGN: return 1 / ((1 + fabs(z)) * (1 + fabs(z)));
  case GS_SOFTPLUS: return s;
  case GS_ACTIVATION_COUNT: break;
  }
  return NAN;
}

void gs_reference_gemm(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, const double *a,
                       const double *b, double *c) {
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) {
      double sum = 0;
      for (int64_t p = 0; p < k; p++)
        sum += (trans_a ? a[p * m + i] : a[i * k + p]) * (trans_b ? b[j * k + p] : b[p * n + j]);
      c[i * n + j] = sum;
    }
}

double gs_reference_error(const double *got, const double *want, int64_t n) {
  double largest = 0, worst = 0;
  for (int64_t i = 0; i < n; i++) {
    const double difference = fabs(got[i] - want[i]);
    if (isnan(difference)) return INFINITY;
    largest = fmax(largest, fabs(want[i]));
    worst = fmax(worst, difference);
  }
  return worst > 0 ? worst / largest : 0;
}

double gs_reference_difference(double a, double b) {
  const double difference = fabs(a - b);
  if (isnan(difference)) return INFINITY;
  return difference > 0 ? difference / fmax(fabs(a), fabs(b)) : 0;
}

double gs_reference_random(uint64_t *state) {
  *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (double)(int64_t)(*state >> 11 << 1 | 1) * 0x1p-53 - 1;
}

/* ---- the sides of kinks ---- */

/* A jump in phi', or in phi''. */
static bool has_kink(gs_activation_kind kind) {
  return kind == GS_RELU || kind == GS_LEAKY_RELU || kind == GS_ELU || kind == GS_SELU ||
         kind == GS_SOFTSIGN;
}

/* z += h w^T for one replica's B x k h and n x k w. */
static void add_product(double *z, const double *h, const double *w, int64_t batch, int64_t n,
                        int64_t k) {
  for (int64_t b = 0; b < batch; b++)
    for (int64_t i = 0; i < n; i++)
      for (int64_t j = 0; j < k; j++) z[b * n + i] += h[b * k + j] * w[i * k + j];
}

/* Replaces z by phi(z) and adds the signs of z to a hash. */
static void activate(gs_activation activation, double *z, int64_t count, uint64_t *sides) {
  for (int64_t i = 0; i < count; i++) {
    *sides = (*sides ^ (z[i] > 0)) * UINT64_C(0x100000001b3);
    z[i] = gs_reference_activation(activation, z[i]);
  }
}

/* Replica r of the biases, in each of `batch` rows. */
static double *start_sums(gs_network *network, int64_t index, int64_t r, int64_t batch, int64_t n) {
  double *z = calloc((size_t)(batch * n), sizeof *z);
  assert_non_null(z);
  const gs_tensor bias = gs_network_tensor(network, GS_ROLE_BIAS, index);
  if (!bias.data) return z;
  double *b = gs_support_download(gs_network_device(network), &bias);
  for (int64_t i = 0; i < batch * n; i++) z[i] = b[r * n + i % n];
  free(b);
  return z;
}

static void mlp_sides(gs_network *network, int64_t r, uint64_t *sides) {
  const gs_config *config = gs_network_config(network);
  const int64_t B = config->batch;
  const gs_tensor input = gs_network_tensor(network, GS_ROLE_INPUT, 0);
  double *x = gs_support_download(gs_network_device(network), &input);
  double *h = x, *before = x + r * B * input.cols;
  for (int64_t l = 1; l <= config->depth; l++) {
    const gs_tensor weight = gs_network_tensor(network, GS_ROLE_WEIGHT, l);
    double *w = gs_support_download(gs_network_device(network), &weight);
    double *z = start_sums(network, l, r, B, weight.rows);
    add_product(z, before, w + r * weight.rows * weight.cols, B, weight.rows, weight.cols);
    activate(l == config->depth ? config->output_activation : config->activation, z,
             B * weight.rows, sides);
    free(w);
    free(h);
    h = before = z;
  }
  free(h);
}

static void rnn_sides(gs_network *network, int64_t r, uint64_t *sides) {
  const gs_config *config = gs_network_config(network);
  const int64_t B = config->batch, n = config->hidden, n_x = config->input;
  const gs_tensor input = gs_network_tensor(network, GS_ROLE_INPUT, 0);
  const gs_tensor input_weight = gs_network_tensor(network, GS_ROLE_INPUT_WEIGHT, 0);
  double *x = gs_support_download(gs_network_device(network), &input);
  double *u = gs_support_download(gs_network_device(network), &input_weight);
  double *h = calloc((size_t)(B * n), sizeof *h);
  for (int64_t t = 1; t <= config->seq_len; t++) {
    const gs_tensor weight = gs_network_tensor(network, GS_ROLE_WEIGHT, config->tied ? 1 : t);
    double *w = gs_support_download(gs_network_device(network), &weight);
    double *z = start_sums(network, 0, r, B, n);
    add_product(z, h, w + r * n * n, B, n, n);
    add_product(z, x + (r * config->seq_len + t - 1) * B * n_x, u + r * n * n_x, B, n, n_x);
    activate(config->activation, z, B * n, sides);
    free(w);
    free(h);
    h = z;
  }
  free(h);
  free(u);
  free(x);
}

uint64_t gs_reference_sides(gs_network *network) {
  const gs_config *config = gs_network_config(network);
  if (!has_kink(config->activation.kind) && !has_kink(config->output_activation.kind)) return 0;
  uint64_t sides = 1;
  for (int64_t r = 0; r < config->replicas; r++) {
    if (config->model == GS_MLP)
      mlp_sides(network, r, &sides);
    else
      rnn_sides(network, r, &sides);
  }
  return sides;
}
