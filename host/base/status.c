/* Status names, exit codes and error messages. */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>

#define STATUS_NAME(constant, name, code) name,
#define STATUS_CODE(constant, name, code) code,

const gs_names gs_status_names = {"status", GS_NAMES(GS_STATUS_LIST(STATUS_NAME)), NULL};

int gs_status_exit_code(gs_status status) {
  static const int codes[] = {GS_STATUS_LIST(STATUS_CODE)};
  return (int)status >= 0 && status < GS_STATUS_COUNT ? codes[status] : 70;
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
