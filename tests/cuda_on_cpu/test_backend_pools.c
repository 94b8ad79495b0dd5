/* What tests of single operations cost a GPU: one device for all cases, and no megabytes of
 * patterns from the host. On a GPU with cuBLASLt's workspaces of Hopper's size, 32 MiB each,
 * a case was a second, and a program of thousands of them could not end. */
#include <stdlib.h>

#include "cuda_on_cpu_control.h"
#include "device/device.h"
#include "support_tensor.h"

enum { CASES = 6, MIB = 1 << 20 };

static void many_cases_cost_one_device(void **state) {
  const gs_workspace_need need = {
      .rows = 5, .columns = 7, .weights = 49, .elements = 49, .replicas = 2, .steps = 1};
  gs_sim_counts counts;
  (void)state;
  for (int i = 0; i < CASES; i++) {
    gs_pool pool = gs_pool_open(GS_F32, 5, 7, 2, 0, 1 + i % 2);
    const gs_tensor a = gs_pool_random(&pool, (gs_shape){GS_F32, 2, 5, 7, .pad = 1}, 0, NULL);
    const gs_tensor b = gs_pool_random(&pool, (gs_shape){GS_F32, 2, 7, 5, .pad = 1}, 0, NULL);
    const gs_tensor c = gs_pool_tensor(&pool, (gs_shape){GS_F32, 2, 5, 5, .pad = 1});
    gs_support_ok(pool.device->ops->gemm(pool.device, false, &a, false, &b, &c),
                  &pool.device->error);
    gs_support_check_padding(pool.device, &c);
    assert_true(pool.device->ops->workspace_bytes(pool.device, &need) > 64 * (size_t)MIB);
    gs_pool_close(&pool);
  }
  gs_sim_get_counts(&counts);
  assert_int_equal(counts.handles_made, 1);
  assert_in_range(counts.uploaded_bytes, 1, MIB);
  assert_int_equal(counts.live_allocations, 1); /* the device's own */
}

int main(void) {
  setenv("GRADSWEEP_TEST_BACKEND", "cuda", 1);
  setenv("GRADSWEEP_SIM_CAPABILITY", "90", 1);
  setenv("GRADSWEEP_SIM_MEMORY", "0x200000000", 1); /* of which cuBLASLt gets a 256th */
  const struct CMUnitTest tests[] = {cmocka_unit_test(many_cases_cost_one_device)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
