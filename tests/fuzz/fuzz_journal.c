/* Journals: the input is a journal.jsonl that --resume finds. Reading it changes
 * nothing, and each record that is handed on can be read as an outcome or is refused. */
#include "fuzz.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sweep/journal.h"
#include "sweep/record.h"

static char folder[64];
static char path[128];

static void remove_folder(void) {
  unlink(path);
  rmdir(folder);
}

static void make_folder(void) {
  if (folder[0]) return;
  snprintf(folder, sizeof folder, "/tmp/gradsweep-fuzz-XXXXXX");
  FUZZ_REQUIRE(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/%s", folder, GS_JOURNAL_NAME);
  atexit(remove_folder);
}

static void write_file(const uint8_t *data, size_t size) {
  FILE *stream = fopen(path, "w");
  FUZZ_REQUIRE(stream && fwrite(data, 1, size, stream) == size && fclose(stream) == 0);
}

static gs_status visit(void *user, const cJSON *record, int64_t offset, int64_t length,
                       gs_error *error) {
  const size_t *size = user;
  FUZZ_REQUIRE(offset >= 0 && length >= 0 && (size_t)(offset + length) < *size);
  gs_outcome outcome = gs_outcome_pending();
  const gs_status status = gs_outcome_read(record, &outcome, error);
  if (status == GS_OK) {
    FUZZ_REQUIRE(gs_record_id(record));
    FUZZ_REQUIRE(outcome.status > GS_CELL_PENDING && outcome.status < GS_CELL_STATUS_COUNT);
  }
  return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  make_folder();
  write_file(data, size);
  gs_journal *journal = NULL;
  gs_error error = {0};
  gs_status status = gs_journal_open(folder, GS_JOURNAL_RESUME, &journal, &error);
  if (status == GS_OK && gs_journal_header(journal)) {
    status = gs_journal_read(journal, visit, &size, &error);
  }
  if (status != GS_OK) fuzz_refused(status, &error);
  gs_journal_destroy(journal);
  struct stat about;
  FUZZ_REQUIRE(stat(path, &about) == 0 && (size_t)about.st_size == size);
  return 0;
}
