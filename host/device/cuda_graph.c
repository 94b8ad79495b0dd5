/* Events, and whole steps captured as graphs. */
#include <stdlib.h>

#include "device/cuda_internal.h"

struct gs_event {
  cudaEvent_t event;
};

struct gs_graph {
  cudaGraphExec_t executable;
};

gs_status gs_cuda_event_create(gs_device *device, gs_event **event) {
  *event = calloc(1, sizeof **event);
  if (!*event) return GS_FAIL(&device->error, GS_ERR_MEMORY, "no memory for an event");
  const gs_status status =
      gs_cuda_check(device, cudaEventCreate(&(*event)->event), "creating an event");
  if (status == GS_OK) return GS_OK;
  free(*event);
  *event = NULL;
  return status;
}

void gs_cuda_event_destroy(gs_device *device, gs_event *event) {
  (void)device;
  if (!event) return;
  cudaEventDestroy(event->event);
  free(event);
}

gs_status gs_cuda_record(gs_device *device, gs_event *event) {
  GS_TRY(gs_cuda_join(device));
  return gs_cuda_check(device, cudaEventRecord(event->event, gs_cuda(device)->streams.main),
                       "recording an event");
}

gs_status gs_cuda_elapsed(gs_device *device, const gs_event *from, const gs_event *to, double *ns) {
  float milliseconds = 0;
  GS_TRY(gs_cuda_check(device, cudaEventElapsedTime(&milliseconds, from->event, to->event),
                       "reading a time"));
  *ns = 1e6 * (double)milliseconds;
  return GS_OK;
}

/* ThreadLocal: other threads' calls (a library's) must not invalidate the capture. */
gs_status gs_cuda_capture_begin(gs_device *device) {
  gs_cuda_device *cuda = gs_cuda(device);
  GS_TRY(gs_cuda_join(device));
  GS_TRY(gs_cuda_check(device,
                       cudaStreamBeginCapture(cuda->streams.main, cudaStreamCaptureModeThreadLocal),
                       "beginning a capture"));
  cuda->capturing = true;
  return GS_OK;
}

/* Always ends the capture, also one that failed on the way. */
gs_status gs_cuda_capture_end(gs_device *device, gs_graph **graph) {
  gs_cuda_device *cuda = gs_cuda(device);
  cudaGraph_t captured = NULL;
  *graph = NULL;
  gs_status status = gs_cuda_join(device);
  const gs_error first = device->error;
  const cudaError_t code = cudaStreamEndCapture(cuda->streams.main, &captured);
  cuda->capturing = false;
  const gs_status ended = gs_cuda_check(device, code, "ending a capture"); /* is it lost? */
  if (status == GS_OK) {
    status = ended;
  } else {
    device->error = first;
  }
  gs_graph *made = status == GS_OK ? calloc(1, sizeof *made) : NULL;
  if (status == GS_OK && !made) {
    status = GS_FAIL(&device->error, GS_ERR_MEMORY, "no memory for a graph");
  }
  if (status == GS_OK) {
    status = gs_cuda_check(device, cudaGraphInstantiate(&made->executable, captured, 0),
                           "instantiating a graph");
  }
  if (captured) cudaGraphDestroy(captured);
  if (status == GS_OK) {
    *graph = made;
  } else {
    free(made);
  }
  return status;
}

gs_status gs_cuda_replay(gs_device *device, gs_graph *graph) {
  GS_TRY(gs_cuda_join(device));
  return gs_cuda_check(device, cudaGraphLaunch(graph->executable, gs_cuda(device)->streams.main),
                       "replaying a graph");
}

void gs_cuda_graph_destroy(gs_device *device, gs_graph *graph) {
  if (!graph) return;
  cudaStreamSynchronize(gs_cuda(device)->streams.main); /* it may still be running */
  cudaGraphExecDestroy(graph->executable);
  free(graph);
}
