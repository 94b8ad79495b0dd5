/* The worker's side of the protocol. See worker.h and pipe.h. */
#include "sweep/worker.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/integer.h"
#include "base/json_writer.h"
#include "device/device.h"
#include "measure/options_json.h"
#include "net/network.h"
#include "sweep/device_facts.h"
#include "sweep/fault.h"
#include "sweep/pipe.h"
#include "sweep/record.h"
#include "sweep/spec.h"

typedef struct worker_state {
  gs_device *device;
  cJSON *about; /* the device's description, as in the hello */
  int output;
} worker_state;

/* ---- answers ---- */

/* Writes a tree as one line and frees it. NULL is "out of memory". */
static gs_status answer(const worker_state *server, cJSON *tree, gs_error *error) {
  char *line = NULL;
  GS_TRY(gs_json_take_line(tree, "an answer", &line, error));
  const size_t length = strlen(line);
  line[length] = '\n'; /* in place of the terminator: one write, one line */
  const bool written = gs_write_all(server->output, line, length + 1);
  free(line);
  return written ? GS_OK : GS_FAIL(error, GS_ERR_OUTPUT, "nobody reads the worker's answers");
}

static cJSON *describe_failure(const gs_error *failure) {
  gs_json_writer w = gs_json_writer_object();
  gs_json_put_string(&w, "error", failure->message);
  gs_json_put_string(&w, "status", gs_name(&gs_status_names, failure->status));
  return gs_json_finish(&w);
}

static cJSON *hello(const worker_state *server) {
  gs_json_writer w = gs_json_writer_object();
  gs_json_put_int(&w, "hello", GS_WORKER_PROTOCOL);
  gs_json_put_copy(&w, "device", server->about);
  return gs_json_finish(&w);
}

static cJSON *measure_roofline(const worker_state *server) {
  gs_roofline roofline;
  gs_error failure;
  if (!gs_fault_at_roofline(&roofline) &&
      gs_roofline_measure(server->device, &roofline, &failure) != GS_OK) {
    return describe_failure(&failure);
  }
  return gs_roofline_to_json(&roofline);
}

static cJSON *predict(const worker_state *server, const cJSON *request) {
  gs_error failure;
  gs_config config;
  gs_network_memory memory;
  memset(&config, 0, sizeof config);
  const cJSON *params = gs_json_get(request, "params");
  gs_status status = gs_config_from_json(params, "params", &config, &failure);
  if (status == GS_OK) {
    status = gs_network_check(server->device, &config, &failure);
    if (status == GS_OK) {
      status = gs_network_predict(server->device, &config, NULL, &memory, &failure);
    }
    gs_config_clear(&config);
  }
  if (status != GS_OK) return describe_failure(&failure);
  gs_json_writer w = gs_json_writer_object();
  gs_json_put_int(&w, "predicted_bytes", (int64_t)memory.total_bytes);
  return gs_json_finish(&w);
}

/* ---- cells ---- */

/* What a cell's request says; the strings and trees stay the request's. */
typedef struct cell_request {
  int64_t cell;
  const char *id;
  const char *name;
  const cJSON *params;
  cJSON *read; /* params as the network that is measured has them, owned; NULL: not read */
  gs_measure_options options;
  double memory_limit_bytes; /* 0: none */
} cell_request;

static bool read_cell_request(const cJSON *request, cell_request *cell) {
  cell->id = cJSON_GetStringValue(gs_json_get(request, "id"));
  cell->name = cJSON_GetStringValue(gs_json_get(request, "name"));
  cell->params = gs_json_get(request, "params");
  cell->options = gs_measure_defaults();
  cell->memory_limit_bytes = gs_json_get_number(request, "memory_limit_bytes");
  return cell->id && cell->name && cJSON_IsObject(cell->params) &&
         gs_integer_of(gs_json_get_number(request, "cell"), 0, GS_INTEGER_MAX, &cell->cell) &&
         !isnan(cell->memory_limit_bytes) &&
         gs_measure_options_from_json(gs_json_get(request, "options"), &cell->options);
}

/* Measures the cell; *skip is set with the words in *failure when it would take
 * more memory than the run allows. */
static gs_status measure(const worker_state *server, cell_request *cell, cJSON **measured,
                         bool *skip, gs_error *failure) {
  gs_config config;
  memset(&config, 0, sizeof config);
  GS_TRY(gs_config_from_json(cell->params, "params", &config, failure));
  cell->read = gs_config_to_json(&config);
  gs_fault_at_config(cell->cell, cell->options.round, &config);
  gs_network_memory memory;
  gs_status status = GS_OK;
  if (cell->memory_limit_bytes > 0) { /* what cannot be predicted, the measurement explains */
    *skip = gs_network_predict(server->device, &config, NULL, &memory, failure) == GS_OK &&
            (double)memory.total_bytes > cell->memory_limit_bytes;
  }
  if (*skip) {
    gs_error_set(failure, GS_ERR_MEMORY, 0, __FILE__, __LINE__,
                 "needs %zu bytes, more than --memory-limit %.0f", memory.total_bytes,
                 cell->memory_limit_bytes);
  } else {
    status = gs_measure_cell(server->device, &config, &cell->options, measured, failure);
  }
  gs_config_clear(&config);
  return status;
}

