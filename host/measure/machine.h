/* Whether the machine let a timing run: how long threads of this process that could
 * have run had to wait for a processor because others had it. Two measures must both say
 * so.
 *
 * Waiting: Linux keeps the time that each thread waits on a run queue (/proc, schedstat). A
 * step goes from barrier to barrier and waits for whichever thread is late, so that the
 * waits of all threads add up. A thread that was asleep also waits there for its processor
 * to wake up: GS_WAKE_NS of every turn that follows no involuntary switch is left out.
 * Where the kernel does not keep it, and for what a hypervisor takes, the calling thread's
 * CPU time is held against the wall's, as long as it did not go to sleep by itself.
 *
 * Others: the time that the processors on which this process may run spent on anything
 * else (/proc/stat, in hundredths of a second, so that only a span of many samples has it).
 * Where nobody else ran, nobody was waited for. */
#ifndef GS_MEASURE_MACHINE_H
#define GS_MEASURE_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#define GS_WAKE_NS 20e3

/* Above this share of its time a sample is disturbed. */
#define GS_DISTURBED_SHARE 0.05
/* Above this share, and this time, the machine was busy. Beside one busy loop for each
 * processor a thread waits a third to half of its time, on a quiet machine below 1 %. */
#define GS_BUSY_SHARE 0.10
#define GS_BUSY_NS 30e6

/* What happened in the time of a sample. */
typedef struct gs_machine_use {
  double wall_ns;
  double cpu_ns;     /* of the calling thread */
  int64_t sleeps;    /* of the calling thread: it gave its processor up */
  int64_t taken;     /* times that a processor was taken from any thread (ru_nivcsw) */
  bool waited_known; /* the kernel keeps schedstat: */
  double waited_ns;  /* of all threads together */
  double turns;      /* that they got on a processor */
} gs_machine_use;

/* For how long the process was held up: from 0 to all of the time; NaN when nothing can be
 * known. */
double gs_machine_held_up_ns(const gs_machine_use *use);

/* Whether a sample of so long was disturbed; not if nothing is known. */
bool gs_machine_disturbed(double wall_ns, double held_up_ns);

/* Whether the machine was busy in a span of time, or in several together. */
bool gs_machine_busy(double wall_ns, double held_up_ns);

/* The same for a round of samples: their waits together, but no more than others ran.
 * others_ns: NaN where that is not known. Below GS_OTHERS_SHARE of the time (and what
 * /proc/stat cannot tell from nothing) others did not run, and nothing was held up. */
#define GS_OTHERS_SHARE 0.02
#define GS_OTHERS_NS 20e6
double gs_machine_held_up_round_ns(double wall_ns, double held_up_ns, double others_ns);

/* Processor time that anything but this process has had since the machine was started, on
 * the processors that the process may use; NaN where it is not known. Differences of two
 * calls mean something. */
double gs_machine_others_ns(void);

/* A watch on the threads that there are when it is opened, up to 64 of them. */
typedef struct gs_machine_watch gs_machine_watch;

/* NULL when out of memory. The calling thread is the one that uses it. */
gs_machine_watch *gs_machine_watch_open(void);
void gs_machine_watch_close(gs_machine_watch *watch);
void gs_machine_watch_start(gs_machine_watch *watch);
/* What happened since the start. */
gs_machine_use gs_machine_watch_stop(gs_machine_watch *watch);

#endif
