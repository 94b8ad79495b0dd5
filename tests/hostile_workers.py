"""A worker may do what it likes (endtoend/stand_in.py): the run goes on, comes to its end
soon and with the right exit code, and believes nothing that it should not."""
import concurrent.futures
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unicodedata

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "endtoend"))
from program import LIMIT_S, PROGRAM, ProgramTest, environment, main  # noqa: E402
from stand_in import MISDEEDS  # noqa: E402

STAND_IN = pathlib.Path(__file__).resolve().parent / "endtoend" / "stand_in.py"
SWEEP = ["run", "mlp", "--depth=1,2,3", "--width=8", "--batch=4", "--activation=tanh", "--threads=1"]
UNTIMED = [*SWEEP, "--time-limit=0"]
TIMED = [*SWEEP, "--time-limit=0.004", "--min-time=0.002", "--min-samples=2"]
COUNT = 3
SIDE_BY_SIDE = 6

# What becomes of the second of three cells. The words are in its record.
ENDS = {
    "silence": ("timeout", "no answer within"),
    "stops itself": ("timeout", "no answer within"),
    "half an answer, then silence": ("timeout", "no answer within"),
    "endless dripping": ("timeout", "no answer within"),
    "closes its input": ("timeout", "no answer within"),
    "closes its words": ("timeout", "no answer within"),
    "closes its output": ("crashed", "closed its output"),
    "an endless line": ("crashed", "a line of more than"),
    "endless blanks": ("crashed", "a line of more than"),
    "an endless list": ("crashed", "a line of more than"),
    "endless words": ("crashed", "more than 64 MiB to its standard error"),
    "endless words in one line": ("crashed", "more than 64 MiB to its standard error"),
    "exits with 0": ("crashed", "exited with code 0"),
    "exits with 3": ("crashed", "exited with code 3"),
    "half an answer, then death": ("crashed", "exited with code 3"),
    "a whole answer without its newline, then death": ("crashed", "exited with code 0"),
    "a child keeps the pipes": ("crashed", "exited with code 5"),
    "a child of its own keeps the pipes": ("crashed", "exited with code 5"),
}
FINE = {"many words", "a long word", "odd words", "twice the answer", "more after the answer", "the next answer, too",
        "ends after the answer", "dies after the answer", "closes its input after the answer",
        "closes its output after the answer", "bit by bit", "at the last moment"}
ELSEWHERE = {"another version", "the answer of round 0"}


def end_of(misdeed):
    """(status, words) of the cell."""
    if misdeed in FINE:
        return "ok", ""
    if misdeed.startswith("dies by "):
        number = signal.Signals[misdeed.removeprefix("dies by ")]
        return "crashed", f"killed by signal {number.value}"
    return ENDS.get(misdeed, ("crashed", "the worker's answer is no record"))


