/* Kernels that wait: as many times as they are told, in any order of threads and blocks,
 * and counters are left as they were found. */
#include "support_kernels.h"

#include <stdlib.h>

#include "cuda_on_cpu_control.h"

static const gs_queue queue = {.stream = NULL, .multiprocessors = 4};

static uint32_t wanted(gs_latency which, int turns) {
  return (uint32_t)(which == GS_LATENCY_CLUSTER_HOP ? 5 * turns % 16 : turns);
}

static void check(gs_latency which, int turns, uint32_t *words) {
  static const uint32_t before[2] = {0, 12345};
  uint32_t after[2];
  gs_kernel_run(cudaMemcpy(words, before, sizeof before, cudaMemcpyHostToDevice));
  gs_kernel_run(gs_launch_latency(queue, which, turns, words, words + 1));
  gs_kernel_run(cudaMemcpy(after, words, sizeof after, cudaMemcpyDeviceToHost));
  assert_int_equal(after[0], 0);
  if (after[1] != wanted(which, turns)) {
    fail_msg("latency %d: %u after %d turns", (int)which, after[1], turns);
  }
}

static void test_waits(void **state) {
  (void)state;
  static const int turns[] = {0, GS_LATENCY_UNROLL, 3 * GS_LATENCY_UNROLL, 7 * GS_LATENCY_UNROLL};
  uint32_t *words = NULL;
  gs_kernel_run(cudaMalloc((void **)&words, 2 * sizeof *words));
  for (int order = 0; order < 3; order++) {
    gs_sim_set_order(order);
    for (int which = 0; which < GS_LATENCY_COUNT; which++) {
      bool exists = false;
      gs_kernel_run(gs_latency_exists((gs_latency)which, &exists));
      assert_true(exists);
      for (size_t i = 0; i < sizeof turns / sizeof *turns; i++) {
        check((gs_latency)which, turns[i], words);
      }
      for (int more = 1; more < GS_LATENCY_UNROLL; more += 7) {
        assert_int_equal(gs_launch_latency(queue, (gs_latency)which, more, words, words + 1),
                         cudaErrorInvalidValue);
      }
    }
  }
  gs_sim_set_order(0);
  gs_kernel_run(cudaFree(words));
}

/* A failing call is no device without clusters. */
static void test_failures(void **state) {
  (void)state;
  static const gs_latency which[] = {GS_LATENCY_CLUSTER_HOP, GS_LATENCY_CLUSTER_BARRIER,
                                     GS_LATENCY_GRID_BARRIER};
  for (size_t i = 0; i < sizeof which / sizeof *which; i++) {
    gs_sim_counts counts;
    bool exists = false;
    gs_sim_set_failures(&(gs_sim_failures){.devices = 1});
    gs_kernel_run(gs_latency_exists(which[i], &exists));
    gs_sim_get_counts(&counts);
    const long calls = counts.calls - 1; /* less the wait */
    assert_true(calls >= 2);
    for (long k = 1; k <= calls; k++) {
      gs_sim_set_failures(&(gs_sim_failures){.devices = 1, .fail_any = k});
      exists = true;
      assert_int_equal(gs_latency_exists(which[i], &exists), cudaErrorUnknown);
      assert_false(exists);
    }
    gs_sim_set_failures(&(gs_sim_failures){.devices = 1});
    cudaGetLastError();
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_waits),
      cmocka_unit_test(test_failures),
  };
  setenv("GRADSWEEP_SIM_CAPABILITY", "90", 1); /* there are clusters */
  return cmocka_run_group_tests(tests, NULL, NULL);
}
