// The kernels that were made from PTX, by their addresses.
#include "kernel.h"

#include <map>
#include <string>

#include "die.h"
#include "ptx_on_cpu.h"

namespace gs_ptx {
namespace {

struct Known {
  const char *name;
  Count *count;
};
std::map<const void *, Known> &kernels() {
  static std::map<const void *, Known> known;
  return known;
}

} // namespace

Registered::Registered(const char *name, const void *kernel, Count &count) {
  kernels()[kernel] = {name, &count};
}

void begin_launch(const void *kernel) {
  const auto found = kernels().find(kernel);
  if (found == kernels().end()) gs_sim::die("a kernel is launched that no PTX was translated to");
  found->second.count->launches++;
}

} // namespace gs_ptx

size_t gs_ptx_kernels(void) { return gs_ptx::kernels().size(); }

void gs_ptx_clear_counts(void) {
  for (auto &kernel : gs_ptx::kernels()) *kernel.second.count = {};
}

void gs_ptx_each_count(void (*visit)(const char *kernel, const gs_ptx_count *count, void *context),
                       void *context) {
  for (const auto &kernel : gs_ptx::kernels()) {
    const gs_ptx::Count &of = *kernel.second.count;
    const gs_ptx_count count = {of.launches, of.threads, of.instructions,
                                of.fences,   of.to_data, of.loads_before};
    if (of.launches > 0) visit(kernel.second.name, &count, context);
  }
}
