/* The inner loops of the statistics. f32 is written for speed: a block of 1024
 * elements is read from memory once and then, from the first-level cache, by
 * three vector loops (float64 sums; counts and extremes as integers; exponents)
 * and one scalar loop (the histogram). f64 is the plain version. */
#include "device/cpu_stats_accumulate.h"

#include <math.h>
#include <string.h>

enum {
  BLOCK = 1024,
  WAYS = 8 /* interleaved histograms: equal neighbours do not wait for each other */
};

static const uint32_t INFINITY_BITS = 0x7f800000u;
static const uint32_t MIN_NORMAL = 0x00800000u;

void gs_stats_sums_start(gs_stats_sums *sums, int prescale) {
  memset(sums, 0, sizeof *sums);
  sums->min_abs = INFINITY;
  sums->prescale = prescale;
}

/* Brings the sums to another prescale. */
static void rescale(gs_stats_sums *sums, int prescale) {
  const double factor = ldexp(1, sums->prescale - prescale);
  for (int i = 0; i < GS_STATS_LANES; i++) {
    sums->sum[i] *= factor;
    sums->sum_sq[i] = sums->sum_sq[i] * factor * factor;
  }
  sums->prescale = prescale;
}

static void merge_sums(gs_stats_sums *a, const gs_stats_sums *b) {
  gs_stats_sums more = *b;
  if (a->max_abs == 0) rescale(a, more.prescale); /* nothing there yet */
  if (more.max_abs == 0) return;
  if (a->prescale < more.prescale) rescale(a, more.prescale);
  if (more.prescale < a->prescale) rescale(&more, a->prescale);
  for (int i = 0; i < GS_STATS_LANES; i++) {
    a->sum[i] += more.sum[i];
    a->sum_sq[i] += more.sum_sq[i];
  }
}

void gs_stats_sums_merge(gs_stats_sums *a, const gs_stats_sums *b) {
  merge_sums(a, b);
  if (b->min_abs < a->min_abs) a->min_abs = b->min_abs;
  if (b->max_abs > a->max_abs) a->max_abs = b->max_abs;
  a->nan += b->nan;
  a->inf += b->inf;
  a->zero += b->zero;
  a->subnormal += b->subnormal;
  a->saturated += b->saturated;
}

static uint32_t magnitude_bits(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits & 0x7fffffffu;
}

static double float_value(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return (double)value;
}

/* ---- f32 ---- */

typedef struct extremes {
  uint32_t max, min_less_one; /* of the magnitudes' bits; zero wraps to the top */
  uint32_t zero;
} extremes;

static extremes extremes_of(const float *x, int64_t count) {
  extremes e = {0, UINT32_MAX, 0};
  for (int64_t i = 0; i < count; i++) {
    const uint32_t bits = magnitude_bits(x[i]);
    const uint32_t less_one = bits - 1;
    e.max = bits > e.max ? bits : e.max;
    e.min_less_one = less_one < e.min_less_one ? less_one : e.min_less_one;
    e.zero += bits == 0;
  }
  return e;
}

/* sum + value^2. The square of a float32 is exact in float64, so one rounding or
 * two give the same bits, and the fused form may be used where it is fast. */
static double add_square(double sum, double value) {
#ifdef __FMA__
  return fma(value, value, sum);
#else
  return sum + value * value;
#endif
}

static uint32_t subnormals_of(const float *x, int64_t count) {
  uint32_t subnormal = 0;
  for (int64_t i = 0; i < count; i++) subnormal += magnitude_bits(x[i]) - 1 < MIN_NORMAL - 1;
  return subnormal;
}

/* Lanes live in local arrays, that is in registers, while the block lasts. */
static void sum_lanes(gs_stats_sums *sums, const float *x, int64_t count) {
  double sum[GS_STATS_LANES];
  double sum_sq[GS_STATS_LANES];
  memcpy(sum, sums->sum, sizeof sum);
  memcpy(sum_sq, sums->sum_sq, sizeof sum_sq);
  const int64_t whole = count / GS_STATS_LANES * GS_STATS_LANES;
  for (int64_t i = 0; i < whole; i += GS_STATS_LANES) {
    for (int k = 0; k < GS_STATS_LANES; k++) {
      const double value = (double)x[i + k];
      sum[k] += value;
      sum_sq[k] = add_square(sum_sq[k], value);
    }
  }
  for (int64_t i = whole; i < count; i++) {
    const double value = (double)x[i];
    sum[i - whole] += value;
    sum_sq[i - whole] = add_square(sum_sq[i - whole], value);
  }
  memcpy(sums->sum, sum, sizeof sum);
  memcpy(sums->sum_sq, sum_sq, sizeof sum_sq);
}

/* The same with NaN and infinities left out of everything but their counts. */
static void sum_finite(gs_stats_sums *sums, const float *x, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    const uint32_t bits = magnitude_bits(x[i]);
    const double value = (double)x[i];
    if (bits > INFINITY_BITS) {
      sums->nan++;
    } else if (bits == INFINITY_BITS) {
      sums->inf++;
    } else {
      sums->sum[i % GS_STATS_LANES] += value;
      sums->sum_sq[i % GS_STATS_LANES] += value * value;
      if (bits && fabs(value) < sums->min_abs) sums->min_abs = fabs(value);
      if (fabs(value) > sums->max_abs) sums->max_abs = fabs(value);
    }
  }
}

/* Biased exponents of a block, one byte each. */
static void exponents_of(const float *x, int64_t count, uint8_t *exponents) {
  for (int64_t i = 0; i < count; i++) exponents[i] = (uint8_t)(magnitude_bits(x[i]) >> 23);
}

