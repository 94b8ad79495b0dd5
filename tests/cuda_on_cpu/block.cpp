// What a running thread can ask of its block: barriers, warp operations, shared
// memory, a pause in a loop that waits for others.
#include "block.h"

#include "device.h"
#include "die.h"

namespace gs_sim {

// One lane's part in a warp operation.
struct WarpCall {
  WarpKind kind;
  uint32_t mask;
  Site site;
  unsigned source;
  bool predicate;
  uint32_t ballot;
  ShuffleValue value;
  ShuffleValue result;
  WarpCall *first;  // of the lane that came first, which knows
  uint32_t arrived; // who has come
};

void open_barrier(Block &block) {
  for (unsigned i = 0; i < block.thread_count; i++)
    if (block.threads[i].state == State::at_barrier) block.threads[i].state = State::ready;
  block.at_barrier = 0;
  block.phase ^= 1;
  progress++;
}

void block_barrier(Site site) {
  Thread &thread = *current;
  Block &block = *thread.block;
  if (block.at_barrier > 0 && block.barrier != site)
    die("barriers diverge: this thread waits at %s:%d, others at %s:%d", site.file, site.line,
        block.barrier.file, block.barrier.line);
  if (block.live < block.thread_count)
    die("barrier at %s:%d after %u threads of the block have exited", site.file, site.line,
        block.thread_count - block.live);
  block.barrier = site;
  block.at_barrier++;
  SyncPoint &edge = block.barrier_edge[block.phase];
  edge.release();
  if (block.at_barrier == block.live) {
    open_barrier(block);
  } else {
    wait_as(State::at_barrier);
  }
  edge.acquire();
}

namespace {

WarpCall &call_of(Thread *first_lane, unsigned lane) { return *first_lane[lane].call; }

// What can be said against a call, before it waits.
void check_call(const WarpCall &call, const Warp &warp, unsigned lane) {
  const Site &site = call.site;
  if ((call.mask >> lane & 1) == 0)
    die("%s:%d: lane %u is not in its own mask %08x", site.file, site.line, lane, call.mask);
  const uint32_t absent = call.mask & warp.absent;
  if (absent != 0)
    die("%s:%d: mask %08x names lane %d, which has exited or lies beyond the block", site.file,
        site.line, call.mask, __builtin_ctz(absent));
}

// The call of the lane that came first to the operation that this lane joins, or
// NULL. Lanes that wait for each other must be at the same operation; one that
// does not wait for this lane may still come.
WarpCall *join(const WarpCall &call, const Warp &warp, Thread *first_lane, unsigned lane) {
  for (uint32_t waiting = warp.waiting & call.mask; waiting != 0; waiting &= waiting - 1) {
    const auto other = static_cast<unsigned>(__builtin_ctz(waiting));
    WarpCall &theirs = call_of(first_lane, other);
    if ((theirs.mask >> lane & 1) == 0) continue;
    if (theirs.mask != call.mask || theirs.kind != call.kind || theirs.site != call.site)
      die("warp operations diverge: lane %u at %s:%d with mask %08x, lane %u at %s:%d with mask "
          "%08x",
          lane, call.site.file, call.site.line, call.mask, other, theirs.site.file,
          theirs.site.line, theirs.mask);
    return theirs.first;
  }
  return nullptr;
}

// All lanes have arrived: computes what each gets.
void complete(uint32_t mask, Thread *first_lane) {
  uint32_t ballot = 0;
  for (uint32_t lanes = mask; lanes != 0; lanes &= lanes - 1) {
    const auto lane = static_cast<unsigned>(__builtin_ctz(lanes));
    if (call_of(first_lane, lane).predicate) ballot |= 1u << lane;
  }
  for (uint32_t lanes = mask; lanes != 0; lanes &= lanes - 1) {
    const auto lane = static_cast<unsigned>(__builtin_ctz(lanes));
    WarpCall &call = call_of(first_lane, lane);
    call.ballot = ballot;
    if (call.kind == WarpKind::shuffle) {
      if ((mask >> call.source & 1) == 0)
        die("%s:%d: lane %u reads lane %u, which is outside the mask %08x", call.site.file,
            call.site.line, lane, call.source, mask);
      call.result = call_of(first_lane, call.source).value;
    }
    first_lane[lane].state = State::ready;
  }
  progress++;
}

// __syncwarp orders memory; the other operations do not.
void order_lanes(uint32_t mask, Thread *first_lane, Thread &last) {
  if (!with_tsan) return;
  SyncPoint edge;
  for (int pass = 0; pass < 2; pass++)
    for (uint32_t lanes = mask; lanes != 0; lanes &= lanes - 1) {
      context_switch(first_lane[__builtin_ctz(lanes)].fiber->context);
      if (pass == 0) edge.release();
      if (pass == 1) edge.acquire();
    }
  context_switch(last.fiber->context);
}

void warp_operation(WarpCall &call) {
  Thread &thread = *current;
  const unsigned lane = thread.number % warp_lanes;
  Thread *first_lane = &thread - lane;
  Warp &warp = thread.block->warps[thread.number / warp_lanes];
  check_call(call, warp, lane);
  WarpCall *first = join(call, warp, first_lane, lane);
  call.first = first != nullptr ? first : &call;
  call.first->arrived |= 1u << lane;
  thread.call = &call;
  warp.waiting |= 1u << lane;
  if (call.first->arrived == call.mask) {
    warp.waiting &= ~call.mask;
    complete(call.mask, first_lane);
    if (call.kind == WarpKind::barrier) order_lanes(call.mask, first_lane, thread);
  } else {
    wait_as(State::at_warp);
  }
}

} // namespace

ShuffleValue warp_shuffle(uint32_t mask, ShuffleValue value, unsigned source, Site site) {
  WarpCall call{WarpKind::shuffle, mask, site, source, false, 0, value, value, nullptr, 0};
  warp_operation(call);
  return call.result;
}

uint32_t warp_ballot(uint32_t mask, bool predicate, Site site) {
  WarpCall call{WarpKind::ballot, mask, site, 0, predicate, 0, {}, {}, nullptr, 0};
  warp_operation(call);
  return call.ballot;
}

void warp_barrier(uint32_t mask, Site site) {
  WarpCall call{WarpKind::barrier, mask, site, 0, false, 0, {}, {}, nullptr, 0};
  warp_operation(call);
}

unsigned lane_number() { return current->number % warp_lanes; }

void *shared_object(const void *declaration, size_t bytes) {
  return current->block->shared.object(declaration, bytes);
}

void *dynamic_shared() {
  void *memory = current->block->shared.dynamic();
  if (memory == nullptr) die("dynamic shared memory in a kernel launched without any");
  return memory;
}

void spin_pause() { wait_as(State::spinning); }

// A fence orders what a thread did before it with what others do after theirs,
// through any flag. Which flag is not known here, so every fence orders itself
// after all fences before it: more than CUDA promises, never less.
void fence() {
#ifdef GRADSWEEP_SIM_TSAN
  static SyncPoint &all = *new SyncPoint;
  all.release();
  all.acquire();
#endif
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

Site waits_at(const Thread &thread) {
  return thread.state == State::at_warp ? thread.call->site : thread.block->barrier;
}

} // namespace gs_sim