class HostileWorkers(ProgramTest):
    def setUp(self):
        super().setUp()
        self.books = {}
        self.cells = {}
        for name, sweep in (("untimed", UNTIMED), ("timed", TIMED)):
            self.books[name] = self.scratch / f"{name}.book"
            done, out = self.run_with(name, None, "", sweep=sweep)
            self.assert_code(done, 0)
            self.cells[name] = self.results(out)["cells"]

    # ---- running ----

    def prepare(self, name, misdeed, at, times=None):
        """A folder for a run, and the variables that give it its worker."""
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.scratch))
        plan = {"book": str(self.books[name]), "program": PROGRAM, "misdeed": misdeed, "at": at, "times": times,
                "count": str(folder)}
        (folder / "plan.json").write_text(json.dumps(plan))
        worker = folder / "worker"
        worker.write_text(f"#!/bin/sh\nexec {sys.executable} -SE {STAND_IN} \"$@\"\n")
        worker.chmod(0o755)
        return folder, environment("impatient,lavish", STAND_IN=str(folder / "plan.json"),
                                   GRADSWEEP_FAULT_WORKER=str(worker))

    def run_with(self, name, misdeed, at, *arguments, times=None, sweep=None):
        folder, variables = self.prepare(name, misdeed, at, times)
        sweep = sweep or {"untimed": UNTIMED, "timed": TIMED}[name]
        done = subprocess.run([PROGRAM, *sweep, "--out", str(folder / "out"), *arguments], env=variables, cwd=folder,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_S, check=False)
        return (subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode()),
                folder / "out")

    def assert_printable(self, text):
        strange = {c for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
        self.assertEqual(strange, set())

    def each(self, check, misdeeds):
        """check(misdeed) of all, some at a time."""
        failures = []
        with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            for misdeed, future in [(m, pool.submit(check, m)) for m in misdeeds]:
                failure = future.exception()
                if failure:
                    failures.append(f"{misdeed}: {failure}")
        self.assertEqual(failures, [], "\n".join(failures))

    # ---- cells ----

    def check_cell(self, misdeed):
        status, words = end_of(misdeed)
        timeout = {"ok": "600", "timeout": "2"}.get(status, "30")
        start = time.monotonic()
        done, out = self.run_with("untimed", misdeed, "cell:1", f"--timeout={timeout}")
        seconds = time.monotonic() - start
        self.assert_code(done, 0 if status == "ok" else 2)
        self.assertEqual(self.statuses(out), ["ok", status, "ok"], done.stderr)
        cells = self.results(out)["cells"]
        expected = self.cells["untimed"]
        reason = cells[1]["error"] or ""
        self.assertIn(words, reason)
        self.assert_printable(done.stdout + done.stderr)
        self.assertLess(len(done.stderr), 20000)
        self.assertLess(seconds, 25)
        self.assertEqual([cells[0], cells[2]], [expected[0], expected[2]])
        if status == "ok":
            self.assertEqual(cells[1], expected[1])

    def test_a_cell(self):
        self.each(self.check_cell, [m for m in MISDEEDS if m not in ELSEWHERE])

    def test_memory(self):
        """What a worker says without end is not kept."""
        for misdeed in ("an endless line", "an endless list", "endless words in one line"):
            folder, variables = self.prepare("untimed", misdeed, "cell:1")
            nowhere = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_WRONLY, 0) for fd in (1, 2)]
            pid = os.posix_spawn(PROGRAM, [PROGRAM, *UNTIMED, "--out", str(folder / "out")], variables,
                                 file_actions=nowhere)
            _, status, usage = os.wait4(pid, 0)
            self.assertEqual(os.waitstatus_to_exitcode(status), 2)
            self.assertLess(usage.ru_maxrss, 100 << 10, f"{misdeed}: kilobytes")

    # ---- the hello, and the limits ----

    SOME = ["exits with 0", "exits with 3", "dies by SIGKILL", "words", "an empty line", "half an answer, then death",
            "an endless line", "a child keeps the pipes", "closes its output", "NULs"]

    def check_at(self, at, name):
        """A worker that fails once is replaced; one that always fails ends the run."""
        def check(misdeed):
            once, out = self.run_with(name, misdeed, at, times=1)
            self.assert_code(once, 0)
            self.assertEqual(self.statuses(out), ["ok"] * COUNT)
            self.assertEqual([cell["summary"] for cell in self.results(out)["cells"]],
                             [cell["summary"] for cell in self.cells[name]])
            always, out = self.run_with(name, misdeed, at)
            self.assert_error_line(always, 71)
            self.assert_printable(always.stderr)
            self.assertFalse(out.exists())
        return check

    def test_the_hello(self):
        self.each(self.check_at("hello", "untimed"), [*self.SOME, "another version"])

    def test_the_limits(self):
        self.each(self.check_at("floor", "timed"), [*self.SOME, "an error", "numbers as words"])

    def test_silence_is_not_tried_again(self):
        for at, name in (("hello", "untimed"), ("floor", "timed")):
            done, out = self.run_with(name, "silence", at)
            self.assert_error_line(done, 71, "no answer within 2 s")
            self.assertFalse(out.exists())

    def test_what_a_worker_says_of_itself_is_believed(self):
        done, _ = self.run_with("untimed", "an error", "hello")
        self.assert_one_line(done, 71, "error: no")

    def test_rounds(self):
        """In a later round, too, and between cells."""
        interleaved = [*TIMED, "--interleave=2"]
        self.books["rounds"] = self.scratch / "rounds.book"
        self.assert_code(self.run_with("rounds", None, "", sweep=interleaved)[0], 0)

        def check(misdeed):
            done, out = self.run_with("rounds", misdeed, "cell:1@1", sweep=interleaved)
            self.assert_code(done, 0 if misdeed in FINE else 2)
            self.assertEqual(self.statuses(out), ["ok", end_of(misdeed)[0], "ok"])
        self.each(check, ["exits with 0", "twice the answer", "an unknown id", "NaN", "the answer of round 0"])


if __name__ == "__main__":
    main()
