/* How long threads waited for a processor. See machine.h; getrusage(2),
 * Documentation/scheduler/sched-stats.rst of Linux. */
#include "measure/machine.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* ---- what is made of it ---- */

double gs_machine_held_up_ns(const gs_machine_use *use) {
  const double gap_ns = use->sleeps == 0 ? fmax(0, use->wall_ns - use->cpu_ns) : (double)NAN;
  if (!use->waited_known) return gap_ns;
  const double wakes = fmax(0, use->turns - (double)use->taken);
  const double waited_ns = fmax(0, use->waited_ns - GS_WAKE_NS * wakes);
  return fmin(use->wall_ns, fmax(waited_ns, gap_ns)); /* fmax passes over NaN */
}

double gs_machine_held_up_round_ns(double wall_ns, double held_up_ns, double others_ns) {
  if (isnan(others_ns) || isnan(held_up_ns)) return held_up_ns;
  if (others_ns < GS_OTHERS_SHARE * wall_ns + GS_OTHERS_NS) return 0;
  return fmin(held_up_ns, others_ns);
}

bool gs_machine_disturbed(double wall_ns, double held_up_ns) {
  return held_up_ns > GS_DISTURBED_SHARE * wall_ns;
}

bool gs_machine_busy(double wall_ns, double held_up_ns) {
  return held_up_ns > GS_BUSY_SHARE * wall_ns && held_up_ns >= GS_BUSY_NS;
}

/* ---- reading ---- */

enum { MAX_THREADS = 64 };

/* Of one thread: the file, and what it said at the start. */
typedef struct thread_watch {
  int fd;
  double waited_ns;
  double turns;
} thread_watch;

struct gs_machine_watch {
  thread_watch threads[MAX_THREADS];
  int count;
  double wall_ns, cpu_ns;
  int64_t sleeps, taken;
};

static double clock_ns(clockid_t clock) {
  struct timespec time = {0, 0};
  clock_gettime(clock, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* ---- others ---- */

/* One line of /proc/stat, "cpuN user nice system idle iowait irq softirq steal ..." in ticks:
 * all but idle and iowait; what guests have is in user. */
static bool read_processor(const char *line, int *processor, double *ticks) {
  double user, nice, system, idle, iowait, irq, softirq, steal;
  if (sscanf(line, "cpu%d %lf %lf %lf %lf %lf %lf %lf %lf", processor, &user, &nice, &system, &idle,
             &iowait, &irq, &softirq, &steal) != 9) {
    return false;
  }
  *ticks = user + nice + system + irq + softirq + steal;
  return true;
}

double gs_machine_others_ns(void) {
  char line[512];
  cpu_set_t ours;
  double busy = 0;
  int found = 0;
  FILE *stream = fopen("/proc/stat", "re");
  if (!stream) return NAN;
  const bool known = sched_getaffinity(0, sizeof ours, &ours) == 0;
  while (known && fgets(line, sizeof line, stream)) {
    int processor = 0;
    double ticks = 0;
    if (!read_processor(line, &processor, &ticks)) continue;
    if (processor >= CPU_SETSIZE || !CPU_ISSET((size_t)processor, &ours)) continue;
    busy += ticks;
    found++;
  }
  fclose(stream);
  if (found == 0) return NAN;
  const double tick_ns = 1e9 / (double)sysconf(_SC_CLK_TCK);
  return busy * tick_ns - clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

/* ---- threads ---- */

/* "time-on-cpu time-waited turns", nanoseconds; false when the thread has ended. */
static bool read_thread(const thread_watch *thread, double *waited_ns, double *turns) {
  char text[96];
  const ssize_t got = pread(thread->fd, text, sizeof text - 1, 0);
  if (got <= 0) return false;
  text[got] = '\0';
  return sscanf(text, "%*s %lf %lf", waited_ns, turns) == 2;
}

static void add_thread(gs_machine_watch *watch, const char *name) {
  char path[64];
  thread_watch *thread = &watch->threads[watch->count];
  snprintf(path, sizeof path, "/proc/self/task/%.20s/schedstat", name);
  thread->fd = open(path, O_RDONLY | O_CLOEXEC);
  if (thread->fd < 0) return;
  if (read_thread(thread, &thread->waited_ns, &thread->turns)) {
    watch->count++;
  } else {
    close(thread->fd);
  }
}

gs_machine_watch *gs_machine_watch_open(void) {
  gs_machine_watch *watch = calloc(1, sizeof *watch);
  DIR *tasks = watch ? opendir("/proc/self/task") : NULL;
  const struct dirent *entry = NULL;
  while (tasks && watch->count < MAX_THREADS && (entry = readdir(tasks))) {
    if (entry->d_name[0] != '.') add_thread(watch, entry->d_name);
  }
  if (tasks) closedir(tasks);
  return watch;
}

void gs_machine_watch_close(gs_machine_watch *watch) {
  if (!watch) return;
  for (int i = 0; i < watch->count; i++) close(watch->threads[i].fd);
  free(watch);
}

static void read_usage(int64_t *sleeps, int64_t *taken) {
  struct rusage thread = {0};
  struct rusage process = {0};
  getrusage(RUSAGE_THREAD, &thread);
  getrusage(RUSAGE_SELF, &process);
  *sleeps = thread.ru_nvcsw;
  *taken = process.ru_nivcsw;
}

void gs_machine_watch_start(gs_machine_watch *watch) {
  for (int i = 0; i < watch->count; i++) {
    thread_watch *thread = &watch->threads[i];
    (void)read_thread(thread, &thread->waited_ns, &thread->turns);
  }
  read_usage(&watch->sleeps, &watch->taken);
  watch->cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
  watch->wall_ns = clock_ns(CLOCK_MONOTONIC);
}

gs_machine_use gs_machine_watch_stop(gs_machine_watch *watch) {
  gs_machine_use use = {.wall_ns = clock_ns(CLOCK_MONOTONIC) - watch->wall_ns,
                        .cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - watch->cpu_ns,
                        .waited_known = watch->count > 0};
  read_usage(&use.sleeps, &use.taken);
  use.sleeps -= watch->sleeps;
  use.taken -= watch->taken;
  for (int i = 0; i < watch->count; i++) {
    const thread_watch *thread = &watch->threads[i];
    double waited_ns = 0;
    double turns = 0;
    if (!read_thread(thread, &waited_ns, &turns)) continue; /* it has ended */
    use.waited_ns += waited_ns - thread->waited_ns;
    use.turns += turns - thread->turns;
  }
  return use;
}
