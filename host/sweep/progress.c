/* What a run says while it runs. See progress.h. */
#include "sweep/progress.h"

#include <math.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/printable.h"
#include "sweep/text.h"

enum { BAR_CELLS = 24, LINE_BYTES = 512, REMARK_BYTES = GS_REASON_BYTES + 32 };

bool gs_terminal_has_colour(FILE *stream) {
  const char *no_colour = getenv("NO_COLOR");
  const char *kind = getenv("TERM");
  return isatty(fileno(stream)) && !(no_colour && *no_colour) && kind && strcmp(kind, "dumb") != 0;
}

gs_progress gs_progress_on(FILE *stream, FILE *warnings) {
  gs_progress progress;
  memset(&progress, 0, sizeof progress);
  progress.stream = stream;
  progress.warnings = warnings;
  if (stream) progress.terminal = isatty(fileno(stream));
  if (stream) progress.colour = gs_terminal_has_colour(stream);
  return progress;
}

const char *gs_duration_text(double seconds, char text[GS_DURATION_BYTES]) {
  if (!(seconds >= 0 && seconds < 1e9)) {
    snprintf(text, GS_DURATION_BYTES, "?");
    return text;
  }
  const long whole = lround(seconds);
  if (whole >= 3600) {
    snprintf(text, GS_DURATION_BYTES, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
  } else {
    snprintf(text, GS_DURATION_BYTES, "%ld:%02ld", whole / 60, whole % 60);
  }
  return text;
}

/* ---- the bar ---- */

static int terminal_columns(const gs_progress *progress) {
  struct winsize size;
  const bool known = ioctl(fileno(progress->stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

/* Whether the stream would take a line (which is shorter than PIPE_BUF) without waiting. A
 * reader that has stalled is waited for once; a run does not stop for one. */
static bool takes_a_line(gs_progress *progress, FILE *stream) {
  const int patience_ms = 500;
  struct pollfd ready = {fileno(stream), POLLOUT, 0};
  progress->stalled = poll(&ready, 1, progress->stalled ? 0 : patience_ms) == 0;
  return !progress->stalled;
}

/* Writes text in the bar's place. */
static void put(gs_progress *progress, FILE *stream, const char *text) {
  const char *clear = progress->drawn ? "\r\033[K" : "";
  if (!takes_a_line(progress, stream)) return;
  (void)fprintf(stream, "%s%s", clear, text);
  (void)fflush(stream);
  progress->drawn = false;
}

/* A line that stays. */
static void put_line(gs_progress *progress, FILE *stream, const char *text) {
  char missing[LINE_BYTES];
  if (!takes_a_line(progress, stream)) {
    progress->missing++;
    return;
  }
  if (progress->missing > 0) {
    snprintf(missing, sizeof missing, "(%lld lines are missing: nobody read them)\n",
             (long long)progress->missing);
    progress->missing = 0;
    put(progress, stream, missing);
  }
  put(progress, stream, text);
}

/* Time left, from the pace so far, weighted by the cells' estimates. */
static double time_left_s(const gs_progress *progress) {
  if (!(progress->work_done > 0)) return NAN;
  const double elapsed = gs_clock_s() - progress->started_s;
  return elapsed * (progress->work - progress->work_done) / progress->work_done;
}

static void draw_bar(gs_progress *progress) {
  char bar[BAR_CELLS + 1];
  char left[GS_DURATION_BYTES];
  char line[LINE_BYTES];
  char text[LINE_BYTES + BAR_CELLS + 16];
  const double share = progress->total > 0 ? (double)progress->done / (double)progress->total : 1;
  const int filled = (int)(share * BAR_CELLS);
  for (int i = 0; i < BAR_CELLS; i++) bar[i] = i < filled ? '#' : '.';
  bar[BAR_CELLS] = '\0';
  const int head =
      snprintf(line, sizeof line, " %lld/%lld  left %s  ", (long long)progress->done,
               (long long)progress->total, gs_duration_text(time_left_s(progress), left));
  const int room = terminal_columns(progress) - BAR_CELLS - 3 - head;
  if (room > 0) {
    snprintf(line + head, sizeof line - (size_t)head, "%.*s", room,
             progress->name ? progress->name : "");
  }
  snprintf(text, sizeof text, progress->colour ? "[\033[32m%s\033[0m]%s" : "[%s]%s", bar, line);
  put(progress, progress->stream, text);
  if (!progress->stalled) progress->drawn = true;
  progress->drawn_s = gs_clock_s();
}

/* ---- the run's events ---- */

void gs_progress_begin(gs_progress *progress, int64_t total, int64_t done, double work) {
  progress->total = total;
  progress->done = done;
  progress->work = work;
  progress->work_done = 0;
  progress->started_s = gs_clock_s();
  if (done > 0) {
    gs_progress_say(progress, "%lld of %lld cells are done already", (long long)done,
                    (long long)total);
  }
}

void gs_progress_cell_begin(gs_progress *progress, const char *name) {
  progress->name = name;
  progress->cell_start_s = gs_clock_s();
  gs_progress_wait(progress);
}

void gs_progress_wait(gs_progress *progress) {
  if (!progress->stream || !progress->terminal || !progress->name) return;
  if (gs_clock_s() - progress->drawn_s >= 0.1) draw_bar(progress);
}

static const char *status_colour(const gs_progress *progress, gs_cell_status status) {
  if (!progress->colour) return "";
  return status == GS_CELL_OK ? "\033[32m" : status == GS_CELL_SKIPPED ? "\033[33m" : "\033[31m";
}

/* ": why", or nothing to say. The reason of a cell that is ok is about theory. */
static const char *remark_of(const gs_outcome *outcome, char remark[REMARK_BYTES]) {
  char reason[GS_REASON_BYTES];
  const bool ok = outcome->status == GS_CELL_OK;
  const bool judged = ok && outcome->agreement != GS_AGREEMENT_VERDICT_COUNT;
  gs_printable(outcome->reason, reason, sizeof reason);
  snprintf(remark, REMARK_BYTES, "%s%s%s%s", reason[0] ? ": " : "",
           judged && reason[0] ? gs_name(&gs_agreement_names, outcome->agreement) : "",
           judged && reason[0] ? ": " : "", reason);
  return remark;
}

void gs_progress_cell_end(gs_progress *progress, const gs_outcome *outcome, double work) {
  progress->done++;
  progress->work_done += work;
  if (!progress->stream) return;
  const bool fine = outcome->status == GS_CELL_OK && outcome->agreement != GS_OFF;
  if (!progress->terminal || !fine) { /* on a terminal only what needs attention stays */
    char remark[REMARK_BYTES];
    char line[LINE_BYTES + REMARK_BYTES];
    snprintf(line, sizeof line, "[%lld/%lld] %s%-7s%s %6.2f s  %s%s\n", (long long)progress->done,
             (long long)progress->total, status_colour(progress, outcome->status),
             gs_name(&gs_cell_status_names, outcome->status), progress->colour ? "\033[0m" : "",
             gs_clock_s() - progress->cell_start_s, progress->name, remark_of(outcome, remark));
    put_line(progress, progress->stream, line);
  }
  gs_progress_wait(progress);
}

static void say(gs_progress *progress, FILE *stream, const char *format, va_list arguments) {
  char line[LINE_BYTES];
  char printable[LINE_BYTES + 1];
  if (!stream) return;
  vsnprintf(line, sizeof line, format, arguments);
  gs_printable(line, printable, sizeof line);
  put_line(progress, stream, strcat(printable, "\n"));
}

void gs_progress_say(gs_progress *progress, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  say(progress, progress->stream, format, arguments);
  va_end(arguments);
}

void gs_progress_warn(gs_progress *progress, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  say(progress, progress->warnings, format, arguments);
  va_end(arguments);
}

void gs_progress_end(gs_progress *progress) {
  if (!progress->stream) return;
  put(progress, progress->stream, "");
}
