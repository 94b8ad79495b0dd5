// The recurrent loop in one launch (kernels/persistent.cu) against plain loops in
// float64. Every step is judged from the state that the kernel stored before it, so
// that tolerances are those of one step:
//
//   h_t = phi(W h_{t-1} + p_t)    delta_t = phi'(z_t) (W^T delta_{t+1} + dh_t)
//
// Exponents and peaks must be exactly those of device/scale.h. Counters are 0 after
// every launch, and the bits do not depend on how the work is cut.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "cuda_on_cpu_control.h"
#include "persistent_case.h"

namespace {

constexpr int MULTIPROCESSORS = 8; // that the runtime pretends to have; most cases use 4

int failures = 0;
int checks = 0;

bool expect(bool held, const std::string &what) {
  checks++;
  if (!held && failures++ < 20) std::fprintf(stderr, "failed: %s\n", what.c_str());
  return held;
}

double tolerance(gs_dtype dtype) { return dtype == GS_F32 ? 1e-5 : dtype == GS_BF16 ? 1e-2 : 2e-3; }

// ---- judging ---------------------------------------------------------------------

// Errors of a step's elements, relative to the largest of them. f16's least number is
// not small beside what has almost vanished.
void expect_close(const Case &c, const std::vector<double> &got, const std::vector<double> &want,
                  int exponent, const std::string &what) {
  double max = 0;
  double scale = 0;
  bool finite = true;
  for (size_t i = 0; i < want.size(); i++) {
    if (!std::isfinite(got[i]) || !std::isfinite(want[i])) finite = false;
    max = std::fmax(max, std::fabs(got[i] - want[i]));
    scale = std::fmax(scale, std::fabs(want[i]));
  }
  const double min = c.dtype == GS_F16 ? std::ldexp(1.0, exponent - 24) : 0;
  expect(finite && max <= tolerance(c.dtype) * scale + min, what);
}

void expect_slot(const Sequence &sequence, int replica, int block, int32_t exponent,
                 const std::string &what) {
  if (sequence.slots.empty()) return;
  expect(sequence.slot(replica, block).exponent == exponent, what + ": exponent");
  expect(sequence.slot(replica, block).peak == sequence.peak(replica, block), what + ": peak");
}

// y += x M^T or, with by_columns, x M, row by row.
void add_product(const Case &c, const std::vector<double> &m, bool by_columns,
                 const std::vector<double> &x, std::vector<double> &y) {
  const auto n = static_cast<size_t>(c.n);
  for (size_t i = 0; i < static_cast<size_t>(c.batch); i++) {
    for (size_t u = 0; u < n; u++) {
      for (size_t k = 0; k < n; k++) {
        y[i * n + u] += (by_columns ? m[k * n + u] : m[u * n + k]) * x[i * n + k];
      }
    }
  }
}

int32_t shifted(const Case &c, gs_scale slot) {
  return slot.exponent + gs_scale_shift(slot.peak, c.dtype);
}

void check_forward(const Case &c, const Data &data, const Sequence &p, int r, int t) {
  const std::string what =
      name_of(c) + ": step " + std::to_string(t) + ", replica " + std::to_string(r) + ": ";
  std::vector<double> z = p.values(r, t - 1);
  add_product(c, data.w.values(r, 0), false, data.h.values(r, t - 1), z);
  std::vector<double> slope = z;
  for (size_t i = 0; i < z.size(); i++) {
    const Phi phi = phi_at(c.phi, z[i]);
    z[i] = phi.value;
    slope[i] = phi.slope;
  }
  expect_close(c, data.h.values(r, t), z, data.h.exponent(r, t), what + "h");
  if (!data.homogeneous) {
    expect_close(c, data.slopes(c).values(r, t - 1), slope, 0, what + "phi'");
  }
  const int32_t joined = gs_scale_join(shifted(c, data.h.input(r, t - 1)), 0);
  expect_slot(data.h, r, t, gs_activation_grows(c.phi.kind) ? joined : 0, what + "h");
}

// phi' of a step as the forward pass left it.
std::vector<double> slopes_of(const Case &c, const Data &data, int r, int t) {
  if (!data.homogeneous) return data.slopes(c).values(r, t - 1);
  std::vector<double> slope = data.h.values(r, t);
  const double below = c.phi.kind == GS_RELU ? 0 : c.phi.kind == GS_IDENTITY ? 1 : c.phi.slope;
  for (double &each : slope) each = each <= 0 ? below : 1;
  return slope;
}

void check_backward(const Case &c, const Data &data, int r, int t) {
  const std::string what =
      name_of(c) + ": step " + std::to_string(t) + ", replica " + std::to_string(r) + ": ";
  const bool last = t == c.steps;
  const bool seen = c.every || last;
  const int block = c.every ? t - 1 : 0;
  std::vector<double> delta(static_cast<size_t>(c.batch * c.n), 0.0);
  if (seen) delta = data.dh.values(r, block);
  if (!last) add_product(c, data.w.values(r, 0), true, data.delta.values(r, t), delta);
  const std::vector<double> slope = slopes_of(c, data, r, t);
  for (size_t i = 0; i < delta.size(); i++) delta[i] *= slope[i];
  expect_close(c, data.delta.values(r, t - 1), delta, data.delta.exponent(r, t - 1),
               what + "delta");
  const int32_t of_next = last ? 0 : shifted(c, data.delta.input(r, t));
  const int32_t of_dh = seen ? shifted(c, data.dh.input(r, block)) : 0;
  const int32_t exponent = last ? of_dh : seen ? gs_scale_join(of_next, of_dh) : of_next;
  expect_slot(data.delta, r, t - 1, exponent, what + "delta");
}

// Other thread orders, and devices of fewer multiprocessors, on which the work is cut in
// another way.
void check_same_bits(Runner &runner, const Case &c, const Data &data) {
  for (int order = 1; order <= 2; order++) {
    gs_sim_set_order(order);
    Data again(c);
    if (!runner.run(c, again, order == 1 ? 3 : 1) && !runner.run(c, again, c.multiprocessors))
      continue;
    expect(again.same(data), name_of(c) + ": the same bits in order " + std::to_string(order));
    expect(runner.counters_clear(), name_of(c) + ": counters are 0 again");
  }
  gs_sim_set_order(0);
}

void check_case(Runner &runner, const Case &c) {
  Data data(c);
  const Data start(c);
  if (!expect(runner.run(c, data, c.multiprocessors), name_of(c) + ": fits")) return;
  expect(runner.counters_clear(), name_of(c) + ": counters are 0 afterwards");
  expect(data.padded(), name_of(c) + ": nothing is written between rows");
  for (int r = 0; r < c.replicas; r++) {
    for (int t = 1; t <= c.steps; t++) {
      check_forward(c, data, start.p, r, t);
      check_backward(c, data, r, t);
    }
  }
  check_same_bits(runner, c, data);
}

// ---- the cases ---------------------------------------------------------------------

void check_shapes(Runner &runner) {
  const gs_dtype dtypes[] = {GS_F32, GS_BF16, GS_F16};
  const gs_activation_kind kinds[] = {GS_TANH, GS_RELU, GS_SIGMOID, GS_IDENTITY, GS_GELU};
  const int sizes[] = {1, 33, 40, 130, 136, 257, 264};
  const int batches[] = {1, 3, 5, 33};
  const int steps[] = {1, 2, 7};
  int i = 0; /* every batch with every size; all else takes turns */
  for (int n : sizes) {
    for (int batch : batches) {
      const int T = n > 200 ? 2 : steps[(i + i / 3) % 3];
      Case c = case_of(dtypes[i % 3], kinds[i % 5], n, batch, T, i % 2 == 0 ? 1 : 3);
      c.pad = i % 4 == 1 ? 8 : i % 4 == 3 ? 5 : 0;
      c.extended = i % 4 < 2;
      c.every = i / 2 % 2 == 0;
      c.in_place = i % 2 == 0;
      check_case(runner, c);
      i++;
    }
  }
}

// Three slices of inputs, and blocks for 33 groups of units, on twice the multiprocessors.
void check_wide(Runner &runner) {
  for (gs_dtype dtype : {GS_F32, GS_BF16}) {
    Case c = case_of(dtype, GS_RELU, 520, 9, 2, 1);
    c.multiprocessors = MULTIPROCESSORS;
    check_case(runner, c);
  }
}

void check_activations(Runner &runner) {
  for (int kind = 0; kind < GS_ACTIVATION_COUNT; kind++) {
    for (gs_dtype dtype : {GS_F32, GS_BF16, GS_F16}) {
      Case c = case_of(dtype, static_cast<gs_activation_kind>(kind), 40, 5, 3, 1);
      c.every = false;
      c.gain = 1.5;
      check_case(runner, c);
    }
  }
}

// Digits that leave every window, and dtype, unless they are brought back.
void check_range(Runner &runner) {
  for (gs_dtype dtype : {GS_F32, GS_BF16, GS_F16}) {
    const double far = dtype == GS_F16 ? 64 : 1e12;
    for (gs_activation_kind kind :
         {GS_RELU, GS_LEAKY_RELU, GS_IDENTITY, GS_TANH, GS_GELU, GS_SILU, GS_ELU}) {
      for (double gain : {far, 1 / far}) {
        if (kind == GS_TANH && gain > 1) continue; // saturates
        // coarse digits do not say on which side of a narrow bend z lies
        if (gs_activation_needs_saved(kind) && dtype != GS_F32 && gain > 1) continue;
        Case c = case_of(dtype, kind, 40, 5, 7, 3);
        c.gain = gain;
        check_case(runner, c);
        c.input = dtype == GS_F16 ? 1e-4 : 1e-20; // does not hold up what shrinks
        c.dead = true;
        check_case(runner, c);
        c = case_of(dtype, kind, 150, 5, 4, 2);
        c.gain = gain;
        c.every = false;
        c.input = dtype == GS_F16 ? 1e-4 : 1e-20;
        check_case(runner, c);
      }
    }
  }
}

void check_graphs(Runner &runner) {
  const Case c = case_of(GS_F32, GS_TANH, 150, 9, 5, 2);
  Data data(c);
  if (!expect(runner.run(c, data, c.multiprocessors), "the loop to be captured fits")) return;
  Data again(c);
  const std::vector<unsigned char> p = again.p.image;
  runner.capture(c, again);
  for (int i = 0; i < 3; i++) {
    again.p.image = p; /* phi' took its place */
    again.reset();
    runner.replay(again);
    expect(again.same(data), "a graph's replay has the bits of the launch");
    expect(runner.counters_clear(), "a graph's replay leaves counters at 0");
  }
  runner.forget();
}

bool preferred(gs_dtype dtype, int n, int batch, int steps, int64_t w_step) {
  gs_recurrence recurrence{};
  recurrence.steps = steps;
  recurrence.w.rows = recurrence.w.cols = n;
  recurrence.w.dtype = dtype;
  recurrence.w_step = w_step;
  return gs_persistent_preferred(&recurrence, batch, 1, dtype);
}

// What no reasonable estimate would turn round.
void check_choice() {
  for (gs_dtype dtype : {GS_F32, GS_BF16, GS_F16}) {
    expect(preferred(dtype, 256, 32, 1000, 0), "small steps in one launch");
    expect(!preferred(dtype, 2048, 1024, 1000, 0), "large products by the library");
    expect(!preferred(dtype, 256, 32, 1, 0), "a single step by itself");
    expect(!preferred(dtype, 256, 32, 1000, 256 * 256), "never untied weights");
    expect(!preferred(dtype, 4096, 1, 1000, 0), "never what does not fit");
  }
  expect(!preferred(GS_F64, 256, 32, 1000, 0), "never f64");
  expect(!preferred(GS_TF32, 256, 32, 1000, 0), "never tf32");
}

void check_refusals(const Runner &runner) {
  const gs_queue queue = runner.queue(4);
  gs_recurrence recurrence{};
  recurrence.steps = 3;
  recurrence.activation.kind = GS_TANH;
  recurrence.w.rows = recurrence.w.cols = recurrence.w.ld = 32;
  recurrence.w.replicas = 1;
  recurrence.w.dtype = GS_F32;
  const auto fits = [&] { return gs_persistent_blocks(queue, &recurrence, 4, 1) > 0; };
  expect(fits(), "32 units fit");
  for (gs_dtype dtype : {GS_F64, GS_TF32}) {
    recurrence.w.dtype = dtype;
    expect(!fits(), "neither f64 nor tf32");
    expect(gs_launch_persistent_forward(queue, &recurrence, &recurrence.w, nullptr, &recurrence.w,
                                        gs_scratch{}) == cudaErrorNotSupported,
           "and no launch");
  }
  recurrence.w.dtype = GS_F32;
  recurrence.w_step = 32 * 32;
  expect(!fits(), "untied weights do not fit");
  recurrence.w_step = 0;
  recurrence.w.rows = recurrence.w.cols = recurrence.w.ld = 2049;
  expect(!fits(), "2049 units do not fit");
  expect(gs_persistent_blocks(runner.queue(1 << 20), &recurrence, 4, 1) == 0, "on no device");
  recurrence.w.rows = recurrence.w.cols = recurrence.w.ld = 2048;
  expect(!fits(), "2048 units do not fit on 4 multiprocessors");
}

} // namespace

int main() {
  setenv("GRADSWEEP_SIM_MULTIPROCESSORS", std::to_string(MULTIPROCESSORS).c_str(), 1);
  {
    Runner runner;
    check_shapes(runner);
    check_wide(runner);
    check_activations(runner);
    check_range(runner);
    check_graphs(runner);
    check_choice();
    check_refusals(runner);
  }
  std::printf("%d checks, %d failed\n", checks, failures);
  return failures == 0 ? 0 : 1;
}
