/* Signals, taken by a thread. See interrupt.h. */
#include "sweep/interrupt.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
  STACK_BYTES = 1 << 18,
  LOOK_MS = 500,
  TWICE_MS = 400, /* timeout(1) and wrappers send a signal to the program and to its group */
  STEP_MS = 1100  /* without a step towards the end */
};

static struct {
  int base;
  sigset_t signals;
  pthread_t thread;
  bool watched;
  atomic_int wake; /* the descriptor of who wants order; -1: nobody */
  atomic_int number;
  atomic_int steps;
  atomic_int group;
} state = {.wake = -1};

static _Noreturn void end_now(int number) {
  const pid_t group = atomic_load(&state.group);
  if (group > 0) kill(-group, SIGKILL);
  _exit(state.base + number);
}

/* Whether a signal comes within that time. */
static bool comes(int ms) {
  const struct timespec time = {ms / 1000, ms % 1000 * 1000000L};
  int number;
  do {
    number = sigtimedwait(&state.signals, NULL, &time);
  } while (number < 0 && errno == EINTR);
  return number > 0;
}

/* Waits while the program moves on and no other signal comes. */
static void wait_for_the_end(void) {
  const struct timespec twice = {0, TWICE_MS * 1000000L};
  int steps;
  nanosleep(&twice, NULL);
  while (comes(0)) {
  } /* the same one again */
  do {
    steps = atomic_load(&state.steps);
  } while (!comes(STEP_MS) && steps != atomic_load(&state.steps));
}

/* A signal comes through forward, or, where the thread that it was for does not wake up
 * (it waits for a disk), directly: then it is found when somebody looks. */
static void *watch(void *unused) {
  const struct timespec look_again = {0, LOOK_MS * 1000000L};
  int number;
  do {
    number = sigtimedwait(&state.signals, NULL, &look_again);
  } while (number <= 0);
  atomic_store(&state.number, number);
  const int wake = atomic_load(&state.wake);
  const uint64_t one = 1;
  if (wake >= 0 && write(wake, &one, sizeof one) == (ssize_t)sizeof one) wait_for_the_end();
  end_now(number);
  return unused;
}

/* The handler. */
static void forward(int number) { pthread_kill(state.thread, number); }

static bool start_thread(void) {
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return false;
  const bool started = pthread_attr_setstacksize(&attributes, STACK_BYTES) == 0 &&
                       pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0 &&
                       pthread_create(&state.thread, &attributes, watch, NULL) == 0;
  pthread_attr_destroy(&attributes);
  return started;
}

void gs_interrupt_start(int base) {
  static const int wanted[] = {SIGINT, SIGTERM, SIGHUP};
  const struct sigaction action = {.sa_handler = forward, .sa_flags = SA_RESTART};
  if (state.watched) return;
  state.base = base;
  sigemptyset(&state.signals);
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
    struct sigaction now;
    const int known = sigaction(wanted[i], NULL, &now);
    if (known == 0 && now.sa_handler != SIG_IGN) sigaddset(&state.signals, wanted[i]);
  }
  pthread_sigmask(SIG_BLOCK, &state.signals, NULL); /* in the thread for ever */
  state.watched = start_thread();
  for (size_t i = 0; state.watched && i < sizeof wanted / sizeof *wanted; i++) {
    if (sigismember(&state.signals, wanted[i])) sigaction(wanted[i], &action, NULL);
  }
  pthread_sigmask(SIG_UNBLOCK, &state.signals, NULL);
}

int gs_interrupt_open(void) {
  int wake = atomic_load(&state.wake);
  if (wake >= 0 || !state.watched) return wake;
  wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  atomic_store(&state.wake, wake);
  return wake;
}

int gs_interrupt_take(int descriptor) { return descriptor < 0 ? 0 : atomic_load(&state.number); }

void gs_interrupt_moves_on(void) { atomic_fetch_add(&state.steps, 1); }

void gs_interrupt_takes_along(pid_t group) { atomic_store(&state.group, group); }
