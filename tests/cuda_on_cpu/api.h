// What every entry point of the stand-in has in common.
#ifndef GS_CUDA_ON_CPU_API_H
#define GS_CUDA_ON_CPU_API_H

#include <cuda_runtime_api.h>

#include "sanitizers.h"
#include "stream.h"

namespace gs_sim {

// What a call does to the device. Calls that release something are never made
// to fail by GRADSWEEP_SIM_FAIL_ANY, and the pretended errors of a broken
// device do not stop them from releasing. Calls that finish something (a capture)
// can be made to fail, and have finished it all the same.
enum class CallKind { ordinary, finishing, releasing };

// Enters the runtime: one host thread at a time, unwatched by the thread sanitizer.
class Entered {
public:
  Entered();
  ~Entered();
  Entered(const Entered &) = delete;
  Entered &operator=(const Entered &) = delete;
};

// The error that a call must answer before it does anything (a pretended one,
// or a sticky one), or cudaSuccess. Counts the call.
cudaError_t call_begins(CallKind kind);
// The same for launches: counts it.
cudaError_t launch_begins();
// Keeps an error for cudaGetLastError and returns it.
cudaError_t call_ends(cudaError_t error);

// Runs the body of an entry point.
template <class Body> cudaError_t api_call(CallKind kind, Body body) {
  const Entered entered;
  const cudaError_t pretended = call_begins(kind);
  if (pretended != cudaSuccess && kind == CallKind::ordinary) return call_ends(pretended);
  const cudaError_t error = body();
  return call_ends(pretended != cudaSuccess ? pretended : error);
}

// Enqueues work on the stream with this handle, or adds it to the stream's capture.
cudaError_t enqueue_work(cudaStream_t stream, Work work);

} // namespace gs_sim

#endif
