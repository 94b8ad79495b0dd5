"""A run killed, and a run told to end, at each of its system calls: what was finished stays,
is not measured again, and --resume comes to the results of a run that nobody disturbed.

    tests/kill_everywhere.py STRIDE     every STRIDE-th call (1: all of them)
"""
import collections
import json
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "endtoend"))
from traced import Preloaded, Tamper, TracedTest, main, reached, runs, some_of, workers_of  # noqa: E402

STRIDE = 23


class KillEverywhere(TracedTest):
    stride_times = 1

    def disturb(self, call, run, number):
        """What came of a run that got a signal at this call, and went on later; None: it did
        not come to the call."""
        self.begin(run)
        kill = number == signal.SIGKILL
        done, trace = self.traced([*run.arguments, "--out", self.out],
                                  Tamper(call, signal=signal.SIGKILL if kill else signal.SIGSTOP),
                                  number=None if kill else number)
        for worker in workers_of(trace):
            self.assert_gone(worker)
        kept = self.whole_lines(self.out)
        if (self.out / "results.json").exists():
            json.loads((self.out / "results.json").read_text())  # whole
        self.assert_resumes(run)
        lines = self.whole_lines(self.out)
        self.assertEqual(lines[:len(kept)], kept)  # nothing finished is lost
        self.assertEqual(len(self.cells_of(lines)), len(self.cells_of(self.whole_lines(run.clean))))  # or run again
        return done if reached(call, trace) else None

    @staticmethod
    def cells_of(lines):
        return [line for line in lines[1:] if b'"floor"' not in line[:20]]

    def at_each_call(self, first, check):
        total = 0
        for offset, run in enumerate(runs(self)):
            calls, _ = self.calls(run)
            chosen = some_of(calls, STRIDE * self.stride_times, 5 * offset + first)
            for i, call in enumerate(chosen):
                with self.at(run=run.name, call=call.place, text=call.text):
                    total += check(call, run, i)
            print(f"{run.name}: {len(chosen)} of {len(calls)} system calls", flush=True)
        return total

    def test_kill(self):
        def check(call, run, _):
            done = self.disturb(call, run, signal.SIGKILL)
            self.assertIn(done and done.returncode, (None, -signal.SIGKILL))
            return done is not None

        print(f"{self.at_each_call(0, check)} kills")

    def test_signals(self):
        """Ends with 128 + n, before it has blocked the signal by it, or well when all is done."""
        codes = collections.Counter()

        def check(call, run, i):
            number = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)[i % 3]
            done = self.disturb(call, run, number)
            if not done:
                return False
            self.assertIn(done.returncode, (0, -number, 128 + number), done.stderr)
            codes[done.returncode] += 1
            return True

        total = self.at_each_call(11, check)
        print(f"{total} signals; exit codes {dict(codes)}")


class KillEverywhereWithoutStrace(KillEverywhere):
    tracer = Preloaded
    stride_times = 4


if __name__ == "__main__":
    if len(sys.argv) > 1:
        STRIDE = int(sys.argv[1])
        KillEverywhereWithoutStrace.stride_times = 1
        del sys.argv[1]
    main()
