/* What if memory runs out? The k-th allocation fails, for every k, while a small
 * cell is measured: the answer is always a clean status or a whole record, and
 * nothing leaks.
 *
 * This program defines malloc and its relatives, over glibc's own. Only calls
 * from this program and from cJSON are made to fail, and only those are watched
 * for leaks: OpenMP ends a process that has no memory for a thread team, which
 * is not ours to mend. Sanitizers own malloc; there is nothing to do here then. */
#include "support.h"

#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/device.h"
#include "measure/measure.h"
#include "support_sanitizer.h"

#if GS_SANITIZED

int main(void) { return GS_TEST_SKIPPED; }

#else

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t align, size_t size);
extern void __libc_free(void *memory);

/* ---- the interposed allocator ---- */

enum { WATCHED = 1 << 16 }; /* slots for live blocks; a cell here has a few thousand */

static struct {
  bool on;
  long calls;          /* watched allocations so far */
  long fail_at;        /* this one fails (1-based); 0: none */
  bool fail_after;     /* and all that follow */
  void *live[WATCHED]; /* open addressing by address; TOMB: was taken */
  long live_count;
} watch;

static char tomb;

/* Code addresses of this program and of cJSON. */
static struct { uintptr_t low, high; } callers[8];
static int caller_ranges;

static int note_object(struct dl_phdr_info *info, size_t size, void *data) {
  (void)size;
  (void)data;
  const bool ours = info->dlpi_name[0] == '\0' || strstr(info->dlpi_name, "libcjson");
  for (int i = 0; ours && i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *header = &info->dlpi_phdr[i];
    if (header->p_type != PT_LOAD || !(header->p_flags & PF_X) || caller_ranges == 8) continue;
    callers[caller_ranges].low = info->dlpi_addr + header->p_vaddr;
    callers[caller_ranges].high = callers[caller_ranges].low + header->p_memsz;
    caller_ranges++;
  }
  return 0;
}

static bool is_ours(const void *caller) {
  const uintptr_t address = (uintptr_t)caller;
  for (int i = 0; i < caller_ranges; i++) {
    if (address >= callers[i].low && address < callers[i].high) return true;
  }
  return false;
}

static size_t slot_of(const void *block) { return ((uintptr_t)block >> 4) * 40503u % WATCHED; }

static void remember(void *block) {
  size_t slot = slot_of(block);
  if (!block) return;
  while (watch.live[slot] && watch.live[slot] != &tomb) slot = (slot + 1) % WATCHED;
  watch.live[slot] = block;
  watch.live_count++;
}

static void forget(const void *block) {
  size_t slot = slot_of(block);
  if (!block || !watch.on) return;
  while (watch.live[slot] && watch.live[slot] != block) slot = (slot + 1) % WATCHED;
  if (!watch.live[slot]) return; /* not one of the watched */
  watch.live[slot] = &tomb;
  watch.live_count--;
}

/* Counts a call; does it fail? */
static bool refuse(const void *caller) {
  if (!watch.on || !is_ours(caller)) return false;
  watch.calls++;
  if (watch.fail_at == 0) return false;
  if (watch.calls != watch.fail_at && !(watch.fail_after && watch.calls > watch.fail_at)) {
    return false;
  }
  errno = ENOMEM;
  return true;
}

static void *watched(void *block, const void *caller) {
  if (watch.on && is_ours(caller)) remember(block);
  return block;
}

void *malloc(size_t size) {
  const void *caller = __builtin_return_address(0);
  return refuse(caller) ? NULL : watched(__libc_malloc(size), caller);
}

void *calloc(size_t nmemb, size_t size) {
  const void *caller = __builtin_return_address(0);
  return refuse(caller) ? NULL : watched(__libc_calloc(nmemb, size), caller);
}

void *realloc(void *ptr, size_t size) {
  const void *caller = __builtin_return_address(0);
  if (refuse(caller)) return NULL;
  forget(ptr);
  return watched(__libc_realloc(ptr, size), caller);
}

void *aligned_alloc(size_t alignment, size_t size) {
  const void *caller = __builtin_return_address(0);
  return refuse(caller) ? NULL : watched(__libc_memalign(alignment, size), caller);
}

void free(void *ptr) {
  forget(ptr);
  __libc_free(ptr);
}

/* ---- cells ---- */

enum { CASES = 4 };

