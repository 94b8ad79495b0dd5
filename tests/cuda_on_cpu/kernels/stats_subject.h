// A tensor with a statistics job of its own, and what the job must find, by plain loops.
#ifndef GS_TEST_STATS_SUBJECT_H
#define GS_TEST_STATS_SUBJECT_H

#include <algorithm>
#include <cmath>
#include <memory>

#include "cuda_on_cpu_control.h"
#include "device_memory.h"
#include "kernels/kernels.h"

namespace gs_test {

// ---- subjects ----

struct Wish {
  int64_t steps;
  bool histogram, saturation, dead, exponents;
};

// A tensor with a job of its own.
struct Subject {
  Subject(const Shape &shape, const Wish &wish, const std::vector<double> &drawn)
      : matrix(shape, drawn), values(matrix.get()),
        entries(static_cast<size_t>(wish.steps * shape.replicas)),
        bins(static_cast<size_t>(gs_dtype_exponent_bins(shape.dtype))),
        slots(entries * sizeof(gs_scale)), stats(entries * sizeof(gs_stats)),
        histogram(entries * bins * sizeof(uint32_t)), scales(entries) {
    for (size_t i = 0; i < entries; i++) scales[i] = {static_cast<int32_t>(i * 7) - 20, 0};
    slots.upload(scales.data());
    job.tensor = matrix.tensor;
    if (wish.exponents) job.tensor.scale = static_cast<gs_scale *>(slots.data);
    job.steps = wish.steps;
    job.stats = static_cast<gs_stats *>(stats.data);
    if (wish.histogram) job.histogram = static_cast<uint32_t *>(histogram.data);
    job.saturation = wish.saturation;
    const bool symmetric = shape.cols % 2; // or those of a sigmoid, where 0 is saturated
    job.saturation_low = symmetric ? -0.98 : 0.01;
    job.saturation_high = symmetric ? 0.98 : 0.99;
    job.dead = wish.dead;
  }

