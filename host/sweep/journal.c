/* The journal of a run. See journal.h. */
#include "sweep/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sha256.h"
#include "sweep/files.h"
#include "sweep/pipe.h"

/* A line's text without its '}', then ,"sha256":"...64 digits..."} and a newline. */
#define CHECKSUM_KEY ",\"sha256\":\""
enum { KEY_BYTES = sizeof CHECKSUM_KEY - 1, TAIL_BYTES = KEY_BYTES + GS_SHA256_TEXT_BYTES - 1 + 2 };

struct gs_journal {
  char folder[GS_PATH_BYTES];
  char path[GS_PATH_BYTES];
  gs_journal_mode mode;
  int folder_fd;            /* -1: there is no folder yet */
  char made[GS_PATH_BYTES]; /* the topmost folder that was created for this run */
  bool created;             /* so was the file */
  bool begun;
  int fd;         /* -1: there is no file yet */
  int64_t size;   /* bytes of whole lines */
  int64_t poured; /* bytes of a line on its way, behind them */
  bool read;      /* all of its lines: size is known */
  cJSON *header;  /* of a continued run */
};

static gs_status fail(const gs_journal *journal, const char *doing, int native, gs_error *error) {
  return GS_FAIL_NATIVE(error, GS_ERR_OUTPUT, native, "cannot %s %s: %s", doing, journal->path,
                        strerror(native));
}

const cJSON *gs_journal_header(const gs_journal *journal) { return journal->header; }

int gs_journal_folder(const gs_journal *journal) { return journal->folder_fd; }

/* Takes back what was made for a run that never began. */
static void unmake(const gs_journal *journal) {
  if (journal->created) unlinkat(journal->folder_fd, GS_JOURNAL_NAME, 0);
  gs_folder_unmake(journal->folder, journal->made);
}

void gs_journal_destroy(gs_journal *journal) {
  if (!journal) return;
  if (!journal->begun) unmake(journal);
  if (journal->fd >= 0) close(journal->fd); /* and with it the lock */
  if (journal->folder_fd >= 0) close(journal->folder_fd);
  cJSON_Delete(journal->header);
  free(journal);
}

/* ---- opening ---- */

static gs_status fail_taken(const gs_journal *journal, gs_error *error) {
  return GS_FAIL(error, GS_ERR_OUTPUT, "another run is writing to %s", journal->folder);
}

static gs_status lock(gs_journal *journal, gs_error *error) {
  if (flock(journal->fd, LOCK_EX | LOCK_NB) == 0) return GS_OK;
  return errno == EWOULDBLOCK ? fail_taken(journal, error) : fail(journal, "lock", errno, error);
}

static gs_status refuse_existing(const gs_journal *journal, const char *what, gs_error *error) {
  return GS_FAIL(error, GS_ERR_USAGE,
                 "%s/%s is there already: --resume continues that run, --overwrite replaces it, "
                 "--out chooses another folder",
                 journal->folder, what);
}

