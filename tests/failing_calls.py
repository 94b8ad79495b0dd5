"""Each system call of a run failing once, with each error that fits it: the run ends as fast
as ever, well with the right results, or with a documented exit code and one line; and
--resume comes to the results of a run that nobody disturbed.

    tests/failing_calls.py STRIDE     every STRIDE-th call (1: all of them)

With a stride the time is held against the normal one, for which the machine must be idle.
"""
import collections
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "endtoend"))
from traced import Preloaded, Tamper, TracedTest, main, reached, runs, some_of  # noqa: E402

STRIDE = 23
MORE_S = None  # than a run that nobody disturbs
CODES = (0, 2, 70, 71, 74)
# What each call can fail with. What is in none of these lists gets EIO.
ERRORS = {
    "access": ("EACCES", "EROFS"), "clone": ("EAGAIN", "ENOMEM"), "clone3": ("EAGAIN", "ENOMEM"),
    "fcntl": ("EINVAL",), "flock": ("EINTR", "ENOLCK"), "fsync": ("EIO", "ENOSPC", "EINVAL"), "ftruncate": ("EIO",),
    "getrandom": ("EAGAIN", "ENOSYS"), "ioctl": ("ENOTTY",), "lseek": ("EINVAL",), "mkdir": ("ENOSPC", "EACCES"),
    "mmap": ("ENOMEM",), "mprotect": ("ENOMEM",), "munmap": ("ENOMEM",), "newfstatat": ("EIO", "ENOMEM"),
    "openat": ("EMFILE", "EACCES", "ENOMEM"), "pipe2": ("EMFILE", "ENFILE"), "poll": ("EINTR", "ENOMEM"),
    "pread64": ("EIO", "EINTR"), "read": ("EIO", "EINTR"), "renameat": ("ENOSPC", "EIO"), "signalfd4": ("EMFILE",),
    "unlinkat": ("EIO", "EROFS"), "wait4": ("EINTR", "ECHILD"), "waitid": ("EINTR", "ECHILD"),
    "write": ("ENOSPC", "EIO", "EINTR"),
}
# brk has no errors: the kernel answers with the break, and the C library knows no other
# answer (tests/allocations.py makes malloc fail).
NEVER_FAIL = {"brk", "exit_group", "getpid", "gettid", "sched_getaffinity", "set_robust_list", "rseq"}


class FailingCalls(TracedTest):
    stride_times = 1

    def check(self, call, error, run, normal_s):
        """The exit code; None: the run did not come to the call."""
        self.begin(run)
        began = time.monotonic()
        done, trace = self.traced([*run.arguments, "--out", self.out], Tamper(call, error=error))
        seconds = time.monotonic() - began
        words = f"{done.returncode} after {seconds:.1f} s: {done.stderr}"
        self.assertNotIn(" timeout ", done.stderr, words)
        if MORE_S is not None:
            # strace leaves open what close() fails to close, as no kernel does: a worker is
            # waited for that has not seen the end of its input
            self.assertLess(seconds, normal_s + MORE_S + (call.name == "close"), words)
        self.assertIn(done.returncode, CODES, words)
        if done.returncode > 2:
            errors = [line for line in done.stderr.splitlines() if line.startswith("gradsweep: error: ")]
            self.assertEqual(len(errors), 1, words)
        if done.returncode == 0:
            self.assert_expected(run, leftovers=True)  # which may fail to be removed, once
        self.assert_resumes(run)
        return done.returncode if reached(call, trace) else None

    def test_each_call(self):
        total = 0
        for offset, run in enumerate(runs(self)):
            calls, normal_s = self.calls(run)
            calls = [call for call in calls if call.name not in NEVER_FAIL]
            codes = collections.Counter()
            for call in some_of(calls, STRIDE * self.stride_times, 5 * offset + 2):
                for error in ERRORS.get(call.name, ("EIO",)):
                    with self.at(run=run.name, call=call.place, error=error, text=call.text):
                        codes[self.check(call, error, run, normal_s)] += 1
            del codes[None]
            total += sum(codes.values())
            print(f"{run.name}: {sum(codes.values())} failures of {len(calls)} system calls; exit codes {dict(codes)}",
                  flush=True)
        print(f"{total} failing system calls")


class FailingCallsWithoutStrace(FailingCalls):
    tracer = Preloaded
    stride_times = 4


if __name__ == "__main__":
    if len(sys.argv) > 1:
        STRIDE, MORE_S = int(sys.argv[1]), 2
        FailingCallsWithoutStrace.stride_times = 1
        del sys.argv[1]
    main()
