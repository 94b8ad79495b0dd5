/* Signals as something to poll. See interrupt.h. */
#include "sweep/interrupt.h"

#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

int gs_interrupt_open(void) {
  static const int wanted[] = {SIGINT, SIGTERM, SIGHUP};
  sigset_t set;
  sigemptyset(&set);
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
    struct sigaction now;
    const int known = sigaction(wanted[i], NULL, &now);
    if (known == 0 && now.sa_handler != SIG_IGN) sigaddset(&set, wanted[i]);
  }
  if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) return -1;
  return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int gs_interrupt_take(int descriptor) {
  struct signalfd_siginfo about;
  if (descriptor < 0 || read(descriptor, &about, sizeof about) != sizeof about) return 0;
  return (int)about.ssi_signo;
}
