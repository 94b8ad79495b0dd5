/* The worker's side of the protocol: the input is the parameters of a "predict"
 * request (JSON text), as the worker's parent would send them. Memory is predicted,
 * none is taken. */
#include "fuzz.h"

#include <fcntl.h>
#include <unistd.h>

#include "sweep/pipe.h"
#include "sweep/worker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size > 4096 || memchr(data, '\n', size)) return 0;
  static const char before[] = "{\"request\":\"predict\",\"params\":";
  int requests[2];
  int answers[2];
  FUZZ_REQUIRE(pipe2(requests, O_CLOEXEC) == 0 && pipe2(answers, O_CLOEXEC | O_NONBLOCK) == 0);
  FUZZ_REQUIRE(gs_write_all(requests[1], before, sizeof before - 1));
  FUZZ_REQUIRE(gs_write_all(requests[1], (const char *)data, size));
  FUZZ_REQUIRE(gs_write_all(requests[1], "}\n", 2));
  close(requests[1]);
  gs_error error = {0};
  const gs_device_choice choice = {GS_BACKEND_CPU, "auto", 1};
  const gs_status status = gs_worker_serve(&choice, requests[0], answers[1], &error);
  FUZZ_REQUIRE(status == GS_OK || status == GS_ERR_DATA || status == GS_ERR_INTERNAL);
  close(requests[0]);
  close(answers[1]);
  char told[1 << 13];
  const ssize_t length = read(answers[0], told, sizeof told - 1);
  FUZZ_REQUIRE(length > 0 && told[length - 1] == '\n');
  close(answers[0]);
  return 0;
}
