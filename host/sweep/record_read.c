/* Records as they arrive. See record_read.h. */
#include "sweep/record_read.h"

#include <stdlib.h>
#include <string.h>

#include "base/integer.h"
#include "measure/timing_json.h"
#include "sweep/record_shape.h"

/* ---- sources ---- */

static gs_status read_text(void *user, char *into, size_t room, size_t *got, gs_error *error) {
  gs_text_source *from = user;
  const size_t left = from->length - from->at;
  (void)error;
  *got = left < room ? left : room;
  memcpy(into, from->text + from->at, *got);
  from->at += *got;
  return GS_OK;
}

gs_json_source gs_text_source_of(gs_text_source *text) { return (gs_json_source){read_text, text}; }

/* ---- checking ---- */

/* Holds the rest of a text against a shape; *kept (the caller's) is what the shape keeps. */
static gs_status check(gs_json_scanner *s, const gs_json_shape *shape, bool inside,
                       gs_shape_span *spans, cJSON **kept, gs_error *error) {
  char *text = NULL;
  size_t length = 0;
  *kept = NULL;
  FILE *stream = open_memstream(&text, &length);
  if (!stream) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for a record");
  gs_status status = gs_shape_check(s, shape, inside, stream, spans);
  const bool failed = ferror(stream) != 0;
  if ((fclose(stream) != 0 || failed) && status == GS_OK) {
    status = GS_FAIL(error, GS_ERR_MEMORY, "no memory for a record");
  }
  if (status == GS_OK) status = gs_json_parse(text, length, "record", kept, error);
  free(text);
  return status;
}

gs_status gs_record_check_tree(const cJSON *tree, const gs_json_shape *shape, gs_error *error) {
  char *text = gs_json_print_line(tree);
  if (!text) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for a record");
  gs_json_scanner s = gs_json_scan_text(text, strlen(text), "text", error);
  const gs_status status = gs_shape_check(&s, shape, false, NULL, NULL);
  free(text);
  return status;
}

/* A timing, if there is one, is of one round that can be put together with others. */
static gs_status check_timing(const cJSON *record, const gs_outcome *outcome, int64_t round,
                              gs_error *error) {
  const cJSON *timing = gs_json_get(record, "timing");
  if (!timing) {
    return round == 0 || outcome->status != GS_CELL_OK
               ? GS_OK
               : GS_FAIL(error, GS_ERR_DATA, "timing: is missing");
  }
  if (outcome->status != GS_CELL_OK) {
    return GS_FAIL(error, GS_ERR_DATA, "timing: of a cell that is not ok");
  }
  if (!gs_timing_is_round(timing)) {
    return GS_FAIL(error, GS_ERR_DATA, "timing: not the timing of a round");
  }
  const cJSON *number = gs_json_get(cJSON_GetArrayItem(gs_json_get(timing, "rounds"), 0), "round");
  return number->valuedouble == (double)round
             ? GS_OK
             : GS_FAIL(error, GS_ERR_DATA, "timing: of another round");
}

static gs_status check_error(const cJSON *record, const gs_outcome *outcome, gs_error *error) {
  const bool said = cJSON_IsString(gs_json_get(record, "error"));
  if (said == (outcome->status != GS_CELL_OK)) return GS_OK;
  return GS_FAIL(error, GS_ERR_DATA, "error: %s", said ? "of a cell that is ok" : "is null");
}

/* ---- records ---- */

char *gs_record_opening(const gs_cell *cell, bool identify) {
  gs_json_writer w = gs_json_writer_object();
  gs_json_put_string(&w, "id", cell->id);
  gs_json_put_string(&w, "name", cell->name);
  gs_json_put(&w, "params", gs_record_params(&cell->config, identify));
  char *text = NULL;
  if (gs_json_take_line(gs_json_finish(&w), "a record", &text, NULL) != GS_OK) return NULL;
  text[strlen(text) - 1] = ','; /* in place of its bracket */
  return text;
}

