// Streams, events and graphs.
#include <set>

#include "api.h"
#include "die.h"
#include "graph.h"
#include "injection.h"

using namespace gs_sim;

namespace {

std::set<Event *> live_events;
std::set<Graph *> live_graphs;
std::set<GraphExec *> live_execs;

Event *event_of(cudaEvent_t handle) {
  const auto found = live_events.find(reinterpret_cast<Event *>(handle));
  return found == live_events.end() ? nullptr : *found;
}

template <class T> bool forget(std::set<T *> &live, T *object) {
  if (live.erase(object) == 0) return false;
  delete object;
  return true;
}

} // namespace

cudaError_t gs_sim::enqueue_work(cudaStream_t handle, Work work) {
  const std::shared_ptr<Stream> stream = stream_of(handle);
  if (!stream) return cudaErrorInvalidResourceHandle;
  if (stream->capture != nullptr) return capture_add(*stream, std::move(work));
  const auto operation = std::make_shared<Operation>();
  operation->work = std::move(work);
  stream_enqueue(stream, operation);
  return cudaSuccess;
}

// ---- streams -----------------------------------------------------------------

cudaError_t cudaStreamCreateWithPriority(cudaStream_t *stream, unsigned flags, int) {
  return api_call(CallKind::ordinary, [=] {
    if (flags != cudaStreamNonBlocking)
      die("only streams with cudaStreamNonBlocking are simulated");
    *stream = static_cast<cudaStream_t>(stream_register(stream_create(nullptr)));
    return cudaSuccess;
  });
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags) {
  return cudaStreamCreateWithPriority(stream, flags, 0);
}

cudaError_t cudaDeviceGetStreamPriorityRange(int *min, int *greatest) {
  return api_call(CallKind::ordinary, [=] {
    *min = 0;
    *greatest = -5;
    return cudaSuccess;
  });
}

