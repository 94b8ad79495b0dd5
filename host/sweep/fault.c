/* Faults on demand. See fault.h. */
#include "sweep/fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sweep/pipe.h"

/* Whether one entry "kind:cell" of the list is meant for this cell. */
static bool is_meant(const char *entry, size_t length, const char *kind, int64_t cell) {
  char wanted[48];
  const int exact = snprintf(wanted, sizeof wanted, "%s:%lld", kind, (long long)cell);
  if ((size_t)exact == length && strncmp(entry, wanted, length) == 0) return true;
  const int every = snprintf(wanted, sizeof wanted, "%s:*", kind);
  return (size_t)every == length && strncmp(entry, wanted, length) == 0;
}

static bool asked(const char *kind, int64_t cell) {
  const char *list = getenv(GS_FAULT_VARIABLE);
  while (list && *list) {
    const size_t length = strcspn(list, ",");
    if (is_meant(list, length, kind, cell)) return true;
    list += length + (list[length] == ',');
  }
  return false;
}

static void pause_for(long nanoseconds) {
  const struct timespec time = {0, nanoseconds};
  nanosleep(&time, NULL);
}

bool gs_fault_at_cell(int64_t cell, int output) {
  if (asked("print", cell)) {
    printf("a library prints to the standard output\n");
    fflush(stdout);
  }
  if (asked("slow", cell)) pause_for(200000000);
  if (asked("crash", cell)) {
    fprintf(stderr, "the fault that was asked for\n");
    abort();
  }
  if (asked("exit", cell)) {
    (void)gs_write_all(output, "{\"id\"", 5);
    _exit(3);
  }
  while (asked("hang", cell)) pause_for(100000000);
  if (asked("garbage", cell)) return gs_write_all(output, "this is not JSON\n", 17);
  return false;
}

void gs_fault_at_device(int64_t cell, gs_device *device) {
  if (!asked("lost", cell)) return;
  device->lost = true;
  (void)GS_FAIL(&device->error, GS_ERR_DEVICE, "the device is lost: a fault that was asked for");
}

static bool is_alone(const char *kind) {
  const char *value = getenv(GS_FAULT_VARIABLE);
  return value && strcmp(value, kind) == 0;
}

bool gs_fault_absent(void) { return is_alone("absent"); }

bool gs_fault_falsify(void) { return is_alone("falsify"); }
