/* The device's side of a run. See session.h. */
#include "sweep/session.h"

#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_writer.h"
#include "measure/options_json.h"
#include "sweep/device_facts.h"
#include "sweep/fault.h"
#include "sweep/pipe.h"
#include "sweep/record_shape.h"
#include "sweep/record_size.h"

/* For everything but cells. */
static const double plain_timeout_s = 300;

enum {
  ATTEMPTS = 3, /* of whatever a worker that dies is in the way of */
  PLAIN_MAX_BYTES = 1 << 20
};

/* ---- workers ---- */

/* A GPU that has fallen off its bus must be waited for by name: "auto" would
 * find the CPU, and an index another GPU. */
static void stay_with_device(gs_session *session) {
  const char *backend = cJSON_GetStringValue(gs_json_get(session->device, "backend"));
  const char *uuid = cJSON_GetStringValue(gs_json_get(session->device, "uuid"));
  const int known = backend ? gs_value_of(&gs_backend_names, backend, NULL) : -1;
  if (known >= 0) session->options.backend = (gs_backend)known;
  if (uuid) session->options.device = uuid;
}

void gs_session_close(gs_session *session) {
  gs_process_stop(session->process, session->interrupted);
  cJSON_Delete(session->device);
  memset(session, 0, sizeof *session);
}

static void drop_worker(gs_session *session) {
  gs_process_stop(session->process, true);
  session->process = NULL;
}

/* Tells the user what he would wonder about. */
static void say(const gs_session *session, const char *message) {
  if (session->options.on_message) session->options.on_message(session->options.user, message);
}

/* Returns when it is over, or when the run is to end. */
static void pause_for(gs_session *session, double seconds) {
  struct pollfd stop = {session->options.interrupt, POLLIN, 0};
  session->interrupted = poll(&stop, 1, (int)(seconds * 1000)) > 0;
}

/* Whether what a new worker says of its device is a description of one. */
static gs_status check_device(gs_session *session, cJSON **device, gs_error *error) {
  gs_error details = {0};
  if (!*device) return GS_OK; /* interrupted */
  const gs_status status = gs_record_check_tree(*device, &gs_device_shape, &details);
  if (status == GS_OK) return GS_OK;
  drop_worker(session);
  cJSON_Delete(*device);
  *device = NULL;
  return GS_FAIL(error, status == GS_ERR_MEMORY ? status : GS_ERR_DEVICE,
                 "the worker's description of its device: %.300s", details.message);
}

/* Starts a worker, at the third attempt if need be. `always`: also when it says itself why
 * it cannot: a device may need a moment to come back from what ended the last worker. */
static gs_status start_worker(gs_session *session, bool always, cJSON **device, gs_error *error) {
  gs_status status = GS_OK;
  bool told = false;
  for (int i = 0; i < ATTEMPTS; i++) {
    if (i > 0) pause_for(session, 0.2 + (always ? i : 0));
    if (session->interrupted) return GS_OK;
    status = gs_process_start(&session->options, &session->process, device, &told, error);
    if (status == GS_OK) status = check_device(session, device, error);
    if (status == GS_OK || (told && !always)) break;
  }
  session->interrupted = status == GS_OK && !session->process;
  return status;
}

gs_status gs_session_open(gs_session *session, const gs_process_options *options, gs_error *error) {
  memset(session, 0, sizeof *session);
  session->options = *options;
  const gs_status status = start_worker(session, false, &session->device, error);
  stay_with_device(session);
  return status;
}

/* Starts a worker in place of one that is gone. */
static gs_status replace_worker(gs_session *session, gs_error *error) {
  cJSON *device = NULL;
  const gs_status status = start_worker(session, true, &device, error);
  /* words about a device that was not asked for by its UUID do not say it */
  const char *uuid = cJSON_GetStringValue(gs_json_get(session->device, "uuid"));
  if (status != GS_OK && uuid && error && strstr(error->message, uuid)) {
    return GS_FAIL(error, status, "the run's GPU is not there any more");
  }
  if (status != GS_OK) return status;
  const bool same = session->interrupted || gs_device_facts_same(session->device, device);
  cJSON_Delete(device);
  return same ? GS_OK : GS_FAIL(error, GS_ERR_DEVICE, "a new worker found another device");
}

