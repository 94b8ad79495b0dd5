#include "injection.h"

#include <atomic>

#include "environment.h"
#include "faults.h"
#include "grid.h"
#include "heap.h"
#include "leaks.h"

namespace gs_sim {

gs_sim_failures failures = {environment_number("GRADSWEEP_SIM_FAIL_MALLOC", 0),
                            environment_number("GRADSWEEP_SIM_FAIL_LAUNCH", 0),
                            environment_number("GRADSWEEP_SIM_STICKY_LAUNCH", 0),
                            environment_number("GRADSWEEP_SIM_FAIL_ANY", 0),
                            environment_number("GRADSWEEP_SIM_DEVICES", 1),
                            environment_number("GRADSWEEP_SIM_DEVICE_ERROR", 0)};
gs_sim_counts counts;

namespace {

bool sticky;
thread_local cudaError_t last = cudaSuccess;

// A lock that the thread sanitizer does not see: entering the runtime must not
// order host threads.
std::atomic<bool> entered{false};
thread_local int depth;

} // namespace

Entered::Entered() {
#ifdef GRADSWEEP_SIM_TSAN
  __tsan_ignore_thread_begin();
#endif
  if (depth++ == 0)
    while (entered.exchange(true, std::memory_order_acquire)) {
    }
  faults_explain();
  leaks_check_at_exit();
}

Entered::~Entered() {
  if (--depth == 0) entered.store(false, std::memory_order_release);
#ifdef GRADSWEEP_SIM_TSAN
  __tsan_ignore_thread_end();
#endif
}

cudaError_t call_begins(CallKind kind) {
  if (failures.device_error != 0) return static_cast<cudaError_t>(failures.device_error);
  if (failures.devices <= 0) return cudaErrorNoDevice;
  if (sticky) return cudaErrorIllegalAddress;
  if (kind == CallKind::releasing) return cudaSuccess;
  return ++counts.calls == failures.fail_any ? cudaErrorUnknown : cudaSuccess;
}

cudaError_t launch_begins() {
  const long launch = ++counts.launches;
  if (launch == failures.fail_launch) return cudaErrorLaunchOutOfResources;
  if (launch == failures.sticky_launch) sticky = true;
  return cudaSuccess;
}

cudaError_t call_ends(cudaError_t error) {
  if (error != cudaSuccess) last = error;
  return error;
}

cudaError_t last_error(bool forget) {
  const cudaError_t error = sticky ? cudaErrorIllegalAddress : last;
  if (forget) last = cudaSuccess;
  return error;
}

bool malloc_fails() { return ++counts.mallocs == failures.fail_malloc; }

void forget_sticky_error() { sticky = false; }

} // namespace gs_sim

using namespace gs_sim;

void gs_sim_set_failures(const gs_sim_failures *wanted) {
  failures = *wanted;
  counts.calls = 0;
  counts.mallocs = 0;
  counts.launches = 0;
  counts.matmuls = 0;
  for (long &by : counts.matmuls_by) by = 0;
  counts.graph_launches = 0;
  counts.handles_made = 0;
  counts.uploaded_bytes = 0;
  counts.kernels_run = 0;
  counts.blocks_run = 0;
  sticky = false;
  last = cudaSuccess;
}

void gs_sim_get_failures(gs_sim_failures *set) { *set = failures; }

void gs_sim_get_counts(gs_sim_counts *now) {
  *now = counts;
  now->live_allocations = static_cast<long>(heap_live_allocations());
  now->live_host_allocations = static_cast<long>(pinned_live_allocations());
  now->live_streams = static_cast<long>(stream_live());
}

void gs_sim_set_order(int order) { set_thread_order(static_cast<Order>(order)); }
int gs_sim_set_lazy(int mode) {
  const Entered now;
  const Lazy before = lazy_mode();
  set_lazy_mode(static_cast<Lazy>(mode));
  return static_cast<int>(before);
}
int gs_sim_is_device_memory(const void *address) { return heap_contains(address, 1); }
