// The statistics kernels against plain loops: odd sizes, gaps, addresses that no
// wide access can use, special values, tensors of one part and of several, many
// jobs in one call, little scratch.
#include <cfloat>
#include <memory>

#include "cuda_on_cpu_control.h"
#include "kernels/stats_unit.cuh"
#include "stats_subject.h"

namespace {

using gs_test::assert_subject;
using gs_test::check;
using gs_test::draw;
using gs_test::Random;
using gs_test::run;
using gs_test::Scratch;
using gs_test::scratch_of;
using gs_test::Shape;
using gs_test::spread_of;
using gs_test::Subject;
using gs_test::Subjects;
using gs_test::succeed;
using gs_test::Wish;

constexpr gs_dtype dtypes[] = {GS_F64, GS_F32, GS_TF32, GS_BF16, GS_F16};

void add(Subjects &subjects, const Shape &shape, const Wish &wish, bool specials, Random &random) {
  subjects.push_back(std::make_unique<Subject>(
      shape, wish, draw(shape, spread_of(shape.dtype), specials, random)));
}

// ---- tests ----

// Every combination of what can be asked for, in turn.
Wish wish_of(size_t i, int64_t steps) {
  return {steps, i % 2 == 0, i / 2 % 2 == 0, i / 4 % 2 == 0, i / 8 % 2 == 0};
}

void test_small(void **) {
  static const int64_t shapes[][5] = {// rows, cols, gap, replicas, steps
                                      {1, 1, 0, 1, 1},     {7, 1, 0, 3, 7},    {1, 5, 0, 2, 1},
                                      {4, 7, 4, 3, 2},     {12, 33, 1, 2, 3},  {3, 257, 0, 2, 1},
                                      {6, 1000, 24, 1, 2}, {32, 128, 0, 2, 4}, {5, 64, 0, 1, 1},
                                      {300, 3, 2, 1, 2},   {2, 8191, 0, 1, 1}};
  Random random(1);
  for (const gs_dtype dtype : dtypes) {
    Subjects subjects;
    size_t i = 0;
    for (const auto &s : shapes) {
      for (int64_t stray = 0; stray < 2; stray++, i += 3) {
        add(subjects, {dtype, s[0], s[1], s[2], s[3], stray}, wish_of(i, s[4]), i % 3 > 0, random);
      }
    }
    check(subjects, scratch_of(subjects, 20));
  }
}

void test_one_value(void **) {
  static const double all[] = {0.0, -0.0, NAN, -INFINITY, 0x1p-1074, 0x1p-149, 0x1p-24, 1,
                               // the largest subnormals: f64, f32, bf16, f16
                               0x0.fffffffffffffp-1022, 0x0.fffffep-126, 0x0.fep-126, 0x0.ffcp-14};
  Random random(2);
  for (const gs_dtype dtype : dtypes) {
    Subjects subjects;
    size_t i = 0;
    for (const double value : all) {
      for (const int64_t cols : {1, 1023, 3000}) {
        const Shape shape = {dtype, 2, cols, 0, 1, 0};
        subjects.push_back(std::make_unique<Subject>(
            shape, wish_of(i++, 1), std::vector<double>(static_cast<size_t>(2 * cols), value)));
      }
    }
    check(subjects, scratch_of(subjects, 20));
  }
}

// Tensors of several parts, in runs and in strips and bands; more columns than a part
// has elements.
void test_several_parts(void **) {
  static const int64_t shapes[][5] = {{129, 257, 0, 2, 1}, {300, 257, 3, 1, 1},
                                      {1, 20001, 0, 1, 1}, {4, 16390, 2, 1, 2},
                                      {70000, 1, 1, 1, 2}, {66, 1029, 0, 2, 2}};
  Random random(3);
  for (const gs_dtype dtype : dtypes) {
    for (int round = 0; round < 2; round++) {
      Subjects subjects;
      size_t i = static_cast<size_t>(round) * 5;
      for (const auto &s : shapes) {
        const Wish wish = wish_of(i++, s[4]);
        add(subjects, {dtype, s[0], s[1], s[2], s[3], round}, wish, i % 3 > 0, random);
      }
      check(subjects, scratch_of(subjects, 20));
    }
  }
}

// Whether rows follow each other without gaps or not, a tensor has the same sums; and
// wherever it begins, the same bits.
void test_addresses(void **) {
  Random random(4);
  for (const gs_dtype dtype : dtypes) {
    const Shape plain = {dtype, 65, 511, 0, 1, 0};
    const std::vector<double> values = draw(plain, 10, false, random);
    Subjects subjects;
    for (const int64_t stray : {0, 1, 2, 3}) {
      const Shape shape = {dtype, 65, 511, 0, 1, stray};
      subjects.push_back(
          std::make_unique<Subject>(shape, Wish{1, true, false, false, false}, values));
    }
    check(subjects, scratch_of(subjects, 4));
    const std::vector<unsigned char> first = subjects[0]->stats.download<unsigned char>();
    for (const auto &s : subjects) {
      assert_memory_equal(s->stats.download<unsigned char>().data(), first.data(), first.size());
    }
  }
}

// Float64 where squares leave its range, and where one part's magnitudes are far from
// another's.
void test_f64_limits(void **) {
  static const double sizes[] = {1e300, DBL_MAX, DBL_MIN, 0x1p-1074, 1e-300, 0x1p550, 0x1p-550};
  Random random(5);
  Subjects subjects;
  for (const double size : sizes) {
    for (const int64_t rows : {7, 200}) { // one part, two
      const Shape shape = {GS_F64, rows, 143, 0, 1, 0};
      std::vector<double> values = draw(shape, 0, false, random);
      for (double &x : values) x *= size;
      values[17] = size;
      if (rows == 200) { // the second part is ordinary
        for (size_t i = 16384; i < values.size(); i++) values[i] = random.symmetric();
      }
      subjects.push_back(std::make_unique<Subject>(shape, wish_of(subjects.size(), 1), values));
    }
  }
  const Shape zeros = {GS_F64, 200, 143, 0, 1, 0}; // parts that say nothing beside one that does
  std::vector<double> values(200 * 143, 0.0);
  values[200] = 0x1p-1000;
  subjects.push_back(std::make_unique<Subject>(zeros, wish_of(0, 1), values));
  check(subjects, scratch_of(subjects, 20));
}

void test_dead_columns(void **) {
  static const int64_t shapes[][2] = {{5, 600}, {1, 70}, {40, 5001}, {3, 16500}};
  Random random(6);
  for (const gs_dtype dtype : dtypes) {
    Subjects subjects;
    for (const auto &s : shapes) {
      for (const int64_t gap : {0, 1}) {
        const Shape shape = {dtype, s[0], s[1], gap, 2, 0};
        std::vector<double> values(static_cast<size_t>(2 * s[0] * s[1]));
        for (size_t i = 0; i < values.size(); i++) {
          const size_t col = i % static_cast<size_t>(s[1]);
          values[i] = col % 3 ? (i % 5 ? 0.0 : -0.0) : 1e-3;
        }
        const auto set = [&](int64_t row, int64_t col, double x) {
          values[static_cast<size_t>(row * s[1] + col)] = x;
        };
        set(s[0] - 1, 1, 0x1p-24);
        set(s[0] - 1, 34, NAN); // not zero: alive
        set(s[0] / 2, s[1] - 1, -INFINITY);
        subjects.push_back(
            std::make_unique<Subject>(shape, Wish{1, gap > 0, false, true, false}, values));
      }
    }
    check(subjects, scratch_of(subjects, 40));
    const gs_stats stats = subjects[0]->stats.download<gs_stats>()[0];
    assert_int_equal(stats.dead, 400 - 3); // by hand: columns 1, 34 and 599 are alive
  }
}

// By hand: 3 and 4 with several exponents.
void test_exponents(void **) {
  static const int32_t exponents[] = {0, 1, -1, 7, 20001, -20000, -2000000000, 2000000000};
  for (const gs_dtype dtype : dtypes) {
    for (const int32_t exponent : exponents) {
      Subjects subjects;
      subjects.push_back(std::make_unique<Subject>(Shape{dtype, 1, 2, 0, 1, 0},
                                                   Wish{1, true, false, false, true},
                                                   std::vector<double>{3, 4}));
      Subject &s = *subjects[0];
      s.scales[0].exponent = exponent;
      s.slots.upload(s.scales.data());
      Scratch scratch(0);
      run(subjects, scratch);
      const gs_stats got = s.stats.download<gs_stats>()[0];
      const int64_t e = exponent;
      assert_int_equal(got.exponent, e);
      // 7 2^e is 1.75 2^(e+2) or 3.5 2^(e+1), whichever is even; 25 is 1.5625 2^4
      assert_true(got.sum.value == (e % 2 ? 3.5 : 1.75));
      assert_int_equal(got.sum.exponent, e % 2 ? e + 1 : e + 2);
      assert_true(got.sum_sq.value == 1.5625);
      assert_int_equal(got.sum_sq.exponent, 2 * e + 4);
      assert_true(got.min_abs == 3 && got.max_abs == 4);
    }
  }
}

long launches() {
  gs_sim_counts counts;
  gs_sim_get_counts(&counts);
  return counts.launches;
}

// More jobs than a table holds; tensors of many dtypes in one call; a step and replica
// too many for the scratch.
void test_many_jobs(void **) {
  Random random(7);
  Subjects subjects;
  for (size_t i = 0; i < 400; i++) {
    const int64_t cols = 1 + static_cast<int64_t>(random.below(40));
    add(subjects, {GS_F32, 2, cols, 0, 1, 0}, wish_of(i, 1), i % 2 == 0, random);
  }
  const long before = launches();
  Scratch none(0);
  run(subjects, none);
  const long needed = launches() - before;
  assert_true(needed >= 4 && needed <= 8); // two each: bounds of tensors with exponents
  for (const auto &s : subjects) assert_subject(*s);
}

void test_mixed_dtypes(void **) {
  Random random(8);
  Subjects subjects;
  for (size_t i = 0; i < 25; i++) {
    const Shape shape = {dtypes[i * i % 5], 9, i % 4 ? 31 : 2049, 0, 2, 0};
    add(subjects, shape, wish_of(i, 3), i % 2 == 0, random);
  }
  check(subjects, scratch_of(subjects, 30));
}

void test_little_scratch(void **) {
  Random random(9);
  Subjects subjects;
  add(subjects, {GS_F32, 3 * 65, 257, 0, 3, 0}, wish_of(0, 3), true, random);
  add(subjects, {GS_F32, 2, 9, 0, 2, 0}, wish_of(3, 1), true, random);
  add(subjects, {GS_F32, 130, 257, 0, 2, 0}, wish_of(4, 2), true, random);
  // 9 + 4 large units of several parts
  const size_t one = scratch_of(subjects, 1);
  for (const int64_t units : {1, 2, 5, 20}) {
    const long before = launches();
    Scratch scratch(scratch_of(subjects, units));
    run(subjects, scratch);
    const long needed = launches() - before;
    assert_true(units == 20 ? needed == 2 : needed > 2); // two: bounds, with exponents
    for (const auto &s : subjects) assert_subject(*s);
  }
  Scratch scratch(one / 4);
  assert_int_equal(gs_launch_stats({nullptr, 4}, &subjects[0]->job, 1, scratch.get()),
                   cudaErrorInvalidValue);
}

// What gs_stats_bytes promises, for all shapes up to its bounds.
void test_scratch_bound(void **) {
  Random random(10);
  for (const gs_dtype dtype : dtypes) {
    const auto bytes = static_cast<int64_t>(gs_dtype_bytes(dtype));
    const int lanes = static_cast<int>(16 / bytes);
    for (int i = 0; i < 20000; i++) {
      const int64_t cols = 1 + static_cast<int64_t>(std::exp2(17 * random.uniform()));
      const int64_t rows = 1 + static_cast<int64_t>(std::exp2(12 * random.uniform()));
      const bool whole_rows = i % 2;
      const gs::Parts parts =
          gs::parts_of(lanes, rows, cols, cols + i % 3, whole_rows, gs::stats_part_elements(bytes));
      const size_t need = gs::unit_scratch_bytes(parts.count, gs_dtype_exponent_bins(dtype), cols);
      assert_true(gs_stats_bytes(dtype, rows * cols, cols, 1) >= need);
      assert_true(gs_stats_bytes(dtype, rows * cols, cols, 7) >= 7 * need);
    }
  }
}

// A captured call runs again, on other data, without the table it was called with.
void test_graph(void **) {
  Random random(11);
  Subjects subjects;
  for (size_t i = 0; i < 40; i++) {
    add(subjects, {GS_BF16, 3, i % 9 ? 21 : 9001, 0, 1, 0}, wish_of(i, 1), true, random);
  }
  Scratch scratch(scratch_of(subjects, 40));
  cudaStream_t stream;
  cudaGraph_t graph;
  cudaGraphExec_t exec;
  succeed(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  succeed(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  {
    std::vector<gs_stats_job> jobs;
    for (const auto &s : subjects) jobs.push_back(s->job);
    succeed(gs_launch_stats({stream, 4}, jobs.data(), static_cast<int64_t>(jobs.size()),
                            scratch.get()));
  }
  succeed(cudaStreamEndCapture(stream, &graph));
  succeed(cudaGraphInstantiate(&exec, graph, 0));
  for (int round = 0; round < 2; round++) {
    for (const auto &s : subjects) {
      const gs_tensor &t = s->job.tensor;
      s->matrix.set(draw({t.dtype, t.rows, t.cols, 0, t.replicas, 0}, 10, true, random));
      s->values = s->matrix.get();
    }
    succeed(cudaGraphLaunch(exec, stream));
    succeed(cudaStreamSynchronize(stream));
    for (const auto &s : subjects) assert_subject(*s);
    scratch.assert_zero();
  }
  succeed(cudaGraphExecDestroy(exec));
  succeed(cudaGraphDestroy(graph));
  succeed(cudaStreamDestroy(stream));
}

} // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(test_small),         cmocka_unit_test(test_one_value),
      cmocka_unit_test(test_several_parts), cmocka_unit_test(test_addresses),
      cmocka_unit_test(test_f64_limits),    cmocka_unit_test(test_dead_columns),
      cmocka_unit_test(test_exponents),     cmocka_unit_test(test_many_jobs),
      cmocka_unit_test(test_mixed_dtypes),  cmocka_unit_test(test_little_scratch),
      cmocka_unit_test(test_scratch_bound), cmocka_unit_test(test_graph),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
