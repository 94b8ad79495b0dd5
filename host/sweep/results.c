/* results.json. See results.h. */
#include "sweep/results.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/integer.h"
#include "base/json_writer.h"
#include "measure/cost.h"
#include "sweep/build.h"
#include "sweep/files.h"
#include "sweep/interrupt.h"

const char *gs_results_date(char date[GS_DATE_BYTES]) {
  const time_t now = time(NULL);
  struct tm utc;
  memset(&utc, 0, sizeof utc);
  gmtime_r(&now, &utc);
  strftime(date, GS_DATE_BYTES, "%Y-%m-%dT%H:%M:%S+00:00", &utc);
  return date;
}

/* The processor's nominal rate, or its present one; 0 when nobody says. */
static int64_t processor_mhz(void) {
  FILE *stream = fopen("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", "re");
  double khz = 0;
  if (stream) {
    if (fscanf(stream, "%lf", &khz) != 1) khz = 0;
    fclose(stream);
  }
  int64_t rate = 0;
  if (gs_integer_of(floor(khz / 1000), 1, INT32_MAX, &rate)) return rate;
  stream = fopen("/proc/cpuinfo", "re");
  if (!stream) return 0;
  double mhz = 0;
  char line[256];
  while (mhz <= 0 && fgets(line, sizeof line, stream)) {
    if (sscanf(line, "cpu MHz : %lf", &mhz) != 1) mhz = 0;
  }
  fclose(stream);
  (void)gs_integer_of(floor(mhz), 0, INT32_MAX, &rate);
  return rate;
}

static cJSON *copy_or_null(const cJSON *tree) {
  return tree ? cJSON_Duplicate(tree, true) : cJSON_CreateNull();
}

static cJSON *copy_or_empty(const cJSON *list) {
  return list ? cJSON_Duplicate(list, true) : cJSON_CreateArray();
}

/* Which program this is; null: not built from a repository. */
static void put_build(gs_json_writer *w, const char *build_id) {
  const char *commit = gs_build_commit();
  gs_json_put_string(w, "version", gs_build_version());
  gs_json_put_string(w, "commit", commit);
  gs_json_put(w, "dirty", commit ? cJSON_CreateBool(gs_build_dirty()) : cJSON_CreateNull());
  gs_json_put_string(w, "build_id", build_id);
  gs_json_put_string(w, "build", gs_build_flags());
}

static gs_status make_context(const gs_ledger *ledger, const gs_results_facts *facts,
                              cJSON **context, gs_error *error) {
  char build_id[GS_BUILD_ID_BYTES];
  char date[GS_DATE_BYTES];
  GS_TRY(gs_build_id(build_id, error));
  gs_json_writer w = gs_json_writer_object();
  gs_json_put_string(&w, "date", gs_results_date(date));
  gs_json_put_string(&w, "name", ledger->sweep->name);
  gs_json_put_string(&w, "executable", "gradsweep");
  put_build(&w, build_id);
  gs_json_put_string(&w, "library_build_type", gs_build_type());
  gs_json_put_int(&w, "num_cpus", sysconf(_SC_NPROCESSORS_ONLN));
  gs_json_put_int(&w, "mhz_per_cpu", processor_mhz());
  gs_json_put(&w, "caches", cJSON_CreateArray());
  gs_json_put_copy(&w, "device", facts->device);
  gs_json_put(&w, "floor", copy_or_null(ledger->rooflines.best));
  gs_json_put(&w, "floors", copy_or_empty(ledger->rooflines.list));
  gs_json_put_copy(&w, "options", facts->options);
  return gs_json_finish_as(&w, "the results", context, error);
}

/* One entry of benchmarks[], as Google Benchmark writes it: a repetition is a round. */
static cJSON *make_benchmark(const gs_ledger *ledger, int64_t cell, int64_t round,
                             int64_t threads) {
  int64_t iterations = 0;
  const gs_cell *of = &ledger->sweep->cells[cell];
  const gs_ledger_line *line = gs_ledger_line_of(ledger, cell, round);
  const double samples = gs_cost_of(&of->config).samples;
  if (!gs_integer_of(line->timed_steps, 1, GS_INTEGER_MAX, &iterations)) return NULL;
  gs_json_writer w = gs_json_writer_object();
  gs_json_put_string(&w, "name", of->name);
  gs_json_put_string(&w, "run_name", of->name);
  gs_json_put_string(&w, "run_type", "iteration");
  gs_json_put_int(&w, "repetitions", ledger->rounds);
  gs_json_put_int(&w, "repetition_index", round);
  gs_json_put_int(&w, "threads", threads);
  gs_json_put_int(&w, "iterations", iterations);
  gs_json_put_number(&w, "real_time", line->median_ns);
  gs_json_put_number(&w, "cpu_time", line->median_ns);
  gs_json_put_string(&w, "time_unit", "ns");
  gs_json_put_number(&w, "items_per_second", samples / line->median_ns * 1e9);
  return gs_json_finish(&w);
}

