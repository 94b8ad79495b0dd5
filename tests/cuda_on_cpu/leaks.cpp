#include "leaks.h"

#include <cstdio>
#include <cstdlib>

#include "cuda_on_cpu_control.h"
#include "environment.h"

namespace gs_sim {
namespace {

constexpr int leak_status = 7;

struct Kind {
  const char *name;
  long gs_sim_counts::*live;
};

constexpr Kind kinds[] = {
    {"device allocations", &gs_sim_counts::live_allocations},
    {"page-locked host allocations", &gs_sim_counts::live_host_allocations},
    {"streams", &gs_sim_counts::live_streams},
    {"events", &gs_sim_counts::live_events},
    {"graphs", &gs_sim_counts::live_graphs},
    {"executable graphs", &gs_sim_counts::live_graph_execs},
    {"cublasLt handles", &gs_sim_counts::live_handles},
};

void check(int status, void *) {
  gs_sim_counts counts;
  gs_sim_get_counts(&counts);
  bool any = false;
  for (const Kind &kind : kinds) {
    if (counts.*kind.live == 0) continue;
    std::fprintf(stderr, "%s %ld %s",
                 any ? "," : "CUDA on the CPU: never freed:", counts.*kind.live, kind.name);
    any = true;
  }
  if (any) std::fputc('\n', stderr);
  std::fflush(nullptr);
  if (any && status == 0) _Exit(leak_status);
}

} // namespace

void leaks_check_at_exit() {
  static bool asked = false;
  if (asked) return;
  asked = true;
  if (environment_number("GRADSWEEP_SIM_LEAKS", 1) != 0) on_exit(check, nullptr);
}

} // namespace gs_sim
