"""Runs whose system calls are counted, and at one of which something happens. Of the parent
alone: its worker is not followed. By strace, or, as a tracer in the way (a debugger, a
container's rules) can forbid that, by a preloaded library, which sees fewer of them.
"""
import contextlib
import dataclasses
import errno
import functools
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import program
from program import LIMIT_S, PROGRAM, ProgramTest, environment, without_times

# One thread, nothing timed: every run makes the same calls.
CELLS = ["mlp", "--depth=1,2,3", "--width=4", "--batch=3", "--replicas=2", "--activation=relu"]
PLAIN = ["run", *CELLS, "--time-limit=0", "--threads=1", "--timeout=10"]
ROUNDS = ["run", *CELLS, "--threads=1", "--min-time=0", "--time-limit=0.001", "--min-samples=1", "--interleave=2",
          "--timeout=10"]


@dataclasses.dataclass(frozen=True)
class Call:
    """The ordinal-th call of this name (from 1 on), and what it was."""
    name: str
    ordinal: int
    text: str

    @property
    def place(self):
        return f"{self.name}:{self.ordinal}"


@dataclasses.dataclass(frozen=True)
class Tamper:
    """What happens at a call: it fails with an error (its name), or a signal comes (a number)."""
    call: Call
    error: str = ""
    signal: int = 0


class Strace:
    @staticmethod
    def command(trace, tamper):
        if not tamper:
            return ["strace", "-qq", "-s", "16", "-o", trace], {}
        what = f"error={tamper.error}" if tamper.error else f"signal={signal.Signals(tamper.signal).name}"
        words = f"inject={tamper.call.name}:{what}:when={tamper.call.ordinal}"
        return ["strace", "-qq", "-s", "16", "-o", trace, "-e", words], {}

    @staticmethod
    def programs(test, process):
        return test.children_of(process.pid)


class Preloaded:
    LIBRARY = pathlib.Path(os.environ["GRADSWEEP_BUILD_DIR"]) / "tests" / "libtamper_calls.so"

    @classmethod
    def command(cls, trace, tamper):
        variables = {"LD_PRELOAD": str(cls.LIBRARY), "TAMPER_TRACE": str(trace)}
        if tamper:
            what = f"error={getattr(errno, tamper.error)}" if tamper.error else f"signal={int(tamper.signal)}"
            variables["TAMPER"] = f"{tamper.call.name}:{what}:when={tamper.call.ordinal}"
        return [], variables

    @staticmethod
    def programs(_, process):
        return [process.pid]


@functools.cache
def why_no_strace():
    """Why strace cannot tamper with system calls here; empty: it can."""
    if not shutil.which("strace"):
        return "strace is not installed (tools/install-dependencies --ci)"
    done = subprocess.run(["strace", "-o", "/dev/null", "-e", "inject=getpid:error=EIO", "true"],
                          capture_output=True, text=True, timeout=LIMIT_S, check=False)
    return f"strace cannot trace here: {done.stderr.strip()[:100]}" if done.returncode else ""


def calls_of(trace):
    """The calls that the program itself makes: what comes before main is the loader's."""
    found, counts, begun = [], {}, False
    for line in trace.splitlines():
        match = re.match(r"(\w+)\(", line)
        if not match:
            continue
        name = match.group(1)
        counts[name] = counts.get(name, 0) + 1
        begun = begun or line.startswith("rt_sigaction(SIGPIPE") or line == f"{name}()"
        if begun:
            found.append(Call(name, counts[name], line))
    return found


def reached(call, trace):
    """Whether a run came to the call: those that wait are now more, now fewer."""
    return len(re.findall(rf"^{call.name}\(", trace, re.MULTILINE)) >= call.ordinal


def workers_of(trace):
    """The processes that were forked; threads are none."""
    forks = (r"^(?:clone3?|v?fork)\((?!.*CLONE_THREAD).*\) += (\d+)$", r"^--- child (\d+) ---$")
    return [int(number) for fork in forks for number in re.findall(fork, trace, re.MULTILINE)]


def some_of(calls, stride, offset):
    """Every stride-th; of calls of one name in a row (a file is read) the first alone, unless
    all are wanted."""
    if stride == 1:
        return calls
    different = [call for before, call in zip([None, *calls], calls) if before is None or before.name != call.name]
    return different[offset % stride::stride]


