/* Tensors of every layout in device memory, for tests of single operations. */
#ifndef GS_TESTS_SUPPORT_TENSOR_H
#define GS_TESTS_SUPPORT_TENSOR_H

#include "support.h"

enum { GS_POOL_MEMORY = 64 };

/* The program's shared device with the workspace that the test's sizes need, and all the
 * memory that the test's tensors took. One at a time. */
typedef struct gs_pool {
  gs_device *device;
  void *memory[GS_POOL_MEMORY];
  int count;
  uint64_t random;
} gs_pool;

/* Opens a pool for operations of up to `rows` rows (all steps) and `columns` columns, on
 * sequences of `steps` steps (0: none). gs_pool_close frees everything but the device. */
gs_pool gs_pool_open(gs_dtype dtype, int64_t rows, int64_t columns, int64_t replicas, int64_t steps,
                     int threads);
void gs_pool_close(gs_pool *pool);
void *gs_pool_take(gs_pool *pool, size_t bytes);

typedef struct gs_shape {
  gs_dtype dtype;
  int64_t replicas, rows, cols;
  int64_t pad;   /* ld - cols, and elements between replicas beyond rows * ld */
  bool shared;   /* stride 0 */
  int64_t slots; /* groups of scale slots: steps, or 0 */
} gs_shape;

/* Every element and its surroundings hold a pattern (NaNs); slots are empty. */
gs_tensor gs_pool_tensor(gs_pool *pool, gs_shape shape);
/* The same with random true values: digits uniform in (-1, 1) times 2^digit and,
 * where the tensor has slots, the exponents given (NULL: 0), one for each step,
 * and the peaks that belong to them. */
gs_tensor gs_pool_random(gs_pool *pool, gs_shape shape, int digit, const int32_t *exponents);

/* Zeroes the digits of a sequence's step t = 0, 1, ...; its exponents stay, its
 * peaks are GS_PEAK_NONE. */
void gs_pool_zero_step(gs_pool *pool, const gs_tensor *sequence, int64_t steps, int64_t t);

/* True values of a sequence, [steps][R][rows / steps][cols]; malloc'd. */
double *gs_support_values(gs_device *device, const gs_tensor *sequence, int64_t steps);
gs_scale gs_support_slot(gs_device *device, const gs_tensor *tensor, int64_t index);

/* Fails the test unless what surrounds the tensor's elements is untouched. */
void gs_support_check_padding(gs_device *device, const gs_tensor *tensor);
/* Fails the test unless every slot's peak is the largest ilogb of its digits. */
void gs_support_check_peaks(gs_device *device, const gs_tensor *sequence, int64_t steps);

#endif
