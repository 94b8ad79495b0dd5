/* Answers times and tensors of training steps over a pipe, so that another
 * program (tools/peers/) can take turns with gradsweep in one run and check that
 * both compute the same. Requests and answers are lines:
 *
 *   cells PATH              the cells of a sweep file: "cell PARAMETERS", one JSON
 *                           object a line, then "ok COUNT"
 *   create PARAMETERS       a network with these parameters (a JSON object, as in
 *                           a sweep without lists); "ok THREADS NAME"
 *   keep                    as create, of the same parameters, but weight
 *                           gradients are kept for `tensor`; "ok"
 *   time SECONDS            steps without statistics for about so long (at least
 *                           three): "ok COUNT MEDIAN_NS LEAST_NS"
 *   step                    one step: "ok"
 *   tensor ROLE INDEX PATH  writes a tensor's true values, float64, packed
 *                           [replicas][rows][cols]: "ok REPLICAS ROWS COLS".
 *                           Roles: weight input_weight bias input target output
 *                           grad_weight grad_input grad_bias
 *   quit
 *
 * A request that fails is answered "error MESSAGE". */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "net/network.h"
#include "sweep/spec.h"

enum { MAX_SAMPLES = 1 << 20 };

typedef struct step_server {
  gs_device *device;
  gs_network *network;
  gs_config config;
  double *samples_ns;
} step_server;

static double now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return 1e9 * (double)now.tv_sec + (double)now.tv_nsec;
}

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

/* A network with a device of its own. */
static void close_network(step_server *server) {
  gs_network_destroy(server->network);
  server->network = NULL;
  if (server->device) server->device->ops->destroy(server->device);
  server->device = NULL;
}

static gs_status open_network(step_server *server, bool keep_gradients, gs_error *error) {
  const gs_network_options options = {.keep_gradients = keep_gradients};
  close_network(server);
  if (server->config.backend == GS_BACKEND_CUDA)
    return GS_FAIL(error, GS_ERR_NO_DEVICE, "no CUDA backend in this build");
  GS_TRY(gs_cpu_device_create(0, &server->device, error));
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

static int compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static gs_status time_steps(step_server *server, double seconds, gs_error *error) {
  const double end = now_ns() + 1e9 * seconds;
  size_t count = 0;
  while (count < MAX_SAMPLES && (count < 3 || now_ns() < end)) {
    const double start = now_ns();
    GS_TRY(step(server, error));
    server->samples_ns[count++] = now_ns() - start;
  }
  qsort(server->samples_ns, count, sizeof *server->samples_ns, compare);
  printf("ok %zu %.17g %.17g\n", count, server->samples_ns[count / 2], server->samples_ns[0]);
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

/* One row of true values as float64. */
static gs_status write_row(gs_device *device, const gs_tensor *tensor, int64_t replica, int64_t row,
                           int32_t exponent, double *values, FILE *file, gs_error *error) {
  const size_t size = gs_dtype_bytes(tensor->dtype), cols = (size_t)tensor->cols;
  const char *from =
      (const char *)tensor->data + (size_t)(replica * tensor->stride + row * tensor->ld) * size;
  if (device->ops->download(device, values, from, cols * size) != GS_OK) {
    *error = device->error;
    return error->status;
  }
  for (size_t j = cols; j-- > 0;) { /* from the end: floats widen in place */
    float narrow;
    memcpy(&narrow, (const char *)values + j * sizeof narrow, sizeof narrow);
    values[j] = ldexp(size == sizeof narrow ? (double)narrow : values[j], exponent);
  }
  if (fwrite(values, sizeof *values, cols, file) != cols)
    return GS_FAIL(error, GS_ERR_OUTPUT, "cannot write the tensor");
  return GS_OK;
}

static gs_status write_values(gs_device *device, const gs_tensor *tensor, FILE *file,
                              gs_error *error) {
  double *values = malloc((size_t)tensor->cols * sizeof *values);
  gs_status status = values ? GS_OK : GS_FAIL(error, GS_ERR_MEMORY, "out of memory");
  for (int64_t r = 0; r < tensor->replicas && status == GS_OK; r++) {
    gs_scale scale = {0};
    if (tensor->scale)
      status = device->ops->download(device, &scale, tensor->scale + r, sizeof scale);
    for (int64_t i = 0; i < tensor->rows && status == GS_OK; i++)
      status = write_row(device, tensor, r, i, scale.exponent, values, file, error);
  }
  free(values);
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
  if (!tensor.data || (tensor.dtype != GS_F64 && tensor.dtype != GS_F32))
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
  if (!strcmp(request, "keep"))
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
  if (!server.samples_ns) return 1;
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
  gs_config_clear(&server.config);
  free(line);
  free(server.samples_ns);
  return 0;
}
