// Streams and events: queues of operations, and the edges between them.
//
// An operation runs when it is enqueued. With GRADSWEEP_SIM_LAZY it waits until
// the host synchronises, and then runs in an order that favours mistakes:
//   1: all streams run as far as they can, the newest first;
//   2: only what the synchronised stream needs runs, as late as possible.
#ifndef GS_CUDA_ON_CPU_STREAM_H
#define GS_CUDA_ON_CPU_STREAM_H

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "fiber.h"
#include "sanitizers.h"

namespace gs_sim {

struct Stream;
struct Capture;

// One recording of an event. Who waits for an event waits for the recording
// that was its last at that time.
struct Record {
  std::shared_ptr<Stream> stream;
  bool done = false;
  std::chrono::steady_clock::time_point time;
  SyncPoint edge;
};

// Runs on a stream, in the stream's context.
using Work = std::function<void(Stream &)>;

struct Operation {
  Work work;                      // or
  std::shared_ptr<Record> record; // an event to record, or
  std::shared_ptr<Record> wait;   // to wait for
  SyncPoint submitted;
};

struct Stream {
  std::deque<std::shared_ptr<Operation>> pending;
  Context context = nullptr;
  std::shared_ptr<FiberPool> fibers;
  SyncPoint finished; // after each operation
  Capture *capture = nullptr;
  size_t branch = 0; // its number within the capture
};

struct Event {
  std::shared_ptr<Record> last; // NULL: never recorded, or recorded by a capture
  bool timing = true;
  unsigned long capture = 0; // the capture that recorded it last; 0: none
  size_t capture_node = 0;
};

// The clock that events read is the host's; with GRADSWEEP_SIM_FAST (algorithms.h) it
// counts work instead: a microsecond for each piece of it, and what it pretends to take.
void device_clock_advance(std::chrono::nanoseconds pretended);

enum class Lazy { no, newest_first, on_demand };
Lazy lazy_mode();
void set_lazy_mode(Lazy mode);

// A stream with a context of its own; `fibers` NULL: and with fibers of its own.
std::shared_ptr<Stream> stream_create(std::shared_ptr<FiberPool> fibers);

// Registry of the streams that host code holds. The NULL handle is the legacy
// default stream. Returns NULL for a handle that is none.
std::shared_ptr<Stream> stream_of(void *handle);
void *stream_register(const std::shared_ptr<Stream> &stream);
bool stream_unregister(void *handle);
size_t stream_live();
void stream_forget_all();

// Adds an operation behind all others of a stream.
void stream_enqueue(const std::shared_ptr<Stream> &stream, std::shared_ptr<Operation> operation);
// Runs everything that was enqueued on a stream; the host comes after it.
void stream_synchronize(Stream &stream);
void stream_synchronize_all();
// Runs what a record needs; the host comes after it.
void record_synchronize(Record &record);
// Runs these streams, the branches of a graph, to their end, in the order that
// the lazy mode says, or else the order of threads.
void streams_run(const std::vector<std::shared_ptr<Stream>> &streams);

} // namespace gs_sim

#endif
