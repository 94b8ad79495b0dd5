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
#include <cstring>
#include <string>
#include <vector>

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "cuda_on_cpu_control.h"
#include "device/scale.h"
#include "kernels/kernels.h"

namespace {

int failures = 0;
int checks = 0;

bool expect(bool held, const std::string &what) {
  checks++;
  if (!held && failures++ < 20) std::fprintf(stderr, "failed: %s\n", what.c_str());
  return held;
}

void must(cudaError_t status, const char *what) {
  if (status == cudaSuccess) return;
  std::fprintf(stderr, "%s: %d\n", what, static_cast<int>(status));
  std::exit(1);
}

// ---- numbers -------------------------------------------------------------------

uint32_t random_state = 1;
double uniform() { // in (-1, 1)
  random_state = random_state * 1664525u + 1013904223u;
  return (static_cast<double>(random_state >> 8) + 0.5) / (1 << 23) - 1;
}

size_t bytes_of(gs_dtype dtype) { return dtype == GS_F32 ? 4 : 2; }

double tolerance(gs_dtype dtype) { return dtype == GS_F32 ? 1e-5 : dtype == GS_BF16 ? 1e-2 : 2e-3; }

void put(gs_dtype dtype, unsigned char *to, double value) {
  const auto rounded = static_cast<float>(value);
  if (dtype == GS_F32) {
    std::memcpy(to, &rounded, 4);
  } else if (dtype == GS_BF16) {
    const __nv_bfloat16 half = __float2bfloat16_rn(rounded);
    std::memcpy(to, &half, 2);
  } else {
    const __half half = __float2half_rn(rounded);
    std::memcpy(to, &half, 2);
  }
}

double get(gs_dtype dtype, const unsigned char *from) {
  if (dtype == GS_F32) {
    float value;
    std::memcpy(&value, from, 4);
    return static_cast<double>(value);
  }
  if (dtype == GS_BF16) {
    __nv_bfloat16 value;
    std::memcpy(&value, from, 2);
    return static_cast<double>(__bfloat162float(value));
  }
  __half value;
  std::memcpy(&value, from, 2);
  return static_cast<double>(__half2float(value));
}

// phi and phi' at z.
struct Phi {
  double value, slope;
};

Phi phi_at(gs_activation phi, double z) {
  const double sigmoid = 1 / (1 + std::exp(-z));
  const double normal = std::erfc(-z / std::sqrt(2.0)) / 2;
  const double density = std::exp(-z * z / 2) / std::sqrt(2 * M_PI);
  const double lambda = 1.0507009873554805;
  const double alpha = 1.6732632423543772;
  switch (phi.kind) {
  case GS_SIGMOID: return {sigmoid, sigmoid * (1 - sigmoid)};
  case GS_TANH: return {std::tanh(z), 1 / std::pow(std::cosh(z), 2)};
  case GS_RELU: return {z > 0 ? z : 0, z > 0 ? 1.0 : 0.0};
  case GS_LEAKY_RELU: return {z > 0 ? z : phi.slope * z, z > 0 ? 1.0 : phi.slope};
  case GS_ELU: return {z > 0 ? z : std::expm1(z), z > 0 ? 1 : std::exp(z)};
  case GS_SELU:
    return {lambda * (z > 0 ? z : alpha * std::expm1(z)),
            lambda * (z > 0 ? 1 : alpha * std::exp(z))};
  case GS_GELU: return {z * normal, normal + z * density};
  case GS_SILU: return {z * sigmoid, sigmoid + z * sigmoid * (1 - sigmoid)};
  case GS_SOFTSIGN: return {z / (1 + std::fabs(z)), 1 / std::pow(1 + std::fabs(z), 2)};
  case GS_SOFTPLUS: return {std::log1p(std::exp(z)), sigmoid};
  case GS_IDENTITY:
  case GS_ACTIVATION_COUNT: break;
  }
  return {z, 1};
}

// ---- tensors in device memory -----------------------------------------------------

// A sequence of `blocks` blocks of rows. What no element occupies is NaN.
class Sequence {
public:
  Sequence(gs_dtype dtype, int replicas, int blocks, int rows, int cols, int pad, bool tracked)
      : rows_(rows), blocks_(blocks) {
    tensor = gs_tensor{};
    tensor.rows = static_cast<int64_t>(blocks) * rows;
    tensor.cols = cols;
    tensor.ld = cols + pad;
    tensor.stride = tensor.rows * tensor.ld + pad;
    tensor.replicas = replicas;
    tensor.dtype = dtype;
    image.assign(static_cast<size_t>(replicas * tensor.stride) * bytes_of(dtype), 0xff);
    must(cudaMalloc(&tensor.data, image.size()), "cudaMalloc");
    if (!tracked) return;
    slots.assign(static_cast<size_t>(blocks * replicas), gs_scale{0, GS_PEAK_NONE});
    void *memory = nullptr;
    must(cudaMalloc(&memory, slots.size() * sizeof(gs_scale)), "cudaMalloc");
    tensor.scale = static_cast<gs_scale *>(memory);
  }
  ~Sequence() {
    cudaFree(tensor.data);
    cudaFree(tensor.scale);
  }
  Sequence(const Sequence &) = delete;
  Sequence &operator=(const Sequence &) = delete;

