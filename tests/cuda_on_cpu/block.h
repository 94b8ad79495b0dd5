// The state of blocks that are running: threads, warps, barriers, shared memory.
#ifndef GS_CUDA_ON_CPU_BLOCK_H
#define GS_CUDA_ON_CPU_BLOCK_H

#include <cstdint>
#include <vector>

#include "fiber.h"
#include "launch.h"
#include "sanitizers.h"
#include "site.h"

namespace gs_sim {

constexpr unsigned warp_lanes = 32;
constexpr unsigned max_block_threads = 1024;
constexpr size_t max_static_shared_bytes = 48 << 10;
constexpr size_t max_shared_bytes = 163 << 10; // by cudaFuncSetAttribute

struct Block;
struct WarpCall;

enum class State : unsigned char { unstarted, ready, spinning, at_barrier, at_warp, exited };

struct Thread {
  Block *block = nullptr;
  Fiber *fiber = nullptr; // once started
  uint3 index{};
  unsigned number = 0; // within the block
  State state = State::exited;
  WarpCall *call = nullptr; // what it waits for at_warp; on its own stack
};

struct Warp {
  uint32_t waiting = 0; // lanes at a warp operation
  uint32_t absent = 0;  // lanes that exited, or lie beyond the block
};

// One block's shared memory. Objects are found by the place that declares them;
// bytes start as NaN; forbidden bytes lie between objects.
class SharedMemory {
public:
  // static_limit: what objects may take in all.
  void begin(size_t dynamic_bytes, size_t static_limit);
  void *dynamic() const { return dynamic_; }
  void *object(const void *declaration, size_t bytes);
  // Where `other`, of the same kernel, has what is at `address` here; NULL where it has not.
  void *same_place(const void *address, const SharedMemory &other) const;
  // Dies if bytes between the objects were written.
  void end();

private:
  struct Object {
    const void *declaration;
    unsigned char *first;
    size_t bytes;
  };
  unsigned char *add(const void *declaration, size_t bytes);
  std::vector<Object> objects_;
  unsigned char *arena_ = nullptr;
  size_t used_ = 0;
  size_t static_bytes_ = 0;
  size_t static_limit_ = 0;
  void *dynamic_ = nullptr;
};

struct Block {
  uint3 index{};
  std::vector<Thread> threads;
  unsigned thread_count = 0;
  unsigned live = 0;
  unsigned at_barrier = 0;
  unsigned phase = 0; // parity of the number of barriers passed
  Site barrier{};
  Warp warps[max_block_threads / warp_lanes];
  SyncPoint barrier_edge[2];
  SharedMemory shared;
};

// The running thread; NULL outside kernels.
extern Thread *current;
// Counts what shows that a kernel gets on: started and ended threads, barriers
// and warp operations completed. Loops that only spin do not count.
extern unsigned long progress;

// From the current thread: lets the others run until its state is ready again.
void wait_as(State state);
// A barrier of all threads is complete: they may go on.
void open_barrier(Block &block);
// Blocks of the running launch's clusters, 0: it has none; and one of the current cluster's.
unsigned cluster_size();
Block &cluster_block(unsigned rank);
// Where a thread that is at_barrier or at_warp waits.
Site waits_at(const Thread &thread);

} // namespace gs_sim

#endif
