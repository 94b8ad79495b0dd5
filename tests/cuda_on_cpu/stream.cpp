#include "stream.h"

#include <algorithm>

#include "die.h"
#include "environment.h"
#include "grid.h"
#include "heap.h"

namespace gs_sim {
namespace {

// Contexts of streams that are gone are used again: the thread sanitizer has
// some 8000 in all.
std::vector<Context> &spare_contexts = *new std::vector<Context>;

std::chrono::nanoseconds pretended_time{0};

std::chrono::steady_clock::time_point device_clock() {
  if (environment_number("GRADSWEEP_SIM_FAST", -1) < 0) return std::chrono::steady_clock::now();
  return std::chrono::steady_clock::time_point(pretended_time);
}

std::vector<std::shared_ptr<Stream>> live_streams; // oldest first; not the default stream

std::shared_ptr<Stream> default_stream() {
  // never destroyed: what a program closes at its exit may come later
  static const auto &stream = *new std::shared_ptr<Stream>(stream_create(nullptr));
  return stream;
}

Context take_context() {
  if (spare_contexts.empty()) return context_create();
  const Context context = spare_contexts.back();
  spare_contexts.pop_back();
  return context;
}

void delete_stream(Stream *stream) {
  const Quiet quiet;
  spare_contexts.push_back(stream->context);
  delete stream;
}

// Makes the stream's logical thread the current one.
class OnStream {
public:
  explicit OnStream(const Stream &stream) : outside_(context_current()) {
    context_switch(stream.context);
  }
  ~OnStream() { context_switch(outside_); }
  OnStream(const OnStream &) = delete;
  OnStream &operator=(const OnStream &) = delete;

private:
  Context outside_;
};

void execute(Stream &stream, Operation &operation) {
  const OnStream on(stream);
  operation.submitted.acquire();
  if (operation.work) {
    operation.work(stream);
    device_clock_advance(std::chrono::microseconds(1));
  }
  if (operation.wait) operation.wait->edge.acquire();
  if (operation.record) {
    operation.record->time = device_clock();
    operation.record->edge.release();
    operation.record->done = true;
  }
  stream.finished.release();
}

// Runs a stream's next operation, if there is one that need not wait.
bool step(Stream &stream) {
  if (stream.pending.empty()) return false;
  const std::shared_ptr<Operation> operation = stream.pending.front();
  if (operation->wait && !operation->wait->done) return false;
  stream.pending.pop_front();
  execute(stream, *operation);
  return true;
}

// Runs a stream to its end, and of other streams only what it waits for.
void run_on_demand(Stream &stream) {
  while (!stream.pending.empty()) {
    if (step(stream)) continue;
    const std::shared_ptr<Record> record = stream.pending.front()->wait;
    Stream &other = *record->stream;
    while (!record->done) {
      if (step(other)) continue;
      if (other.pending.empty()) die("a stream waits for an event that nobody records");
      run_on_demand(*other.pending.front()->wait->stream);
    }
  }
}

// Runs what can run, one operation at a time, always the newest stream's first.
void run_newest_first(const std::vector<std::shared_ptr<Stream>> &streams) {
  const auto step_newest = [&streams] {
    return std::any_of(streams.rbegin(), streams.rend(),
                       [](const std::shared_ptr<Stream> &stream) { return step(*stream); });
  };
  while (step_newest()) {
  }
}

std::vector<std::shared_ptr<Stream>> everything() {
  std::vector<std::shared_ptr<Stream>> streams = live_streams;
  streams.insert(streams.begin(), default_stream());
  return streams;
}

void run(Stream &stream) {
  if (stream.pending.empty()) return;
  const HeapOpen open;
  if (lazy_mode() == Lazy::newest_first) run_newest_first(everything());
  run_on_demand(stream);
}

Lazy mode = static_cast<Lazy>(environment_number("GRADSWEEP_SIM_LAZY", 0) % 3);

} // namespace

void device_clock_advance(std::chrono::nanoseconds pretended) { pretended_time += pretended; }

Lazy lazy_mode() { return mode; }
void set_lazy_mode(Lazy lazy) {
  stream_synchronize_all();
  mode = lazy;
}

std::shared_ptr<Stream> stream_create(std::shared_ptr<FiberPool> fibers) {
  std::shared_ptr<Stream> stream(new Stream, delete_stream);
  stream->context = take_context();
  stream->fibers = fibers ? std::move(fibers) : fiber_pool_take();
  return stream;
}

std::shared_ptr<Stream> stream_of(void *handle) {
  if (handle == nullptr) return default_stream();
  for (const std::shared_ptr<Stream> &stream : live_streams)
    if (stream.get() == handle) return stream;
  return nullptr;
}

void *stream_register(const std::shared_ptr<Stream> &stream) {
  live_streams.push_back(stream);
  return stream.get();
}

bool stream_unregister(void *handle) {
  const auto found = std::find_if(
      live_streams.begin(), live_streams.end(),
      [handle](const std::shared_ptr<Stream> &stream) { return stream.get() == handle; });
  if (found == live_streams.end()) return false;
  live_streams.erase(found);
  return true;
}

size_t stream_live() { return live_streams.size(); }
void stream_forget_all() { live_streams.clear(); }

void stream_enqueue(const std::shared_ptr<Stream> &stream, std::shared_ptr<Operation> operation) {
  operation->submitted.release();
  stream->pending.push_back(std::move(operation));
  if (lazy_mode() == Lazy::no) run(*stream);
}

void stream_synchronize(Stream &stream) {
  run(stream);
  stream.finished.acquire();
}

void stream_synchronize_all() {
  for (const std::shared_ptr<Stream> &stream : everything()) stream_synchronize(*stream);
}

void record_synchronize(Record &record) {
  if (!record.done) {
    const HeapOpen open;
    if (lazy_mode() == Lazy::newest_first) run_newest_first(everything());
    run_on_demand(*record.stream);
  }
  record.edge.acquire();
}

void streams_run(const std::vector<std::shared_ptr<Stream>> &streams) {
  const bool newest = lazy_mode() == Lazy::no ? thread_order() != Order::backward
                                              : lazy_mode() == Lazy::newest_first;
  if (newest) run_newest_first(streams);
  for (const std::shared_ptr<Stream> &stream : streams) run_on_demand(*stream);
}

} // namespace gs_sim
