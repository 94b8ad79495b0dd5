#include "graph.h"

#include <algorithm>

#include "die.h"
#include "heap.h"

namespace gs_sim {
namespace {

std::vector<std::unique_ptr<Capture>> active;
unsigned long captures_begun;

unsigned long this_thread() {
  static unsigned long threads = 0;
  thread_local unsigned long number = ++threads;
  return number;
}

void join(Capture &capture, const std::shared_ptr<Stream> &stream) {
  stream->capture = &capture;
  stream->branch = capture.graph.branch_fibers.size();
  capture.graph.branch_fibers.push_back(stream->fibers);
  capture.last_node.push_back(no_node);
  capture.members.insert(stream);
}

// Adds a node at the end of the stream's branch; its number.
size_t add(Stream &stream, Node node) {
  Capture &capture = *stream.capture;
  size_t &last = capture.last_node[stream.branch];
  node.branch = stream.branch;
  node.previous = last;
  capture.graph.nodes.push_back(std::move(node));
  last = capture.graph.nodes.size() - 1;
  return last;
}

// Whether every node comes before the end of the origin's branch.
bool all_joined(const Capture &capture) {
  const std::vector<Node> &nodes = capture.graph.nodes;
  std::vector<bool> reached(nodes.size(), false);
  std::vector<size_t> open = {capture.last_node[0]};
  while (!open.empty()) {
    const size_t node = open.back();
    open.pop_back();
    if (node == no_node || reached[node]) continue;
    reached[node] = true;
    open.push_back(nodes[node].previous);
    open.push_back(nodes[node].waits_for);
  }
  return std::all_of(reached.begin(), reached.end(), [](bool r) { return r; });
}

void remove(Capture &capture) {
  for (const std::shared_ptr<Stream> &stream : capture.members) stream->capture = nullptr;
  active.erase(std::find_if(active.begin(), active.end(),
                            [&capture](const auto &other) { return other.get() == &capture; }));
}

Capture *capture_numbered(unsigned long number) {
  for (const auto &capture : active)
    if (capture->number == number) return capture.get();
  return nullptr;
}

} // namespace

bool capture_is_active() { return !active.empty(); }

void capture_forget_all() {
  while (!active.empty()) remove(*active.back());
}

cudaError_t capture_begin(const std::shared_ptr<Stream> &stream, cudaStreamCaptureMode mode) {
  if (stream->capture != nullptr) return cudaErrorIllegalState;
  auto capture = std::make_unique<Capture>();
  capture->number = ++captures_begun;
  capture->mode = mode;
  capture->thread = this_thread();
  capture->origin = stream.get();
  join(*capture, stream);
  active.push_back(std::move(capture));
  return cudaSuccess;
}

cudaError_t capture_end(Stream &stream, Graph **graph) {
  *graph = nullptr;
  if (stream.capture == nullptr) return cudaErrorIllegalState;
  Capture &capture = *stream.capture;
  cudaError_t error = cudaSuccess;
  if (capture.origin != &stream)
    error = cudaErrorStreamCaptureUnmatched;
  else if (capture.mode != cudaStreamCaptureModeRelaxed && capture.thread != this_thread())
    error = cudaErrorStreamCaptureWrongThread;
  if (error != cudaSuccess) {
    capture.invalid = true;
    return error;
  }
  if (capture.invalid)
    error = cudaErrorStreamCaptureInvalidated;
  else if (!all_joined(capture))
    error = cudaErrorStreamCaptureUnjoined;
  if (error == cudaSuccess) *graph = new Graph(std::move(capture.graph));
  remove(capture);
  return error;
}

cudaError_t capture_add(Stream &stream, Work work) {
  if (stream.capture->invalid) return cudaErrorStreamCaptureInvalidated;
  Node node{};
  node.work = std::move(work);
  add(stream, std::move(node));
  return cudaSuccess;
}

cudaError_t capture_record(Stream &stream, Event &event) {
  if (stream.capture->invalid) return cudaErrorStreamCaptureInvalidated;
  Node node{};
  node.records = true;
  event.last = nullptr;
  event.capture = stream.capture->number;
  event.capture_node = add(stream, std::move(node));
  return cudaSuccess;
}

cudaError_t capture_wait(const std::shared_ptr<Stream> &stream, Event &event) {
  Capture *ours = stream->capture;
  if (ours != nullptr && ours->invalid) return cudaErrorStreamCaptureInvalidated;
  if (event.capture == 0) { // recorded outside, or never
    if (event.last == nullptr) return cudaSuccess;
    ours->invalid = true;
    return cudaErrorStreamCaptureIsolation;
  }
  Capture *theirs = capture_numbered(event.capture);
  if (theirs == nullptr) return cudaErrorCapturedEvent;
  if (theirs->invalid) return cudaErrorStreamCaptureInvalidated;
  if (ours == nullptr) {
    join(*theirs, stream);
  } else if (ours != theirs) {
    ours->invalid = true;
    theirs->invalid = true;
    return cudaErrorStreamCaptureMerge;
  }
  Node node{};
  node.waits_for = event.capture_node;
  add(*stream, std::move(node));
  return cudaSuccess;
}

cudaError_t capture_forbids(bool always) {
  bool forbidden = false;
  for (const auto &capture : active) {
    const bool applies =
        always || capture->mode == cudaStreamCaptureModeGlobal ||
        (capture->mode == cudaStreamCaptureModeThreadLocal && capture->thread == this_thread());
    if (!applies) continue;
    capture->invalid = true;
    forbidden = true;
  }
  return forbidden ? cudaErrorStreamCaptureUnsupported : cudaSuccess;
}

GraphExec *graph_instantiate(const Graph &graph) {
  auto *exec = new GraphExec;
  exec->graph = graph;
  for (const std::shared_ptr<FiberPool> &fibers : graph.branch_fibers)
    exec->branches.push_back(stream_create(fibers));
  return exec;
}

// Every launch enqueues the nodes anew on the branches' streams, each behind the
// begin of the launch, and runs them to their end.
Work graph_work(GraphExec *exec) {
  return [exec](Stream &stream) {
    const HeapOpen open;
    const Graph &graph = exec->graph;
    std::vector<std::shared_ptr<Record>> records(graph.nodes.size());
    {
      const Quiet quiet;
      for (size_t i = 0; i < graph.nodes.size(); i++) {
        const Node &node = graph.nodes[i];
        auto operation = std::make_shared<Operation>();
        operation->work = node.work;
        if (node.records) {
          records[i] = std::make_shared<Record>();
          records[i]->stream = exec->branches[node.branch];
          operation->record = records[i];
        }
        if (node.waits_for != no_node) operation->wait = records[node.waits_for];
        operation->submitted.release();
        exec->branches[node.branch]->pending.push_back(std::move(operation));
      }
    }
    streams_run(exec->branches);
    for (const std::shared_ptr<Stream> &branch : exec->branches) branch->finished.acquire();
    (void)stream;
  };
}

} // namespace gs_sim