/* What was measured, not what was asked for: a parameter that got lost on the way shows. */
static const cJSON *params_of(const cell_request *cell) {
  return cell->read ? cell->read : cell->params;
}

/* The line of a measured cell; of a later round its timing alone. Takes `measured` over. */
static cJSON *complete(const cell_request *cell, cJSON *measured) {
  const int64_t round = cell->options.round;
  if (round == 0) return gs_record_complete(cell->id, cell->name, params_of(cell), measured);
  gs_outcome outcome = gs_outcome_pending();
  cJSON *line = NULL;
  if (gs_json_add(measured, "id", cJSON_CreateString(cell->id)) &&
      gs_outcome_read(measured, &outcome, NULL) == GS_OK) {
    line = gs_record_round(cell->id, round, outcome.status,
                           cJSON_GetStringValue(gs_json_get(measured, "error")),
                           cJSON_DetachItemFromObjectCaseSensitive(measured, "timing"));
  }
  cJSON_Delete(measured);
  return line;
}

/* The line of a cell that is not measured. */
static cJSON *refuse(const worker_state *server, const cell_request *cell, gs_cell_status status,
                     const char *reason) {
  const int64_t round = cell->options.round;
  if (round > 0) return gs_record_round(cell->id, round, status, reason, NULL);
  return gs_record_bare(cell->id, cell->name, params_of(cell), status, reason, server->about);
}

static gs_status answer_cell(const worker_state *server, const cJSON *request, gs_error *error) {
  cell_request cell;
  memset(&cell, 0, sizeof cell);
  if (!read_cell_request(request, &cell)) {
    return GS_FAIL(error, GS_ERR_INTERNAL, "an incomplete request for a cell");
  }
  if (gs_fault_at_cell(cell.cell, cell.options.round, server->output)) return GS_OK;
  gs_fault_at_device(cell.cell, cell.options.round, server->device);
  gs_error failure;
  memset(&failure, 0, sizeof failure);
  cJSON *measured = NULL;
  bool skip = false;
  const gs_status status = measure(server, &cell, &measured, &skip, &failure);
  if (measured) gs_fault_at_record(cell.cell, cell.options.round, measured);
  cJSON *line =
      status == GS_OK && !skip
          ? complete(&cell, measured)
          : refuse(server, &cell, skip ? GS_CELL_SKIPPED : GS_CELL_FAILED, failure.message);
  cJSON_Delete(cell.read);
  return answer(server, line, error);
}

/* ---- the loop ---- */

static gs_status answer_line(const worker_state *server, const char *line, size_t length,
                             gs_error *error) {
  cJSON *request = NULL;
  GS_TRY(gs_json_parse(line, length, "request", &request, error));
  const char *kind = cJSON_GetStringValue(gs_json_get(request, "request"));
  gs_status status;
  if (kind && strcmp(kind, "cell") == 0) {
    status = answer_cell(server, request, error);
  } else if (kind && strcmp(kind, "floor") == 0) {
    status = answer(server, measure_roofline(server), error);
  } else if (kind && strcmp(kind, "predict") == 0) {
    status = answer(server, predict(server, request), error);
  } else {
    status = GS_FAIL(error, GS_ERR_INTERNAL, "a request of an unknown kind");
  }
  cJSON_Delete(request);
  return status;
}

static gs_status serve(const worker_state *server, int input, gs_error *error) {
  gs_lines lines;
  memset(&lines, 0, sizeof lines);
  gs_status status = answer(server, hello(server), error);
  while (status == GS_OK && !lines.end && !server->device->lost) {
    status = gs_lines_read(&lines, input, error);
    size_t length = 0;
    char *line = NULL;
    while (status == GS_OK && !server->device->lost && (line = gs_lines_take(&lines, &length))) {
      status = answer_line(server, line, length, error);
    }
  }
  gs_lines_clear(&lines);
  return status;
}

gs_status gs_worker_serve(const gs_device_choice *choice, int input, int output, gs_error *error) {
  worker_state server = {.output = output};
  if (gs_device_open(choice, &server.device, error) != GS_OK) {
    return answer(&server, describe_failure(error), error); /* the parent's to report */
  }
  server.about = gs_device_facts(server.device);
  const gs_status status =
      server.about ? serve(&server, input, error)
                   : GS_FAIL(error, GS_ERR_MEMORY, "no memory for the device's description");
  cJSON_Delete(server.about);
  server.device->ops->destroy(server.device);
  return status;
}