  double digits(int replica, int block, int row, int col) const {
    return get(tensor.dtype, image.data() + offset(replica, block, row, col));
  }
  double at(int replica, int block, int row, int col) const {
    return std::ldexp(digits(replica, block, row, col), exponent(replica, block));
  }
  int exponent(int replica, int block) const {
    return slots.empty() ? 0 : slot(replica, block).exponent;
  }
  const gs_scale &slot(int replica, int block) const {
    return slots[static_cast<size_t>(block * tensor.replicas + replica)];
  }
  // What the operations take for a slot that does not exist.
  gs_scale input(int replica, int block) const {
    return slots.empty() ? gs_scale{0, GS_PEAK_NONE} : gs_scale_input(slot(replica, block));
  }
  int32_t peak(int replica, int block) const {
    int32_t most = GS_PEAK_NONE;
    for (int i = 0; i < rows_; i++) {
      for (int j = 0; j < tensor.cols; j++) {
        const double x = digits(replica, block, i, j);
        if (x != 0 && std::isfinite(x) && std::ilogb(x) > most) most = std::ilogb(x);
      }
    }
    return most;
  }

  // Random digits of a magnitude, with an exponent that takes it to `size`.
  void fill(int block, double magnitude, int exponent) {
    for (int r = 0; r < tensor.replicas; r++) {
      for (int i = 0; i < rows_; i++) {
        for (int j = 0; j < tensor.cols; j++) {
          put(tensor.dtype, image.data() + offset(r, block, i, j), magnitude * uniform());
        }
      }
      if (!slots.empty()) {
        slots[static_cast<size_t>(block * tensor.replicas + r)] =
            gs_scale{exponent + r, peak(r, block)};
      }
    }
  }
  void fill_all(double magnitude, int exponent) {
    for (int block = 0; block < blocks_; block++) fill(block, magnitude, exponent - 3 * block);
  }

  void upload() const {
    must(cudaMemcpy(tensor.data, image.data(), image.size(), cudaMemcpyHostToDevice), "upload");
    if (slots.empty()) return;
    must(cudaMemcpy(tensor.scale, slots.data(), slots.size() * sizeof(gs_scale),
                    cudaMemcpyHostToDevice),
         "upload");
  }
  void download() {
    must(cudaMemcpy(image.data(), tensor.data, image.size(), cudaMemcpyDeviceToHost), "download");
    if (slots.empty()) return;
    must(cudaMemcpy(slots.data(), tensor.scale, slots.size() * sizeof(gs_scale),
                    cudaMemcpyDeviceToHost),
         "download");
  }
  bool same(const Sequence &other) const {
    return image == other.image &&
           (slots.empty() ||
            std::memcmp(slots.data(), other.slots.data(), slots.size() * sizeof(gs_scale)) == 0);
  }

