// Captures and graphs.
#ifndef GS_CUDA_ON_CPU_GRAPH_H
#define GS_CUDA_ON_CPU_GRAPH_H

#include <cuda_runtime_api.h>

#include <memory>
#include <set>
#include <vector>

#include "stream.h"

namespace gs_sim {

constexpr size_t no_node = ~size_t{0};

// A captured operation: work, or the recording of an event, or a wait for one.
struct Node {
  Work work;
  size_t branch;              // the captured stream, counted from the origin's 0
  size_t previous = no_node;  // the node before it in its branch
  size_t waits_for = no_node; // the recording that it waits for
  bool records = false;
};

struct Graph {
  std::vector<Node> nodes;
  std::vector<std::shared_ptr<FiberPool>> branch_fibers;
};

// A graph ready to run, with a stream of its own for each branch.
struct GraphExec {
  Graph graph;
  std::vector<std::shared_ptr<Stream>> branches;
};

struct Capture {
  Graph graph;
  unsigned long number;
  cudaStreamCaptureMode mode;
  unsigned long thread; // that began it
  bool invalid = false;
  Stream *origin;
  std::set<std::shared_ptr<Stream>> members;
  std::vector<size_t> last_node; // of each branch
};

cudaError_t capture_begin(const std::shared_ptr<Stream> &stream, cudaStreamCaptureMode mode);
// Ends the capture; *graph is NULL unless it succeeds.
cudaError_t capture_end(Stream &stream, Graph **graph);
// Adds work to the capture that a stream is in.
cudaError_t capture_add(Stream &stream, Work work);
cudaError_t capture_record(Stream &stream, Event &event);
// A wait by a stream that is in a capture, or for an event that a capture recorded.
cudaError_t capture_wait(const std::shared_ptr<Stream> &stream, Event &event);
// Of calls that may wait or allocate: cudaErrorStreamCaptureUnsupported, and the
// captures that forbid them are invalid from then on. `always`: in relaxed mode, too.
cudaError_t capture_forbids(bool always);
bool capture_is_active();
void capture_forget_all();

GraphExec *graph_instantiate(const Graph &graph);
// The work of launching it.
Work graph_work(GraphExec *exec);

} // namespace gs_sim

#endif
