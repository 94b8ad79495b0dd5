// A loss on tensors of its own, and what it must leave behind, by plain loops.
#ifndef GS_TEST_LOSS_RUN_H
#define GS_TEST_LOSS_RUN_H

#include <algorithm>
#include <cmath>

#include "device/scale.h"
#include "device_memory.h"
#include "kernels/kernels.h"

namespace gs_test {

struct Case {
  gs_dtype dtype;
  gs_device_loss kind;
  int64_t rows, cols, replicas, steps; // rows: of all steps
  int64_t h_gap, target_gap, dh_gap, stray;
  bool shared;   // one target for all replicas
  bool in_place; // dh is target
  bool h_slots, dh_slots;
  double spread;
  bool specials;
  int32_t exponent_step; // h's exponents: 0, 1, -2, 3, -4 ... times this
};

inline std::vector<double> draw(size_t count, double spread, bool specials, Random &random) {
  static const double special[] = {NAN, INFINITY, -INFINITY, 0.0, -0.0, 0x1p-149};
  std::vector<double> values(count);
  for (double &x : values) {
    x = random.symmetric() * std::exp2(spread * random.symmetric());
    if (specials && random.below(64) == 0) x = special[random.below(6)];
  }
  return values;
}

inline size_t count_of(const Case &c, int64_t replicas) {
  return static_cast<size_t>(c.rows * c.cols * replicas);
}

struct Slots {
  explicit Slots(size_t count) : memory(count * sizeof(gs_scale)), before(count) {}
  gs_scale *get() { return static_cast<gs_scale *>(memory.data); }
  Memory memory;
  std::vector<gs_scale> before;
};

class Run {
public:
  Run(const Case &wanted, Random &random)
      : c(wanted), h({c.dtype, c.rows, c.cols, c.h_gap, c.replicas, c.stray},
                     draw(count_of(c, c.replicas), c.spread, c.specials, random)),
        target({c.dtype, c.rows, c.cols, c.target_gap, c.shared ? 1 : c.replicas, 0},
               draw(count_of(c, c.shared ? 1 : c.replicas), c.spread, false, random)),
        dh({c.dtype, c.rows, c.cols, c.dh_gap, c.replicas, c.stray},
           std::vector<double>(count_of(c, c.replicas), NAN)),
        h_values(h.get()), target_values(target.get()), entries(size_t(c.replicas * c.steps)),
        h_slots(entries), dh_slots(entries), value(size_t(c.replicas) * sizeof(gs_scaled)) {
    for (size_t i = 0; i < entries; i++) {
      const auto k = static_cast<int32_t>(i % 7);
      h_slots.before[i] = {k % 2 ? k * c.exponent_step : -k * c.exponent_step, 0};
      dh_slots.before[i] = {0, GS_PEAK_NONE};
    }
    if (c.h_slots && entries > 2) h_slots.before[2].peak = GS_PEAK_NONE; // as if it were empty
  }

  cudaError_t launch(Memory &scratch, Memory &counters, size_t counter_count) {
    gs_tensor h_tensor = h.tensor;
    gs_tensor target_tensor = target.tensor;
    target_tensor.replicas = c.replicas;
    if (c.shared) target_tensor.stride = 0;
    gs_tensor dh_tensor = c.in_place ? target_tensor : dh.tensor;
    h_slots.memory.upload(h_slots.before.data());
    dh_slots.memory.upload(dh_slots.before.data());
    if (c.h_slots) h_tensor.scale = h_slots.get();
    if (c.dh_slots) dh_tensor.scale = dh_slots.get();
    value.fill(0xa5);
    const gs_scratch with = {scratch.data, scratch.bytes, static_cast<uint32_t *>(counters.data),
                             counter_count};
    return gs_launch_loss({nullptr, 4}, c.kind, &h_tensor, &target_tensor, c.steps, &dh_tensor,
                          static_cast<gs_scaled *>(value.data), with);
  }

  void judge() const {
    const std::vector<double> got = c.in_place ? target_values : dh.get();
    if (c.in_place) assert_same(target.get(), target_values);
    const std::vector<gs_scaled> values = value.download<gs_scaled>();
    for (int64_t r = 0; r < c.replicas; r++) {
      Sum sum;
      for (int64_t t = 0; t < c.steps; t++) judge_step(r, t, got, sum);
      judge_value(values[size_t(r)], sum);
    }
    h.assert_gaps();
    target.assert_gaps();
    dh.assert_gaps();
  }

