/* One start of the program. See start.h. */
#include "compare/start.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/integer.h"
#include "base/json_scan.h"
#include "base/sort.h"
#include "measure/sample.h"
#include "sweep/record_read.h"
#include "sweep/record_shape.h"
#include "sweep/results.h"

static gs_status no_memory(const char *path, gs_error *error) {
  return GS_FAIL(error, GS_ERR_MEMORY, "no memory for %s", path);
}

/* ---- the text ---- */

static gs_status read_stream(FILE *stream, gs_start *start, gs_error *error) {
  size_t room = 0;
  while (!feof(stream)) {
    if (start->length == room) {
      room = room ? 2 * room : (size_t)1 << 20;
      char *more = room <= 2 * (size_t)GS_COMPARE_FILE_BYTES ? realloc(start->text, room) : NULL;
      if (!more) return no_memory(start->path, error);
      start->text = more;
    }
    start->length += fread(start->text + start->length, 1, room - start->length, stream);
    if (start->length > GS_COMPARE_FILE_BYTES) {
      return GS_FAIL(error, GS_ERR_DATA, "%s: larger than 1 GiB", start->path);
    }
    if (ferror(stream)) {
      return GS_FAIL_NATIVE(error, GS_ERR_DATA, errno, "%s: cannot be read: %s", start->path,
                            strerror(errno));
    }
  }
  return GS_OK;
}

static gs_status read_text(gs_start *start, gs_error *error) {
  FILE *stream = fopen(start->path, "rbe");
  if (!stream) {
    return GS_FAIL_NATIVE(error, GS_ERR_DATA, errno, "%s: cannot be opened: %s", start->path,
                          strerror(errno));
  }
  setvbuf(stream, NULL, _IONBF, 0); /* reads are large */
  const gs_status status = read_stream(stream, start, error);
  (void)fclose(stream);
  return status;
}

/* ---- the document ---- */

typedef enum member { SCHEMA, CONTEXT, BENCHMARKS, CELLS, SHA256, MEMBERS } member;
static const char *const member_names[MEMBERS] = {"schema", "context", "benchmarks", "cells",
                                                  "sha256"};

typedef struct span {
  size_t start, end; /* both 0: not there */
} span;

/* Past one value whose brackets match; what is between them is judged when it is parsed. */
static gs_status skip_value(gs_json_scanner *s) {
  size_t depth = 0;
  do {
    gs_json_skip_space(s);
    const int byte = gs_json_peek(s);
    if (byte == '[' || byte == '{') {
      depth++;
      s->at++;
    } else if (depth > 0 && (byte == ']' || byte == '}')) {
      depth--;
      s->at++;
    } else if (depth > 0 && (byte == ',' || byte == ':')) {
      s->at++;
    } else {
      GS_TRY(gs_json_scan_scalar(s));
    }
  } while (depth > 0);
  return GS_OK;
}

static gs_status take_span(gs_json_scanner *s, span *value) {
  gs_json_skip_space(s);
  value->start = s->at;
  GS_TRY(skip_value(s));
  value->end = s->at;
  return GS_OK;
}

static gs_status take(gs_json_scanner *s, int byte, const char *otherwise) {
  gs_json_skip_space(s);
  return gs_json_take(s, byte) ? GS_OK : gs_json_scan_fail(s, otherwise);
}

/* An older file says so before anything else is wrong with it. */
static gs_status check_version(const gs_start *start, span value, gs_error *error) {
  char digits[8] = "";
  const size_t length = value.end - value.start;
  if (length < sizeof digits) memcpy(digits, start->text + value.start, length);
  if (strspn(digits, "0123456789") != length || length == 0) {
    return GS_FAIL(error, GS_ERR_DATA, "%s: not the results of a run: \"schema\" is no version",
                   start->path);
  }
  const long version = strtol(digits, NULL, 10);
  if (version == GS_RESULTS_SCHEMA) return GS_OK;
  return GS_FAIL(error, GS_ERR_DATA,
                 "%s: version %ld of the format, not %d: measured by %s program", start->path,
                 version, GS_RESULTS_SCHEMA, version < GS_RESULTS_SCHEMA ? "an older" : "a newer");
}

static gs_status take_member(const gs_start *start, gs_json_scanner *s, span members[MEMBERS]) {
  span key;
  int which = 0;
  gs_json_skip_space(s);
  key.start = s->at;
  GS_TRY(gs_json_scan_string(s));
  key.end = s->at;
  GS_TRY(take(s, ':', "expected ':'"));
  const char *name = start->text + key.start + 1;
  const size_t length = key.end - key.start - 2;
  while (which < MEMBERS && !(strlen(member_names[which]) == length &&
                              memcmp(member_names[which], name, length) == 0)) {
    which++;
  }
  if (which == MEMBERS || members[which].end > 0) {
    return GS_FAIL(s->error, GS_ERR_DATA, "%s: not the results of a run: %s member \"%.*s\"",
                   start->path, which == MEMBERS ? "it has a" : "two of the",
                   (int)(length < 40 ? length : 40), name);
  }
  GS_TRY(take_span(s, &members[which]));
  return which == SCHEMA ? check_version(start, members[SCHEMA], s->error) : GS_OK;
}

