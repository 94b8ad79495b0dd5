/* Squared norms of the steps' gradients add, for deltas of different steps are
 * uncorrelated in the wide limit. The logarithms X_t of the terms correlate: X_t holds
 * `carry` times the noise of X_{t+1}, and what steps repeat is one number for a network:
 *   X_t = typical_t + sqrt(repeats_t) y + rest_t,   y ~ N(0,1).
 * Given y, ln of the sum has to first order in the rest the variance of sum w_t rest_t,
 * w_t the terms' shares; what the rest varies from step to step averages out, and ln of
 * the sum is that much nearer to ln of its mean, by half of it. Over y by quadrature, for
 * repeats_t grows like (T - t)^2: where the sign of a network's rate is its own, a sum is
 * its first or its last terms. */
#include "theory/shared.h"

#include <math.h>

#include "theory/ratio.h"

gs_shared_sum gs_shared_start(gs_shared_term *terms, int64_t steps) {
  return (gs_shared_sum){steps, -INFINITY, terms};
}

void gs_shared_add(gs_shared_sum *sum, int64_t i, gs_log_norm norm, double log_mean) {
  sum->terms[i] = (gs_shared_term){norm.log_mean + norm.shift, norm.variance,
                                   fmin(fmax(norm.repeats, 0), norm.variance)};
  sum->log_mean = gs_log_add(sum->log_mean, log_mean);
}

/* ln of the sum at y. */
static double log_sum_at(const gs_shared_sum *sum, double y) {
  double max = -INFINITY;
  double total = 0;
  for (int64_t i = 0; i < sum->steps; i++) {
    const gs_shared_term *term = &sum->terms[i];
    const double x = term->typical + y * sqrt(term->repeats);
    if (term->typical == -INFINITY) continue;
    if (x <= max) {
      total += exp(x - max);
    } else {
      total = total * exp(max - x) + 1;
      max = x;
    }
  }
  return max == -INFINITY ? max : max + log(total);
}

/* The rest's part: variance, and what averages out. */
static double rest_of(const gs_shared_sum *sum, const double *carries, double log_total,
                      double *averaged) {
  double with_rest = 0;
  double variance = 0;
  double apart = 0;
  for (int64_t i = sum->steps - 1; i >= 0; i--) {
    const gs_shared_term *term = &sum->terms[i];
    const double weight = exp(term->typical - log_total);
    const double own = weight * (term->variance - term->repeats);
    with_rest *= carries[i];
    variance += weight * (own + 2 * with_rest);
    with_rest += own;
    apart += own;
  }
  *averaged = 0.5 * fmax(apart - variance, 0);
  return variance;
}

static double max_repeated(const gs_shared_sum *sum) {
  double max = 0;
  for (int64_t i = 0; i < sum->steps; i++) max = fmax(max, sum->terms[i].repeats);
  return max;
}

gs_log_norm gs_shared_norm(const gs_shared_sum *sum, const double *carries) {
  const double little = 1e-6;
  const double middle = log_sum_at(sum, 0);
  double averaged = 0;
  if (middle == -INFINITY) return (gs_log_norm){.log_mean = sum->log_mean};
  double variance = rest_of(sum, carries, middle, &averaged);
  double mean = middle;
  if (max_repeated(sum) > little) {
    double square = 0;
    mean = 0;
    for (int i = 0; i < GS_NORMAL_NODES; i++) {
      const gs_normal_node node = gs_normal_nodes[i];
      const double y = log_sum_at(sum, node.x) - middle;
      mean += node.weight * y;
      square += node.weight * y * y;
    }
    variance += square - mean * mean;
    mean += middle;
  }
  const double shift = mean + averaged - sum->log_mean;
  /* what repeats from step to step spreads the terms and raises their mean square */
  return (gs_log_norm){sum->log_mean, shift, variance, shift, 0};
}