class TracedTest(ProgramTest):
    tracer = Preloaded if why_no_strace() else Strace

    @contextlib.contextmanager
    def at(self, **place):
        """A subtest that says at once what it found: all of them take minutes."""
        with self.subTest(**place):
            try:
                yield
            except Exception as found:
                print(f"{place}: {found}", flush=True)
                raise

    def traced(self, arguments, tamper=None, number=None):
        """(what came of it, the trace). number: a signal for the whole program when it has
        been stopped."""
        trace, table = self.scratch / "trace", self.scratch / "table"
        trace.unlink(missing_ok=True)
        before, variables = self.tracer.command(trace, tamper)
        with open(table, "w", encoding="utf-8") as out:  # a pipe's reader may leave, a disk may not
            process = subprocess.Popen([*before, PROGRAM, *map(str, arguments)],
                                       env=environment("lavish", **variables), cwd=self.scratch,
                                       stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, text=True)
        if number:
            self.signal_when_stopped(process, trace, number)
        done = self.finish(process)
        done.stdout = table.read_text(encoding="utf-8")
        return done, trace.read_text(errors="replace")

    def signal_when_stopped(self, process, trace, number):
        """The call's own signal goes to a thread; who ends a program sends to all of it."""
        sent = False
        while process.poll() is None:
            if sent or trace.exists() and "--- stopped by SIGSTOP ---" in trace.read_text(errors="replace"):
                for program in self.tracer.programs(self, process):
                    with contextlib.suppress(ProcessLookupError):
                        if not sent:
                            os.kill(program, number)
                        os.kill(program, signal.SIGCONT)  # again: the first may come before the stop is over
                sent = True
            time.sleep(0.02 if sent else 0.002)

    def begin(self, run):
        """The folder that the run finds."""
        shutil.rmtree(self.out, ignore_errors=True)
        if run.start:
            shutil.copytree(run.start, self.out)

    def calls(self, run):
        """(the calls of a run that nobody disturbs, the seconds that it took)."""
        self.begin(run)
        began = time.monotonic()
        done, trace = self.traced([*run.arguments, "--out", self.out])
        seconds = time.monotonic() - began
        self.assert_code(done, 0)
        found = calls_of(trace)
        self.assertGreater(len(found), 60)
        return found, seconds

    def assert_expected(self, run, leftovers=False):
        """What a run that nobody disturbed comes to, and nothing else in the folder."""
        self.assertEqual(without_times(json.loads((self.out / "results.json").read_text())), run.expected)
        if not leftovers:
            self.assertEqual(sorted(os.listdir(self.out)), ["journal.jsonl", "results.json"])

    def assert_resumes(self, run):
        resuming = [word for word in run.arguments if word != "--overwrite"]
        self.assert_code(self.program(*resuming, "--out", self.out, "--resume", fault="lavish"), 0)
        self.assert_expected(run)

    @staticmethod
    def whole_lines(out):
        path = out / "journal.jsonl"
        text = path.read_bytes() if path.exists() else b""
        return text[:text.rfind(b"\n") + 1].splitlines(keepends=True)


@dataclasses.dataclass(frozen=True)
class Run:
    name: str
    arguments: list
    start: pathlib.Path  # a folder to start from, or None
    clean: pathlib.Path  # the folder of a run that nobody disturbed
    expected: dict       # its results


def runs(test):
    """Kinds of runs."""
    clean, timed, torn = test.scratch / "clean", test.scratch / "timed", test.scratch / "torn"
    test.assert_code(test.program(*PLAIN, "--out", clean), 0)
    test.assert_code(test.program(*ROUNDS, "--out", timed, fault="lavish"), 0)
    shutil.copytree(clean, torn)
    lines = test.whole_lines(torn)
    (torn / "journal.jsonl").write_bytes(b"".join(lines[:2]) + lines[2][:-20])
    (torn / "results.json").unlink()
    (torn / ".results.json.0123456789abcdef.tmp").write_text("of a killed run")
    results = {folder: without_times(test.results(folder)) for folder in (clean, timed)}
    return [Run("fresh", PLAIN, None, clean, results[clean]),
            Run("resumed", [*PLAIN, "--resume"], torn, clean, results[clean]),
            Run("overwritten", [*PLAIN, "--overwrite"], clean, clean, results[clean]),
            Run("rounds", ROUNDS, None, timed, results[timed])]


def main():
    if PROGRAM and why_no_strace():
        print(f"by a preloaded library: {why_no_strace()}")
    program.main()
