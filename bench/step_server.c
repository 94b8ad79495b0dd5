/* Answers times and tensors of training steps over a pipe, so that another
 * program (tools/peers/) can take turns with gradsweep in one run and check that
 * both compute the same. Requests and answers are lines:
 *
 *   cells PATH              the cells of a sweep file: "cell PARAMETERS", one JSON
 *                           object a line, then "ok COUNT"
 *   device                  what it works on: "device FACTS", a JSON object, then
 *                           "ok"
 *   create PARAMETERS       a network with these parameters (a JSON object, as in
 *                           a sweep without lists); "ok THREADS NAME"
 *   keep                    as create, of the same parameters, but weight
 *                           gradients are kept for `tensor`; "ok"
 *   time SECONDS            steps without statistics for about so long (at least
 *                           three, on a GPU one): "ok COUNT MEDIAN_NS MIN_NS
 *                           LAUNCH". On the CPU each step and its wait by the
 *                           host's clock; on a GPU as in a sweep: by its events,
 *                           short steps several at a time, as a graph unless the
 *                           parameters say otherwise (LAUNCH: graph or eager)
 *   normals ROWS COLS DTYPE SECONDS  fills such a tensor with normal numbers for about
 *                           so long (normals.h): "ok MEDIAN_NS MIN_NS"
 *   step                    one step: "ok"
 *   tensor ROLE INDEX PATH  writes a tensor's true values, float64, packed
 *                           [replicas][rows][cols]: "ok REPLICAS ROWS COLS".
 *                           Roles: weight input_weight bias input target output
 *                           grad_weight grad_input grad_bias
 *   quit
 *
 * A request that fails is answered "error MESSAGE". The device is the one that the
 * environment names (open.h), the same for all networks. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/sort.h"
#include "device/device.h"
#include "measure/timing.h"
#include "net/network.h"
#include "normals.h"
#include "open.h"
#include "sweep/device_facts.h"
#include "sweep/spec.h"

enum { MAX_SAMPLES = 1 << 20 };

typedef struct step_server {
  gs_device *device;
  gs_network *network;
  gs_config config;
  double *samples_ns;
  gs_timing timing; /* of a GPU */
} step_server;

static gs_status cells(const char *path, gs_error *error) {
  gs_sweep sweep = {0};
  GS_TRY(gs_sweep_from_file(path, &sweep, error));
  gs_status status = GS_OK;
  for (int64_t i = 0; i < sweep.count && status == GS_OK; i++) {
    cJSON *parameters = gs_config_to_json(&sweep.cells[i].config);
    char *line = parameters ? gs_json_print_line(parameters) : NULL;
    if (line)
      printf("cell %s\n", line);
    else
      status = GS_FAIL(error, GS_ERR_MEMORY, "out of memory");
    free(line);
    cJSON_Delete(parameters);
  }
  if (status == GS_OK) printf("ok %" PRId64 "\n", sweep.count);
  gs_sweep_clear(&sweep);
  return status;
}

static gs_status describe(const step_server *server, gs_error *error) {
  cJSON *facts = gs_device_facts(server->device);
  char *line = facts ? gs_json_print_line(facts) : NULL;
  cJSON_Delete(facts);
  if (!line) return GS_FAIL(error, GS_ERR_MEMORY, "out of memory");
  printf("device %s\n", line);
  free(line);
  return GS_OK;
}

static void close_network(step_server *server) {
  gs_network_destroy(server->network);
  server->network = NULL;
}

/* Parameters may name a backend, but not another than the one at work. */
static gs_status check_backend(const step_server *server, gs_error *error) {
  gs_device_info info = {0};
  server->device->ops->info(server->device, &info);
  const char *asked = gs_name(&gs_backend_names, server->config.backend);
  if (server->config.backend == GS_BACKEND_AUTO || strcmp(asked, info.backend) == 0) return GS_OK;
  return GS_FAIL(error, GS_ERR_NO_DEVICE, "the network is for %s and GRADSWEEP_BACKEND opened %s",
                 asked, info.backend);
}

static gs_status open_network(step_server *server, bool keep_gradients, gs_error *error) {
  const gs_network_options options = {.keep_gradients = keep_gradients};
  close_network(server);
  GS_TRY(check_backend(server, error));
  return gs_network_create(server->device, &server->config, &options, &server->network, error);
}

static gs_status create(step_server *server, const char *text, gs_error *error) {
  cJSON *root = NULL;
  gs_device_info info = {0};
  gs_config_clear(&server->config);
  GS_TRY(gs_json_parse(text, strlen(text), "create", &root, error));
  const gs_status status = gs_config_from_json(root, "$", &server->config, error);
  cJSON_Delete(root);
  GS_TRY(status);
  GS_TRY(open_network(server, false, error));
  server->device->ops->info(server->device, &info);
  printf("ok %d %s\n", info.threads, info.name);
  return GS_OK;
}