/* One attempt of ask. */
static gs_status ask_once(gs_session *session, const gs_ask *request, gs_answer *answer,
                          gs_error *error) {
  memset(answer, 0, sizeof *answer);
  if (!session->process) GS_TRY(replace_worker(session, error));
  if (session->interrupted) return GS_OK;
  GS_TRY(gs_process_ask(session->process, request, answer, error));
  session->interrupted = answer->reply == GS_REPLY_INTERRUPTED;
  if (answer->reply == GS_REPLY_TIMEOUT || answer->reply == GS_REPLY_ENDED) drop_worker(session);
  return GS_OK;
}

static gs_status pour(void *user, const char *bytes, size_t length, gs_error *error) {
  return gs_journal_pour(user, bytes, length, error);
}

/* Asks, with a new worker if need be: also where the request did not reach the one that
 * was there. most_bytes: of an answer, beside what the request itself makes of it. journal:
 * where a long one goes. With `interrupted` set afterwards there is no answer; without a line
 * in the answer the worker is gone. */
static gs_status ask(gs_session *session, const char *request, double timeout_s, double max_bytes,
                     gs_journal *journal, gs_answer *answer, gs_error *error) {
  const gs_sink sink = {pour, journal};
  const double max = max_bytes + 4 * (double)strlen(request);
  const gs_ask asked = {request, timeout_s, (size_t)fmin(max, GS_LINE_MAX_BYTES),
                        journal ? &sink : NULL};
  gs_status status = GS_OK;
  for (int i = 0; i < ATTEMPTS; i++) {
    status = journal ? gs_journal_drop(journal, error) : GS_OK;
    if (status == GS_OK) status = ask_once(session, &asked, answer, error);
    const bool lost = status == GS_OK && answer->reply == GS_REPLY_ENDED && answer->unread;
    if (session->interrupted || !lost) break;
    say(session, answer->reason);
  }
  return status;
}

/* ---- plain requests ---- */

/* What to ask for that is not a cell. */
typedef struct plain_request {
  char *line;
  bool roofline; /* which another worker may measure where one has failed */
} plain_request;

/* The answer as a tree, or the worker's error as an error. */
static gs_status read_plainly(const gs_answer *answer, cJSON **tree, gs_error *error) {
  gs_error details;
  if (gs_json_parse(answer->line, answer->length, "answer", tree, &details) != GS_OK) {
    const bool memory = details.status == GS_ERR_MEMORY;
    return GS_FAIL(error, memory ? GS_ERR_MEMORY : GS_ERR_DATA,
                   "the worker's answer cannot be understood: %.200s", details.message);
  }
  const char *message = cJSON_GetStringValue(gs_json_get(*tree, "error"));
  const char *name = cJSON_GetStringValue(gs_json_get(*tree, "status"));
  if (!message) return GS_OK;
  const bool memory = name && strcmp(name, gs_name(&gs_status_names, GS_ERR_MEMORY)) == 0;
  const gs_status status = GS_FAIL(error, memory ? GS_ERR_MEMORY : GS_ERR_DEVICE, "%s", message);
  cJSON_Delete(*tree);
  *tree = NULL;
  return status;
}

static bool is_roofline(const cJSON *tree) {
  gs_roofline numbers;
  return gs_roofline_from_json(tree, &numbers) &&
         gs_record_check_tree(tree, &gs_roofline_shape, NULL) == GS_OK;
}

/* One attempt of ask_plainly; *again: it is worth another. */
static gs_status ask_plainly_once(gs_session *session, const plain_request *request, cJSON **tree,
                                  bool *again, gs_error *error) {
  gs_answer answer;
  *again = false;
  const double timeout_s = gs_fault_patience_s(plain_timeout_s);
  GS_TRY(ask(session, request->line, timeout_s, PLAIN_MAX_BYTES, NULL, &answer, error));
  if (session->interrupted) return GS_OK;
  if (answer.reply != GS_REPLY_LINE) {
    *again = answer.reply == GS_REPLY_ENDED;
    return GS_FAIL(error, GS_ERR_DEVICE, "%s", answer.reason);
  }
  gs_status status = read_plainly(&answer, tree, error);
  if (status == GS_OK && request->roofline && !is_roofline(*tree)) {
    status = GS_FAIL(error, GS_ERR_DATA, "the machine's limits could not be measured");
    cJSON_Delete(*tree);
    *tree = NULL;
  }
  *again = status == GS_ERR_DATA || (status != GS_OK && request->roofline);
  if (*again) drop_worker(session);
  return status;
}