static void make_config(gs_config *config, int which) {
  gs_error error = {0};
  gs_support_ok(gs_config_default(which == 1 ? GS_RNN : GS_MLP, config, &error), &error);
  config->batch = 2;
  config->replicas = 2;
  config->bias_std = 0.1;
  config->hidden = config->input = 4;
  config->seq_len = 3;
  if (which != 1) gs_support_ok(gs_config_set_widths(config, 2, 5, &error), &error);
  if (which == 0) config->activation.kind = config->output_activation.kind = GS_RELU;
  if (which == 1) config->activation.kind = config->output_activation.kind = GS_SIGMOID;
  if (which == 1) config->init = gs_init_default(GS_INIT_ORTHOGONAL);
  if (which == 1 || which == 2) config->jacobian = true;
  if (which == 2) config->dtype = GS_F64;
  if (which == 2) config->stats = GS_STATS_NORMS;
  if (which == 3) config->range = GS_RANGE_NATIVE;
}

/* A whole record must be the one that an undisturbed measurement gives; its
 * timing, which is another every time, must be there. */
static void assert_whole(cJSON *record, const cJSON *expected, long k) {
  cJSON *timing = cJSON_DetachItemFromObjectCaseSensitive(record, "timing");
  assert_true(cJSON_GetArraySize(cJSON_GetObjectItem(timing, "samples_ns")) == 1);
  assert_int_equal(cJSON_GetArraySize(timing), 19);
  if (!cJSON_Compare(record, expected, true)) fail_msg("allocation %ld failing goes unnoticed", k);
  cJSON_Delete(timing);
}

static gs_measure_options options_of(void) {
  gs_measure_options options = gs_measure_defaults();
  options.timing.time_limit_s = 1e-9; /* one sample */
  return options;
}

/* One measurement with the k-th allocation failing. Returns how many there were. */
static long attempt(gs_device *device, const gs_config *config, const cJSON *expected, long k,
                    bool and_after) {
  const gs_measure_options options = options_of();
  gs_error error = {0};
  cJSON *record = NULL;
  memset(&watch, 0, sizeof watch);
  watch.fail_at = k;
  watch.fail_after = and_after;
  watch.on = true;
  const gs_status status = gs_measure_cell(device, config, &options, &record, &error);
  const long calls = watch.calls;
  watch.fail_at = 0;
  if (status != GS_OK) {
    assert_int_equal(status, GS_ERR_MEMORY);
    assert_null(record);
    assert_true(strlen(error.message) > 0);
  } else { /* "skipped" would be for good: memory may be there another time */
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(record, "error")));
    assert_whole(record, expected, k);
    /* nothing may fail for good and go unnoticed */
    assert_true(calls < k || !and_after);
  }
  cJSON_Delete(record);
  const long leaked = watch.live_count;
  watch.on = false;
  if (leaked != 0) fail_msg("allocation %ld failing leaks %ld blocks", k, leaked);
  return calls;
}

/* What a measurement gives when nothing fails, without its timing. */
static cJSON *undisturbed(gs_device *device, const gs_config *config) {
  const gs_measure_options options = options_of();
  gs_error error = {0};
  cJSON *record = NULL;
  gs_support_ok(gs_measure_cell(device, config, &options, &record, &error), &error);
  assert_true(cJSON_IsNull(cJSON_GetObjectItem(record, "error")));
  cJSON_DeleteItemFromObjectCaseSensitive(record, "timing");
  return record;
}

static void check_cell(int which, bool and_after) {
  gs_device *device = gs_support_device(1);
  gs_config config;
  make_config(&config, which);
  cJSON *expected = undisturbed(device, &config);
  long k = 1;
  while (attempt(device, &config, expected, k, and_after) >= k) k++;
  assert_true(k > 200); /* allocations were counted and failed */
  cJSON_Delete(expected);
  gs_config_clear(&config);
  device->ops->destroy(device);
}

static void test_one_failure(void **state) {
  (void)state;
  for (int which = 0; which < CASES; which++) check_cell(which, false);
}

static void test_no_memory_from_there_on(void **state) {
  (void)state;
  for (int which = 0; which < CASES; which++) check_cell(which, true);
}

/* Creating a device can fail too, and the interposer must be at work at all. */
static void test_device(void **state) {
  (void)state;
  gs_device *device = NULL;
  gs_error error = {0};
  memset(&watch, 0, sizeof watch);
  watch.fail_at = 1;
  watch.on = true;
  const gs_status status = gs_cpu_device_create(1, &device, &error);
  watch.on = false;
  assert_int_equal(status, GS_ERR_MEMORY);
  assert_int_equal(watch.calls, 1);
  assert_int_equal(watch.live_count, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_device),
                                     cmocka_unit_test(test_one_failure),
                                     cmocka_unit_test(test_no_memory_from_there_on)};
  dl_iterate_phdr(note_object, NULL);
  return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
