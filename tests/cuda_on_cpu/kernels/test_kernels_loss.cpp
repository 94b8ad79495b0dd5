// The loss kernels against plain loops: both losses, every dtype, odd sizes, gaps that
// differ from tensor to tensor, steps and replicas with exponents of their own, one
// target for all replicas, dh in the target's memory, little scratch.
#include <algorithm>
#include <cfloat>
#include <cmath>

#include "cuda_on_cpu_control.h"
#include "device/scale.h"
#include "device_memory.h"
#include "kernels/kernels.h"

namespace {

using gs_test::Matrix;
using gs_test::Memory;
using gs_test::Random;
using gs_test::Shape;
using gs_test::succeed;

constexpr gs_dtype dtypes[] = {GS_F64, GS_F32, GS_TF32, GS_BF16, GS_F16};

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

std::vector<double> draw(size_t count, double spread, bool specials, Random &random) {
  static const double special[] = {NAN, INFINITY, -INFINITY, 0.0, -0.0, 0x1p-149};
  std::vector<double> values(count);
  for (double &x : values) {
    x = random.symmetric() * std::exp2(spread * random.symmetric());
    if (specials && random.below(64) == 0) x = special[random.below(6)];
  }
  return values;
}

size_t count_of(const Case &c, int64_t replicas) {
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

void assert_zero(const Memory &counters) {
  for (const unsigned char byte : counters.download<unsigned char>()) assert_int_equal(byte, 0);
}

void check(const Case &c, Random &random) {
  Run run(c, random);
  Memory scratch(gs_loss_bytes(c.rows, c.cols, c.replicas, c.steps));
  const size_t counter_count = gs_loss_counters(c.replicas);
  Memory counters(counter_count * sizeof(uint32_t));
  counters.fill(0);
  std::vector<unsigned char> first;
  for (int order = 0; order < 3; order++) {
    gs_sim_set_order(order);
    succeed(run.launch(scratch, counters, counter_count));
    succeed(cudaDeviceSynchronize());
    assert_zero(counters);
    if (order == 0) {
      run.judge();
      first = run.bits();
    }
    assert_memory_equal(run.bits().data(), first.data(), first.size());
  }
  gs_sim_set_order(0);
}

double spread_of(gs_dtype dtype) { return dtype == GS_F64 ? 100 : dtype == GS_F16 ? 4 : 20; }

void check_shapes(gs_device_loss kind, uint64_t seed) {
  static const int64_t shapes[][4] = {// rows, cols, replicas, steps
                                      {1, 1, 1, 1},    {7, 5, 3, 1},    {12, 33, 2, 3},
                                      {4, 4099, 1, 1}, {3, 9001, 2, 3}, {200, 67, 1, 2},
                                      {6, 128, 12, 6}, {65, 64, 1, 1}};
  Random random(seed);
  for (const gs_dtype dtype : dtypes) {
    size_t i = 0;
    for (const auto &s : shapes) {
      for (int variant = 0; variant < 4; variant++, i++) {
        const bool gaps = variant % 2;
        Case c = {dtype, kind,  s[0],  s[1],  s[2],  s[3], 0,     0, 0,
                  0,     false, false, false, false, 0,    false, 0};
        if (gaps) c.h_gap = 3;
        if (gaps) c.target_gap = variant == 1 ? 4 : 0;
        if (gaps) c.dh_gap = variant == 1 ? 0 : 5;
        c.stray = i % 3 == 1;
        c.shared = i % 5 == 2;
        c.in_place = kind == GS_DEVICE_LOSS_LINEAR && i % 4 == 3 && !c.shared;
        c.h_slots = i % 2 == 0;
        c.dh_slots = i / 2 % 2 == 0;
        c.spread = spread_of(dtype);
        c.specials = i % 6 == 5;
        c.exponent_step = dtype == GS_F16 ? 2 : 9;
        check(c, random);
      }
    }
  }
}

void test_linear(void **) { check_shapes(GS_DEVICE_LOSS_LINEAR, 1); }
void test_mse(void **) { check_shapes(GS_DEVICE_LOSS_MSE, 2); }

// Exponents that no factor bridges: the largest decides.
void test_far_exponents(void **) {
  Random random(3);
  for (const gs_dtype dtype : dtypes) {
    for (const gs_device_loss kind : {GS_DEVICE_LOSS_LINEAR, GS_DEVICE_LOSS_MSE}) {
      check({dtype, kind, 21, 9, 2, 7, 0, 0, 0, 0, false, false, true, true, 2, false, 301},
            random);
    }
  }
}

// By hand: h = (1, 3, -2), target = (2, 2, 2).
void test_by_hand(void **) {
  for (const gs_dtype dtype : dtypes) {
    for (const bool mse : {false, true}) {
      const Shape shape = {dtype, 1, 3, 0, 1, 0};
      const Matrix h(shape, {1, 3, -2});
      const Matrix target(shape, {2, 2, 2});
      const Matrix dh(shape, {0, 0, 0});
      Memory value(sizeof(gs_scaled));
      Memory scratch(gs_loss_bytes(1, 3, 1, 1));
      Memory counters(sizeof(uint32_t));
      counters.fill(0);
      succeed(
          gs_launch_loss({nullptr, 4}, mse ? GS_DEVICE_LOSS_MSE : GS_DEVICE_LOSS_LINEAR, &h.tensor,
                         &target.tensor, 1, &dh.tensor, static_cast<gs_scaled *>(value.data),
                         {scratch.data, scratch.bytes, static_cast<uint32_t *>(counters.data), 1}));
      succeed(cudaDeviceSynchronize());
      const gs_scaled got = value.download<gs_scaled>()[0];
      assert_true(got.value == (mse ? 9 : 4) && got.exponent == 0);
      assert_true(dh.get() ==
                  (mse ? std::vector<double>{-1, 1, -4} : std::vector<double>{2, 2, 2}));
    }
  }
}

long launches() {
  gs_sim_counts counts;
  gs_sim_get_counts(&counts);
  return counts.launches;
}

// Scratch or counters for some replicas only: more launches, the same answer. For none:
// refused.
void test_little_scratch(void **) {
  Random random(4);
  const Case c = {
      GS_F32, GS_DEVICE_LOSS_MSE, 30, 300, 5, 2, 0, 0, 0, 0, false, false, true, true, 5, false, 3};
  const size_t all = gs_loss_bytes(c.rows, c.cols, c.replicas, c.steps);
  for (const size_t share : {1, 2, 5, 50}) {
    for (const size_t counter_count : {5, 2, 0}) {
      Run run(c, random);
      Memory scratch(all / share);
      Memory counters(5 * sizeof(uint32_t));
      counters.fill(0);
      const long before = launches();
      const cudaError_t status = run.launch(scratch, counters, counter_count);
      if (share == 50 || counter_count == 0) {
        assert_int_equal(status, cudaErrorInvalidValue);
        continue;
      }
      succeed(status);
      succeed(cudaDeviceSynchronize());
      run.judge();
      assert_zero(counters);
      assert_true((launches() - before == 1) == (share == 1 && counter_count == 5));
    }
  }
}

} // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(test_linear),         cmocka_unit_test(test_mse),
      cmocka_unit_test(test_by_hand),        cmocka_unit_test(test_far_exponents),
      cmocka_unit_test(test_little_scratch),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