// Work that is still queued is done first.
cudaError_t cudaStreamDestroy(cudaStream_t handle) {
  return api_call(CallKind::releasing, [=] {
    const std::shared_ptr<Stream> stream = handle != nullptr ? stream_of(handle) : nullptr;
    if (!stream) return cudaErrorInvalidResourceHandle;
    if (stream->capture != nullptr) capture_forbids(true);
    stream_synchronize(*stream);
    stream_unregister(handle);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
  return api_call(CallKind::ordinary, [=] {
    const std::shared_ptr<Stream> stream = stream_of(handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    const cudaError_t error = capture_forbids(stream->capture != nullptr);
    if (error == cudaSuccess) stream_synchronize(*stream);
    return error;
  });
}

// Lazy work gets on by one stream's worth for every time that it is asked about.
cudaError_t cudaStreamQuery(cudaStream_t handle) {
  return api_call(CallKind::ordinary, [=] {
    const std::shared_ptr<Stream> stream = stream_of(handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    const cudaError_t error = capture_forbids(stream->capture != nullptr);
    if (error != cudaSuccess) return error;
    const bool ready = stream->pending.empty();
    stream_synchronize(*stream);
    return ready ? cudaSuccess : cudaErrorNotReady;
  });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event_handle, unsigned flags) {
  return api_call(CallKind::ordinary, [=] {
    const std::shared_ptr<Stream> stream = stream_of(handle);
    Event *event = event_of(event_handle);
    if (!stream || event == nullptr) return cudaErrorInvalidResourceHandle;
    if (flags != 0) return cudaErrorInvalidValue;
    if (stream->capture != nullptr || event->capture != 0) return capture_wait(stream, *event);
    if (!event->last) return cudaSuccess;
    const auto operation = std::make_shared<Operation>();
    operation->wait = event->last;
    stream_enqueue(stream, operation);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus *status) {
  return api_call(CallKind::ordinary, [=] {
    const std::shared_ptr<Stream> stream = stream_of(handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    if (handle == nullptr && capture_is_active()) return cudaErrorStreamCaptureImplicit;
    *status = cudaStreamCaptureStatusNone;
    if (stream->capture != nullptr)
      *status = stream->capture->invalid ? cudaStreamCaptureStatusInvalidated
                                         : cudaStreamCaptureStatusActive;
    return cudaSuccess;
  });
}

// ---- events ------------------------------------------------------------------

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags) {
  return api_call(CallKind::ordinary, [=] {
    auto *created = new Event;
    created->timing = (flags & cudaEventDisableTiming) == 0;
    live_events.insert(created);
    counts.live_events++;
    *event = reinterpret_cast<cudaEvent_t>(created);
    return cudaSuccess;
  });
}

cudaError_t cudaEventCreate(cudaEvent_t *event) {
  return cudaEventCreateWithFlags(event, cudaEventDefault);
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  return api_call(CallKind::releasing, [=] {
    if (!forget(live_events, event_of(event))) return cudaErrorInvalidResourceHandle;
    counts.live_events--;
    return cudaSuccess;
  });
}

cudaError_t cudaEventRecord(cudaEvent_t event_handle, cudaStream_t handle) {
  return api_call(CallKind::ordinary, [=] {
    const std::shared_ptr<Stream> stream = stream_of(handle);
    Event *event = event_of(event_handle);
    if (!stream || event == nullptr) return cudaErrorInvalidResourceHandle;
    if (stream->capture != nullptr) return capture_record(*stream, *event);
    event->capture = 0;
    event->last = std::make_shared<Record>();
    event->last->stream = stream;
    const auto operation = std::make_shared<Operation>();
    operation->record = event->last;
    stream_enqueue(stream, operation);
    return cudaSuccess;
  });
}

cudaError_t cudaEventSynchronize(cudaEvent_t handle) {
  return api_call(CallKind::ordinary, [=] {
    Event *event = event_of(handle);
    if (event == nullptr) return cudaErrorInvalidResourceHandle;
    if (event->capture != 0) return cudaErrorCapturedEvent;
    const cudaError_t error = capture_forbids(false);
    if (error == cudaSuccess && event->last) record_synchronize(*event->last);
    return error;
  });
}

cudaError_t cudaEventQuery(cudaEvent_t handle) {
  return api_call(CallKind::ordinary, [=] {
    Event *event = event_of(handle);
    if (event == nullptr) return cudaErrorInvalidResourceHandle;
    if (event->capture != 0) return cudaErrorCapturedEvent;
    const cudaError_t error = capture_forbids(false);
    if (error != cudaSuccess || !event->last) return error;
    const bool ready = event->last->done;
    record_synchronize(*event->last);
    return ready ? cudaSuccess : cudaErrorNotReady;
  });
}

cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t from, cudaEvent_t to) {
  return api_call(CallKind::ordinary, [=] {
    const Event *first = event_of(from);
    const Event *second = event_of(to);
    if (first == nullptr || second == nullptr || !first->timing || !second->timing ||
        !first->last || !second->last)
      return cudaErrorInvalidResourceHandle;
    if (!first->last->done || !second->last->done) return cudaErrorNotReady;
    *milliseconds =
        std::chrono::duration<float, std::milli>(second->last->time - first->last->time).count();
    return cudaSuccess;
  });
}

// ---- graphs ------------------------------------------------------------------

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode mode) {
  return api_call(CallKind::ordinary, [=] {
    const std::shared_ptr<Stream> stream = stream_of(handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    if (handle == nullptr) return cudaErrorStreamCaptureUnsupported;
    return capture_begin(stream, mode);
  });
}

// The capture is over in any case; where that fails there is no graph.
cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t *graph) {
  const cudaError_t ended = api_call(CallKind::finishing, [=] {
    *graph = nullptr;
    const std::shared_ptr<Stream> stream = stream_of(handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    Graph *captured = nullptr;
    const cudaError_t error = capture_end(*stream, &captured);
    if (captured != nullptr) {
      live_graphs.insert(captured);
      counts.live_graphs++;
    }
    *graph = reinterpret_cast<cudaGraph_t>(captured);
    return error;
  });
  if (ended != cudaSuccess && *graph != nullptr) {
    cudaGraphDestroy(*graph);
    *graph = nullptr;
  }
  return ended;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long) {
  return api_call(CallKind::ordinary, [=] {
    const auto found = live_graphs.find(reinterpret_cast<Graph *>(graph));
    if (found == live_graphs.end()) return cudaErrorInvalidValue;
    GraphExec *created = graph_instantiate(**found);
    live_execs.insert(created);
    counts.live_graph_execs++;
    *exec = reinterpret_cast<cudaGraphExec_t>(created);
    return cudaSuccess;
  });
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  return api_call(CallKind::releasing, [=] {
    if (!forget(live_graphs, reinterpret_cast<Graph *>(graph))) return cudaErrorInvalidValue;
    counts.live_graphs--;
    return cudaSuccess;
  });
}

// A launch that is still queued is done first.
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  return api_call(CallKind::releasing, [=] {
    stream_synchronize_all();
    if (!forget(live_execs, reinterpret_cast<GraphExec *>(exec))) return cudaErrorInvalidValue;
    counts.live_graph_execs--;
    return cudaSuccess;
  });
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t handle, cudaStream_t stream) {
  return api_call(CallKind::ordinary, [=] {
    const auto found = live_execs.find(reinterpret_cast<GraphExec *>(handle));
    if (found == live_execs.end()) return cudaErrorInvalidValue;
    const std::shared_ptr<Stream> on = stream_of(stream);
    if (!on) return cudaErrorInvalidResourceHandle;
    if (on->capture != nullptr) die("graphs within graphs are not simulated");
    counts.graph_launches++;
    return enqueue_work(stream, graph_work(*found));
  });
}
