// What kernels execute, counted on the CPU in the PTX that nvcc made of them: launches of
// fixed shapes and data, a line for each of their kernels on the standard output:
//
//   LAUNCH KERNEL ELEMENTS INSTRUCTIONS FENCES TO_DATA LOADS_BEFORE
//
// ELEMENTS: of the tensor that is written or read. The others are ptx_on_cpu.h's counts.
// instructions.py holds them against the budget.
#include <cstdio>
#include <string>
#include <vector>

#include "cuda_on_cpu/kernels/persistent_case.h"
#include "cuda_on_cpu/kernels/stats_subject.h"
#include "ptx_on_cpu.h"

namespace {

const gs_queue queue = {nullptr, 4};
constexpr gs_dtype dtypes[] = {GS_F64, GS_F32, GS_BF16, GS_F16};
const char *const names[] = {"f64", "f32", "tf32", "bf16", "f16"};

struct Line {
  std::string launch;
  int64_t elements;
};

void print(const char *kernel, const gs_ptx_count *count, void *context) {
  const Line &line = *static_cast<const Line *>(context);
  const auto number = [](uint64_t n) { return static_cast<unsigned long long>(n); };
  std::printf("%s %s %lld %llu %llu %llu %llu\n", line.launch.c_str(), kernel,
              static_cast<long long>(line.elements), number(count->instructions),
              number(count->fences), number(count->to_data), number(count->loads_before));
}

template <class Launch> void counted(const std::string &name, int64_t elements, Launch launch) {
  gs_ptx_clear_counts();
  launch();
  gs_test::succeed(cudaDeviceSynchronize());
  Line line = {name, elements};
  gs_ptx_each_count(print, &line);
}

// A tensor of R = 2 with slots, of numbers around 1.
struct Slotted {
  Slotted(gs_dtype dtype, int64_t rows, int64_t cols, uint64_t seed)
      : matrix({dtype, rows, cols, 0, 2, 0}, drawn(rows * cols * 2, seed)),
        slots(2 * sizeof(gs_scale)), tensor(matrix.tensor) {
    const gs_scale scales[2] = {{0, 0}, {0, 0}};
    slots.upload(scales);
    tensor.scale = static_cast<gs_scale *>(slots.data);
  }
  static std::vector<double> drawn(int64_t count, uint64_t seed) {
    gs_test::Random random(seed);
    std::vector<double> values(static_cast<size_t>(count));
    for (double &x : values) x = 2 * random.symmetric();
    return values;
  }
  int64_t elements() const { return tensor.rows * tensor.cols * tensor.replicas; }
  gs_test::Matrix matrix;
  gs_test::Memory slots;
  gs_tensor tensor;
};

void pointwise(gs_dtype dtype, gs_activation_kind kind, const char *phi) {
  const std::string of = std::string(names[dtype]) + "." + phi;
  Slotted z(dtype, 64, 512, 1), h(dtype, 64, 512, 2), saved(dtype, 64, 512, 3);
  Slotted dh(dtype, 64, 512, 4), delta(dtype, 64, 512, 5), bias(dtype, 1, 512, 6);
  Slotted db(dtype, 1, 512, 7);
  bias.tensor.scale = nullptr;
  const gs_activation activation = {kind, 0.25};
  const gs_tensor *keeps = gs_activation_needs_saved(kind) ? &saved.tensor : nullptr;
  counted("forward." + of, h.elements(), [&] {
    gs_test::succeed(gs_launch_activate(queue, &z.tensor, z.tensor.scale, &bias.tensor, activation,
                                        keeps, &h.tensor));
  });
  gs_test::Memory partial(gs_column_sums_bytes(64, 512, 2, dtype));
  gs_test::Memory counters(gs_column_sums_counters(512, 2) * sizeof(uint32_t));
  counters.fill(0);
  const gs_scratch scratch = {partial.data, partial.bytes, static_cast<uint32_t *>(counters.data),
                              counters.bytes / sizeof(uint32_t)};
  for (const gs_tensor *sums :
       {static_cast<const gs_tensor *>(nullptr), &std::as_const(db.tensor)}) {
    counted((sums ? "backward_sums." : "backward.") + of, delta.elements(), [&] {
      gs_test::succeed(gs_launch_activate_backward(queue, &z.tensor, z.tensor.scale, &dh.tensor,
                                                   activation, keeps, &h.tensor, &delta.tensor,
                                                   sums, scratch));
    });
  }
}

void fills(gs_dtype dtype) {
  static const struct {
    gs_fill_kind kind;
    const char *name;
  } kinds[] = {{GS_FILL_CONSTANT, "constant"},         {GS_FILL_NORMAL, "normal"},
               {GS_FILL_UNIFORM, "uniform"},           {GS_FILL_TRUNCATED_NORMAL, "truncated"},
               {GS_FILL_TWO_UNIFORMS, "two_uniforms"}, {GS_FILL_IDENTITY, "identity"}};
  Slotted weights(dtype, 256, 256, 1);
  for (const auto &each : kinds) {
    const gs_fill fill = {each.kind, 0.5, 1, 3};
    counted(std::string("fill.") + names[dtype] + "." + each.name, weights.elements(),
            [&] { gs_test::succeed(gs_launch_fill(queue, &weights.tensor, &fill)); });
  }
}

void statistics(gs_dtype dtype) {
  gs_test::Random random(1);
  for (const bool full : {false, true}) {
    const gs_test::Shape shape = {dtype, 64, 1024, 0, 1, 0};
    gs_test::Subjects subjects;
    subjects.push_back(std::make_unique<gs_test::Subject>(
        shape, gs_test::Wish{1, full, full, full, true}, gs_test::draw(shape, 4, false, random)));
    gs_test::Scratch scratch(gs_test::scratch_of(subjects, 2));
    counted(std::string(full ? "stats_full." : "stats_norms.") + names[dtype], 64 * 1024,
            [&] { gs_test::run(subjects, scratch); });
  }
}

void shifts(gs_dtype dtype) {
  Slotted delta(dtype, 64, 512, 1), shifted(dtype, 64, 512, 2);
  const std::vector<gs_scale> steps(8, gs_scale{3, 0});
  gs_test::Memory slots(steps.size() * sizeof(gs_scale)), exponents(2 * sizeof(int32_t));
  slots.upload(steps.data());
  exponents.fill(0);
  delta.tensor.scale = static_cast<gs_scale *>(slots.data);
  shifted.tensor.scale = nullptr;
  counted(std::string("shift_steps.") + names[dtype], delta.elements(), [&] {
    gs_test::succeed(gs_launch_shift_steps(queue, &delta.tensor, nullptr, 4,
                                           static_cast<const int32_t *>(exponents.data),
                                           &shifted.tensor));
  });
}

// Of one block, which waits for nobody: how often others turn round is not the kernel's.
void loops(gs_dtype dtype, gs_activation_kind kind, const char *phi) {
  Case c = case_of(dtype, kind, 96, 6, 10, 1);
  c.multiprocessors = 1;
  Data data(c);
  Runner runner;
  counted(std::string("loop.") + names[dtype] + "." + phi, int64_t{96} * 6 * 10,
          [&] { runner.run(c, data, c.multiprocessors); });
}

} // namespace

int main() {
  if (gs_ptx_kernels() == 0) return 1;
  for (const gs_dtype dtype : dtypes) {
    pointwise(dtype, GS_RELU, "relu");
    pointwise(dtype, GS_TANH, "tanh");
    pointwise(dtype, GS_GELU, "gelu");
    fills(dtype);
    statistics(dtype);
    shifts(dtype);
    if (dtype != GS_F64) loops(dtype, GS_TANH, "tanh");
  }
  return 0;
}
