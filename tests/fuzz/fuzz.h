/* What the harnesses share. Each is one fuzz_NAME.c with LLVMFuzzerTestOneInput,
 * linked with libFuzzer, the address and undefined-behaviour sanitizers and the
 * library. A broken promise ends in abort(), which libFuzzer reports with the input. */
#ifndef GS_TESTS_FUZZ_H
#define GS_TESTS_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/printable.h"
#include "base/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_REQUIRE(condition)                                                                    \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition);                      \
      abort();                                                                                     \
    }                                                                                              \
  } while (0)

/* A refusal of something from outside: the status is one of those that say so, and
 * the message is one printable line. */
static inline void fuzz_refused(gs_status status, const gs_error *error) {
  char printable[GS_ERROR_MESSAGE_BYTES];
  FUZZ_REQUIRE(status == GS_ERR_DATA || status == GS_ERR_USAGE || status == GS_ERR_NO_DEVICE ||
               status == GS_ERR_UNSUPPORTED);
  FUZZ_REQUIRE(error->message[0] != '\0');
  gs_printable(error->message, printable, sizeof printable);
  FUZZ_REQUIRE(strchr(error->message, '\n') == NULL);
}

#endif
