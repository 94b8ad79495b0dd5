// The scheduler: every thread of a block is a fiber that runs until it waits.
//
// A fiber whose thread has ended takes up the next thread that has not begun,
// so a kernel without barriers runs as one loop on one stack. The blocks of an
// ordinary launch run one after another; those of a cooperative launch are all
// alive, each with its own shared memory, and take turns, as do those of a cluster.
#include "grid.h"

#include <cinttypes>
#include <deque>
#include <numeric>

#include "block.h"
#include "die.h"
#include "environment.h"

extern uint3 threadIdx; // the kernels' own, which see them as const
extern uint3 blockIdx;
extern dim3 blockDim;
extern dim3 gridDim;

namespace gs_sim {

Thread *current;
unsigned long progress;

namespace {

constexpr unsigned long spin_limit = with_asan || with_tsan ? 1000000 : 10000000;

// The launch that is running.
const Launch *running;
FiberPool *lanes;
SyncPoint *begun; // after what the launch comes after
SyncPoint *ended; // by every thread
// Never destroyed: fibers and shared memory live as long as the process.
std::deque<Block> &blocks = *new std::deque<Block>;
std::vector<Fiber *> &free_fibers = *new std::vector<Fiber *>;

// One turn through the threads of a block, in an order of its own.
struct Turn {
  Block *block;
  unsigned left;
  unsigned position;
  unsigned step;

