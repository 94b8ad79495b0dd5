// Recurrent loops for kernels/persistent.cu to run: shapes, their tensors, launches.
#ifndef GS_TESTS_KERNELS_PERSISTENT_CASE_H
#define GS_TESTS_KERNELS_PERSISTENT_CASE_H

#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "device/activation_scale.h"
#include "kernels/kernels.h"
#include "sequence.h"

// ---- cases -----------------------------------------------------------------------

struct Case {
  gs_dtype dtype;
  int n, batch, steps, replicas, pad;
  gs_activation phi;
  bool extended;
  bool every;    // the loss sees every step
  bool in_place; // phi' takes the projection's place
  double gain;   // of W: how much a step grows
  double input;  // size of the projection
  int multiprocessors;
  bool dead; // h_0, and dh of step 1, are 0 at an exponent that must not matter
};

inline Case case_of(gs_dtype dtype, gs_activation_kind kind, int n, int batch, int steps,
                    int replicas) {
  Case c{};
  c.dtype = dtype;
  c.n = n;
  c.batch = batch;
  c.steps = steps;
  c.replicas = replicas;
  c.phi = gs_activation{kind, 0.25};
  c.extended = c.every = c.in_place = true;
  c.gain = 1;
  c.input = 1;
  c.multiprocessors = 4;
  return c;
}

inline std::string name_of(const Case &c) {
  static const char *const dtypes[] = {"f64", "f32", "tf32", "bf16", "f16"};
  static const char *const phis[] = {"identity", "sigmoid", "tanh", "relu",     "leaky_relu", "elu",
                                     "selu",     "gelu",    "silu", "softsign", "softplus"};
  char text[160];
  std::snprintf(text, sizeof text, "%s %s n=%d B=%d T=%d R=%d pad=%d gain=%g input=%g%s%s%s%s",
                dtypes[c.dtype], phis[c.phi.kind], c.n, c.batch, c.steps, c.replicas, c.pad, c.gain,
                c.input, c.extended ? " extended" : "", c.every ? " every" : "",
                c.in_place ? " in-place" : "", c.dead ? " dead" : "");
  return text;
}

// The tensors of a case.
struct Data {
  explicit Data(const Case &c)
      : homogeneous(gs_activation_homogeneous(c.phi.kind)),
        w(c.dtype, c.replicas, 1, c.n, c.n, c.pad, false),
        p(c.dtype, c.replicas, c.steps, c.batch, c.n, c.pad, false),
        saved(c.dtype, c.replicas, c.steps, c.batch, c.n, c.pad, false),
        h(c.dtype, c.replicas, c.steps + 1, c.batch, c.n, c.pad, c.extended),
        dh(c.dtype, c.replicas, c.every ? c.steps : 1, c.batch, c.n, c.pad, c.extended),
        delta(c.dtype, c.replicas, c.steps, c.batch, c.n, c.pad, c.extended) {
    random_state = static_cast<uint32_t>(c.n * 131 + c.batch * 17 + c.steps);
    w.fill(0, c.gain * std::sqrt(3.0 / c.n), 0);
    p.fill_all(c.input, 0);
    h.fill(0, c.dead ? 0 : 1, c.dead ? 200 : 5);
    dh.fill_all(c.extended ? std::ldexp(1.0, -9) : 1.0, 60);
    if (c.dead) dh.fill(0, 0, 200);
  }
  const Sequence &slopes(const Case &c) const { return c.in_place ? p : saved; }
  void upload() const {
    for (const Sequence *each : {&w, &p, &saved, &h, &dh, &delta}) each->upload();
  }
  void download() {
    for (Sequence *each : {&p, &saved, &h, &delta}) each->download();
  }
  bool same(const Data &other) const {
    return h.same(other.h) && delta.same(other.delta) && p.same(other.p) && saved.same(other.saved);
  }
  // As before a launch.
  void reset() {
    h.empty_slots(1);
    delta.empty_slots(0);
  }
  bool padded() const { return p.padded() && saved.padded() && h.padded() && delta.padded(); }

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
    if (gs_persistent_blocks(queue(multiprocessors), &recurrent, c.batch, c.replicas) == 0) {
      return false;
    }
    data.upload();
    launch(c, data, multiprocessors);
    must(cudaStreamSynchronize(stream_), "synchronize");
    data.download();
    return true;
  }

  // Both passes as a graph, which later runs as often as replay is called.
  void capture(const Case &c, const Data &data) {
    cudaGraph_t graph = nullptr;
    must(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), "capture");
    launch(c, data, c.multiprocessors);
    must(cudaStreamEndCapture(stream_, &graph), "capture");
    must(cudaGraphInstantiate(&graph_, graph, 0), "instantiate");
    must(cudaGraphDestroy(graph), "destroy");
  }
  void replay(Data &data) {
    data.upload();
    must(cudaGraphLaunch(graph_, stream_), "replay");
    must(cudaStreamSynchronize(stream_), "synchronize");
    data.download();
  }
  void forget() { must(cudaGraphExecDestroy(graph_), "destroy"); }

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
  void launch(const Case &c, const Data &data, int multiprocessors) {
    const gs_recurrence recurrent = recurrence(c, data);
    const gs_queue where = queue(multiprocessors);
    const gs_tensor *saved = c.in_place ? &data.p.tensor : &data.saved.tensor;
    if (data.homogeneous) saved = nullptr;
    must(gs_launch_persistent_forward(where, &recurrent, &data.p.tensor, saved, &data.h.tensor,
                                      scratch_),
         "forward");
    must(gs_launch_persistent_backward(where, &recurrent, &data.dh.tensor, c.every ? c.steps : 1,
                                       saved, &data.h.tensor, &data.delta.tensor, scratch_),
         "backward");
  }

  cudaStream_t stream_ = nullptr;
  cudaGraphExec_t graph_ = nullptr;
  gs_scratch scratch_{};
};

#endif