static gs_status step(step_server *server, gs_error *error) {
  if (!server->network) return GS_FAIL(error, GS_ERR_USAGE, "no network: create one first");
  GS_TRY(gs_network_step(server->network, false, error));
  const gs_status status = server->device->ops->sync(server->device);
  if (status != GS_OK) *error = server->device->error;
  return status;
}

static void answer_time(double *samples_ns, size_t count, gs_launch launch) {
  gs_sort(samples_ns, count);
  printf("ok %zu %.17g %.17g %s\n", count, samples_ns[count / 2], samples_ns[0],
         gs_name(&gs_launch_names, launch));
}

static gs_status time_on_gpu(step_server *server, double seconds, gs_error *error) {
  /* the spread never settles: all of the time is used */
  const gs_timing_limits limits = {.time_limit_s = seconds, .spread = -1};
  gs_timing *timing = &server->timing;
  if (!server->network) return GS_FAIL(error, GS_ERR_USAGE, "no network: create one first");
  GS_TRY(gs_timing_measure(server->network, false, &limits, 0, timing, error));
  answer_time(timing->samples_ns, (size_t)timing->count, timing->launch);
  return GS_OK;
}

static gs_status time_steps(step_server *server, double seconds, gs_error *error) {
  if (!server->device->host_memory) return time_on_gpu(server, seconds, error);
  const double end = 1e9 * gs_clock_s() + 1e9 * seconds;
  size_t count = 0;
  while (count < MAX_SAMPLES && (count < 3 || 1e9 * gs_clock_s() < end)) {
    const double start = 1e9 * gs_clock_s();
    GS_TRY(step(server, error));
    server->samples_ns[count++] = 1e9 * gs_clock_s() - start;
  }
  answer_time(server->samples_ns, count, GS_LAUNCH_EAGER);
  return GS_OK;
}

static gs_status normals(gs_device *device, const char *arguments, gs_error *error) {
  int64_t rows = 0, cols = 0;
  char name[16] = "";
  double seconds = 0, median_ns = 0, min_ns = 0;
  if (sscanf(arguments, "%" SCNd64 " %" SCNd64 " %15s %lf", &rows, &cols, name, &seconds) != 4 ||
      gs_value_of(&gs_dtype_names, name, NULL) < 0)
    return GS_FAIL(error, GS_ERR_USAGE, "normals ROWS COLS DTYPE SECONDS");
  const gs_dtype dtype = (gs_dtype)gs_value_of(&gs_dtype_names, name, NULL);
  GS_TRY(gs_bench_normals(device, rows, cols, dtype, seconds, &median_ns, &min_ns, error));
  printf("ok %.17g %.17g\n", median_ns, min_ns);
  return GS_OK;
}

static bool find_role(const char *name, gs_role *role) {
  static const struct {
    const char *name;
    gs_role role;
  } roles[] = {{"weight", GS_ROLE_WEIGHT},
               {"input_weight", GS_ROLE_INPUT_WEIGHT},
               {"bias", GS_ROLE_BIAS},
               {"input", GS_ROLE_INPUT},
               {"target", GS_ROLE_TARGET},
               {"output", GS_ROLE_OUTPUT},
               {"grad_weight", GS_ROLE_GRAD_WEIGHT},
               {"grad_input", GS_ROLE_GRAD_INPUT},
               {"grad_bias", GS_ROLE_GRAD_BIAS}};
  for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
    if (!strcmp(roles[i].name, name)) {
      *role = roles[i].role;
      return true;
    }
  return false;
}

/* Binary16: 5 bits of exponent, 10 of fraction (IEEE 754). */
static double half_value(uint16_t stored) {
  const int exponent = stored >> 10 & 0x1f;
  const double fraction = stored & 0x3ff;
  double magnitude = exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
  if (exponent == 0x1f) magnitude = fraction > 0 ? (double)NAN : (double)INFINITY;
  return stored & 0x8000 ? -magnitude : magnitude;
}

/* Bfloat16: the upper half of a float. */
static double brain_value(uint16_t stored) {
  const uint32_t bits = (uint32_t)stored << 16;
  float value;
  memcpy(&value, &bits, sizeof value);
  return (double)value;
}

static double element(gs_dtype dtype, const unsigned char *at) {
  uint16_t narrow;
  float single;
  double wide;
  switch (dtype) {
  case GS_F64: memcpy(&wide, at, sizeof wide); return wide;
  case GS_BF16: memcpy(&narrow, at, sizeof narrow); return brain_value(narrow);
  case GS_F16: memcpy(&narrow, at, sizeof narrow); return half_value(narrow);
  default: memcpy(&single, at, sizeof single); return (double)single;
  }
}

/* One row of true values as float64. */
static gs_status write_row(const gs_tensor *tensor, const unsigned char *row, int32_t exponent,
                           FILE *file, gs_error *error) {
  for (int64_t j = 0; j < tensor->cols; j++) {
    const size_t offset = (size_t)j * gs_dtype_bytes(tensor->dtype);
    const double value = ldexp(element(tensor->dtype, row + offset), exponent);
    if (fwrite(&value, sizeof value, 1, file) != 1)
      return GS_FAIL(error, GS_ERR_OUTPUT, "cannot write the tensor");
  }
  return GS_OK;
}

