/* Faults on demand. See fault.h. */
#include "sweep/fault.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "device/device.h"
#include "measure/digest.h"
#include "sweep/pipe.h"

/* A cell in a round. */
typedef struct moment {
  int64_t cell, round;
} moment;

static bool is_word(const char *entry, size_t length, const char *word) {
  return strlen(word) == length && strncmp(entry, word, length) == 0;
}

/* Whether one entry "kind:cell" or "kind:cell@round" of the list is meant for this one. */
static bool is_meant(const char *entry, size_t length, const char *kind, moment now) {
  char wanted[72];
  snprintf(wanted, sizeof wanted, "%s:%lld", kind, (long long)now.cell);
  if (is_word(entry, length, wanted)) return true;
  snprintf(wanted, sizeof wanted, "%s:%lld@%lld", kind, (long long)now.cell, (long long)now.round);
  if (is_word(entry, length, wanted)) return true;
  snprintf(wanted, sizeof wanted, "%s:*", kind);
  return is_word(entry, length, wanted);
}

static bool asked(const char *kind, moment now) {
  const char *list = getenv(GS_FAULT_VARIABLE);
  while (list && *list) {
    const size_t length = strcspn(list, ",");
    if (is_meant(list, length, kind, now)) return true;
    list += length + (list[length] == ',');
  }
  return false;
}

/* A word without a cell. */
static bool is_listed(const char *word) {
  const char *list = getenv(GS_FAULT_VARIABLE);
  while (list && *list) {
    const size_t length = strcspn(list, ",");
    if (is_word(list, length, word)) return true;
    list += length + (list[length] == ',');
  }
  return false;
}

static void pause_for(long nanoseconds) {
  const struct timespec time = {0, nanoseconds};
  nanosleep(&time, NULL);
}

bool gs_fault_at_cell(int64_t cell, int64_t round, int output) {
  const moment now = {cell, round};
  if (asked("print", now)) {
    printf("a library prints to the standard output\n");
    fflush(stdout);
  }
  if (asked("slow", now)) pause_for(200000000);
  if (asked("crash", now)) {
    fprintf(stderr, "the fault that was asked for\n");
    abort();
  }
  if (asked("exit", now)) {
    (void)gs_write_all(output, "{\"id\"", 5);
    _exit(3);
  }
  while (asked("hang", now)) pause_for(100000000);
  if (asked("garbage", now)) return gs_write_all(output, "this is not JSON\n", 17);
  return false;
}

void gs_fault_at_device(int64_t cell, int64_t round, gs_device *device) {
  if (!asked("lost", (moment){cell, round})) return;
  device->lost = true;
  (void)GS_FAIL(&device->error, GS_ERR_DEVICE, "the device is lost: a fault that was asked for");
}

void gs_fault_at_config(int64_t cell, int64_t round, gs_config *config) {
  if (asked("weights", (moment){cell, round})) config->seed ^= 1;
}

static void scale(const cJSON *object, const char *key, double factor) {
  cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
  cJSON *entry = NULL;
  if (!item) return;
  if (cJSON_IsNumber(item)) cJSON_SetNumberValue(item, item->valuedouble * factor);
  if (!cJSON_IsArray(item)) return;
  cJSON_ArrayForEach(entry, item) {
    if (cJSON_IsNumber(entry)) cJSON_SetNumberValue(entry, entry->valuedouble * factor);
  }
}

static void make_late(const cJSON *record) {
  static const char *const times[] = {"samples_ns", "median_ns", "p5_ns", "p95_ns"};
  static const char *const rates[] = {"samples_per_s", "flops_per_s", "bytes_per_s"};
  const double factor = 1.05;
  const cJSON *timing = gs_json_get(record, "timing");
  const cJSON *round = NULL;
  for (size_t i = 0; i < sizeof times / sizeof *times; i++) scale(timing, times[i], factor);
  for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) scale(timing, rates[i], 1 / factor);
  cJSON_ArrayForEach(round, gs_json_get(timing, "rounds")) {
    scale(round, "median_ns", factor);
    scale(round, "wall_ns", factor);
  }
}

/* The logarithm of delta's norm in the middle, over replicas. */
static cJSON *middle_norm(const cJSON *record) {
  static const char *const path[] = {"layers", "delta", "log10_norm", "mean"};
  const cJSON *at = record;
  for (size_t i = 0; i < sizeof path / sizeof *path; i++) {
    at = gs_json_get(at, path[i]);
  }
  return cJSON_GetArrayItem(at, cJSON_GetArraySize(at) / 2);
}

void gs_fault_at_record(int64_t cell, int64_t round, cJSON *record) {
  const moment now = {cell, round};
  char text[GS_SHA256_TEXT_BYTES];
  if (asked("late", now)) make_late(record);
  const bool ulp = asked("ulp", now);
  cJSON *norm = ulp || asked("off", now) ? middle_norm(record) : NULL;
  if (!norm || !cJSON_IsNumber(norm)) return;
  const double value = norm->valuedouble;
  cJSON_SetNumberHelper(norm, ulp ? nextafter(value, INFINITY) : value + log10(1.001));
  cJSON *digest = cJSON_CreateString(gs_digest_of(record, text));
  if (!digest || !cJSON_ReplaceItemInObjectCaseSensitive(record, "digest", digest)) {
    cJSON_Delete(digest);
  }
}

bool gs_fault_at_roofline(gs_roofline *roofline) {
  const bool lame = is_listed("lame");
  const double rate = lame ? 1e3 : 1e18;
  if (!lame && !is_listed("lavish")) return false;
  *roofline =
      (gs_roofline){.flops_per_s = {[GS_F32] = rate, [GS_F64] = rate}, .copy_bytes_per_s = rate};
  return true;
}

bool gs_fault_stale(void) { return is_listed("stale"); }

double gs_fault_patience_s(double seconds) { return is_listed("impatient") ? 2 : seconds; }

const char *gs_fault_worker(const char *usual) {
  const char *other = getenv(GS_FAULT_WORKER_VARIABLE);
  return other && *other ? other : usual;
}

static bool is_alone(const char *kind) {
  const char *value = getenv(GS_FAULT_VARIABLE);
  return value && strcmp(value, kind) == 0;
}

bool gs_fault_absent(void) { return is_alone("absent"); }

bool gs_fault_falsify(void) { return is_alone("falsify"); }