  gs_tensor tensor;
  std::vector<unsigned char> image;
  std::vector<gs_scale> slots;

private:
  size_t offset(int replica, int block, int row, int col) const {
    const int64_t element =
        replica * tensor.stride + (static_cast<int64_t>(block) * rows_ + row) * tensor.ld + col;
    return static_cast<size_t>(element) * bytes_of(tensor.dtype);
  }
  int rows_, blocks_;
};

// ---- cases -----------------------------------------------------------------------

struct Case {
  gs_dtype dtype;
  int n, batch, steps, replicas, pad;
  gs_activation phi;
  bool extended;
  bool every;    // the loss sees every step
  bool in_place; // phi' takes the projection's place
  double gain;   // of W: how much a step grows
};

std::string name_of(const Case &c) {
  static const char *const dtypes[] = {"f64", "f32", "tf32", "bf16", "f16"};
  static const char *const phis[] = {"identity", "sigmoid", "tanh", "relu",     "leaky_relu", "elu",
                                     "selu",     "gelu",    "silu", "softsign", "softplus"};
  char text[160];
  std::snprintf(text, sizeof text, "%s %s n=%d B=%d T=%d R=%d pad=%d gain=%g%s%s%s",
                dtypes[c.dtype], phis[c.phi.kind], c.n, c.batch, c.steps, c.replicas, c.pad, c.gain,
                c.extended ? " extended" : "", c.every ? " every" : "",
                c.in_place ? " in-place" : "");
  return text;
}

// The tensors of a case.
struct Data {
  explicit Data(const Case &c)
      : homogeneous(gs_activation_homogeneous(c.phi.kind)),
        w(c.dtype, c.replicas, 1, c.n, c.n, c.pad, false),
        p(c.dtype, c.replicas, c.steps, c.batch, c.n, c.pad, false),
        saved(c.dtype, c.replicas, c.steps, c.batch, c.n, c.pad, false),
        h(c.dtype, c.replicas, c.steps + 1, c.batch, c.n, c.pad, c.extended && homogeneous),
        dh(c.dtype, c.replicas, c.every ? c.steps : 1, c.batch, c.n, c.pad, c.extended),
        delta(c.dtype, c.replicas, c.steps, c.batch, c.n, c.pad, c.extended) {
    random_state = static_cast<uint32_t>(c.n * 131 + c.batch * 17 + c.steps);
    w.fill(0, c.gain * std::sqrt(3.0 / c.n), 0);
    p.fill_all(1, 0);
    h.fill(0, 1, 5);
    dh.fill_all(c.extended ? std::ldexp(1.0, -9) : 1.0, 60);
  }
  const Sequence &slopes(const Case &c) const { return c.in_place ? p : saved; }

  bool homogeneous;
  Sequence w, p, saved, h, dh, delta;
};

// Counters, and the launches with a device of so many multiprocessors.
class Runner {
public:
  Runner() {
    must(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "stream");
    scratch_.counter_count = gs_persistent_counters(3);
    void *memory = nullptr;
    must(cudaMalloc(&memory, scratch_.counter_count * sizeof(uint32_t)), "cudaMalloc");
    must(cudaMemset(memory, 0, scratch_.counter_count * sizeof(uint32_t)), "cudaMemset");
    scratch_.counters = static_cast<uint32_t *>(memory);
  }
  ~Runner() {
    cudaFree(scratch_.counters);
    cudaStreamDestroy(stream_);
  }
  Runner(const Runner &) = delete;
  Runner &operator=(const Runner &) = delete;

  static gs_recurrence recurrence(const Case &c, const Data &data) {
    return gs_recurrence{c.steps, GS_LOOP_PERSISTENT, c.phi, data.w.tensor, 0};
  }
  gs_queue queue(int multiprocessors) const { return gs_queue{stream_, multiprocessors}; }

  // Both passes; false where W does not fit.
  bool run(const Case &c, Data &data, int multiprocessors) {
    const gs_recurrence recurrent = recurrence(c, data);
    const gs_queue where = queue(multiprocessors);
    if (gs_persistent_blocks(where, &recurrent, c.batch, c.replicas) == 0) return false;
    for (const Sequence *each : {&data.w, &data.p, &data.saved, &data.h, &data.dh, &data.delta}) {
      each->upload();
    }
    const gs_tensor *saved = c.in_place ? &data.p.tensor : &data.saved.tensor;
    if (!gs_activation_needs_saved(c.phi.kind)) saved = nullptr;
    must(gs_launch_persistent_forward(where, &recurrent, &data.p.tensor, saved, &data.h.tensor,
                                      scratch_),
         "forward");
    must(gs_launch_persistent_backward(where, &recurrent, &data.dh.tensor, c.every ? c.steps : 1,
                                       saved, &data.h.tensor, &data.delta.tensor, scratch_),
         "backward");
    must(cudaStreamSynchronize(stream_), "synchronize");
    data.h.download();
    data.delta.download();
    data.saved.download();
    data.p.download();
    return true;
  }