/* Opens and locks the file if there is one. A link may lead anywhere: not followed. */
static gs_status open_existing(gs_journal *journal, gs_error *error) {
  GS_TRY(gs_folder_open(journal->folder, &journal->folder_fd, error));
  if (journal->folder_fd < 0) return GS_OK;
  journal->fd = openat(journal->folder_fd, GS_JOURNAL_NAME,
                       O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (journal->fd < 0) return errno == ENOENT ? GS_OK : fail(journal, "open", errno, error);
  struct stat about;
  if (fstat(journal->fd, &about) != 0) return fail(journal, "open", errno, error);
  if (!S_ISREG(about.st_mode)) {
    return GS_FAIL(error, GS_ERR_OUTPUT, "%s is not a plain file", journal->path);
  }
  GS_TRY(lock(journal, error));
  journal->size = about.st_size;
  return GS_OK;
}

/* The lines of the journal, one after the other, none of which is ever in memory. */
typedef struct line_reader {
  const gs_journal *journal;
  char chunk[1 << 16];
  int64_t chunk_at; /* where the chunk starts in the file */
  size_t chunk_length;
  int64_t offset; /* of the line found last */
  int64_t length; /* without its newline */
  int64_t next;   /* where the following one starts */
  bool torn;      /* the last one has no newline */
} line_reader;

/* Up to `room` bytes of the file; *got is less at its end alone. */
static gs_status read_at(const gs_journal *journal, int64_t at, char *into, size_t room,
                         size_t *got, gs_error *error) {
  for (*got = 0; *got < room;) {
    const ssize_t more = pread(journal->fd, into + *got, room - *got, at + (int64_t)*got);
    if (more < 0 && errno == EINTR) continue;
    if (more < 0) return fail(journal, "read", errno, error);
    if (more == 0) break;
    *got += (size_t)more;
  }
  return GS_OK;
}

/* Finds the next line; *found is false at the end and for a line without its newline. */
static gs_status reader_next(line_reader *reader, bool *found, gs_error *error) {
  *found = false;
  reader->offset = reader->next;
  for (int64_t at = reader->offset;;) {
    if (at >= reader->chunk_at + (int64_t)reader->chunk_length) {
      reader->chunk_at = at;
      GS_TRY(read_at(reader->journal, at, reader->chunk, sizeof reader->chunk,
                     &reader->chunk_length, error));
    }
    const size_t passed = (size_t)(at - reader->chunk_at);
    const size_t left = reader->chunk_length - passed;
    const char *newline = left ? memchr(reader->chunk + passed, '\n', left) : NULL;
    reader->torn = left == 0 && at > reader->offset;
    if (left == 0) return GS_OK;
    at += newline ? newline - (reader->chunk + passed) : (int64_t)left;
    if (!newline) continue;
    reader->length = at - reader->offset;
    reader->next = at + 1;
    *found = true;
    return GS_OK;
  }
}

/* ---- checksums ---- */

static const char *checksum_of(const char *bytes, size_t length, char text[GS_SHA256_TEXT_BYTES]) {
  gs_sha256 hash;
  gs_sha256_start(&hash);
  gs_sha256_add(&hash, bytes, length);
  return gs_sha256_text(&hash, text);
}

/* The hash of so many bytes of the file. */
static gs_status hash_bytes(const gs_journal *journal, int64_t offset, int64_t length,
                            gs_sha256 *hash, gs_error *error) {
  char chunk[1 << 16];
  size_t got = 0;
  gs_sha256_start(hash);
  for (int64_t at = 0; at < length; at += (int64_t)got) {
    const int64_t left = length - at;
    const size_t wanted = left < (int64_t)sizeof chunk ? (size_t)left : sizeof chunk;
    GS_TRY(read_at(journal, offset + at, chunk, wanted, &got, error));
    if (got == 0) return fail(journal, "read", EIO, error);
    gs_sha256_add(hash, chunk, got);
  }
  return GS_OK;
}

/* Whether a line has its checksum, or in *why what is wrong with it; *length without it. */
static gs_status check_sum(const gs_journal *journal, int64_t offset, int64_t *length,
                           const char **why, gs_error *error) {
  char tail[TAIL_BYTES] = "";
  char text[GS_SHA256_TEXT_BYTES];
  gs_sha256 hash;
  size_t got = 0;
  const int64_t before = *length - TAIL_BYTES;
  *why = "it has no checksum";
  if (before <= 0) return GS_OK;
  GS_TRY(read_at(journal, offset + before, tail, sizeof tail, &got, error));
  if (memcmp(tail, CHECKSUM_KEY, KEY_BYTES) != 0) return GS_OK;
  if (memcmp(tail + TAIL_BYTES - 2, "\"}", 2) != 0) return GS_OK;
  GS_TRY(hash_bytes(journal, offset, before, &hash, error));
  gs_sha256_text(&hash, text);
  const bool right = memcmp(tail + KEY_BYTES, text, GS_SHA256_TEXT_BYTES - 1) == 0;
  *why = right ? NULL : "its checksum is wrong";
  *length = before + 1; /* with a bracket for its tail */
  return GS_OK;
}

/* A line's text with its checksum and its newline, *length bytes; NULL: out of memory. */
static char *add_checksum(const char *line, size_t *length) {
  char text[GS_SHA256_TEXT_BYTES];
  const size_t before = *length - 1; /* the closing bracket comes last */
  char *bytes = malloc(before + TAIL_BYTES + 2);
  if (!bytes) return NULL;
  memcpy(bytes, line, before);
  const int tail = snprintf(bytes + before, TAIL_BYTES + 2, CHECKSUM_KEY "%s\"}\n",
                            checksum_of(line, before, text));
  *length = before + (size_t)tail;
  return bytes;
}

/* ---- the header ---- */

enum { HEADER_BYTES = 1 << 16 }; /* one that is longer is none */

static gs_status fail_header(const gs_journal *journal, const char *why, gs_error *error) {
  return GS_FAIL(error, GS_ERR_DATA,
                 "%.300s:1 is damaged: %s; it says which run this is, so the run cannot be "
                 "continued",
                 journal->path, why);
}

/* A header of another version may have no checksum. */
static gs_status parse_header(gs_journal *journal, const line_reader *reader, gs_error *error) {
  gs_error details = {0};
  const char *why = NULL;
  int64_t length = reader->length;
  if (length > HEADER_BYTES) return fail_header(journal, "it is too long", error);
  GS_TRY(check_sum(journal, 0, &length, &why, error));
  const gs_journal_line line = gs_journal_line_at(journal, 0, length);
  const gs_status status = gs_journal_parse(&line, 0, length, &journal->header, &details);
  const cJSON *version = gs_json_get(journal->header, "journal");
  const bool ours = cJSON_IsNumber(version) && version->valuedouble == GS_JOURNAL_VERSION;
  if (status != GS_OK && status != GS_ERR_DATA) {
    return GS_FAIL(error, status, "%s", details.message);
  }
  if (status == GS_OK && ours && !why) return GS_OK;
  if (cJSON_IsNumber(version) && !ours) {
    return GS_FAIL(error, GS_ERR_DATA, "%s:1 is not the header of a journal of this version",
                   journal->path);
  }
  return fail_header(journal, why ? why : "it is no header of a journal", error);
}

/* Reads the header of a run to be continued, if one whole line is there. */
static gs_status read_header(gs_journal *journal, gs_error *error) {
  line_reader reader = {.journal = journal};
  bool found = false;
  GS_TRY(reader_next(&reader, &found, error));
  if (!found) return GS_OK;
  journal->size = reader.next;
  return parse_header(journal, &reader, error);
}

/* Whether something has the results' name: a file, or what no run should replace. */
static gs_status find_results(const gs_journal *journal, bool *there, gs_error *error) {
  struct stat about;
  *there = journal->folder_fd >= 0 &&
           fstatat(journal->folder_fd, GS_RESULTS_NAME, &about, AT_SYMLINK_NOFOLLOW) == 0;
  if (!*there || S_ISREG(about.st_mode)) return GS_OK;
  return GS_FAIL(error, GS_ERR_OUTPUT, "%s/%s is not a plain file", journal->folder,
                 GS_RESULTS_NAME);
}

static gs_status open_in_mode(gs_journal *journal, gs_error *error) {
  bool results = false;
  GS_TRY(open_existing(journal, error));
  GS_TRY(find_results(journal, &results, error));
  /* an empty journal is of a run that was killed before it began */
  if (journal->mode == GS_JOURNAL_NEW && journal->fd >= 0 && journal->size > 0) {
    return refuse_existing(journal, GS_JOURNAL_NAME, error);
  }
  /* results without a journal: somebody's, and not to be continued */
  const bool empty = journal->fd < 0 || journal->size == 0;
  if (journal->mode != GS_JOURNAL_OVERWRITE && empty && results) {
    return refuse_existing(journal, GS_RESULTS_NAME, error);
  }
  if (journal->mode == GS_JOURNAL_RESUME && journal->fd >= 0) return read_header(journal, error);
  return GS_OK;
}

gs_status gs_journal_open(const char *folder, gs_journal_mode mode, gs_journal **journal,
                          gs_error *error) {
  *journal = NULL;
  GS_TRY(gs_folder_check(folder, error));
  gs_journal *new_journal = calloc(1, sizeof *new_journal);
  if (!new_journal) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the journal");
  new_journal->fd = -1;
  new_journal->folder_fd = -1;
  new_journal->mode = mode;
  snprintf(new_journal->folder, sizeof new_journal->folder, "%s", folder);
  gs_status status = gs_path_join(new_journal->path, folder, GS_JOURNAL_NAME, error);
  if (status == GS_OK) status = open_in_mode(new_journal, error);
  if (status == GS_OK) {
    *journal = new_journal;
  } else {
    gs_journal_destroy(new_journal);
  }
  return status;
}

/* ---- reading ---- */

static void report(const gs_journal *journal, const gs_journal_reader *reader, int64_t number,
                   const char *why) {
  enum { FOLDER_BYTES = 200, WHY_BYTES = 200 };
  char message[FOLDER_BYTES + WHY_BYTES + 64];
  snprintf(message, sizeof message, "%.*s/%s:%lld: %.*s", FOLDER_BYTES, journal->folder,
           GS_JOURNAL_NAME, (long long)number, WHY_BYTES, why);
  if (reader->damaged) reader->damaged(reader->user, message);
}

static gs_status visit_line(const line_reader *lines, int64_t number,
                            const gs_journal_reader *reader, gs_error *error) {
  const gs_journal *journal = lines->journal;
  gs_error details = {0};
  const char *why = NULL;
  int64_t length = lines->length;
  GS_TRY(check_sum(journal, lines->offset, &length, &why, error));
  if (!why) {
    const gs_journal_line line = gs_journal_line_at(journal, lines->offset, length);
    const gs_status status = reader->visit(reader->user, &line, &details);
    if (status == GS_OK) return GS_OK;
    if (status != GS_ERR_DATA) return GS_FAIL(error, status, "%s", details.message);
    why = details.message;
  }
  report(journal, reader, number, why);
  return GS_OK;
}

gs_status gs_journal_read(gs_journal *journal, const gs_journal_reader *reader, gs_error *error) {
  line_reader lines = {.journal = journal};
  int64_t number = 1;
  bool found = true;
  for (;; number++) {
    GS_TRY(reader_next(&lines, &found, error));
    if (!found) break;
    if (number > 1) GS_TRY(visit_line(&lines, number, reader, error));
    journal->size = lines.next;
  }
  if (lines.torn) report(journal, reader, number, "its end is missing");
  journal->read = true;
  return GS_OK;
}

/* ---- single lines ---- */

gs_journal_line gs_journal_line_at(const gs_journal *journal, int64_t offset, int64_t length) {
  return (gs_journal_line){journal, offset, length, 0};
}

gs_status gs_journal_peek(const gs_journal_line *line, int64_t at, char *into, size_t room,
                          size_t *got, gs_error *error) {
  const int64_t left = line->length - at;
  *got = 0;
  if (left <= 0) return GS_OK;
  if (left < (int64_t)room) room = (size_t)left;
  GS_TRY(read_at(line->journal, line->offset + at, into, room, got, error));
  if (*got < room) return fail(line->journal, "read", EIO, error);
  if (left == (int64_t)room) into[room - 1] = '}'; /* in place of what leads to the checksum */
  return GS_OK;
}

static gs_status read_source(void *user, char *into, size_t room, size_t *got, gs_error *error) {
  gs_journal_line *line = user;
  GS_TRY(gs_journal_peek(line, line->at, into, room, got, error));
  line->at += (int64_t)*got;
  return GS_OK;
}

gs_json_source gs_journal_source(gs_journal_line *line) {
  return (gs_json_source){read_source, line};
}

gs_status gs_journal_parse(const gs_journal_line *line, int64_t from, int64_t to, cJSON **tree,
                           gs_error *error) {
  const size_t length = (size_t)(to - from);
  char *text = malloc(length + 1);
  size_t got = 0;
  *tree = NULL;
  if (!text) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for a line of the journal");
  gs_status status = gs_journal_peek(line, from, text, length, &got, error);
  if (status == GS_OK) status = gs_json_parse(text, got, line->journal->path, tree, error);
  free(text);
  return status;
}

gs_status gs_journal_copy(const gs_journal_line *line, int64_t from, int64_t to, FILE *stream,
                          gs_error *error) {
  char chunk[1 << 16];
  for (size_t got = 0; from < to; from += (int64_t)got) {
    const size_t wanted = to - from < (int64_t)sizeof chunk ? (size_t)(to - from) : sizeof chunk;
    GS_TRY(gs_journal_peek(line, from, chunk, wanted, &got, error));
    if (got == 0) return fail(line->journal, "read", EIO, error);
    if (fwrite(chunk, 1, got, stream) != got) return GS_OK;
  }
  return GS_OK;
}

/* ---- writing ---- */

/* Cuts the file back to its whole lines. */
static gs_status cut(const gs_journal *journal, gs_error *error) {
  if (ftruncate(journal->fd, journal->size) != 0 || fsync(journal->fd) != 0) {
    return fail(journal, "cut", errno, error);
  }
  return GS_OK;
}

/* Whether the file is still the one that this run has locked and written: somebody may
 * have removed, replaced or cut it, and a run must not go on measuring for nobody. */
static gs_status check_still_ours(const gs_journal *journal, gs_error *error) {
  struct stat ours;
  struct stat named;
  if (fstat(journal->fd, &ours) != 0) return fail(journal, "write", errno, error);
  const char *what = NULL;
  if (fstatat(journal->folder_fd, GS_JOURNAL_NAME, &named, AT_SYMLINK_NOFOLLOW) != 0) {
    what = "removed";
  } else if (named.st_dev != ours.st_dev || named.st_ino != ours.st_ino) {
    what = "replaced";
  } else if (ours.st_size != journal->size + journal->poured) {
    what = "changed";
  } else if (!gs_folder_has_path(journal->folder_fd)) {
    what = "unmounted";
  }
  if (!what) return GS_OK;
  return GS_FAIL(error, GS_ERR_OUTPUT, "%s was %s by somebody else during the run", journal->path,
                 what);
}

/* Writes behind the whole lines and what has been poured. */
static bool write_behind(gs_journal *journal, const char *bytes, size_t length, int64_t at) {
  return lseek(journal->fd, at, SEEK_SET) == at && gs_write_all(journal->fd, bytes, length);
}

/* Takes back what is not a whole line; if this fails too, the next run drops the torn line. */
static gs_status take_back(gs_journal *journal, int native, gs_error *error) {
  journal->poured = 0;
  (void)cut(journal, NULL);
  return fail(journal, "write", native, error);
}

gs_status gs_journal_append(gs_journal *journal, const char *line, size_t length, int64_t *offset,
                            gs_error *error) {
  GS_TRY(check_still_ours(journal, error));
  char *bytes = add_checksum(line, &length);
  if (!bytes) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for a line of the journal");
  const bool written =
      write_behind(journal, bytes, length, journal->size) && fsync(journal->fd) == 0;
  const int failed = errno;
  free(bytes);
  if (!written) return take_back(journal, failed, error);
  *offset = journal->size;
  journal->size += (int64_t)length;
  return GS_OK;
}

gs_status gs_journal_pour(gs_journal *journal, const char *bytes, size_t length, gs_error *error) {
  if (journal->poured == 0) GS_TRY(check_still_ours(journal, error));
  if (!write_behind(journal, bytes, length, journal->size + journal->poured)) {
    return take_back(journal, errno, error);
  }
  journal->poured += (int64_t)length;
  return GS_OK;
}

gs_journal_line gs_journal_poured(const gs_journal *journal) {
  return gs_journal_line_at(journal, journal->size, journal->poured);
}

gs_status gs_journal_seal(gs_journal *journal, gs_error *error) {
  char tail[TAIL_BYTES + 2];
  char text[GS_SHA256_TEXT_BYTES];
  gs_sha256 hash;
  const int64_t before = journal->poured - 1; /* the closing bracket comes last */
  GS_TRY(check_still_ours(journal, error));
  GS_TRY(hash_bytes(journal, journal->size, before, &hash, error));
  const int length =
      snprintf(tail, sizeof tail, CHECKSUM_KEY "%s\"}\n", gs_sha256_text(&hash, text));
  const int64_t at = journal->size + before;
  if (!write_behind(journal, tail, (size_t)length, at) || fsync(journal->fd) != 0) {
    return take_back(journal, errno, error);
  }
  journal->size = at + length;
  journal->poured = 0;
  return GS_OK;
}

gs_status gs_journal_drop(gs_journal *journal, gs_error *error) {
  if (journal->poured == 0) return GS_OK;
  GS_TRY(check_still_ours(journal, error));
  journal->poured = 0;
  return cut(journal, error);
}

gs_status gs_journal_take(gs_journal *journal, gs_error *error) {
  if (journal->fd >= 0) return GS_OK;
  if (journal->folder_fd < 0) {
    GS_TRY(gs_folder_create(journal->folder, journal->made, error));
    GS_TRY(gs_folder_open(journal->folder, &journal->folder_fd, error));
    if (journal->folder_fd < 0) return fail(journal, "create", ENOENT, error);
  }
  journal->fd = openat(journal->folder_fd, GS_JOURNAL_NAME,
                       O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (journal->fd < 0 && errno == EEXIST) return fail_taken(journal, error);
  if (journal->fd < 0) return fail(journal, "create", errno, error);
  GS_TRY(lock(journal, error));
  journal->created = true;
  return GS_OK;
}

static gs_status write_header(gs_journal *journal, const cJSON *header, gs_error *error) {
  char *line = gs_json_print_line(header);
  if (!line) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the journal's header");
  int64_t offset = 0;
  const gs_status status = gs_journal_append(journal, line, strlen(line), &offset, error);
  free(line);
  return status;
}

/* Takes an old run's results away, before its journal is: killed in between, the run can
 * be continued, while results without a journal could not. */
static gs_status drop_results(const gs_journal *journal, gs_error *error) {
  if (journal->mode != GS_JOURNAL_OVERWRITE) return GS_OK;
  if (unlinkat(journal->folder_fd, GS_RESULTS_NAME, 0) != 0) {
    return errno == ENOENT ? GS_OK : fail(journal, "replace", errno, error);
  }
  return gs_folder_sync(journal->folder_fd, journal->folder, error);
}

gs_status gs_journal_begin(gs_journal *journal, const cJSON *header, gs_error *error) {
  if (journal->header && !journal->read) {
    return GS_FAIL(error, GS_ERR_INTERNAL, "a journal must be read before it is continued");
  }
  GS_TRY(gs_journal_take(journal, error));
  gs_replacement_clean(journal->folder_fd, GS_RESULTS_NAME);
  if (journal->header) {
    journal->begun = true;
    return cut(journal, error);
  }
  GS_TRY(drop_results(journal, error));
  journal->size = 0;
  GS_TRY(cut(journal, error));
  GS_TRY(write_header(journal, header, error));
  journal->begun = true;
  return gs_folder_sync(journal->folder_fd, journal->folder, error);
}
