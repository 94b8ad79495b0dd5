/* What several test programs need: a device for the whole program, tensors as
 * arrays of true values, and the golden networks of tests/data/golden.txt. */
#ifndef GS_TESTS_SUPPORT_H
#define GS_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* wants the headers above before it */

#include "device/facts.h"
#include "net/network.h"

/* Fails the running test with the error's words unless status is GS_OK. */
void gs_support_ok(gs_status status, const gs_error *error);

/* The device that tests run on: the CPU with this many threads (0: all), or, with
 * GRADSWEEP_TEST_BACKEND=cuda, the first GPU. The caller destroys it. Without a GPU the
 * program ends as skipped. */
gs_device *gs_support_device(int threads);
/* The same, but one for the whole program, which ends it: opening a GPU and choosing its
 * algorithms takes longer than most cases. */
gs_device *gs_support_shared_device(int threads);
/* Does the test device compute with this dtype? */
bool gs_support_has(const gs_device *device, gs_dtype dtype);
/* Is it a GPU? */
bool gs_support_cuda(void);
/* Where a GPU is simulated (GRADSWEEP_TEST_SIMULATED=n), which is slow, tests with many
 * cases take every (n of)-th: call this once for each. Elsewhere they take them all. */
bool gs_support_takes(int of);

/* A group's set-up and tear-down: *state and gs_group_device are the test device with two
 * threads, or with one, for tests that other processes' threads must not hold up. */
extern gs_device *gs_group_device;
int gs_support_open_device(void **state);
int gs_support_open_device_alone(void **state);
int gs_support_close_device(void **state);

/* True values of a tensor of any dtype, [replicas][rows][cols], its exponent slots
 * included (a tensor of one step: one slot per replica). Malloc'd. */
double *gs_support_download(gs_device *device, const gs_tensor *tensor);
/* Overwrites a tensor's digits, rounded to its dtype. */
void gs_support_upload(gs_device *device, const gs_tensor *tensor, const double *values);

/* A number as the dtype stores it; tf32: as it is multiplied, so that products of such
 * numbers are exact. */
double gs_support_round(gs_dtype dtype, double value);

/* How far a result may be off, relative to its tensor's largest magnitude. */
double gs_support_tolerance(gs_dtype dtype);
/* A power of two for test data, within what the dtype can hold: f16 gets a sixth. */
int gs_support_reach(gs_dtype dtype, int exponent);

/* Path of a file below the source folder, in a static buffer. */
const char *gs_support_path(const char *name);

/* One golden network: see tools/golden/make_golden.py. */
enum { GS_GOLDEN_MAX_TENSORS = 64, GS_GOLDEN_NAME_BYTES = 64 };

typedef struct gs_golden_tensor {
  char role[24];
  int64_t index;
  int64_t replicas, rows, cols;
  double *values; /* [replicas][rows][cols] */
} gs_golden_tensor;

typedef struct gs_golden {
  char name[GS_GOLDEN_NAME_BYTES];
  gs_config config;
  bool native_f32; /* true: every number on the way fits float32 */
  gs_golden_tensor tensors[GS_GOLDEN_MAX_TENSORS];
  int count;
} gs_golden;

/* Reads a golden file; *cases is malloc'd. Fails the test when it is malformed. */
void gs_golden_read(const char *path, gs_golden **cases, int *count);
void gs_golden_free(gs_golden *cases, int count);
/* A tensor of the case by role and index; NULL if it has none. */
const gs_golden_tensor *gs_golden_find(const gs_golden *golden, const char *role, int64_t index);

#endif