/* A replica is fetched whole: a GPU answers every request with a wait. */
static gs_status write_replica(gs_device *device, const gs_tensor *tensor, int64_t replica,
                               unsigned char *digits, FILE *file, gs_error *error) {
  const size_t size = gs_dtype_bytes(tensor->dtype);
  const size_t extent = (size_t)((tensor->rows - 1) * tensor->ld + tensor->cols) * size;
  const unsigned char *from =
      (const unsigned char *)tensor->data + (size_t)(replica * tensor->stride) * size;
  gs_scale scale = {0};
  gs_status status = device->ops->download(device, digits, from, extent);
  if (status == GS_OK && tensor->scale)
    status = device->ops->download(device, &scale, tensor->scale + replica, sizeof scale);
  if (status != GS_OK) {
    *error = device->error;
    return status;
  }
  for (int64_t i = 0; i < tensor->rows; i++)
    GS_TRY(
        write_row(tensor, digits + (size_t)(i * tensor->ld) * size, scale.exponent, file, error));
  return GS_OK;
}

static gs_status write_values(gs_device *device, const gs_tensor *tensor, FILE *file,
                              gs_error *error) {
  unsigned char *digits =
      malloc((size_t)(tensor->rows * tensor->ld) * gs_dtype_bytes(tensor->dtype));
  gs_status status = digits ? GS_OK : GS_FAIL(error, GS_ERR_MEMORY, "out of memory");
  for (int64_t r = 0; r < tensor->replicas && status == GS_OK; r++)
    status = write_replica(device, tensor, r, digits, file, error);
  free(digits);
  return status;
}

static gs_status write_tensor(step_server *server, char *arguments, gs_error *error) {
  char role_name[32] = "", path[1024] = "";
  int64_t index = 0;
  gs_role role = GS_ROLE_WEIGHT;
  if (sscanf(arguments, "%31s %" SCNd64 " %1023s", role_name, &index, path) != 3 ||
      !find_role(role_name, &role))
    return GS_FAIL(error, GS_ERR_USAGE, "tensor ROLE INDEX PATH");
  if (!server->network) return GS_FAIL(error, GS_ERR_USAGE, "no network: create one first");
  const gs_tensor tensor = gs_network_tensor(server->network, role, index);
  if (!tensor.data)
    return GS_FAIL(error, GS_ERR_USAGE, "no such tensor: %s %" PRId64, role_name, index);
  FILE *file = fopen(path, "wb");
  if (!file) return GS_FAIL(error, GS_ERR_OUTPUT, "cannot open %s", path);
  gs_status status = write_values(server->device, &tensor, file, error);
  if (fclose(file) != 0 && status == GS_OK)
    status = GS_FAIL(error, GS_ERR_OUTPUT, "cannot write %s", path);
  if (status == GS_OK)
    printf("ok %" PRId64 " %" PRId64 " %" PRId64 "\n", tensor.replicas, tensor.rows, tensor.cols);
  return status;
}

static gs_status answer(step_server *server, const char *request, char *arguments,
                        gs_error *error) {
  if (!strcmp(request, "cells")) return cells(arguments, error);
  if (!strcmp(request, "create")) return create(server, arguments, error);
  if (!strcmp(request, "time")) return time_steps(server, strtod(arguments, NULL), error);
  if (!strcmp(request, "tensor")) return write_tensor(server, arguments, error);
  if (!strcmp(request, "normals")) return normals(server->device, arguments, error);
  if (!strcmp(request, "device"))
    GS_TRY(describe(server, error));
  else if (!strcmp(request, "keep"))
    GS_TRY(open_network(server, true, error));
  else if (!strcmp(request, "step"))
    GS_TRY(step(server, error));
  else
    return GS_FAIL(error, GS_ERR_USAGE, "unknown request: %s", request);
  puts("ok");
  return GS_OK;
}

int main(void) {
  step_server server = {.samples_ns = malloc(MAX_SAMPLES * sizeof(double))};
  char *line = NULL;
  size_t capacity = 0;
  gs_error unopened = {0};
  if (!server.samples_ns) return 1;
  const gs_status opened = gs_bench_open(&server.device, &unopened);
  if (opened != GS_OK) {
    (void)fprintf(stderr, "step_server: error: %s\n", unopened.message);
    return gs_status_exit_code(opened);
  }
  while (getline(&line, &capacity, stdin) >= 0) {
    gs_error error = {0};
    line[strcspn(line, "\n")] = 0;
    if (!strcmp(line, "quit")) break;
    char *arguments = strchr(line, ' ');
    if (arguments) *arguments++ = 0;
    char none[] = "";
    if (answer(&server, line, arguments ? arguments : none, &error) != GS_OK)
      printf("error %s\n", error.message);
    fflush(stdout);
  }
  close_network(&server);
  server.device->ops->destroy(server.device);
  gs_config_clear(&server.config);
  free(line);
  free(server.samples_ns);
  return 0;
}