static gs_status ask_plainly(gs_session *session, const plain_request *request, cJSON **tree,
                             gs_error *error) {
  gs_error details;
  gs_status status = GS_OK;
  bool again = true;
  *tree = NULL;
  for (int i = 0; again && i < ATTEMPTS; i++) {
    if (i > 0) say(session, details.message);
    status = ask_plainly_once(session, request, tree, &again, &details);
  }
  if (status == GS_OK) return GS_OK;
  return GS_FAIL(error, status == GS_ERR_DATA ? GS_ERR_DEVICE : status, "%s", details.message);
}

static gs_json_writer open_request(const char *kind) {
  gs_json_writer w = gs_json_writer_object();
  gs_json_put_string(&w, "request", kind);
  return w;
}

/* The request as a line (malloc'd, the caller's). */
static gs_status finish_request(gs_json_writer *w, char **line, gs_error *error) {
  return gs_json_take_line(gs_json_finish(w), "a request", line, error);
}

gs_status gs_session_roofline(gs_session *session, cJSON **roofline, gs_error *error) {
  plain_request request = {.roofline = true};
  gs_json_writer w = open_request("floor");
  GS_TRY(finish_request(&w, &request.line, error));
  const gs_status status = ask_plainly(session, &request, roofline, error);
  free(request.line);
  return status;
}

static bool positive(const cJSON *object, const char *key, double *value) {
  const cJSON *item = gs_json_get(object, key);
  *value = cJSON_IsNumber(item) ? item->valuedouble : NAN;
  return isfinite(*value) && *value > 0;
}

gs_status gs_session_predict(gs_session *session, const gs_config *config, double *bytes,
                             gs_error *error) {
  cJSON *answer = NULL;
  plain_request request = {.roofline = false};
  gs_json_writer w = open_request("predict");
  gs_json_put(&w, "params", gs_config_to_json(config));
  GS_TRY(finish_request(&w, &request.line, error));
  const gs_status status = ask_plainly(session, &request, &answer, error);
  free(request.line);
  const bool known = session->interrupted || positive(answer, "predicted_bytes", bytes);
  cJSON_Delete(answer);
  if (status != GS_OK || known) return status;
  return GS_FAIL(error, GS_ERR_DEVICE, "the worker did not predict the memory");
}

/* ---- cells ---- */

static gs_status cell_request(const gs_cell *cell, int64_t index, const gs_cell_terms *terms,
                              const cJSON *params, char **line, gs_error *error) {
  gs_json_writer w = open_request("cell");
  gs_json_put_int(&w, "cell", index);
  gs_json_put_string(&w, "id", cell->id);
  gs_json_put_string(&w, "name", cell->name);
  gs_json_put_copy(&w, "params", params);
  gs_json_open_object(&w, "options");
  gs_measure_options_put(&w, &terms->measure, true);
  gs_json_close(&w);
  gs_json_put_number(&w, "memory_limit_bytes", terms->memory_limit_bytes);
  return finish_request(&w, line, error);
}

/* Reads a source as the record of this cell and round. */
static gs_status read_record(const gs_json_source *source, const gs_cell *cell,
                             const gs_cell_terms *terms, gs_record_facts *facts, gs_error *error) {
  if (terms->measure.round > 0) {
    gs_round_facts round;
    GS_TRY(gs_round_read(source, &round, error));
    facts->outcome = round.outcome;
    return strcmp(round.id, cell->id) == 0 && round.round == terms->measure.round
               ? GS_OK
               : GS_FAIL(error, GS_ERR_DATA, "the record of another cell or round");
  }
  char *opening = gs_record_opening(cell, terms->identify);
  if (!opening) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for a record");
  const gs_status status = gs_record_read(source, opening, &cell->config, facts, error);
  free(opening);
  return status;
}