/* One by one: any exponents. */
static void count_each(uint32_t (*ways)[256], const uint8_t *exponents, int64_t count) {
  int64_t i = 0;
  for (; i + WAYS <= count; i += WAYS) {
    uint64_t eight;
    memcpy(&eight, exponents + i, sizeof eight);
    for (int k = 0; k < WAYS; k++) ways[k][eight >> (8 * k) & 0xff]++;
  }
  for (; i < count; i++) ways[0][exponents[i]]++;
}

/* How many bytes of a block equal `wanted`: 64 counters of a byte each, which 16
 * rounds cannot overflow, are one vector. */
static uint32_t count_equal(const uint8_t exponents[BLOCK], uint8_t wanted) {
  uint8_t counters[64] = {0};
  uint32_t sum = 0;
  for (int first = 0; first < BLOCK; first += 64) {
    for (int k = 0; k < 64; k++) {
      counters[k] = (uint8_t)(counters[k] + (exponents[first + k] == wanted));
    }
  }
  for (int k = 0; k < 64; k++) sum += counters[k];
  return sum;
}

/* Exponents min..max, by one vector comparison of the block for each: faster
 * while there are few, and a block of a network's tensor has about a dozen. */
static void count_range(uint32_t *counts, const uint8_t exponents[BLOCK], int min, int max) {
  for (int e = min; e <= max; e++) counts[e] += count_equal(exponents, (uint8_t)e);
}

static void count_exponents(uint32_t (*ways)[256], const float *block, int64_t n, extremes e) {
  enum { FEW = 32 };
  uint8_t exponents[BLOCK] = {0};
  exponents_of(block, n, exponents);
  const int max = (int)(e.max >> 23);
  const int min = (int)((e.min_less_one + 1) >> 23);
  if (e.max < INFINITY_BITS && min > 0 && max - min < FEW) {
    count_range(ways[0], exponents, min, max);
  } else {
    count_each(ways, exponents, n);
  }
}

/* Bins of subnormals, which one biased exponent (0) hides. */
static void count_subnormals(uint32_t *histogram, const float *x, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    const uint32_t bits = magnitude_bits(x[i]);
    if (bits - 1 < 0x7fffffu) histogram[31 - __builtin_clz(bits)]++;
  }
}

static void add_ways(uint32_t *histogram, uint32_t (*ways)[256]) {
  for (int e = 1; e < 255; e++) { /* bin 0 is 2^-149, and 2^-126 has biased exponent 1 */
    uint32_t sum = 0;
    for (int k = 0; k < WAYS; k++) sum += ways[k][e];
    histogram[e + 22] += sum;
  }
}

static int64_t saturated_f32(const float *x, int64_t count, double low, double high) {
  const float lo = (float)low;
  const float hi = (float)high;
  uint32_t saturated = 0;
  for (int64_t i = 0; i < count; i++) saturated += (x[i] <= lo) | (x[i] >= hi);
  return saturated;
}

void gs_stats_accumulate_f32(gs_stats_sums *sums, const float *x, int64_t count,
                             const gs_stats_options *options) {
  uint32_t ways[WAYS][256];
  if (options->histogram) memset(ways, 0, sizeof ways);
  for (int64_t first = 0; first < count; first += BLOCK) {
    const int64_t n = count - first < BLOCK ? count - first : BLOCK;
    const float *block = x + first;
    const extremes e = extremes_of(block, n);
    sums->zero += e.zero;
    const bool subnormal = e.min_less_one < MIN_NORMAL - 1;
    if (subnormal) sums->subnormal += subnormals_of(block, n);
    if (e.max >= INFINITY_BITS) {
      sum_finite(sums, block, n);
    } else {
      sum_lanes(sums, block, n);
      const double max = float_value(e.max);
      if (max > sums->max_abs) sums->max_abs = max;
      if (e.max > 0) {
        const double min = float_value(e.min_less_one + 1);
        if (min < sums->min_abs) sums->min_abs = min;
      }
    }
    if (options->saturation) {
      sums->saturated += saturated_f32(block, n, options->low, options->high);
    }
    if (options->histogram) {
      count_exponents(ways, block, n, e);
      if (subnormal) count_subnormals(options->histogram, block, n);
    }
  }
  if (options->histogram) add_ways(options->histogram, ways);
}

/* ---- f64 ---- */

void gs_stats_accumulate_f64(gs_stats_sums *sums, const double *x, int64_t count,
                             const gs_stats_options *options) {
  const double factor = ldexp(1, -sums->prescale);
  const int min = gs_dtype_min_exponent(GS_F64);
  for (int64_t i = 0; i < count; i++) {
    const double magnitude = fabs(x[i]);
    if (options->saturation && (x[i] <= options->low || x[i] >= options->high)) {
      sums->saturated++;
    }
    if (isnan(x[i])) {
      sums->nan++;
    } else if (isinf(x[i])) {
      sums->inf++;
    } else if (magnitude == 0) {
      sums->zero++;
    } else {
      const double value = x[i] * factor;
      sums->sum[i % GS_STATS_LANES] += value;
      sums->sum_sq[i % GS_STATS_LANES] += value * value;
      if (magnitude < sums->min_abs) sums->min_abs = magnitude;
      if (magnitude > sums->max_abs) sums->max_abs = magnitude;
      if (magnitude < 0x1p-1022) sums->subnormal++;
      if (options->histogram) options->histogram[ilogb(magnitude) - min]++;
    }
  }
}
