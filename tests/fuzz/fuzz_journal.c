/* Journals: the input is a journal.jsonl that --resume finds. Its lines that end in '}' get
 * the checksum that no mutation would hit. Reading changes nothing; each line that is handed
 * on can be read as an outcome or is refused; and each that is damaged is named in one
 * printable line. */
#include "fuzz.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sha256.h"
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

static void write_line(FILE *stream, const uint8_t *line, size_t length) {
  if (length < 2 || line[length - 1] != '}') {
    FUZZ_REQUIRE(fwrite(line, 1, length, stream) == length);
    return;
  }
  char text[GS_SHA256_TEXT_BYTES];
  gs_sha256 hash;
  gs_sha256_start(&hash);
  gs_sha256_add(&hash, line, length - 1);
  FUZZ_REQUIRE(fwrite(line, 1, length - 1, stream) == length - 1);
  FUZZ_REQUIRE(fprintf(stream, ",\"sha256\":\"%s\"}", gs_sha256_text(&hash, text)) > 0);
}

/* Returns the file's size. */
static size_t write_file(const uint8_t *data, size_t size) {
  FILE *stream = fopen(path, "w");
  FUZZ_REQUIRE(stream);
  while (size > 0) {
    const uint8_t *newline = memchr(data, '\n', size);
    const size_t length = newline ? (size_t)(newline - data) : size;
    write_line(stream, data, length);
    if (newline) FUZZ_REQUIRE(fputc('\n', stream) == '\n');
    data += length + (newline != NULL);
    size -= length + (newline != NULL);
  }
  const long written = ftell(stream);
  FUZZ_REQUIRE(written >= 0 && fclose(stream) == 0);
  return (size_t)written;
}

static void damaged(void *user, const char *words) {
  (void)user;
  FUZZ_REQUIRE(strstr(words, "journal.jsonl:") && !strchr(words, '\n'));
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
  size_t written = write_file(data, size);
  const gs_journal_reader reader = {visit, damaged, &written};
  gs_journal *journal = NULL;
  gs_error error = {0};
  gs_status status = gs_journal_open(folder, GS_JOURNAL_RESUME, &journal, &error);
  if (status == GS_OK && gs_journal_header(journal)) {
    status = gs_journal_read(journal, &reader, &error);
    FUZZ_REQUIRE(status == GS_OK);
  }
  if (status != GS_OK) fuzz_refused(status, &error);
  gs_journal_destroy(journal);
  struct stat about;
  FUZZ_REQUIRE(stat(path, &about) == 0 && (size_t)about.st_size == written);
  return 0;
}
