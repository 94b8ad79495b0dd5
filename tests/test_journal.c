/* The journal: whole lines only, one run at a time, nothing changed before it
 * must be, and a failed write leaves it as it was. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sha256.h"
#include "sweep/journal.h"

static char folder[64];
static char path[128];

static int make_folder(void **state) {
  (void)state;
  strcpy(folder, "/tmp/gs_journal_XXXXXX");
  if (!mkdtemp(folder)) return -1;
  snprintf(path, sizeof path, "%s/%s", folder, GS_JOURNAL_NAME);
  return 0;
}

static int remove_folder(void **state) {
  (void)state;
  unlink(path);
  return rmdir(folder);
}

static cJSON *header_of(int version) {
  cJSON *header = cJSON_CreateObject();
  assert_true(gs_json_add(header, "journal", gs_json_integer(version)));
  return header;
}

enum { FILE_BYTES = 2048, TAIL_BYTES = 11 + 64 + 2 }; /* ,"sha256":"..."} for } */

/* Where the lines after {"journal":2} and {"a":1} start. */
enum { SECOND = 12 + TAIL_BYTES + 1, THIRD = SECOND + 6 + TAIL_BYTES + 1 };

/* Every '$' of the text becomes the end of a line: its bracket, with the checksum. */
static const char *sealed(const char *text) {
  static char all[FILE_BYTES];
  size_t length = 0;
  size_t start = 0;
  for (; *text; text++) {
    assert_true(length + TAIL_BYTES + 2 < sizeof all);
    if (*text != '$') {
      all[length++] = *text;
    } else {
      char digits[GS_SHA256_TEXT_BYTES];
      gs_sha256 hash;
      gs_sha256_start(&hash);
      gs_sha256_add(&hash, all + start, length - start);
      length += (size_t)snprintf(all + length, sizeof all - length, ",\"sha256\":\"%s\"}",
                                 gs_sha256_text(&hash, digits));
    }
    if (*text == '\n') start = length;
  }
  all[length] = '\0';
  return all;
}

static void write_file(const char *text) {
  FILE *stream = fopen(path, "w");
  assert_non_null(stream);
  assert_true(fputs(sealed(text), stream) >= 0);
  assert_int_equal(fclose(stream), 0);
}

static void assert_file(const char *text) {
  const char *expected = sealed(text);
  char bytes[FILE_BYTES] = "";
  FILE *stream = fopen(path, "r");
  assert_non_null(stream);
  const size_t length = fread(bytes, 1, sizeof bytes - 1, stream);
  fclose(stream);
  bytes[length] = '\0';
  assert_string_equal(bytes, expected);
}

static gs_journal *open_journal(gs_journal_mode mode) {
  gs_journal *journal = NULL;
  gs_error error;
  assert_int_equal(gs_journal_open(folder, mode, &journal, &error), GS_OK);
  return journal;
}

static void assert_refused(gs_journal_mode mode, gs_status expected) {
  gs_journal *journal = NULL;
  gs_error error;
  assert_int_equal(gs_journal_open(folder, mode, &journal, &error), expected);
  assert_null(journal);
  assert_true(strlen(error.message) > 0);
}

static void append(gs_journal *journal, const char *line, int64_t expected_offset) {
  gs_error error;
  int64_t offset = -1;
  assert_int_equal(gs_journal_append(journal, line, strlen(line), &offset, &error), GS_OK);
  assert_int_equal(offset, expected_offset);
}

static gs_journal *begin_new(void) {
  gs_error error;
  cJSON *header = header_of(GS_JOURNAL_VERSION);
  gs_journal *journal = open_journal(GS_JOURNAL_NEW);
  assert_null(gs_journal_header(journal));
  assert_int_equal(gs_journal_begin(journal, header, &error), GS_OK);
  cJSON_Delete(header);
  return journal;
}

/* ---- writing ---- */

static void opening_makes_no_file(void **state) {
  (void)state;
  gs_journal_destroy(open_journal(GS_JOURNAL_NEW));
  gs_journal_destroy(open_journal(GS_JOURNAL_RESUME));
  gs_journal_destroy(open_journal(GS_JOURNAL_OVERWRITE));
  assert_int_equal(access(path, F_OK), -1);
  gs_journal_destroy(NULL);
}

