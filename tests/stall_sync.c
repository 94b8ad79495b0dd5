/* Preloaded into gradsweep (tests/signals.py): the fsync of number STALL_AT waits for half a
 * minute, as one of a disk that does not answer does: nothing but the end of the process
 * gets it out of there. So waits who calls vfork. The file STALL_MARK says that it begins. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int calls;

int fsync(int fd) {
  const char *at = getenv("STALL_AT");
  const struct timespec time = {30, 0};
  sigset_t all;
  (void)fd;
  if (!at || ++calls != atoi(at)) return 0;
  close(creat(getenv("STALL_MARK"), S_IRUSR | S_IWUSR));
  /* NOLINTBEGIN(clang-analyzer-*): the child does what the checker warns of */
  const pid_t child = vfork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    close_range(0, ~0U, 0); /* the journal's lock among them */
    nanosleep(&time, NULL);
    _exit(0);
  }
  /* NOLINTEND(clang-analyzer-*) */
  return 0;
}