static gs_status take_members(const gs_start *start, span members[MEMBERS], gs_error *error) {
  gs_json_scanner s = gs_json_scan_text(start->text, start->length, start->path, error);
  GS_TRY(take(&s, '{', "not the results of a run: expected '{'"));
  do {
    GS_TRY(take_member(start, &s, members));
    gs_json_skip_space(&s);
  } while (gs_json_take(&s, ','));
  GS_TRY(take(&s, '}', "expected ',' or '}'"));
  gs_json_skip_space(&s);
  if (gs_json_peek(&s) >= 0) return gs_json_scan_fail(&s, "something follows the document");
  for (int i = 0; i < MEMBERS; i++) {
    if (members[i].end > 0) continue;
    return GS_FAIL(error, GS_ERR_DATA, "%s: not the results of a run: no \"%s\"", start->path,
                   member_names[i]);
  }
  return GS_OK;
}

/* results/README.md, "The document": over all bytes before the comma. */
static gs_status check_sum(const gs_start *start, gs_error *error) {
  enum { AFTER = 64 + 4 }; /* "digits", a quotation mark, and the end of the document */
  static const char lead[] = ",\n  \"sha256\": \"";
  const size_t length = sizeof lead - 1;
  char text[GS_SHA256_TEXT_BYTES];
  const size_t body = start->length > length + AFTER ? start->length - length - AFTER : 0;
  const char *at = start->text + body;
  gs_sha256 hash;
  gs_sha256_start(&hash);
  gs_sha256_add(&hash, start->text, body);
  gs_sha256_text(&hash, text);
  if (body > 0 && memcmp(at, lead, length) == 0 && memcmp(at + length, text, 64) == 0 &&
      memcmp(at + length + 64, "\"\n}\n", 4) == 0) {
    return GS_OK;
  }
  return GS_FAIL(error, GS_ERR_DATA,
                 "%s: edited or damaged: the checksum at its end is not that of its bytes",
                 start->path);
}

static gs_status parse_span(const gs_start *start, span value, const char *what, cJSON **tree,
                            gs_error *error) {
  gs_error own = {0};
  const gs_status status =
      gs_json_parse(start->text + value.start, value.end - value.start, what, tree, &own);
  return status == GS_OK ? GS_OK
                         : GS_FAIL(error, status, "%.200s: %.250s", start->path, own.message);
}

/* ---- the context ---- */

static gs_status read_context(gs_start *start, span value, gs_error *error) {
  gs_error own = {0};
  GS_TRY(parse_span(start, value, "context", &start->context, error));
  const cJSON *device = gs_json_get(start->context, "device");
  gs_status status = cJSON_IsObject(device) ? gs_record_check_tree(device, &gs_device_shape, &own)
                                            : GS_FAIL(&own, GS_ERR_DATA, "is missing");
  if (status != GS_OK) {
    return GS_FAIL(error, status, "%.200s: context.device: %.250s", start->path, own.message);
  }
  if (cJSON_IsObject(gs_json_get(start->context, "options"))) return GS_OK;
  return GS_FAIL(error, GS_ERR_DATA, "%s: context.options: is missing", start->path);
}

/* ---- a record ---- */

/* A list of so many positive numbers; wanted < 0: at least one. */
static bool is_list(const cJSON *list, int wanted, double min) {
  const cJSON *item = NULL;
  const int count = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : 0;
  if (count == 0 || (wanted >= 0 && count != wanted)) return false;
  cJSON_ArrayForEach(item, list) {
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= min)) return false;
  }
  return true;
}

/* Whether a round says anything of the program: half of its samples at least were its own,
 * and its threads did not lose their processors all the time, which the waits that the kernel
 * counts need not show (more than once a sample, and once in 2 ms). */
static bool is_evidence(const cJSON *round, int64_t samples, int64_t undisturbed) {
  const double switches = cJSON_GetNumberValue(gs_json_get(round, "involuntary_switches"));
  const double wall_ns = cJSON_GetNumberValue(gs_json_get(round, "wall_ns"));
  const double often_ns = 2e6;
  const bool lost = switches > (double)samples && switches * often_ns > wall_ns;
  return 2 * undisturbed >= samples && !lost;
}

/* Samples one after the other, and which of them were disturbed. */
typedef struct sample_walk {
  const cJSON *sample, *disturbed;
  int64_t at;
} sample_walk;

