/* Journals: the input is a journal.jsonl that --resume finds. Its lines that end in '}' get
 * the checksum that no mutation would hit. Reading changes nothing; what is taken over can be
 * put together into a record; and each line that is damaged is named in one printable line. */
#include "fuzz.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sha256.h"
#include "sweep/ledger.h"

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

static void damaged(void *user, const char *message) {
  (void)user;
  FUZZ_REQUIRE(strstr(message, "journal.jsonl:") && !strchr(message, '\n'));
}

/* The run that the seed is of. */
static gs_sweep sweep;

static void make_sweep(void) {
  static const gs_setting settings[] = {{"depth", "2"},       {"width", "3"},
                                        {"batch", "2"},       {"activation", "relu"},
                                        {"jacobian", "true"}, {"stats", "norms"}};
  const int count = sizeof settings / sizeof *settings;
  gs_error error = {0};
  if (sweep.count > 0) return;
  FUZZ_REQUIRE(gs_sweep_from_settings("mlp", settings, count, &sweep, &error) == GS_OK);
}

/* What the ledger has taken over can be put together, as JSON. */
static void write_all(const gs_ledger *ledger, const gs_journal *journal) {
  char *text = NULL;
  size_t length = 0;
  gs_error error = {0};
  cJSON *tree = NULL;
  if (gs_ledger_line_of(ledger, 0, 0)->status == GS_CELL_PENDING) return;
  FILE *stream = open_memstream(&text, &length);
  FUZZ_REQUIRE(stream && gs_ledger_write(ledger, journal, 0, stream, &error) == GS_OK);
  FUZZ_REQUIRE(fclose(stream) == 0);
  FUZZ_REQUIRE(gs_json_parse(text, length, "record", &tree, &error) == GS_OK);
  cJSON_Delete(tree);
  free(text);
}

static void read_all(gs_journal *journal) {
  gs_ledger ledger;
  gs_error error = {0};
  gs_outcome outcome = gs_outcome_pending();
  FUZZ_REQUIRE(gs_ledger_open(&ledger, &sweep, 2, &outcome, &error) == GS_OK);
  FUZZ_REQUIRE(gs_ledger_read(&ledger, journal, damaged, NULL, &error) == GS_OK);
  write_all(&ledger, journal);
  gs_ledger_clear(&ledger);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  make_folder();
  make_sweep();
  const size_t written = write_file(data, size);
  gs_journal *journal = NULL;
  gs_error error = {0};
  const gs_status status = gs_journal_open(folder, GS_JOURNAL_RESUME, &journal, &error);
  if (status == GS_OK && gs_journal_header(journal)) read_all(journal);
  if (status != GS_OK) fuzz_refused(status, &error);
  gs_journal_destroy(journal);
  struct stat about;
  FUZZ_REQUIRE(stat(path, &about) == 0 && (size_t)about.st_size == written);
  return 0;
}