/* Write errors of the stream show at the commit; these fail for other reasons. */
static gs_status write_line(FILE *stream, cJSON *tree, gs_error *error) {
  char *line = NULL;
  GS_TRY(gs_json_take_line(tree, "the results", &line, error));
  (void)fputs(line, stream);
  free(line);
  return GS_OK;
}

/* Cells that any round of went wrong are left out, as in cells[]. */
static gs_status write_benchmarks(FILE *stream, const gs_ledger *ledger, int64_t threads,
                                  gs_error *error) {
  const char *before = "\n    ";
  (void)fputs("  \"benchmarks\": [", stream);
  for (int64_t i = 0; i < ledger->sweep->count && !ferror(stream); i++) {
    if (gs_ledger_status(ledger, i) != GS_CELL_OK) continue;
    for (int64_t round = 0; round < ledger->rounds; round++) {
      const gs_ledger_line *line = gs_ledger_line_of(ledger, i, round);
      const bool timed = isfinite(line->median_ns) && line->timed_steps >= 1;
      if (line->status != GS_CELL_OK || !timed) continue;
      (void)fputs(before, stream);
      before = ",\n    ";
      GS_TRY(write_line(stream, make_benchmark(ledger, i, round, threads), error));
    }
  }
  (void)fputs("\n  ],\n", stream);
  return GS_OK;
}

/* Goes on when the stream has failed: outcomes are brought up to date all the same. */
static gs_status write_cells(FILE *stream, const gs_ledger *ledger, const gs_journal *journal,
                             gs_error *error) {
  const char *before = "\n    ";
  (void)fputs("  \"cells\": [", stream);
  for (int64_t i = 0; i < ledger->sweep->count; i++) {
    if (gs_ledger_line_of(ledger, i, 0)->status == GS_CELL_PENDING) continue;
    gs_interrupt_moves_on();
    (void)fputs(before, stream);
    before = ",\n    ";
    GS_TRY(gs_ledger_write(ledger, journal, i, stream, error));
  }
  (void)fputs("\n  ]", stream);
  return GS_OK;
}

/* The document's last member: over all bytes before the comma. */
static void write_checksum(const gs_replacement *file) {
  char text[GS_SHA256_TEXT_BYTES];
  gs_replacement_sha256(file, text);
  (void)fprintf(file->stream, ",\n  \"sha256\": \"%s\"\n}\n", text);
}

static gs_status write_document(FILE *stream, const gs_ledger *ledger,
                                const gs_results_facts *facts, const gs_journal *journal,
                                gs_error *error) {
  const cJSON *item = gs_json_get(facts->device, "threads");
  int64_t threads = 0;
  cJSON *context = NULL;
  if (cJSON_IsNumber(item)) (void)gs_integer_of(item->valuedouble, 0, INT32_MAX, &threads);
  GS_TRY(make_context(ledger, facts, &context, error));
  (void)fprintf(stream, "{\n  \"schema\": %d,\n  \"context\": ", GS_RESULTS_SCHEMA);
  GS_TRY(write_line(stream, context, error));
  (void)fputs(",\n", stream);
  GS_TRY(write_benchmarks(stream, ledger, threads, error));
  return write_cells(stream, ledger, journal, error);
}

gs_status gs_results_write(const char *folder, const gs_ledger *ledger,
                           const gs_results_facts *facts, const gs_journal *journal,
                           gs_error *error) {
  gs_replacement file;
  GS_TRY(gs_replacement_open(&file, gs_journal_folder(journal), folder, GS_RESULTS_NAME, error));
  gs_status status = write_document(file.stream, ledger, facts, journal, error);
  if (status == GS_OK && !gs_folder_has_path(file.folder)) {
    status = GS_FAIL(error, GS_ERR_OUTPUT, "the folder %s is not there any more", folder);
  }
  if (status == GS_OK) {
    write_checksum(&file);
    gs_interrupt_moves_on();
    return gs_replacement_commit(&file, error);
  }
  gs_replacement_abandon(&file);
  return status;
}
