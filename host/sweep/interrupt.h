/* SIGINT, SIGTERM and SIGHUP end the program, whatever it waits for at that moment (a
 * pipe that nobody reads, a disk that does not answer): a thread of their own takes them.
 * A signal that the caller of the program chose to ignore (nohup) stays ignored.
 *
 * At first they end it at once, with the exit code `base` + the signal's number. A run
 * asks for order: it is told, and finishes its write. It is ended all the same, with its
 * worker, when it does not move on, or at another signal that comes a moment later. */
#ifndef GS_SWEEP_INTERRUPT_H
#define GS_SWEEP_INTERRUPT_H

#include <sys/types.h>

/* Starts the thread, once in a program, before others. The signals are not blocked from then
 * on. Where no thread can be had they keep their usual effect. */
void gs_interrupt_start(int base);

/* Asks for order: returns a descriptor that becomes readable when a signal arrives, or -1
 * when there is none to be had, and signals end the program at once. It lives as long as
 * the program. */
int gs_interrupt_open(void);

/* The number of the first signal that arrived, or 0. */
int gs_interrupt_take(int descriptor);

/* Tells of a step towards the end: there is time for another one. */
void gs_interrupt_moves_on(void);

/* The process group that ends with the program; 0: none (any more). */
void gs_interrupt_takes_along(pid_t group);

#endif
