// Launches from C++: gs_launch, gs_launch_cooperative and gs_launch_cluster, as
// kernels/language.h has them for CUDA.
#ifndef GS_CUDA_ON_CPU_LAUNCHER_H
#define GS_CUDA_ON_CPU_LAUNCHER_H

#include <tuple>
#include <type_traits>
#include <utility>

#include "launch.h"

#ifdef GS_PTX_ON_CPU // kernels that nvcc compiled (tests/ptx_on_cpu/)
#include "ptx_on_cpu/kernel.h"
#endif

namespace gs_sim {

constexpr size_t max_parameter_bytes = 32764; // CUDA's

#ifdef GS_PTX_ON_CPU
template <class... Parameters> using Closure = gs_ptx::Closure<Parameters...>;
#else
// A kernel with its arguments, converted to the types of its parameters.
template <class... Parameters> struct Closure {
  void (*kernel)(Parameters...);
  std::tuple<std::decay_t<Parameters>...> arguments;
  static void call(const void *closure) {
    const auto *self = static_cast<const Closure *>(closure);
    std::apply(self->kernel, self->arguments);
  }
};
#endif

template <class T> void check_argument(const T &argument) {
  static_assert(std::is_trivially_copyable<T>::value, "arguments of kernels are copied as bytes");
  if constexpr (std::is_pointer<T>::value)
    if (argument != nullptr && !is_device_memory(argument)) refuse_host_pointer(argument);
}

template <class... Parameters, class... Arguments>
cudaError_t launch_with(bool cooperative, unsigned cluster, void (*kernel)(Parameters...),
                        dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream,
                        Arguments &&...arguments) {
  static_assert((sizeof(std::decay_t<Parameters>) + ... + 0) <= max_parameter_bytes,
                "a kernel's parameters fill at most 32764 bytes");
  static_assert(sizeof...(Parameters) == sizeof...(Arguments), "as many arguments as parameters");
  const std::tuple<std::decay_t<Parameters>...> values(
      static_cast<std::decay_t<Parameters>>(std::forward<Arguments>(arguments))...);
  std::apply([](const auto &...each) { (check_argument(each), ...); }, values);
  const Closure<Parameters...> closure = {kernel, values};
  Launch launch = {};
  launch.kernel = reinterpret_cast<const void *>(kernel);
  launch.grid = grid;
  launch.block = block;
  launch.shared_bytes = shared_bytes;
  launch.stream = stream;
  launch.cooperative = cooperative;
  launch.cluster = cluster;
  launch.call = Closure<Parameters...>::call;
  launch.closure = &closure;
  launch.closure_bytes = sizeof(closure);
  return gs_sim::launch(launch);
}

} // namespace gs_sim

template <class... Parameters, class... Arguments>
cudaError_t gs_launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes,
                      cudaStream_t stream, Arguments &&...arguments) {
  return gs_sim::launch_with(false, 0, kernel, grid, block, shared_bytes, stream,
                             std::forward<Arguments>(arguments)...);
}

template <class... Parameters, class... Arguments>
cudaError_t gs_launch_cooperative(void (*kernel)(Parameters...), dim3 grid, dim3 block,
                                  size_t shared_bytes, cudaStream_t stream,
                                  Arguments &&...arguments) {
  return gs_sim::launch_with(true, 0, kernel, grid, block, shared_bytes, stream,
                             std::forward<Arguments>(arguments)...);
}

template <class... Parameters, class... Arguments>
cudaError_t gs_launch_cluster(void (*kernel)(Parameters...), dim3 grid, dim3 block,
                              unsigned cluster, size_t shared_bytes, cudaStream_t stream,
                              Arguments &&...arguments) {
  return gs_sim::launch_with(false, cluster, kernel, grid, block, shared_bytes, stream,
                             std::forward<Arguments>(arguments)...);
}

template <class... Parameters>
cudaError_t gs_clusters_at_once(int *count, void (*)(Parameters...), dim3, dim3 block,
                                unsigned cluster) {
  return gs_sim::clusters_at_once(count, size_t{block.x} * block.y * block.z, cluster);
}

#endif
