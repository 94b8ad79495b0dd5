"""SIGINT, SIGTERM and SIGHUP end the program within a moment, whatever it waits for: with the
documented exit code, no process left behind, and what was finished kept."""
import fcntl
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "endtoend"))
from program import PROGRAM, SMALL, SMALL_COUNT, ProgramTest, environment, main  # noqa: E402

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STALL = pathlib.Path(os.environ["GRADSWEEP_BUILD_DIR"]) / "tests" / "libstall_sync.so"
PROMPT_S = 10  # it takes less than 2 where nothing else runs


def full_pipe():
    """A pipe that takes nothing more, as one has whose reader sleeps: (read, write)."""
    ends = os.pipe()
    flags = fcntl.fcntl(ends[1], fcntl.F_GETFL)
    fcntl.fcntl(ends[1], fcntl.F_SETFL, flags | os.O_NONBLOCK)
    try:
        while True:
            os.write(ends[1], b"x" * 4096)
    except BlockingIOError:
        pass
    fcntl.fcntl(ends[1], fcntl.F_SETFL, flags)
    return ends


class Signals(ProgramTest):
    def setUp(self):
        super().setUp()
        self.failures = []

    def start(self, *arguments, fault=None, variables=None, **more):
        more.setdefault("stdout", subprocess.PIPE)
        more.setdefault("stderr", subprocess.PIPE)
        return subprocess.Popen([PROGRAM, *map(str, arguments)], env=environment(fault, **(variables or {})),
                                cwd=self.scratch, stdin=subprocess.DEVNULL, **more)

    def stalled(self, name, *arguments, **more):
        """The program with a stream that nobody reads."""
        ends = full_pipe()
        process = self.start(*arguments, **{name: ends[1]}, **more)
        os.close(ends[1])
        self.addCleanup(os.close, ends[0])
        return process

    def wait_for_handlers(self, process):
        """Until the program takes its signals itself: before, the system's answer is the right one."""
        def taken():
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            caught = int(re.search(r"^SigCgt:\s*(\w+)", status, re.M).group(1), 16)
            return all(caught >> (number - 1) & 1 for number in SIGNALS)
        self.wait_until(taken, "the signals' thread")

    def for_each_signal(self, check):
        """check(number, out) for each, side by side."""
        def attempt(number, out):
            try:
                check(number, out)
            except (AssertionError, OSError, subprocess.SubprocessError) as failure:
                self.failures.append(f"{number.name}: {failure}")

        threads = [threading.Thread(target=attempt, args=(number, pathlib.Path(tempfile.mkdtemp(dir=self.scratch))))
                   for number in SIGNALS]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.failures, [])

    def assert_ends(self, process, number):
        """By the signal, soon, and its worker with it. Returns what it said."""
        workers = self.children_of(process.pid)
        start = time.monotonic()
        process.send_signal(number)
        try:
            code = process.wait(PROMPT_S)
        finally:
            process.kill()
        seconds = time.monotonic() - start
        words = [stream.read().decode() if stream else "" for stream in (process.stdout, process.stderr)]
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()
        self.assertEqual(code, 128 + number, words)
        for worker in workers:
            self.assert_gone(worker)
        self.assertLess(seconds, PROMPT_S)
        return words

    def assert_kept(self, out, minimum):
        """Finished cells are in the results, and --resume goes on behind them."""
        before = self.journal(out)
        self.assertGreater(len(before), minimum)
        self.assertEqual(set(self.statuses(out)), {"ok"})
        self.assert_code(self.run_small("--resume", out=out), 0)
        self.assertEqual(self.journal(out)[:len(before)], before)
        self.assertEqual(self.statuses(out), ["ok"] * SMALL_COUNT)

    def test_nobody_reads_the_words(self):
        def check(number, out):
            process = self.stalled("stderr", "run", *SMALL, "--out", out, fault="slow:*")
            self.wait_for_lines(2, out)
            self.assert_ends(process, number)
            self.assert_kept(out, 2)
        self.for_each_signal(check)

    def test_words_that_nobody_reads_hold_nothing_up(self):
        process = self.stalled("stderr", "run", *SMALL, "--out", self.out)
        self.assert_code(self.finish(process), 0)
        self.assertEqual(self.statuses(), ["ok"] * SMALL_COUNT)

    def test_nobody_reads_the_table(self):
        def check(number, out):
            process = self.stalled("stdout", "run", *SMALL, "--out", out)
            self.wait_until((out / "results.json").exists, "the results")
            time.sleep(0.1)
            self.assert_ends(process, number)
            self.assertEqual(self.statuses(out), ["ok"] * SMALL_COUNT)
        self.for_each_signal(check)

    def test_a_step_without_end(self):
        def check(number, out):
            process = self.start("run", *SMALL, "--out", out, fault="hang:1")
            self.wait_for_lines(1, out)
            self.assert_ends(process, number)
            self.assert_kept(out, 1)
        self.for_each_signal(check)

    def test_a_stopped_worker(self):
        def check(number, out):
            process = self.start("run", *SMALL, "--out", out, fault="slow:*")
            self.wait_for_lines(1, out)
            os.kill(self.children_of(process.pid)[0], signal.SIGSTOP)
            self.assert_ends(process, number)
            self.assert_kept(out, 1)
        self.for_each_signal(check)

    def test_a_disk_that_does_not_answer(self):
        def check(number, out):
            mark = out.with_suffix(".stalls")
            process = self.start("run", *SMALL, "--out", out, variables={
                "LD_PRELOAD": str(STALL), "STALL_AT": "5", "STALL_MARK": str(mark)})
            self.wait_until(mark.exists, "the stall")
            status = pathlib.Path(f"/proc/{process.pid}/status")
            self.wait_until(lambda: "State:\tD" in status.read_text(), "an uninterruptible wait")
            self.assert_ends(process, number)
            before = self.journal(out)
            self.assert_code(self.run_small("--resume", out=out), 0)
            self.assertEqual(self.journal(out)[:len(before)], before)
        self.for_each_signal(check)

    def test_limits_are_measured(self):
        def check(number, out):
            process = self.start("run", "mlp", "--depth=1", "--out", out)
            self.wait_until(lambda: self.children_of(process.pid), "the worker")
            time.sleep(0.2)
            self.assert_ends(process, number)
            self.assertFalse((out / "results.json").exists())
        self.for_each_signal(check)

    def test_every_command(self):
        fifo = self.scratch / "fifo.json"
        os.mkfifo(fifo)
        long = ["rnn", "--seq-len=4000", "--hidden=256", "--batch=8"]
        for command in (["reproduce", "all"], ["info"], ["theory", *long], ["run", fifo], ["theory", fifo],
                        ["run", *long, "--dry-run"], ["reproduce", "all", "--json"]):
            def check(number, _, command=command):
                process = self.stalled("stdout", *command)
                self.wait_for_handlers(process)
                time.sleep(0.3)
                self.assert_ends(process, number)
            self.for_each_signal(check)

    def test_signals_that_the_caller_blocks(self):
        def block():
            signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)

        def check(number, out):
            process = self.start("run", *SMALL, "--out", out, fault="hang:1", preexec_fn=block)
            self.wait_for_lines(1, out)
            self.assert_ends(process, number)
            process = self.stalled("stdout", "reproduce", "all", preexec_fn=block)
            time.sleep(0.3)
            self.assert_ends(process, number)
        self.for_each_signal(check)

    def test_twice_at_once_is_once(self):
        """timeout(1) sends a signal to the program and to its group."""
        process = self.start("run", *SMALL, "--out", self.out, fault="slow:*")
        self.wait_for_lines(2)
        process.send_signal(signal.SIGTERM)
        words = self.assert_ends(process, signal.SIGTERM)
        self.assertIn("--resume --out", words[1])
        self.assert_kept(self.out, 2)

    def test_processes_that_a_worker_left_behind(self):
        process = self.start("run", *SMALL, "--out", self.out, fault="slow:*")
        self.wait_for_lines(1)
        (worker,) = self.children_of(process.pid)
        self.assertEqual(os.getpgid(worker), worker)
        other = subprocess.Popen(["sleep", "60"], process_group=worker) if sys.version_info >= (3, 11) else None
        self.assert_ends(process, signal.SIGINT)
        if other:
            self.assertEqual(other.wait(PROMPT_S), -signal.SIGKILL)


if __name__ == "__main__":
    main()