static gs_status read_line(const char *line, size_t length, const gs_cell *cell,
                           const gs_cell_terms *terms, gs_record_facts *facts, gs_error *error) {
  gs_text_source text = {line, length, 0};
  const gs_json_source source = gs_text_source_of(&text);
  return read_record(&source, cell, terms, facts, error);
}

static gs_status read_poured(const gs_journal *journal, const gs_cell *cell,
                             const gs_cell_terms *terms, gs_record_facts *facts, gs_error *error) {
  gs_journal_line line = gs_journal_poured(journal);
  const gs_json_source source = gs_journal_source(&line);
  if (terms->measure.round == 0) return read_record(&source, cell, terms, facts, error);
  return GS_FAIL(error, GS_ERR_DATA, "too long for a later round");
}

/* The record of a cell that its worker could not finish. */
static gs_status record_failure(const gs_session *session, const gs_cell *cell,
                                const gs_cell_terms *terms, gs_cell_status lost, const char *reason,
                                char **line, gs_record_facts *facts, gs_error *error) {
  const int64_t round = terms->measure.round;
  cJSON *params = round > 0 ? NULL : gs_record_params(&cell->config, terms->identify);
  cJSON *record = round > 0
                      ? gs_record_round(cell->id, round, lost, reason, NULL)
                      : gs_record_bare(cell->id, cell->name, params, lost, reason, session->device);
  cJSON_Delete(params);
  GS_TRY(gs_json_take_line(record, "a record", line, error));
  return read_line(*line, strlen(*line), cell, terms, facts, error);
}

/* Reads what came back: *line, or a record that is poured into the journal. */
static gs_status read_answer(const gs_answer *answer, const gs_cell *cell,
                             const gs_cell_terms *terms, const gs_journal *journal, char **line,
                             gs_record_facts *facts, gs_error *error) {
  if (answer->poured > 0) return read_poured(journal, cell, terms, facts, error);
  GS_TRY(read_line(answer->line, answer->length, cell, terms, facts, error));
  *line = strdup(answer->line);
  return *line ? GS_OK : GS_FAIL(error, GS_ERR_MEMORY, "no memory for a record");
}

/* Turns whatever came back into a record. */
static gs_status settle(gs_session *session, const gs_cell *cell, const gs_cell_terms *terms,
                        gs_answer *answer, gs_journal *journal, char **line, gs_record_facts *facts,
                        gs_error *error) {
  gs_error details = {0};
  gs_cell_status lost = answer->reply == GS_REPLY_TIMEOUT ? GS_CELL_TIMEOUT : GS_CELL_CRASHED;
  if (answer->reply == GS_REPLY_LINE) {
    const gs_status status = read_answer(answer, cell, terms, journal, line, facts, &details);
    if (status == GS_OK) {
      /* the error may stick to the process's device: go on with a fresh one */
      if (facts->outcome.status == GS_CELL_FAILED) drop_worker(session);
      return GS_OK;
    }
    if (status != GS_ERR_DATA) return GS_FAIL(error, status, "%s", details.message);
    snprintf(answer->reason, sizeof answer->reason, "the worker's answer is no record: %.180s",
             details.message);
  }
  drop_worker(session);
  GS_TRY(gs_journal_drop(journal, error));
  return record_failure(session, cell, terms, lost, answer->reason, line, facts, error);
}

gs_status gs_session_cell(gs_session *session, const gs_cell *cell, int64_t index,
                          const gs_cell_terms *terms, gs_journal *journal, char **line,
                          gs_record_facts *facts, gs_error *error) {
  *line = NULL;
  *facts = (gs_record_facts){.outcome = gs_outcome_pending()};
  cJSON *params = gs_record_params(&cell->config, terms->identify);
  if (!params) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for a request");
  gs_answer answer;
  char *request = NULL;
  gs_status status = cell_request(cell, index, terms, params, &request, error);
  if (status == GS_OK) {
    status = ask(session, request, terms->timeout_s,
                 gs_record_max_bytes(&cell->config, &terms->measure), journal, &answer, error);
  }
  free(request);
  cJSON_Delete(params);
  if (status != GS_OK) {
    (void)gs_journal_drop(journal, NULL); /* the first error is the news */
    return status;
  }
  if (session->interrupted) return gs_journal_drop(journal, error);
  return settle(session, cell, terms, &answer, journal, line, facts, error);
}
