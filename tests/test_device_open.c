/* Which device is opened for which choice, with and without a GPU. This program
 * brings a CUDA backend of its own: it opens, is not there, or is broken, as a
 * test wants. */
#include "support.h"

#include <stdio.h>
#include <string.h>

#include "device/device.h"
#include "sweep/device_open.h"

typedef enum gpu { GPU_ABSENT, GPU_THERE, GPU_BROKEN } gpu;

static struct {
  gpu state;
  gs_device device; /* handed out */
  char asked_for[64];
} cuda;

/* In place of the library's. */
gs_status gs_cuda_device_create(const char *name, gs_device **device, gs_error *error) {
  snprintf(cuda.asked_for, sizeof cuda.asked_for, "%s", name);
  *device = NULL;
  if (cuda.state == GPU_ABSENT) return GS_FAIL(error, GS_ERR_NO_DEVICE, "no GPU far and wide");
  if (cuda.state == GPU_BROKEN) return GS_FAIL(error, GS_ERR_DEVICE, "the GPU is out of order");
  *device = &cuda.device;
  return GS_OK;
}

static gs_status open_device(gpu state, gs_backend backend, const char *name, gs_device **device,
                             gs_error *error) {
  const gs_device_choice choice = {backend, name, 1};
  memset(&cuda, 0, sizeof cuda);
  cuda.state = state;
  *device = NULL;
  return gs_device_open(&choice, device, error);
}

static void assert_cpu(gpu state, gs_backend backend, const char *name) {
  gs_device *device = NULL;
  gs_error error = {0};
  gs_device_info info;
  gs_support_ok(open_device(state, backend, name, &device, &error), &error);
  assert_ptr_not_equal(device, &cuda.device);
  device->ops->info(device, &info);
  assert_string_equal(info.backend, "cpu");
  assert_int_equal(info.threads, 1);
  device->ops->destroy(device);
}

static void assert_gpu(gs_backend backend, const char *name) {
  gs_device *device = NULL;
  gs_error error = {0};
  gs_support_ok(open_device(GPU_THERE, backend, name, &device, &error), &error);
  assert_ptr_equal(device, &cuda.device);
  assert_string_equal(cuda.asked_for, name);
}

static void assert_refused(gpu state, gs_backend backend, const char *name, gs_status status,
                           const char *message) {
  gs_device *device = NULL;
  gs_error error = {0};
  assert_int_equal(open_device(state, backend, name, &device, &error), status);
  assert_int_equal(error.status, status);
  assert_null(device);
  if (!strstr(error.message, message)) fail_msg("\"%s\" lacks \"%s\"", error.message, message);
}

static void the_cpu_is_opened_whatever_gpu_there_is(void **state) {
  (void)state;
  for (gpu there = GPU_ABSENT; there <= GPU_BROKEN; there++) {
    assert_cpu(there, GS_BACKEND_CPU, "auto");
    assert_cpu(there, GS_BACKEND_CPU, "0");
    assert_refused(there, GS_BACKEND_CPU, "1", GS_ERR_NO_DEVICE, "\"1\"");
    assert_string_equal(cuda.asked_for, ""); /* nobody woke the GPU */
  }
}

static void the_gpu_is_opened_or_says_why_not(void **state) {
  (void)state;
  assert_gpu(GS_BACKEND_CUDA, "auto");
  assert_gpu(GS_BACKEND_CUDA, "0000:1b:00.0");
  assert_refused(GPU_ABSENT, GS_BACKEND_CUDA, "auto", GS_ERR_NO_DEVICE, "no GPU far and wide");
  assert_refused(GPU_BROKEN, GS_BACKEND_CUDA, "0", GS_ERR_DEVICE, "out of order");
}

static void auto_prefers_the_gpu(void **state) {
  (void)state;
  assert_gpu(GS_BACKEND_AUTO, "auto");
  assert_gpu(GS_BACKEND_AUTO, "0");
  assert_gpu(GS_BACKEND_AUTO, "GPU-0123");
}

static void auto_is_the_cpu_without_a_gpu_and_with_a_name_it_has(void **state) {
  (void)state;
  assert_cpu(GPU_ABSENT, GS_BACKEND_AUTO, "auto");
  assert_cpu(GPU_ABSENT, GS_BACKEND_AUTO, "0");
  const char *const names[] = {"1", "7", "GPU-0123", "0000:1b:00.0"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    assert_refused(GPU_ABSENT, GS_BACKEND_AUTO, names[i], GS_ERR_NO_DEVICE, "no GPU far and wide");
    assert_refused(GPU_ABSENT, GS_BACKEND_AUTO, names[i], GS_ERR_NO_DEVICE, names[i]);
  }
}

/* A GPU that is there but fails is no reason to measure something else. */
static void a_broken_gpu_is_not_passed_over(void **state) {
  (void)state;
  assert_refused(GPU_BROKEN, GS_BACKEND_AUTO, "auto", GS_ERR_DEVICE, "out of order");
  assert_refused(GPU_BROKEN, GS_BACKEND_AUTO, "0", GS_ERR_DEVICE, "out of order");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_cpu_is_opened_whatever_gpu_there_is),
      cmocka_unit_test(the_gpu_is_opened_or_says_why_not),
      cmocka_unit_test(auto_prefers_the_gpu),
      cmocka_unit_test(auto_is_the_cpu_without_a_gpu_and_with_a_name_it_has),
      cmocka_unit_test(a_broken_gpu_is_not_passed_over),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