static void lines_are_appended(void **state) {
  (void)state;
  gs_journal *journal = begin_new();
  append(journal, "{\"a\":1}", SECOND);
  append(journal, "{\"b\":2}", THIRD);
  gs_journal_destroy(journal);
  assert_file("{\"journal\":2$\n{\"a\":1$\n{\"b\":2$\n");
  assert_refused(GS_JOURNAL_NEW, GS_ERR_USAGE);
}

static void lines_are_copied(void **state) {
  (void)state;
  gs_error error;
  char copy[32] = "";
  gs_journal *journal = begin_new();
  append(journal, "{\"a\":1}", SECOND);
  FILE *stream = fmemopen(copy, sizeof copy, "w");
  const gs_journal_line line = gs_journal_line_at(journal, SECOND, 7);
  const gs_journal_line beyond = gs_journal_line_at(journal, SECOND, 1000);
  assert_int_equal(gs_journal_copy(&line, 0, 7, stream, &error), GS_OK);
  assert_int_equal(gs_journal_copy(&line, 1, 4, stream, &error), GS_OK);
  assert_int_equal(gs_journal_copy(&beyond, 0, 1000, stream, &error), GS_ERR_OUTPUT); /* no more */
  fclose(stream);
  assert_memory_equal(copy, "{\"a\":1}\"a\"", 10);
  gs_journal_destroy(journal);
}

static void pour(gs_journal *journal, const char *piece) {
  gs_error error;
  assert_int_equal(gs_journal_pour(journal, piece, strlen(piece), &error), GS_OK);
}

static void a_long_line_comes_in_pieces(void **state) {
  (void)state;
  gs_error error;
  cJSON *tree = NULL;
  gs_journal *journal = begin_new();
  pour(journal, "{\"a\"");
  pour(journal, ":1");
  pour(journal, "}");
  const gs_journal_line line = gs_journal_poured(journal);
  assert_int_equal(line.offset, SECOND);
  assert_int_equal(line.length, 7);
  assert_int_equal(gs_journal_parse(&line, 0, line.length, &tree, &error), GS_OK);
  cJSON_Delete(tree);
  assert_file("{\"journal\":2$\n{\"a\":1}"); /* torn, should the run end here */
  assert_int_equal(gs_journal_seal(journal, &error), GS_OK);
  assert_file("{\"journal\":2$\n{\"a\":1$\n");
  pour(journal, "of no use");
  assert_int_equal(gs_journal_drop(journal, &error), GS_OK);
  assert_file("{\"journal\":2$\n{\"a\":1$\n");
  append(journal, "{\"b\":2}", THIRD);
  gs_journal_destroy(journal);
  assert_file("{\"journal\":2$\n{\"a\":1$\n{\"b\":2$\n");
}

static void one_run_per_folder(void **state) {
  (void)state;
  gs_journal *journal = begin_new();
  assert_refused(GS_JOURNAL_RESUME, GS_ERR_OUTPUT);
  assert_refused(GS_JOURNAL_OVERWRITE, GS_ERR_OUTPUT);
  gs_journal_destroy(journal);
  gs_journal_destroy(open_journal(GS_JOURNAL_RESUME));
}

static void a_full_disk_leaves_whole_lines(void **state) {
  (void)state;
  gs_error error;
  int64_t offset = -1;
  gs_journal *journal = begin_new();
  append(journal, "{\"a\":1}", SECOND);
  struct rlimit old;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
  const struct rlimit tight = {THIRD + 4, old.rlim_max};
  signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
  const gs_status status = gs_journal_append(journal, "{\"b\":2}", 7, &offset, &error);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
  assert_int_equal(status, GS_ERR_OUTPUT);
  assert_file("{\"journal\":2$\n{\"a\":1$\n");
  append(journal, "{\"b\":2}", THIRD); /* and goes on where there is room again */
  gs_journal_destroy(journal);
}

static void overwriting_starts_anew(void **state) {
  (void)state;
  gs_error error;
  write_file("anything at all\n{\"a\":1$\n");
  cJSON *header = header_of(GS_JOURNAL_VERSION);
  gs_journal *journal = open_journal(GS_JOURNAL_OVERWRITE);
  assert_file("anything at all\n{\"a\":1$\n"); /* until it begins */
  assert_int_equal(gs_journal_begin(journal, header, &error), GS_OK);
  gs_journal_destroy(journal);
  cJSON_Delete(header);
  assert_file("{\"journal\":2$\n");
}

/* ---- continuing ---- */

typedef struct seen {
  int count;
  int64_t offset[4];
  int64_t length[4];
  int damaged;
  char message[256]; /* about the last line that is */
} seen;