/* The next round's samples that were not disturbed; how many. */
static int64_t take_samples(sample_walk *walk, int64_t samples, double *into) {
  int64_t taken = 0;
  for (int64_t i = 0; i < samples && walk->sample; i++) {
    const bool hit = walk->disturbed && walk->disturbed->valuedouble == (double)walk->at;
    if (hit) walk->disturbed = walk->disturbed->next;
    if (!hit) into[taken++] = walk->sample->valuedouble;
    walk->sample = walk->sample->next;
    walk->at++;
  }
  return taken;
}

static gs_status take_rounds(const cJSON *timing, gs_start_cell *cell, gs_error *error) {
  const cJSON *samples = gs_json_get(timing, "samples_ns");
  const cJSON *disturbed = gs_json_get(timing, "disturbed_samples");
  const cJSON *round = NULL;
  const int count = cJSON_IsArray(samples) ? cJSON_GetArraySize(samples) : 0;
  const int marked = cJSON_IsArray(disturbed) ? cJSON_GetArraySize(disturbed) : -1;
  if (!is_list(samples, -1, 1e-9) || !cJSON_IsArray(gs_json_get(timing, "rounds")) || marked < 0 ||
      (marked > 0 && !is_list(disturbed, -1, 0))) {
    return GS_FAIL(error, GS_ERR_DATA, "timing: no samples and their rounds");
  }
  double *undisturbed = malloc(((size_t)count + 1) * sizeof *undisturbed);
  cell->round_log_ns = malloc(((size_t)count + 1) * sizeof *cell->round_log_ns);
  gs_status status = undisturbed && cell->round_log_ns
                         ? GS_OK
                         : GS_FAIL(error, GS_ERR_MEMORY, "no memory for times");
  sample_walk walk = {samples->child, disturbed ? disturbed->child : NULL, 0};
  cJSON_ArrayForEach(round, gs_json_get(timing, "rounds")) {
    int64_t of_round = 0;
    if (status != GS_OK) break;
    if (!gs_integer_of(cJSON_GetNumberValue(gs_json_get(round, "samples")), 1, count - walk.at,
                       &of_round)) {
      status = GS_FAIL(error, GS_ERR_DATA, "timing.rounds: not the rounds of its samples");
      break;
    }
    const int64_t taken = take_samples(&walk, of_round, undisturbed);
    if (!is_evidence(round, of_round, taken)) {
      cell->busy++;
      continue;
    }
    gs_sort(undisturbed, (size_t)taken);
    cell->round_log_ns[cell->rounds++] =
        log(gs_quantile(undisturbed, (size_t)taken, GS_COMPARE_QUANTILE));
  }
  free(undisturbed);
  if (status != GS_OK || walk.at == count) return status;
  return GS_FAIL(error, GS_ERR_DATA, "timing.rounds: not the rounds of its samples");
}

static gs_status copy_digits(const cJSON *record, const char *key, char *into, size_t length,
                             gs_error *error) {
  const char *text = cJSON_GetStringValue(gs_json_get(record, key));
  if (!text || strlen(text) != length || strspn(text, "0123456789abcdef") != length) {
    return GS_FAIL(error, GS_ERR_DATA, "%s: not %zu hexadecimal digits", key, length);
  }
  memcpy(into, text, length + 1);
  return GS_OK;
}

/* What a shape of records does not have: id, name, params, and a timing with its floor. */
static gs_status check_shape(cJSON *record, const char *stats, gs_error *error) {
  cJSON_DeleteItemFromObjectCaseSensitive(record, "id");
  cJSON_DeleteItemFromObjectCaseSensitive(record, "name");
  cJSON_DeleteItemFromObjectCaseSensitive(record, "params");
  cJSON_DeleteItemFromObjectCaseSensitive(record, "timing");
  const int level = stats ? gs_value_of(&gs_stats_names, stats, NULL) : -1;
  if (level < 0) return GS_FAIL(error, GS_ERR_DATA, "params.stats: is missing");
  return gs_record_check_tree(record, gs_record_shape((gs_stats_level)level), error);
}

