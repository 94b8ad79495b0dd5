/* Status names, exit codes and error messages. */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>

const char *gs_status_name(gs_status status) {
  switch (status) {
#define GS_STATUS_CASE(constant, name, code)                                                       \
  case constant: return name;
    GS_STATUS_LIST(GS_STATUS_CASE)
#undef GS_STATUS_CASE
  }
  return "unknown status";
}

int gs_status_exit_code(gs_status status) {
  switch (status) {
#define GS_STATUS_CASE(constant, name, code)                                                       \
  case constant: return code;
    GS_STATUS_LIST(GS_STATUS_CASE)
#undef GS_STATUS_CASE
  }
  return 70;
}

gs_status gs_error_set(gs_error *error, gs_status status, int native, const char *file, int line,
                       const char *format, ...) {
  if (!error) return status;
  error->status = status;
  error->native = native;
  error->file = file;
  error->line = line;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(error->message, sizeof error->message, format, arguments);
  va_end(arguments);
  return status;
}