static gs_status remember(void *user, const gs_journal_line *line, gs_error *error) {
  seen *all = user;
  cJSON *record = NULL;
  GS_TRY(gs_journal_parse(line, 0, line->length, &record, error));
  const bool bad = cJSON_GetObjectItemCaseSensitive(record, "bad") != NULL;
  cJSON_Delete(record);
  if (bad) return GS_FAIL(error, GS_ERR_DATA, "a bad record");
  all->offset[all->count] = line->offset;
  all->length[all->count++] = line->length;
  return GS_OK;
}

static void notice(void *user, const char *message) {
  seen *all = user;
  all->damaged++;
  snprintf(all->message, sizeof all->message, "%s", message);
}

static seen read_all(gs_journal *journal) {
  gs_error error;
  seen all = {.count = 0};
  const gs_journal_reader reader = {remember, notice, &all};
  assert_int_equal(gs_journal_read(journal, &reader, &error), GS_OK);
  return all;
}

static void a_torn_line_is_dropped(void **state) {
  (void)state;
  gs_error error;
  write_file("{\"journal\":2$\n{\"a\":1$\n{\"b\":");
  gs_journal *journal = open_journal(GS_JOURNAL_RESUME);
  assert_non_null(gs_journal_header(journal));
  const seen all = read_all(journal);
  assert_int_equal(all.damaged, 1);
  assert_non_null(strstr(all.message, "journal.jsonl:3: its end is missing"));
  assert_int_equal(all.count, 1);
  assert_int_equal(all.offset[0], SECOND);
  assert_int_equal(all.length[0], 7);
  assert_file("{\"journal\":2$\n{\"a\":1$\n{\"b\":"); /* until it begins */
  assert_int_equal(gs_journal_begin(journal, NULL, &error), GS_OK);
  assert_file("{\"journal\":2$\n{\"a\":1$\n");
  append(journal, "{\"c\":3}", THIRD);
  gs_journal_destroy(journal);
  assert_file("{\"journal\":2$\n{\"a\":1$\n{\"c\":3$\n");
}

static void a_journal_must_be_read_first(void **state) {
  (void)state;
  gs_error error;
  write_file("{\"journal\":2$\n{\"a\":1$\n");
  gs_journal *journal = open_journal(GS_JOURNAL_RESUME);
  assert_int_equal(gs_journal_begin(journal, NULL, &error), GS_ERR_INTERNAL);
  gs_journal_destroy(journal);
  assert_file("{\"journal\":2$\n{\"a\":1$\n");
}

static void a_torn_header_is_no_run(void **state) {
  (void)state;
  static const char *const torn[] = {"", "{\"jour", "{\"journal\":2}"};
  gs_error error;
  for (size_t i = 0; i < sizeof torn / sizeof *torn; i++) {
    write_file(torn[i]);
    cJSON *header = header_of(GS_JOURNAL_VERSION);
    gs_journal *journal = open_journal(GS_JOURNAL_RESUME);
    assert_null(gs_journal_header(journal));
    assert_int_equal(gs_journal_begin(journal, header, &error), GS_OK);
    gs_journal_destroy(journal);
    cJSON_Delete(header);
    assert_file("{\"journal\":2$\n");
  }
}

static void a_foreign_header_is_refused(void **state) {
  (void)state;
  static const char *const foreign[] = {"\n",
                                        "[]\n",
                                        "{\"journal\":1}\n",
                                        "{\"journal\":2}\n",
                                        "{\"journal\":3$\n",
                                        "{\"journal\":\"2\"$\n",
                                        "{\"journal\":2$ x\n",
                                        "{\"a\":1$\n",
                                        "hello\n"};
  for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
    write_file(foreign[i]);
    assert_refused(GS_JOURNAL_RESUME, GS_ERR_DATA);
    assert_file(foreign[i]);
  }
}

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

