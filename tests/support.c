/* A device and tensors for tests. */
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void gs_support_ok(gs_status status, const gs_error *error) {
  if (status != GS_OK) fail_msg("%s: %s", gs_status_name(status), error ? error->message : "");
}

gs_device *gs_support_device(int threads) {
  gs_device *device = NULL;
  gs_error error = {0};
  gs_support_ok(gs_cpu_device_create(threads, &device, &error), &error);
  return device;
}

/* Bytes from the first element of replica r, row i to the tensor's first. */
static size_t row_offset(const gs_tensor *tensor, int64_t r, int64_t i) {
  return (size_t)(r * tensor->stride + i * tensor->ld) * gs_dtype_bytes(tensor->dtype);
}

int gs_support_open_device(void **state) {
  *state = gs_support_device(2);
  return 0;
}

int gs_support_open_device_alone(void **state) {
  *state = gs_support_device(1);
  return 0;
}

int gs_support_close_device(void **state) {
  gs_device *device = *state;
  device->ops->destroy(device);
  return 0;
}

double *gs_support_download(gs_device *device, const gs_tensor *tensor) {
  const size_t cols = (size_t)tensor->cols, replicas = (size_t)tensor->replicas;
  double *values = calloc(replicas * (size_t)tensor->rows * cols, sizeof *values);
  float *row = calloc(cols, sizeof *row);
  gs_scale *scale = calloc(replicas, sizeof *scale);
  assert_non_null(values);
  assert_non_null(row);
  assert_non_null(scale);
  if (tensor->scale)
    gs_support_ok(device->ops->download(device, scale, tensor->scale, replicas * sizeof *scale),
                  &device->error);
  double *out = values;
  for (int64_t r = 0; r < tensor->replicas; r++)
    for (int64_t i = 0; i < tensor->rows; i++, out += cols) {
      const char *from = (const char *)tensor->data + row_offset(tensor, r, i);
      const bool wide = tensor->dtype == GS_F64;
      void *to = wide ? (void *)out : (void *)row;
      gs_support_ok(device->ops->download(device, to, from, cols * gs_dtype_bytes(tensor->dtype)),
                    &device->error);
      for (size_t j = 0; j < cols; j++)
        out[j] = ldexp(wide ? out[j] : (double)row[j], scale[r].exponent);
    }
  free(scale);
  free(row);
  return values;
}

void gs_support_upload(gs_device *device, const gs_tensor *tensor, const double *values) {
  const size_t cols = (size_t)tensor->cols;
  float *row = calloc(cols, sizeof *row);
  assert_non_null(row);
  for (int64_t r = 0; r < tensor->replicas; r++)
    for (int64_t i = 0; i < tensor->rows; i++, values += cols) {
      for (size_t j = 0; j < cols; j++) row[j] = (float)values[j];
      const void *from = tensor->dtype == GS_F64 ? (const void *)values : (const void *)row;
      char *to = (char *)tensor->data + row_offset(tensor, r, i);
      gs_support_ok(device->ops->upload(device, to, from, cols * gs_dtype_bytes(tensor->dtype)),
                    &device->error);
    }
  free(row);
}

const char *gs_support_path(const char *name) {
  static char path[4096];
  const char *root = getenv("GRADSWEEP_SOURCE_DIR");
  const int length = snprintf(path, sizeof path, "%s/%s", root ? root : ".", name);
  assert_true(length > 0 && (size_t)length < sizeof path);
  return path;
}
