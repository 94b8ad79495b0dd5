"""Every allocation of a run's two processes failing once: the run ends with 71 and one
line, or a cell fails and is tried again by --resume, or nothing is lost at all. It never
ends well with other results than those of an undisturbed run.

    tests/allocations.py STRIDE     every STRIDE-th allocation (1: all of them)

Most of the worker's are its libraries', before the first cell: without an argument a few
of the parent's are taken, and of the worker's own at the end.
"""
import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "endtoend"))
from program import ProgramTest, main  # noqa: E402

LIBRARY = pathlib.Path(os.environ["GRADSWEEP_BUILD_DIR"]) / "tests" / "libfail_allocation.so"
STRIDE = None
WORKERS_OWN = 2400
SWEEP = ["mlp", "--depth=1,2", "--width=4", "--batch=3", "--replicas=2", "--activation=relu", "--jacobian=true",
         "--time-limit=0", "--quiet", "--threads=1", "--timeout=10"]


class Allocations(ProgramTest):
    def run_failing(self, process, number, out, *arguments):
        counted = self.scratch / "count"
        done = self.program("run", *SWEEP, "--out", out, *arguments,
                            variables={"LD_PRELOAD": str(LIBRARY), "FAIL_PROCESS": process, "FAIL_AT": str(number),
                                       "FAIL_COUNT": str(counted)})
        return done, counted

    def check(self, process, number, clean):
        out = self.scratch / f"{process}{number}"
        done, _ = self.run_failing(process, number, out)
        where = f"{process}, allocation {number}: {done.stderr}{done.stdout}"
        self.assertIn(done.returncode, (0, 2, 71), where)
        if done.returncode == 71:
            self.assertEqual(sum(line.startswith("gradsweep: error: ") for line in done.stderr.splitlines()), 1, where)
        if done.returncode == 0:
            self.assertEqual(self.statuses(out), ["ok", "ok"], where)
        if done.returncode == 2:
            self.assertLessEqual(self.statuses(out).count("ok"), 1, where)
            self.assertNotIn("skipped", self.statuses(out), where)
        resumed = self.program("run", *SWEEP, "--out", out, "--resume")
        self.assert_code(resumed, 0)
        self.assert_same_results(out, clean)

    @staticmethod
    def numbers(process, count):
        if STRIDE:
            return range(1, count + 1, STRIDE)
        return range(7, count + 1, 331) if process == "parent" else range(count - WORKERS_OWN, count + 1, 211)

    def test_each_once(self):
        for process in ("parent", "worker"):
            clean = self.scratch / f"clean-{process}"
            done, counted = self.run_failing(process, 0, clean)
            self.assert_code(done, 0)
            count = int(self.wait_until(lambda: counted.exists() and counted.read_text(), "the count"))
            counted.unlink()
            self.assertGreater(count, 500)
            numbers = self.numbers(process, count)
            for number in numbers:
                with self.subTest(process=process, number=number):
                    self.check(process, number, clean)
            print(f"{process}: {len(numbers)} of {count} allocations failed, each alone")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        STRIDE = int(sys.argv[1])
        del sys.argv[1:]
    main()