  bool over() const { return left == 0; }
  Thread &next() const { return block->threads[position]; }
  void advance() {
    left--;
    position += step;
    if (position >= block->thread_count) position -= block->thread_count;
  }
};
Turn turn;

uint32_t random_state = 1;
uint32_t random_number() {
  random_state = random_state * 1664525u + 1013904223u;
  return random_state >> 8;
}

// start, start + step, ... modulo count visits everything once; step <= count.
void choose_order(unsigned count, unsigned *start, unsigned *step) {
  *start = 0;
  *step = 1;
  if (thread_order() == Order::backward) {
    *start = count - 1;
    *step = count - 1;
  } else if (thread_order() == Order::random) {
    *start = random_number() % count;
    do *step = random_number() % count + 1;
    while (std::gcd(*step, count) != 1);
  }
}

void enter(Thread &thread) {
  current = &thread;
  threadIdx = thread.index;
  thread.state = State::ready;
}

void leave(Thread &thread) {
  Block &block = *thread.block;
  thread.state = State::exited;
  block.live--;
  block.warps[thread.number / warp_lanes].absent |= 1u << thread.number % warp_lanes;
  progress++;
  if (block.at_barrier > 0)
    die("this thread has exited while others wait at the barrier %s:%d", block.barrier.file,
        block.barrier.line);
}

void run_thread(Thread &thread) {
  enter(thread);
  begun->acquire();
  running->call(running->closure);
  ended->release();
  leave(thread);
}

// The life of a fiber: the thread it was resumed for, then threads that have
// not begun, as far as they come next; then it is free.
void fiber_life() {
  for (;;) {
    Fiber *fiber = current->fiber;
    run_thread(*current);
    while (!with_tsan && !turn.over() && turn.next().state == State::unstarted) {
      Thread &thread = turn.next();
      turn.advance();
      thread.fiber = fiber;
      run_thread(thread);
    }
    if (!with_tsan) free_fibers.push_back(fiber);
    fiber_suspend(fiber);
  }
}

Fiber *take_fiber(const Thread &thread, size_t block_slot) {
  if (with_tsan) return lanes->at(block_slot, thread.number, fiber_life);
  if (free_fibers.empty()) return fiber_create(fiber_life);
  Fiber *fiber = free_fibers.back();
  free_fibers.pop_back();
  return fiber;
}

void resume(Thread &thread, size_t block_slot) {
  if (thread.state == State::unstarted) thread.fiber = take_fiber(thread, block_slot);
  enter(thread);
  fiber_resume(thread.fiber);
}

// Lets every thread of a block that can run do so once. Whether any could.
bool take_turn(Block &block, size_t block_slot) {
  bool ran = false;
  blockIdx = block.index;
  turn = {&block, block.thread_count, 0, 1};
  choose_order(turn.left, &turn.position, &turn.step);
  while (!turn.over()) {
    Thread &thread = turn.next();
    turn.advance();
    if (thread.state != State::unstarted && thread.state != State::ready &&
        thread.state != State::spinning)
      continue;
    resume(thread, block_slot);
    ran = true;
  }
  return ran;
}

void begin_block(Block &block, uint64_t number) {
  const Launch &launch = *running;
  block.index.x = static_cast<unsigned>(number % launch.grid.x);
  block.index.y = static_cast<unsigned>(number / launch.grid.x % launch.grid.y);
  block.index.z = static_cast<unsigned>(number / launch.grid.x / launch.grid.y);
  const unsigned count = launch.block.x * launch.block.y * launch.block.z;
  if (block.threads.size() < count) block.threads.resize(count);
  uint3 index{0, 0, 0};
  for (unsigned i = 0; i < count; i++) {
    Thread &thread = block.threads[i];
    thread.block = &block;
    thread.index = index;
    thread.number = i;
    thread.state = State::unstarted;
    if (++index.x < launch.block.x) continue;
    index.x = 0;
    if (++index.y < launch.block.y) continue;
    index.y = 0;
    index.z++;
  }
  for (Warp &warp : block.warps) warp = Warp{};
  if (count % warp_lanes != 0)
    block.warps[count / warp_lanes].absent = ~uint32_t{0} << count % warp_lanes;
  block.thread_count = count;
  block.live = count;
  block.at_barrier = 0;
  for (SyncPoint &edge : block.barrier_edge) edge.reset();
  block.shared.begin(launch.shared_bytes, launch.static_limit);
}

[[noreturn]] void die_waiting(Thread &thread) {
  const State state = thread.state;
  const Site site = state == State::spinning ? Site{} : waits_at(thread);
  enter(thread);
  blockIdx = thread.block->index;
  if (state == State::spinning)
    die("deadlock: waits in GS_SPIN_PAUSE for what no thread will do%s",
        running->cooperative || running->cluster > 0
            ? ""
            : " (blocks of an ordinary launch need not run together)");
  die("deadlock: waits at %s:%d for threads that will not come", site.file, site.line);
}

// Names a thread that spins, if there is one, or else one that waits.
[[noreturn]] void die_of_deadlock(size_t block_count) {
  Thread *waiting = nullptr;
  for (size_t b = 0; b < block_count; b++)
    for (unsigned i = 0; i < blocks[b].thread_count; i++) {
      Thread &thread = blocks[b].threads[i];
      if (thread.state == State::exited) continue;
      if (waiting == nullptr || thread.state == State::spinning) waiting = &thread;
      if (thread.state == State::spinning) die_waiting(thread);
    }
  die_waiting(*waiting);
}

// Runs blocks 0 .. count - 1 of `blocks` until all have ended.
void run_together(size_t count, size_t first_slot) {
  unsigned long last_progress = progress;
  unsigned long idle = 0;
  size_t alive = count;
  while (alive > 0) {
    unsigned start;
    unsigned step;
    choose_order(static_cast<unsigned>(count), &start, &step);
    alive = 0;
    bool ran = false;
    unsigned long threads = 0;
    for (unsigned i = 0; i < count; i++) {
      const size_t b = (start + size_t{i} * step) % count;
      if (blocks[b].live == 0) continue;
      threads += blocks[b].live;
      ran |= take_turn(blocks[b], first_slot + b);
      alive += blocks[b].live > 0;
    }
    if (alive == 0) break;
    idle = progress == last_progress ? idle + threads : 0;
    last_progress = progress;
    if (!ran || idle > spin_limit) die_of_deadlock(count);
  }
}

void run_one_by_one(uint64_t count) {
  if (blocks.empty()) blocks.emplace_back();
  for (uint64_t i = 0; i < count; i++) {
    uint64_t number = i;
    if (thread_order() == Order::backward) number = count - 1 - i;
    if (thread_order() == Order::random) number = (i % 2 == 0 ? i / 2 : count - 1 - i / 2);
    begin_block(blocks[0], number);
    run_together(1, i % 2);
    blocks[0].shared.end();
  }
}

void run_all(uint64_t count) {
  while (blocks.size() < count) blocks.emplace_back();
  for (uint64_t i = 0; i < count; i++) begin_block(blocks[i], i);
  run_together(count, 0);
  for (uint64_t i = 0; i < count; i++) blocks[i].shared.end();
}

// Clusters one after another, the blocks of each together.
void run_clusters(uint64_t count, unsigned cluster) {
  while (blocks.size() < cluster) blocks.emplace_back();
  for (uint64_t first = 0; first < count; first += cluster) {
    for (unsigned i = 0; i < cluster; i++) begin_block(blocks[i], first + i);
    run_together(cluster, first / cluster % 2 * cluster);
    for (unsigned i = 0; i < cluster; i++) blocks[i].shared.end();
  }
}

} // namespace

unsigned cluster_size() { return running->cluster; }
Block &cluster_block(unsigned rank) { return blocks[rank]; }

void wait_as(State state) {
  Thread &thread = *current;
  thread.state = state;
  fiber_suspend(thread.fiber);
}

bool in_kernel() { return running != nullptr; }

void run_grid(const Launch &launch, FiberPool &fibers) {
  const Quiet quiet; // the stream's own context; every thread has another
  SyncPoint begun_here;
  SyncPoint ended_here;
  running = &launch;
  lanes = &fibers;
  begun = &begun_here;
  ended = &ended_here;
  gridDim = launch.grid;
  blockDim = launch.block;
  begun->release();
  const uint64_t count = uint64_t{launch.grid.x} * launch.grid.y * launch.grid.z;
  if (launch.cluster > 0)
    run_clusters(count, launch.cluster);
  else if (launch.cooperative)
    run_all(count);
  else
    run_one_by_one(count);
  ended->acquire();
  current = nullptr;
  running = nullptr;
}

namespace {
Order order_in_use = static_cast<Order>(environment_number("GRADSWEEP_SIM_ORDER", 0) % 3);
}
Order thread_order() { return order_in_use; }
void set_thread_order(Order order) { order_in_use = order; }

} // namespace gs_sim
