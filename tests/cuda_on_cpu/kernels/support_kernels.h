/* Tensors of every layout in device memory, beside a copy on the host that says what is
 * to be in them, for tests of single kernels. */
#ifndef GS_TESTS_SUPPORT_KERNELS_H
#define GS_TESTS_SUPPORT_KERNELS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* wants the headers above before it */

#include "device/device.h"
#include "kernels/kernels.h"

typedef struct gs_kernel_layout {
  int64_t rows, cols, pad; /* pad: ld - cols */
  int64_t gap;             /* elements between replicas */
  int64_t replicas;
  bool shared;   /* stride 0 */
  size_t offset; /* of the data from aligned memory, in elements */
} gs_kernel_layout;

typedef struct gs_kernel_tensor {
  gs_tensor tensor;
  unsigned char *memory;
  unsigned char *host; /* what is to be there, gaps included */
  size_t bytes;
  size_t start; /* of the tensor's first element in it */
} gs_kernel_tensor;

/* A queue for a device with one multiprocessor: launches are small, and threads go on. */
gs_queue gs_kernel_queue(void);
/* Fails the test unless the launch and all before it succeed. */
void gs_kernel_run(cudaError_t status);

/* Memory and host hold a pattern. */
gs_kernel_tensor gs_kernel_create(gs_kernel_layout layout, gs_dtype dtype);
void gs_kernel_destroy(gs_kernel_tensor *device);
/* How many matrices lie there: one where the replicas share it. */
int64_t gs_kernel_matrices(const gs_tensor *tensor);
/* Element i of replica r on the host, and all of them from values: rounded to the dtype,
 * in which they must be normal or 0. */
unsigned char *gs_kernel_element(const gs_kernel_tensor *device, int64_t r, int64_t i);
void gs_kernel_expect(gs_kernel_tensor *device, int64_t r, const float *values);
/* Copies the host's elements to the device. */
void gs_kernel_upload(const gs_kernel_tensor *device);
/* Fails the test unless the device holds what the host does, bit for bit. */
void gs_kernel_check(const gs_kernel_tensor *device);

#endif