  bool counters_clear() const {
    std::vector<uint32_t> counters(scratch_.counter_count);
    must(cudaMemcpy(counters.data(), scratch_.counters, counters.size() * sizeof(uint32_t),
                    cudaMemcpyDeviceToHost),
         "download");
    for (uint32_t counter : counters) {
      if (counter != 0) return false;
    }
    return true;
  }

private:
  cudaStream_t stream_ = nullptr;
  gs_scratch scratch_{};
};

// ---- judging ---------------------------------------------------------------------

// The largest error among a step's elements, and the largest magnitude.
struct Error {
  double most = 0, scale = 0;
  bool finite = true;
  void add(double got, double want) {
    if (!std::isfinite(got)) finite = false;
    most = std::fmax(most, std::fabs(got - want));
    scale = std::fmax(scale, std::fabs(want));
  }
  bool within(double tol) const { return finite && most <= tol * scale; }
};

void check_forward(const Case &c, const Data &data, const Sequence &p) {
  const std::string name = name_of(c) + ": ";
  for (int r = 0; r < c.replicas; r++) {
    for (int t = 1; t <= c.steps; t++) {
      Error of_h;
      Error of_slope;
      for (int i = 0; i < c.batch; i++) {
        for (int u = 0; u < c.n; u++) {
          double z = p.at(r, t - 1, i, u);
          for (int k = 0; k < c.n; k++) z += data.w.at(r, 0, u, k) * data.h.at(r, t - 1, i, k);
          const Phi phi = phi_at(c.phi, z);
          of_h.add(data.h.at(r, t, i, u), phi.value);
          if (!data.homogeneous) of_slope.add(data.slopes(c).at(r, t - 1, i, u), phi.slope);
        }
      }
      const std::string where = " of step " + std::to_string(t) + ", replica " + std::to_string(r);
      expect(of_h.within(tolerance(c.dtype)), name + "h" + where);
      expect(of_slope.within(tolerance(c.dtype)), name + "phi'" + where);
      if (data.h.slots.empty()) continue;
      const gs_scale before = data.h.input(r, t - 1);
      const int32_t exponent =
          gs_scale_join(before.exponent + gs_scale_shift(before.peak, c.dtype), 0);
      expect(data.h.slot(r, t).exponent == exponent, name + "exponent of h" + where);
      expect(data.h.slot(r, t).peak == data.h.peak(r, t), name + "peak of h" + where);
    }
  }
}

double slope_of(const Case &c, const Data &data, int r, int t, int i, int u) {
  if (!data.homogeneous) return data.slopes(c).at(r, t - 1, i, u);
  if (c.phi.kind == GS_IDENTITY) return 1;
  const double below = c.phi.kind == GS_RELU ? 0 : c.phi.slope;
  return data.h.digits(r, t, i, u) <= 0 ? below : 1;
}

void check_backward(const Case &c, const Data &data) {
  const std::string name = name_of(c) + ": ";
  for (int r = 0; r < c.replicas; r++) {
    for (int t = c.steps; t >= 1; t--) {
      const int block = c.every ? t - 1 : t == c.steps ? 0 : -1;
      Error error;
      for (int i = 0; i < c.batch; i++) {
        for (int u = 0; u < c.n; u++) {
          double eps = block < 0 ? 0 : data.dh.at(r, block, i, u);
          for (int k = 0; t < c.steps && k < c.n; k++) {
            eps += data.w.at(r, 0, k, u) * data.delta.at(r, t, i, k);
          }
          error.add(data.delta.at(r, t - 1, i, u), eps * slope_of(c, data, r, t, i, u));
        }
      }
      const std::string where = " of step " + std::to_string(t) + ", replica " + std::to_string(r);
      expect(error.within(tolerance(c.dtype)), name + "delta" + where);
      if (data.delta.slots.empty()) continue;
      const gs_scale next = t == c.steps ? gs_scale{0, GS_PEAK_NONE} : data.delta.input(r, t);
      const gs_scale dh = block < 0 ? gs_scale{0, GS_PEAK_NONE} : data.dh.input(r, block);
      const int32_t of_next = next.exponent + gs_scale_shift(next.peak, c.dtype);
      const int32_t of_dh = dh.exponent + gs_scale_shift(dh.peak, c.dtype);
      const int32_t exponent = t == c.steps ? of_dh
                               : block < 0  ? of_next
                                            : gs_scale_join(of_next, of_dh);
      expect(data.delta.slot(r, t - 1).exponent == exponent, name + "exponent of delta" + where);
      expect(data.delta.slot(r, t - 1).peak == data.delta.peak(r, t - 1),
             name + "peak of delta" + where);
    }
  }
}

void check_case(Runner &runner, const Case &c) {
  Data data(c);
  const Data start(c);
  std::vector<unsigned char> p = start.p.image;
  if (!expect(runner.run(c, data, 4), name_of(c) + ": fits")) return;
  expect(runner.counters_clear(), name_of(c) + ": counters are 0 afterwards");
  check_forward(c, data, start.p);
  check_backward(c, data);
  for (int multiprocessors = 4; multiprocessors >= 1; multiprocessors--) {
    Data again(c);
    if (!runner.run(c, again, multiprocessors)) continue;
    const bool same = again.h.same(data.h) && again.delta.same(data.delta) &&
                      again.slopes(c).same(data.slopes(c));
    expect(same, name_of(c) + ": the same bits on " + std::to_string(multiprocessors) +
                     " multiprocessors");
    expect(runner.counters_clear(), name_of(c) + ": counters are 0 again");
  }
}

// ---- the cases ---------------------------------------------------------------------

gs_activation phi_of(gs_activation_kind kind) { return gs_activation{kind, 0.25}; }

void check_shapes(Runner &runner) {
  const gs_dtype dtypes[] = {GS_F32, GS_BF16, GS_F16};
  const gs_activation_kind kinds[] = {GS_TANH, GS_RELU, GS_SIGMOID, GS_IDENTITY, GS_GELU};
  const int sizes[] = {1, 33, 40, 130, 136, 257, 264};
  const int batches[] = {1, 3, 5, 33};
  const int steps[] = {1, 2, 7};
  int i = 0;
  for (int n : sizes) {
    for (int batch : batches) {
      if (n > 200 && batch == 33) continue; // time
      for (int T : steps) {
        Case c{};
        c.dtype = dtypes[i % 3];
        c.n = n;
        c.batch = batch;
        c.steps = n > 200 && T == 7 ? 3 : T;
        c.replicas = i % 2 == 0 ? 1 : 3;
        c.pad = i % 4 == 1 ? 8 : i % 4 == 3 ? 5 : 0;
        c.phi = phi_of(kinds[i % 5]);
        c.extended = i % 4 < 2;
        c.every = i / 2 % 2 == 0;
        c.in_place = i % 2 == 0;
        c.gain = 1;
        check_case(runner, c);
        i++;
      }
    }
  }
}

void check_activations(Runner &runner) {
  for (int kind = 0; kind < GS_ACTIVATION_COUNT; kind++) {
    for (gs_dtype dtype : {GS_F32, GS_BF16, GS_F16}) {
      Case c{dtype, 40,    5,    3,  1, 0, phi_of(static_cast<gs_activation_kind>(kind)),
             true,  false, true, 1.5};
      check_case(runner, c);
    }
  }
}

// Digits that leave every window, and dtype, unless they are brought back.
void check_range(Runner &runner) {
  for (gs_dtype dtype : {GS_F32, GS_BF16, GS_F16}) {
    const double far = dtype == GS_F16 ? 64 : 1e12;
    for (gs_activation_kind kind : {GS_RELU, GS_LEAKY_RELU, GS_IDENTITY, GS_TANH}) {
      for (double gain : {far, 1 / far}) {
        if (kind == GS_TANH && gain > 1) continue; // saturates
        check_case(runner, Case{dtype, 40, 5, 7, 3, 0, phi_of(kind), true, true, true, gain});
        check_case(runner, Case{dtype, 150, 9, 7, 2, 0, phi_of(kind), true, false, true, gain});
      }
    }
  }
}

void check_refusals(const Runner &runner) {
  const gs_queue queue = runner.queue(4);
  gs_recurrence recurrence{};
  recurrence.steps = 3;
  recurrence.activation = phi_of(GS_TANH);
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
  {
    Runner runner;
    for (int order = 0; order < 3; order++) {
      gs_sim_set_order(order);
      check_shapes(runner);
      check_activations(runner);
      check_range(runner);
    }
    check_refusals(runner);
  }
  std::printf("%d checks, %d failed\n", checks, failures);
  return failures == 0 ? 0 : 1;
}