  Matrix matrix;
  std::vector<double> values; // as stored
  size_t entries, bins;
  Memory slots, stats, histogram;
  std::vector<gs_scale> scales;
  gs_stats_job job = {};
};

// Magnitudes over 2 * spread binary orders; now and then something special.
inline std::vector<double> draw(const Shape &shape, double spread, bool specials, Random &random) {
  static const double special[] = {NAN,       INFINITY,  -INFINITY, 0.0,  -0.0,  0x1p-149, -0x1p-24,
                                   0x1p-1074, -0x1p-130, 0x1p-1022, 0.98, -0.98, 0.01,     0.99};
  std::vector<double> values(static_cast<size_t>(shape.rows * shape.cols * shape.replicas));
  for (double &x : values) {
    x = random.symmetric() * std::exp2(spread * random.symmetric());
    if (specials && random.below(16) == 0) x = special[random.below(14)];
    if (specials && random.below(8) == 0) x = 0;
  }
  return values;
}

inline double spread_of(gs_dtype dtype) {
  return dtype == GS_F64 ? 300 : dtype == GS_F16 ? 12 : 100;
}

// ---- the reference ----

struct Expected {
  gs_stats stats = {}; // all but the sums
  long double sum = 0, sum_abs = 0, sum_sq = 0;
  std::vector<uint32_t> histogram;
};

inline int min_normal(gs_dtype dtype) {
  static const int exponents[] = {
#define EXPONENT(constant, name, bytes, min, min_normal, max) min_normal,
      GS_DTYPE_LIST(EXPONENT)
#undef EXPONENT
  };
  return exponents[dtype];
}

inline void count_value(Expected &e, const gs_stats_job &job, double x) {
  // the bounds are those of true values
  const int exponent = static_cast<int>(std::clamp<int64_t>(e.stats.exponent, -4000, 4000));
  const long double value = std::ldexp(static_cast<long double>(x), exponent);
  const gs_dtype dtype = job.tensor.dtype;
  const double low = dtype == GS_F64 ? job.saturation_low : double(float(job.saturation_low));
  const double high = dtype == GS_F64 ? job.saturation_high : double(float(job.saturation_high));
  const double magnitude = std::fabs(x);
  e.stats.count++;
  e.stats.saturated += job.saturation && (value <= low || value >= high);
  if (std::isnan(x)) {
    e.stats.nan++;
  } else if (std::isinf(x)) {
    e.stats.inf++;
  } else if (x == 0) {
    e.stats.zero++;
  } else {
    e.stats.subnormal += std::ilogb(magnitude) < min_normal(dtype);
    if (e.stats.min_abs == 0 || magnitude < e.stats.min_abs) e.stats.min_abs = magnitude;
    e.stats.max_abs = std::max(e.stats.max_abs, magnitude);
    e.sum += static_cast<long double>(x);
    e.sum_abs += static_cast<long double>(magnitude);
    e.sum_sq += static_cast<long double>(x) * static_cast<long double>(x);
    e.histogram[static_cast<size_t>(std::ilogb(magnitude) - gs_dtype_min_exponent(dtype))]++;
  }
}

inline Expected expect(const Subject &s, int64_t step, int64_t replica) {
  const gs_tensor &t = s.job.tensor;
  const int64_t rows = t.rows / s.job.steps;
  const double *values = &s.values[static_cast<size_t>((replica * t.rows + step * rows) * t.cols)];
  Expected e;
  e.histogram.resize(s.bins);
  const size_t entry = static_cast<size_t>(step * t.replicas + replica);
  e.stats.exponent = t.scale ? s.scales[entry].exponent : 0;
  for (int64_t i = 0; i < rows * t.cols; i++) count_value(e, s.job, values[i]);
  for (int64_t col = 0; s.job.dead && col < t.cols; col++) {
    bool dead = true;
    for (int64_t row = 0; row < rows; row++) dead = dead && values[row * t.cols + col] == 0;
    e.stats.dead += dead;
  }
  return e;
}

inline void assert_scaled(gs_scaled got, long double want, int64_t exponent,
                          long double tolerance) {
  if (got.value == 0) {
    assert_int_equal(got.exponent, 0);
  } else {
    assert_true(std::fabs(got.value) >= 1 && std::fabs(got.value) < 4);
    assert_int_equal(got.exponent % 2, 0);
  }
  const int shift = got.value == 0 ? 0 : static_cast<int>(got.exponent - exponent);
  const long double value = std::ldexp(static_cast<long double>(got.value), shift);
  if (!(std::fabs(value - want) <= tolerance)) {
    fail_msg("%.17Lg is not %.17Lg within %.3Lg", value, want, tolerance);
  }
}

inline void assert_entry(const Subject &s, const gs_stats &got, const uint32_t *histogram,
                         int64_t step, int64_t replica) {
  const Expected e = expect(s, step, replica);
  assert_int_equal(got.count, e.stats.count);
  assert_int_equal(got.nan, e.stats.nan);
  assert_int_equal(got.inf, e.stats.inf);
  assert_int_equal(got.zero, e.stats.zero);
  assert_int_equal(got.subnormal, e.stats.subnormal);
  assert_int_equal(got.saturated, e.stats.saturated);
  assert_int_equal(got.dead, e.stats.dead);
  assert_int_equal(got.exponent, e.stats.exponent);
  assert_true(got.min_abs == e.stats.min_abs);
  assert_true(got.max_abs == e.stats.max_abs);
  // a thread adds at most 128 elements of a part; then 5 + 8 sums; then parts
  const long double unit = 0x1p-53L * (512 + 13 + static_cast<long double>(got.count) / 1024);
  assert_scaled(got.sum, e.sum, got.exponent, unit * e.sum_abs);
  assert_scaled(got.sum_sq, e.sum_sq, 2 * got.exponent, unit * e.sum_sq);
  if (s.job.histogram) assert_memory_equal(histogram, e.histogram.data(), s.bins * 4);
}

inline void assert_subject(const Subject &s) {
  const std::vector<gs_stats> stats = s.stats.download<gs_stats>();
  const std::vector<uint32_t> histogram = s.histogram.download<uint32_t>();
  for (size_t i = 0; i < s.entries; i++) {
    const int64_t replicas = s.job.tensor.replicas;
    assert_entry(s, stats[i], &histogram[i * s.bins], static_cast<int64_t>(i) / replicas,
                 static_cast<int64_t>(i) % replicas);
  }
}

// ---- running ----

struct Scratch {
  explicit Scratch(size_t bytes) : memory(bytes) { memory.fill(0); }
  gs_scratch get() { return {memory.data, memory.bytes, nullptr, 0}; }
  void assert_zero() const {
    for (const unsigned char byte : memory.download<unsigned char>()) assert_int_equal(byte, 0);
  }
  Memory memory;
};

using Subjects = std::vector<std::unique_ptr<Subject>>;

inline size_t scratch_of(const Subjects &subjects, int64_t units) {
  size_t max = 0;
  for (const auto &s : subjects) {
    const gs_tensor &t = s->job.tensor;
    const int64_t elements = t.rows / s->job.steps * t.cols;
    max = std::max(max, gs_stats_bytes(t.dtype, elements, t.cols, units));
  }
  return max;
}

inline void run(const Subjects &subjects, Scratch &scratch) {
  std::vector<gs_stats_job> jobs;
  for (const auto &s : subjects) {
    jobs.push_back(s->job);
    s->stats.fill(0xa5);
    s->histogram.fill(0xa5);
  }
  succeed(
      gs_launch_stats({nullptr, 4}, jobs.data(), static_cast<int64_t>(jobs.size()), scratch.get()));
  succeed(cudaDeviceSynchronize());
  scratch.assert_zero();
}

// Runs the jobs in one call, in every order of threads: always the right answer, and
// the same bits.
inline void check(const Subjects &subjects, size_t scratch_bytes) {
  Scratch scratch(scratch_bytes);
  std::vector<std::vector<unsigned char>> first;
  for (int order = 0; order < 3; order++) {
    gs_sim_set_order(order);
    run(subjects, scratch);
    for (size_t i = 0; i < subjects.size(); i++) {
      const Subject &s = *subjects[i];
      const std::vector<unsigned char> bits = s.stats.download<unsigned char>();
      if (order == 0) {
        assert_subject(s);
        first.push_back(bits);
      } else {
        assert_memory_equal(bits.data(), first[i].data(), bits.size());
      }
    }
  }
  gs_sim_set_order(0);
}

} // namespace gs_test

#endif
