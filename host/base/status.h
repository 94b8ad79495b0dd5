/* Status codes and the error object that travels with them.
 *
 * Every fallible function returns a gs_status. What went wrong in words, the
 * native code (errno, a library's status) and the location in the source travel in a gs_error
 * that the caller owns. Only main prints, and only main exits. */
#ifndef GS_BASE_STATUS_H
#define GS_BASE_STATUS_H

#include "base/names.h"

/* X(constant, name, exit code of the program when this ends a run) */
#define GS_STATUS_LIST(X)                                                                          \
  X(GS_OK, "ok", 0)                                                                                \
  X(GS_ERR_USAGE, "usage", 64)             /* the command line cannot be understood */             \
  X(GS_ERR_DATA, "bad data", 65)           /* a file's content cannot be understood */             \
  X(GS_ERR_NO_DEVICE, "no device", 69)     /* the asked-for device is not there */                 \
  X(GS_ERR_INTERNAL, "internal error", 70) /* a broken promise inside gradsweep */                 \
  X(GS_ERR_MEMORY, "out of memory", 71)    /* host or device memory ran out */                     \
  X(GS_ERR_DEVICE, "device error", 71)     /* a library or driver call failed */                   \
  X(GS_ERR_OUTPUT, "output error", 74)     /* a result could not be written */                     \
  X(GS_ERR_UNSUPPORTED, "unsupported", 69) /* a valid request this backend does not serve */

#define GS_STATUS_VALUE(constant, name, code) constant,
typedef enum gs_status { GS_STATUS_LIST(GS_STATUS_VALUE) GS_STATUS_COUNT } gs_status;

enum { GS_ERROR_MESSAGE_BYTES = 512 };

typedef struct gs_error {
  gs_status status;
  int native;       /* errno or the failing library's own code; 0 if there is none */
  const char *file; /* where it was noticed; static strings */
  int line;
  char message[GS_ERROR_MESSAGE_BYTES];
} gs_error;

extern const gs_names gs_status_names; /* short: "bad data" */

/* The exit code of the program for a status (README, "Exit codes"). */
int gs_status_exit_code(gs_status status);

/* Fills *error (may be NULL) from a printf format and returns status.
 * A message that does not fit is cut. */
gs_status gs_error_set(gs_error *error, gs_status status, int native, const char *file, int line,
                       const char *format, ...) __attribute__((format(printf, 6, 7)));

/* Yields its second argument. Where gs_error_set's body is out of sight, compilers
 * and analyzers would have to assume that a failure might return GS_OK. */
static inline gs_status gs_status_second(gs_status set, gs_status status) {
  (void)set;
  return status;
}

/* Records an error and yields its status: return GS_FAIL(error, GS_ERR_DATA, "..."); */
#define GS_FAIL(error, status, ...) GS_FAIL_NATIVE((error), (status), 0, __VA_ARGS__)
#define GS_FAIL_NATIVE(error, status, native, ...)                                                 \
  gs_status_second(gs_error_set((error), (status), (native), __FILE__, __LINE__, __VA_ARGS__),     \
                   (status))

/* Returns from the enclosing function when the expression is not GS_OK. */
#define GS_TRY(expression)                                                                         \
  do {                                                                                             \
    const gs_status gs_try_status = (expression);                                                  \
    if (gs_try_status != GS_OK) return gs_try_status;                                              \
  } while (0)

#endif
