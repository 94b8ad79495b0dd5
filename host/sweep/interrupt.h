/* SIGINT, SIGTERM and SIGHUP as something to poll: a run finishes its write and
 * ends in order. A signal that the caller of the program chose to ignore
 * (nohup) stays ignored. */
#ifndef GS_SWEEP_INTERRUPT_H
#define GS_SWEEP_INTERRUPT_H

/* Blocks the signals for this process and returns a descriptor that becomes
 * readable when one arrives, or -1 with errno. Never given back: it lives as
 * long as the program. */
int gs_interrupt_open(void);

/* The number of the signal that arrived, or 0. */
int gs_interrupt_take(int descriptor);

#endif
