/* Time that nobody sets. */
#ifndef GS_BASE_CLOCK_H
#define GS_BASE_CLOCK_H

/* Seconds of the monotonic clock. */
double gs_clock_s(void);

#endif
