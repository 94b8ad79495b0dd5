// The loss kernels against plain loops: both losses, every dtype, odd sizes, gaps that
// differ from tensor to tensor, steps and replicas with exponents of their own, one
// target for all replicas, dh in the target's memory, little scratch.
#include <cmath>

#include "cuda_on_cpu_control.h"
#include "loss_run.h"

namespace {

using gs_test::Case;
using gs_test::Matrix;
using gs_test::Memory;
using gs_test::Random;
using gs_test::Run;
using gs_test::Shape;
using gs_test::Slots;
using gs_test::succeed;

constexpr gs_dtype dtypes[] = {GS_F64, GS_F32, GS_TF32, GS_BF16, GS_F16};

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

// One column by hand, a step for each row; h's slots at the given exponents.
struct ByHand {
  std::vector<double> h, target;
  std::vector<int32_t> exponents;
};
struct Answer {
  gs_scaled value;
  std::vector<double> dh;
  std::vector<gs_scale> slots;
};

Answer answer(gs_dtype dtype, gs_device_loss kind, const ByHand &given) {
  const auto steps = static_cast<int64_t>(given.h.size());
  const Shape shape = {dtype, steps, 1, 0, 1, 0};
  Matrix h(shape, given.h);
  const Matrix target(shape, given.target);
  Matrix dh(shape, std::vector<double>(given.h.size(), NAN));
  Slots h_slots(given.h.size());
  Slots dh_slots(given.h.size());
  for (size_t i = 0; i < given.h.size(); i++) {
    h_slots.before[i] = {given.exponents[i], 0};
    dh_slots.before[i] = {0, GS_PEAK_NONE};
  }
  h_slots.memory.upload(h_slots.before.data());
  dh_slots.memory.upload(dh_slots.before.data());
  h.tensor.scale = h_slots.get();
  dh.tensor.scale = dh_slots.get();
  const Memory value(sizeof(gs_scaled));
  const Memory scratch(gs_loss_bytes(steps, 1, 1, steps));
  Memory counters(sizeof(uint32_t));
  counters.fill(0);
  const gs_scratch with = {scratch.data, scratch.bytes, static_cast<uint32_t *>(counters.data), 1};
  succeed(gs_launch_loss({nullptr, 4}, kind, &h.tensor, &target.tensor, steps, &dh.tensor,
                         static_cast<gs_scaled *>(value.data), with));
  succeed(cudaDeviceSynchronize());
  return {value.download<gs_scaled>()[0], dh.get(), dh_slots.memory.download<gs_scale>()};
}

void test_by_hand(void **) {
  for (const gs_dtype dtype : dtypes) {
    const ByHand given = {{1, 3, -2}, {2, 2, 2}, {0, 0, 0}};
    const Answer linear = answer(dtype, GS_DEVICE_LOSS_LINEAR, given);
    assert_true(linear.value.value == 4 && linear.value.exponent == 0);
    assert_true((linear.dh == std::vector<double>{2, 2, 2}));
    const Answer mse = answer(dtype, GS_DEVICE_LOSS_MSE, given);
    assert_true(mse.value.value == 9 && mse.value.exponent == 0);
    assert_true((mse.dh == std::vector<double>{-1, 1, -4}));
    assert_int_equal(mse.slots[2].peak, 2);
    // 3 2^2 - 4 at exponent 2
    const Answer scaled = answer(dtype, GS_DEVICE_LOSS_MSE, {{3}, {4}, {2}});
    assert_true(scaled.value.value == 2 && scaled.value.exponent == 4);
    assert_true(scaled.dh[0] == 2 && scaled.slots[0].exponent == 2 && scaled.slots[0].peak == 1);
  }
}

// A step of zeros does not decide about exponents, however far out it is.
void test_zero_step(void **) {
  for (const gs_dtype dtype : dtypes) {
    const Answer got = answer(dtype, GS_DEVICE_LOSS_LINEAR, {{3, 0}, {2, 2}, {-7, 5000}});
    assert_true(got.value.value == 6 && got.value.exponent == -7);
    const Answer none = answer(dtype, GS_DEVICE_LOSS_LINEAR, {{0, 0}, {2, 2}, {-7, 5000}});
    assert_true(none.value.value == 0 && none.value.exponent == 0);
  }
}

// The peak is that of the digits as they are stored; the loss is that of the differences
// before.
void test_rounding(void **) {
  for (const gs_dtype dtype : dtypes) {
    const bool narrow = dtype == GS_BF16 || dtype == GS_F16;
    const Answer got = answer(dtype, GS_DEVICE_LOSS_MSE, {{2}, {narrow ? 0x1p-14 : 0x1p-60}, {0}});
    assert_true(got.dh[0] == 2 && got.slots[0].peak == 1);
    const double d = narrow ? 2 - 0x1p-14 : 2;
    assert_true(got.value.value == 0.5 * d * d);
  }
  const Answer far = answer(GS_F16, GS_DEVICE_LOSS_MSE, {{60000}, {-60000}, {0}});
  assert_true(std::isinf(far.dh[0]) && far.slots[0].peak == GS_PEAK_NONE);
  assert_true(far.value.value == 0.5 * 120000.0 * 120000.0);
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
  for (const size_t share : {1u, 2u, 5u, 50u}) {
    for (const size_t counter_count : {5u, 2u, 0u}) {
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
      cmocka_unit_test(test_by_hand),        cmocka_unit_test(test_zero_step),
      cmocka_unit_test(test_rounding),       cmocka_unit_test(test_far_exponents),
      cmocka_unit_test(test_little_scratch),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