/* One line that is damaged, in any way, costs itself. */
static void damage_costs_one_line(void **state) {
  (void)state;
  static const struct {
    const char *line, *why;
  } damaged[] = {{"{\"a\":1", "no checksum"},
                 {"", "no checksum"},
                 {"{\"a\":1}", "no checksum"},
                 {"{\"a\":1$ ", "no checksum"},
                 {"{\"a\":1$x", "no checksum"},
                 {"{\"a\":1,\"sha256\":\"" ZEROS "\"}", "wrong"},
                 {"{\"a\":1$$", "after the end"},
                 {"{\"bad\":1$", "a bad record"},
                 {"{\"a\":01$", "start with 0"},
                 {"x$", "expected a value"},
                 {"$", "no checksum"},
                 {"\x01\xFF$", "expected a value"}};
  for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
    char text[256];
    snprintf(text, sizeof text, "{\"journal\":2$\n%s\n{\"b\":2$\n", damaged[i].line);
    write_file(text);
    gs_journal *journal = open_journal(GS_JOURNAL_RESUME);
    const seen all = read_all(journal);
    assert_int_equal(all.damaged, 1);
    assert_int_equal(all.count, 1);
    assert_non_null(strstr(all.message, "journal.jsonl:2: "));
    assert_non_null(strstr(all.message, damaged[i].why));
    gs_journal_destroy(journal);
    assert_file(text);
  }
}

/* Whatever bit of a line flips, that line is damaged; where the end of the line is hit, the
 * next is part of it. Where the header's is, there is no run to continue. */
static void every_bit_counts(void **state) {
  (void)state;
  char text[FILE_BYTES];
  strcpy(text, sealed("{\"journal\":2$\n{\"a\":1$\n{\"b\":2$\n"));
  const size_t length = strlen(text);
  write_file("{\"journal\":2$\n{\"a\":1$\n{\"b\":2$\n");
  const int fd = open(path, O_WRONLY); /* in place: cutting a file waits for the disk */
  assert_true(fd >= 0);
  for (size_t bit = 0; bit < 8 * length; bit++) {
    const char flipped = (char)(text[bit / 8] ^ (1 << bit % 8));
    assert_int_equal(pwrite(fd, &flipped, 1, (off_t)(bit / 8)), 1);
    if (bit / 8 < SECOND) {
      assert_refused(GS_JOURNAL_RESUME, GS_ERR_DATA);
    } else {
      gs_journal *journal = open_journal(GS_JOURNAL_RESUME);
      const seen all = read_all(journal);
      assert_true(all.damaged >= 1);
      assert_int_equal(all.count, bit / 8 == THIRD - 1 ? 0 : 1);
      gs_journal_destroy(journal);
    }
    assert_int_equal(pwrite(fd, text + bit / 8, 1, (off_t)(bit / 8)), 1);
  }
  assert_int_equal(close(fd), 0);
}

static void only_a_plain_file_is_a_journal(void **state) {
  (void)state;
  assert_int_equal(mkfifo(path, 0600), 0);
  assert_refused(GS_JOURNAL_RESUME, GS_ERR_OUTPUT);
  assert_int_equal(unlink(path), 0);
  assert_int_equal(mkdir(path, 0700), 0);
  assert_refused(GS_JOURNAL_RESUME, GS_ERR_OUTPUT);
  assert_int_equal(rmdir(path), 0);
}

static void a_folder_must_be_possible(void **state) {
  (void)state;
  static const char *const impossible[] = {"", "/dev/null/x", "/dev/null", "/proc/no/such/folder"};
  for (size_t i = 0; i < sizeof impossible / sizeof *impossible; i++) {
    gs_journal *journal = NULL;
    gs_error error;
    gs_status status = gs_journal_open(impossible[i], GS_JOURNAL_NEW, &journal, &error);
    if (status == GS_OK) { /* /proc says no only when asked to create */
      cJSON *header = header_of(GS_JOURNAL_VERSION);
      status = gs_journal_begin(journal, header, &error);
      cJSON_Delete(header);
    }
    gs_journal_destroy(journal);
    assert_int_equal(status, GS_ERR_OUTPUT);
  }
}

int main(void) {
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
  const struct CMUnitTest tests[] = {
      IN_FOLDER(opening_makes_no_file),
      IN_FOLDER(lines_are_appended),
      IN_FOLDER(lines_are_copied),
      IN_FOLDER(a_long_line_comes_in_pieces),
      IN_FOLDER(one_run_per_folder),
      IN_FOLDER(a_full_disk_leaves_whole_lines),
      IN_FOLDER(overwriting_starts_anew),
      IN_FOLDER(a_torn_line_is_dropped),
      IN_FOLDER(a_journal_must_be_read_first),
      IN_FOLDER(a_torn_header_is_no_run),
      IN_FOLDER(a_foreign_header_is_refused),
      IN_FOLDER(damage_costs_one_line),
      IN_FOLDER(every_bit_counts),
      IN_FOLDER(only_a_plain_file_is_a_journal),
      IN_FOLDER(a_folder_must_be_possible),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
