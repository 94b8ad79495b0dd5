// The device that the runtime pretends to have.
#ifndef GS_CUDA_ON_CPU_PRETENDED_DEVICE_H
#define GS_CUDA_ON_CPU_PRETENDED_DEVICE_H

#include <cstddef>

#include "environment.h"
#include "matmul.h"
#include "sanitizers.h"

namespace gs_sim {

// 80: 8.0. Clusters come with 9.0.
inline int pretended_capability() {
  static const int capability =
      static_cast<int>(environment_number("GRADSWEEP_SIM_CAPABILITY", 80));
  return capability;
}
// What kernels were compiled for: an older architecture's are translated by the driver.
inline int pretended_ptx() {
  static const int version =
      static_cast<int>(environment_number("GRADSWEEP_SIM_PTX", pretended_capability()));
  return version;
}
inline bool pretended_clusters() { return pretended_capability() >= 90; }
constexpr unsigned pretended_cluster_blocks = 8; // the most
// Few enough for a fiber each in a cooperative launch; the thread sanitizer has
// some 8000 contexts in all.
constexpr size_t pretended_threads_per_multiprocessor = with_tsan ? 512 : 1024;
constexpr size_t pretended_shared_per_multiprocessor = 164 << 10;
constexpr int pretended_l2_bytes = 4 << 20;
constexpr int pretended_clock_khz = 1000000;
constexpr int pretended_memory_clock_khz = 2000000;
constexpr int pretended_bus_bits = 256;

inline int pretended_multiprocessors() {
  static const int count = static_cast<int>(environment_number("GRADSWEEP_SIM_MULTIPROCESSORS", 4));
  return count;
}

// What its tensor cores do to inputs of 23 bits.
inline Tf32 pretended_tf32() {
  static const bool truncates = environment_number("GRADSWEEP_SIM_TF32_TRUNCATES", 0) != 0;
  return truncates ? Tf32::truncated : Tf32::nearest;
}

// Whether devices are instances of MIG, parts of GPUs.
inline bool pretended_instances() {
  static const bool there = environment_number("GRADSWEEP_SIM_MIG", 0) != 0;
  return there;
}

// Registers that a kernel's thread takes: more than nvcc gives most (tests/data/kernel_budget.txt).
constexpr size_t pretended_registers_per_multiprocessor = 65536;
inline size_t pretended_registers() {
  static const auto count = static_cast<size_t>(environment_number("GRADSWEEP_SIM_REGISTERS", 64));
  return count;
}

// In the first device's UUID; the next devices count on.
inline int pretended_serial() {
  static const int serial = static_cast<int>(environment_number("GRADSWEEP_SIM_SERIAL", 0));
  return serial;
}

} // namespace gs_sim

#endif