static gs_status take_record(cJSON *record, gs_start_cell *cell, gs_error *error) {
  gs_outcome outcome = gs_outcome_pending();
  const char *name = cJSON_GetStringValue(gs_json_get(record, "name"));
  const cJSON *stats = gs_json_get(gs_json_get(record, "params"), "stats");
  GS_TRY(copy_digits(record, "id", cell->id, GS_CELL_ID_BYTES - 1, error));
  if (!name || !*name) return GS_FAIL(error, GS_ERR_DATA, "name: is missing");
  cell->name = strdup(name);
  char *level = cJSON_IsString(stats) ? strdup(stats->valuestring) : NULL;
  gs_status status = cell->name ? gs_outcome_read(record, &outcome, error)
                                : GS_FAIL(error, GS_ERR_MEMORY, "no memory for a name");
  cell->status = outcome.status;
  const bool ok = cell->status == GS_CELL_OK;
  if (status == GS_OK && ok) {
    status = copy_digits(record, "weights_hash", cell->weights_hash, GS_CELL_ID_BYTES - 1, error);
  }
  if (status == GS_OK && ok) status = copy_digits(record, "digest", cell->digest, 64, error);
  if (status == GS_OK && gs_json_get(record, "timing")) {
    status = ok ? take_rounds(gs_json_get(record, "timing"), cell, error)
                : GS_FAIL(error, GS_ERR_DATA, "timing: of a cell that is not ok");
  }
  if (status == GS_OK) status = check_shape(record, level, error);
  free(level);
  return status;
}

static gs_status read_cell(gs_start *start, gs_json_scanner *s, gs_error *error) {
  gs_start_cell *cell = &start->cells[start->count];
  gs_error own = {0};
  char location[32];
  span text;
  cJSON *record = NULL;
  memset(cell, 0, sizeof *cell);
  GS_TRY(take_span(s, &text));
  cell->start = text.start;
  cell->end = text.end;
  snprintf(location, sizeof location, "cells[%lld]", (long long)start->count++);
  GS_TRY(parse_span(start, text, location, &record, error));
  const gs_status status = take_record(record, cell, &own);
  cJSON_Delete(record);
  if (status == GS_OK) return GS_OK;
  return GS_FAIL(error, status, "%.200s: %s: %.200s", start->path, location, own.message);
}

static int by_id(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static gs_status check_ids(const gs_start *start, gs_error *error) {
  const char **ids = malloc((size_t)(start->count + 1) * sizeof *ids);
  if (!ids) return no_memory(start->path, error);
  for (int64_t i = 0; i < start->count; i++) ids[i] = start->cells[i].id;
  qsort(ids, (size_t)start->count, sizeof *ids, by_id);
  gs_status status = GS_OK;
  for (int64_t i = 1; status == GS_OK && i < start->count; i++) {
    if (strcmp(ids[i - 1], ids[i]) != 0) continue;
    status = GS_FAIL(error, GS_ERR_DATA, "%s: two cells of the id %s", start->path, ids[i]);
  }
  free(ids);
  return status;
}

static gs_status read_cells(gs_start *start, span value, gs_error *error) {
  int64_t room = 0;
  gs_json_scanner s = gs_json_scan_text(start->text, value.end, start->path, error);
  s.at = value.start;
  GS_TRY(take(&s, '[', "cells: not a list"));
  gs_json_skip_space(&s);
  if (gs_json_take(&s, ']')) return GS_OK;
  do {
    if (start->count == room) {
      room = room ? 2 * room : 64;
      gs_start_cell *more = realloc(start->cells, (size_t)room * sizeof *more);
      if (!more) return no_memory(start->path, error);
      start->cells = more;
    }
    GS_TRY(read_cell(start, &s, error));
    gs_json_skip_space(&s);
  } while (gs_json_take(&s, ','));
  GS_TRY(take(&s, ']', "expected ',' or ']'"));
  return check_ids(start, error);
}

gs_status gs_start_read(const char *path, gs_start *start, gs_error *error) {
  span members[MEMBERS] = {{0, 0}};
  cJSON *benchmarks = NULL;
  memset(start, 0, sizeof *start);
  start->path = strdup(path);
  if (!start->path) return no_memory(path, error);
  GS_TRY(read_text(start, error));
  if (start->length == 0) return GS_FAIL(error, GS_ERR_DATA, "%s: is empty", path);
  GS_TRY(take_members(start, members, error));
  GS_TRY(check_sum(start, error));
  GS_TRY(read_context(start, members[CONTEXT], error));
  GS_TRY(parse_span(start, members[BENCHMARKS], "benchmarks", &benchmarks, error));
  cJSON_Delete(benchmarks);
  return read_cells(start, members[CELLS], error);
}

void gs_start_clear(gs_start *start) {
  for (int64_t i = 0; i < start->count; i++) {
    free(start->cells[i].name);
    free(start->cells[i].round_log_ns);
  }
  free(start->cells);
  free(start->path);
  free(start->text);
  cJSON_Delete(start->context);
  memset(start, 0, sizeof *start);
}

gs_status gs_start_record(const gs_start *start, int64_t cell, cJSON **record, gs_error *error) {
  const gs_start_cell *of = &start->cells[cell];
  return parse_span(start, (span){of->start, of->end}, of->name, record, error);
}

int64_t gs_start_find(const gs_start *start, const char *id) {
  for (int64_t i = 0; i < start->count; i++) {
    if (strcmp(start->cells[i].id, id) == 0) return i;
  }
  return -1;
}