  std::vector<unsigned char> bits() const {
    std::vector<unsigned char> all = value.download<unsigned char>();
    const std::vector<unsigned char> more = dh.memory.download<unsigned char>();
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  Case c;

private:
  struct Sum {
    long double value = 0, magnitude = 0;
    bool finite = true;
  };

  static void assert_same(const std::vector<double> &a, const std::vector<double> &b) {
    for (size_t i = 0; i < a.size(); i++) assert_true(same(a[i], b[i]));
  }
  static bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

  // What is stored in dh, and what is summed: rounded as the dtype computes.
  template <class C>
  double difference(double at_h, double at_target, double by_h, double by_t) const {
    const C product = static_cast<C>(at_h) * static_cast<C>(by_h);
    const C other = static_cast<C>(at_target) * static_cast<C>(by_t);
    return static_cast<double>(product - other);
  }

  void judge_step(int64_t r, int64_t t, const std::vector<double> &got, Sum &sum) const {
    const int64_t rows = c.rows / c.steps;
    const size_t slot = static_cast<size_t>(t * c.replicas + r);
    const gs_scale of_h = c.h_slots ? h_slots.before[slot] : gs_scale{0, 0};
    const int32_t h_exponent = of_h.peak == GS_PEAK_NONE ? 0 : of_h.exponent;
    const int32_t joined = c.dh_slots ? std::max(h_exponent, 0) : 0;
    const bool mse = c.kind == GS_DEVICE_LOSS_MSE;
    const int scale = mse ? 2 * joined : of_h.exponent;
    double most = 0;
    for (int64_t i = t * rows * c.cols; i < (t + 1) * rows * c.cols; i++) {
      const size_t at = static_cast<size_t>(r * c.rows * c.cols + i);
      const double x = h_values[at];
      const double y = target_values[c.shared ? static_cast<size_t>(i) : at];
      double stored = y;
      long double term = static_cast<long double>(x) * static_cast<long double>(y);
      if (mse) {
        const double by_h = gs_scale_factor(h_exponent - joined);
        const double by_t = gs_scale_factor(-joined);
        const double d = c.dtype == GS_F64 ? difference<double>(x, y, by_h, by_t)
                                           : difference<float>(x, y, by_h, by_t);
        unsigned char bytes[8];
        gs_test::store(c.dtype, d, bytes);
        stored = gs_test::load(c.dtype, bytes);
        term = static_cast<long double>(d) * static_cast<long double>(d) / 2;
      }
      assert_true(same(got[at], stored));
      if (std::isfinite(stored)) most = std::max(most, std::fabs(stored));
      sum.finite = sum.finite && std::isfinite(term);
      if (std::isfinite(term)) sum.value += std::ldexp(term, scale);
      if (std::isfinite(term)) sum.magnitude += std::ldexp(std::fabs(term), scale);
    }
    if (!c.dh_slots) return;
    const gs_scale after = dh_slots.memory.download<gs_scale>()[slot];
    assert_int_equal(after.exponent, mse ? joined : 0);
    assert_int_equal(after.peak, mse && most > 0 ? std::ilogb(most) : GS_PEAK_NONE);
  }

  void judge_value(gs_scaled got, const Sum &sum) const {
    if (!sum.finite) {
      assert_false(std::isfinite(got.value));
      return;
    }
    const long double total =
        std::ldexp(static_cast<long double>(got.value), static_cast<int>(got.exponent));
    const long double parts = static_cast<long double>(c.rows * c.cols) / 4096 / 256;
    const long double tolerance = 0x1p-53L * (16 + 13 + 13 + parts) * sum.magnitude;
    if (!(std::fabs(total - sum.value) <= tolerance)) {
      fail_msg("%.17Lg is not %.17Lg within %.3Lg", total, sum.value, tolerance);
    }
  }

  Matrix h, target, dh;
  std::vector<double> h_values, target_values; // as stored
  size_t entries;
  Slots h_slots, dh_slots;
  Memory value;
};

} // namespace gs_test

#endif
