// Settings from the environment.
#ifndef GS_CUDA_ON_CPU_ENVIRONMENT_H
#define GS_CUDA_ON_CPU_ENVIRONMENT_H

#include <cstdlib>

namespace gs_sim {

inline long environment_number(const char *name, long otherwise) {
  const char *text = std::getenv(name);
  return text != nullptr && *text != '\0' ? std::strtol(text, nullptr, 0) : otherwise;
}

} // namespace gs_sim

#endif