/* What must be there in a record that is ok, and what may not be in any. */
static gs_status check_members(const gs_shape_span spans[GS_RECORD_FIELDS], const gs_config *config,
                               bool ok, gs_error *error) {
  const bool stats = config->stats != GS_STATS_OFF;
  const struct {
    gs_record_field field;
    const char *name;
    bool wanted;
  } rules[] = {{GS_RECORD_MEMORY, "memory", true},
               {GS_RECORD_COST, "cost", true},
               {GS_RECORD_BIAS, "bias", true},
               {GS_RECORD_WEIGHTS_HASH, "weights_hash", true},
               {GS_RECORD_LAYERS, "layers", stats},
               {GS_RECORD_SUMMARY, "summary", stats},
               {GS_RECORD_THEORY, "theory", stats},
               {GS_RECORD_AGREEMENT, "agreement", stats},
               {GS_RECORD_JACOBIAN, "jacobian", config->jacobian},
               {GS_RECORD_DIGEST, "digest", true}};
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
    const bool there = spans[rules[i].field].end > 0;
    if (there && !rules[i].wanted) {
      return GS_FAIL(error, GS_ERR_DATA, "%s: nobody asked for it", rules[i].name);
    }
    if (ok && rules[i].wanted && !there) {
      return GS_FAIL(error, GS_ERR_DATA, "\"%s\" is missing, or out of order", rules[i].name);
    }
  }
  return GS_OK;
}

static gs_status take_opening(gs_json_scanner *s, const char *opening) {
  for (; *opening; opening++) {
    if (gs_json_take(s, (unsigned char)*opening)) continue;
    if (s->failed != GS_OK) return s->failed;
    return GS_FAIL(s->error, GS_ERR_DATA, "id, name or parameters are not those of the cell");
  }
  return GS_OK;
}

gs_status gs_record_read(const gs_json_source *source, const char *opening, const gs_config *config,
                         gs_record_facts *facts, gs_error *error) {
  unsigned char buffer[GS_JSON_BUFFER_BYTES];
  gs_json_scanner s = gs_json_scan_source(source, buffer, "record", error);
  gs_shape_span spans[GS_RECORD_FIELDS] = {{0, 0, 0}};
  cJSON *kept = NULL;
  *facts = (gs_record_facts){.outcome = gs_outcome_pending()};
  GS_TRY(take_opening(&s, opening));
  gs_status status = check(&s, gs_record_shape(config->stats), true, spans, &kept, error);
  if (status == GS_OK) status = gs_outcome_read(kept, &facts->outcome, error);
  if (status == GS_OK) {
    status = check_members(spans, config, facts->outcome.status == GS_CELL_OK, error);
  }
  if (status == GS_OK) status = check_error(kept, &facts->outcome, error);
  if (status == GS_OK) status = check_timing(kept, &facts->outcome, 0, error);
  cJSON_Delete(kept);
  facts->status = spans[GS_RECORD_STATUS];
  facts->error = spans[GS_RECORD_ERROR];
  facts->timing = spans[GS_RECORD_TIMING];
  return status;
}

gs_status gs_round_read(const gs_json_source *source, gs_round_facts *facts, gs_error *error) {
  unsigned char buffer[GS_JSON_BUFFER_BYTES];
  gs_json_scanner s = gs_json_scan_source(source, buffer, "round", error);
  cJSON *kept = NULL;
  *facts = (gs_round_facts){.outcome = gs_outcome_pending()};
  GS_TRY(check(&s, &gs_round_shape, false, NULL, &kept, error));
  gs_status status = gs_outcome_read(kept, &facts->outcome, error);
  if (status == GS_OK) {
    (void)gs_integer_of(gs_json_get(kept, "round")->valuedouble, 1, GS_INTEGER_MAX, &facts->round);
    snprintf(facts->id, sizeof facts->id, "%s", gs_json_get(kept, "id")->valuestring);
    status = check_error(kept, &facts->outcome, error);
  }
  if (status == GS_OK) status = check_timing(kept, &facts->outcome, facts->round, error);
  cJSON_Delete(kept);
  return status;
}
