/* A device that computes as the CPU does and plays a GPU: it has graphs, a
 * name, a driver, memory that the host must not read in place, and a clock of its
 * own, so that what is above the device interface can be tested for GPUs where
 * there are none. */
#ifndef GS_TESTS_SUPPORT_FAKE_GPU_H
#define GS_TESTS_SUPPORT_FAKE_GPU_H

#include "device/device.h"
#include "support.h"

typedef struct gs_fake_gpu {
  gs_device base; /* first: a gs_fake_gpu * is a gs_device * */
  gs_device *cpu;
  /* What it says of itself; a test may change it. */
  gs_device_info info;
  gs_roofline roofline;
  /* Its clock moves by so much for an operation, run or replayed. */
  double operation_ns, replayed_ns;
  double clock_ns;
  /* The host's moves by so much for a replay, which cannot begin sooner. */
  double launch_ns;
  double host_ns;
  /* What happened. */
  int64_t run, captured; /* operations */
  int64_t captures, replays;
  int64_t live_graphs, live_events;
  bool capturing, no_capture; /* the latter: graphs are claimed only */
  /* The operation that makes `run` this number fails, for good if `lose` is set. */
  int64_t fail_at;
  bool lose, lose_at_free;
  int64_t fail_captured_at; /* the same for `captured` */
} gs_fake_gpu;

/* Destroyed by base.ops->destroy. Its persistent loops are claimed only. */
gs_fake_gpu *gs_support_fake_gpu(void);

#endif
