"""What goes wrong while a sweep runs costs what it must and no more: workers
that crash, hang or lie, kills at any moment, full disks, torn journals."""
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "endtoend"))
from program import (PROGRAM, SMALL, SMALL_COUNT, ProgramTest, environment, main,  # noqa: E402
                     sealed, small_files_only, without_times)


class Workers(ProgramTest):
    def assert_costs_one_cell(self, fault, cell, status, reason, *arguments):
        done = self.run_small(*arguments, fault=fault)
        self.assert_code(done, 2)
        expected = ["ok"] * SMALL_COUNT
        expected[cell] = status
        self.assertEqual(self.statuses(), expected)
        self.assertIn(reason, self.results()["cells"][cell]["error"])
        self.assertIn(f"{SMALL_COUNT - 1} ok, 1 {status}", done.stdout)
        self.assertIn(f"{status}: ", done.stdout)
        self.assert_heals()

    def assert_heals(self):
        """--resume runs what went wrong, and only that, to a clean run's results."""
        before = len(self.journal())
        lost = [s for s in self.statuses() if s not in ("ok", "skipped")]
        self.assert_code(self.run_small("--resume"), 0)
        self.assertEqual(len(self.journal()), before + len(lost))
        clean = self.scratch / "clean"
        self.assert_code(self.run_small(out=clean), 0)
        self.assert_same_results(self.out, clean)

    def test_crash(self):
        self.assert_costs_one_cell("crash:2", 2, "crashed", "signal 6")
        self.assertIn("the fault that was asked for", json.dumps(self.journal()[3]))

    def test_first_and_last_cell(self):
        self.assert_costs_one_cell("crash:0", 0, "crashed", "signal 6")
        shutil.rmtree(self.scratch)
        self.scratch.mkdir()
        self.assert_costs_one_cell(f"crash:{SMALL_COUNT - 1}", SMALL_COUNT - 1, "crashed", "signal 6")

    def test_exit_in_the_middle_of_an_answer(self):
        self.assert_costs_one_cell("exit:1", 1, "crashed", "exited with code 3")

    def test_hang(self):
        start = time.monotonic()
        self.assert_costs_one_cell("hang:3", 3, "timeout", "no answer within 1 s", "--timeout", "1")
        self.assertLess(time.monotonic() - start, 60)

    def test_garbage(self):
        self.assert_costs_one_cell("garbage:4", 4, "crashed", "no record")

    def test_lost_device(self):
        self.assert_costs_one_cell("lost:2", 2, "failed", "the device is lost")

    def test_a_device_lost_again_and_again(self):
        self.assert_code(self.run_small(fault="lost:0,lost:1,lost:4,crash:5"), 2)
        self.assertEqual(self.statuses(), ["failed", "failed", "ok", "ok", "failed", "crashed"])
        self.assert_heals()

    def test_printing_library(self):
        done = self.run_small(fault="print:*")
        self.assert_code(done, 0)
        self.assertEqual(self.statuses(), ["ok"] * SMALL_COUNT)
        self.assertIn("worker: a library prints", done.stderr)
        self.assertNotIn("a library prints", done.stdout)

    def test_every_cell_crashes(self):
        self.assert_code(self.run_small(fault="crash:*"), 2)
        self.assertEqual(self.statuses(), ["crashed"] * SMALL_COUNT)
        self.assert_heals()

    def test_several_faults(self):
        self.assert_code(self.run_small("--timeout", "1", fault="crash:0,hang:2,exit:3,garbage:5"), 2)
        self.assertEqual(self.statuses(), ["crashed", "ok", "timeout", "crashed", "ok", "crashed"])
        self.assert_heals()

    def test_killed_from_outside(self):
        process = self.start_small(fault="slow:*")
        self.wait_for_lines(2)
        (worker,) = self.children_of(process.pid)
        os.kill(worker, signal.SIGKILL)
        done = self.finish(process)
        self.assert_code(done, 2)
        self.assertEqual(sorted(self.statuses()), ["crashed"] + ["ok"] * (SMALL_COUNT - 1))
        self.assertIn("killed by signal 9", done.stdout)
        self.assert_heals()

    def test_killed_at_once(self):
        """Before its hello: another worker takes over (later: hostile_workers.py)."""
        process = self.start_small("--time-limit=0.004", "--min-time=0.002", "--filter=L1/", fault="lavish")
        (worker,) = self.wait_until(lambda: self.children_of(process.pid), "the worker")
        os.kill(worker, signal.SIGKILL)
        self.assert_code(self.finish(process), 0)
        self.assertEqual(self.statuses(), ["ok", "ok"])

    def test_a_new_worker_stays_with_the_device(self):
        process = self.start_small(fault="crash:0,slow:*")
        self.wait_for_lines(2)
        (worker,) = self.children_of(process.pid)
        words = pathlib.Path(f"/proc/{worker}/cmdline").read_text().split("\0")
        self.assertEqual(words[words.index("--backend") + 1], "cpu")  # it was auto at first
        self.assert_code(self.finish(process), 2)

    def test_absent_device(self):
        self.assert_one_line(self.run_small(fault="absent"), 69, "not there")
        self.assert_nothing_written()

    def test_threads_change_no_bit(self):
        hashes = []
        for threads in ("1", "2"):
            out = self.scratch / threads
            self.assert_code(self.run_small("--threads", threads, out=out), 0)
            cells = self.results(out)["cells"]
            self.assertEqual(self.results(out)["context"]["device"]["threads"], int(threads))
            self.assertEqual({cell["backend"]["threads"] for cell in cells}, {1})  # they are small
            hashes.append([(cell["weights_hash"], cell["summary"]) for cell in cells])
        self.assertEqual(*hashes)


class Kills(ProgramTest):
    def test_kill_at_any_moment(self):
        clean = self.scratch / "clean"
        self.assert_code(self.run_small(out=clean), 0)
        chance = random.Random(1)
        for trial in range(10):
            out = self.scratch / f"trial{trial}"
            kills = 0
            while True:
                process = self.start_small("--resume", out=out, fault="slow:*")
                time.sleep(chance.uniform(0, 1.0))
                workers = self.children_of(process.pid)
                process.kill()
                self.finish(process)
                for worker in workers:
                    self.assert_gone(worker)
                kills += 1
                if kills == 3 or (out / "results.json").exists():
                    break
            self.assert_code(self.run_small("--resume", out=out), 0)
            self.assert_same_results(out, clean)
            self.assertEqual(len(self.journal(out)), SMALL_COUNT + 1, "a finished cell was run again")

    def test_a_hanging_worker_does_not_outlive_its_run(self):
        process = self.start_small(fault="hang:1")
        self.wait_for_lines(1)
        (worker,) = self.children_of(process.pid)
        process.kill()
        self.finish(process)
        self.assert_gone(worker)
        self.assert_code(self.run_small("--resume"), 0)

    def test_nothing_finished_is_lost(self):
        process = self.start_small(fault="slow:*")
        self.wait_for_lines(3)
        process.kill()
        self.finish(process)
        before = [line for line in (self.out / "journal.jsonl").read_bytes().split(b"\n")[:4]]
        self.assert_code(self.run_small("--resume"), 0)
        after = [line for line in (self.out / "journal.jsonl").read_bytes().split(b"\n")[:4]]
        self.assertEqual(before, after)

    def assert_ends_in_order(self, number):
        process = self.start_small(fault="slow:*")
        self.wait_for_lines(2)
        workers = self.children_of(process.pid)
        start = time.monotonic()
        process.send_signal(number)
        done = self.finish(process)
        self.assertLess(time.monotonic() - start, 20)
        self.assert_code(done, 128 + number)
        self.assertIn("--resume --out", done.stderr)
        self.assertIn("not run", done.stdout)
        finished = self.statuses()
        self.assertEqual(finished, ["ok"] * len(finished))
        self.assertTrue(2 <= len(finished) < SMALL_COUNT)
        for worker in workers:
            self.assert_gone(worker)
        self.assert_code(self.run_small("--resume"), 0)
        self.assertEqual(self.statuses(), ["ok"] * SMALL_COUNT)

    def test_interrupt(self):
        self.assert_ends_in_order(signal.SIGINT)

    def test_terminate(self):
        self.assert_ends_in_order(signal.SIGTERM)

    def test_interrupt_while_a_cell_hangs(self):
        process = self.start_small(fault="hang:1")
        self.wait_for_lines(1)
        process.send_signal(signal.SIGINT)
        self.assert_code(self.finish(process), 130)
        self.assertEqual(self.statuses(), ["ok"])

    def test_ignored_hangup_stays_ignored(self):
        process = self.start_small(fault="slow:*",
                                   preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        self.wait_for_lines(1)
        process.send_signal(signal.SIGHUP)
        self.assert_code(self.finish(process), 0)

    def test_two_runs_in_one_folder(self):
        process = self.start_small(fault="slow:*")
        self.wait_for_lines(1)
        self.assert_one_line(self.run_small("--resume"), 74, "another run is writing")
        self.assert_one_line(self.run_small("--overwrite"), 74, "another run is writing")
        self.assert_code(self.finish(process), 0)
        self.assertEqual(self.statuses(), ["ok"] * SMALL_COUNT)


class Disks(ProgramTest):
    def test_full_disk(self):
        clean = self.scratch / "clean"
        self.assert_code(self.run_small(out=clean), 0)
        lines = (clean / "journal.jsonl").read_bytes().splitlines(keepends=True)
        whole = sum(map(len, lines))
        ends = [sum(map(len, lines[:n])) for n in range(len(lines))]
        for limit in (0, 10, ends[1] + 5, ends[4] - 1, ends[4], whole - 1, whole):
            out = self.scratch / f"limit{limit}"
            done = self.run_small(out=out, preexec_fn=small_files_only(limit))
            self.assert_error_line(done, 74, "cannot write")
            self.assertFalse((out / "results.json").exists())
            self.assertEqual(list(out.glob(".results.json*")), [])
            if limit >= ends[1]:
                self.assertEqual(len(self.journal(out)), sum(end <= limit for end in ends[1:] + [whole]))
            self.assert_code(self.run_small("--resume", out=out), 0)
            self.assert_same_results(out, clean)

    def test_old_results_survive_a_full_disk(self):
        self.assert_code(self.run_small(fault="crash:5"), 2)
        before = (self.out / "results.json").read_bytes()
        size = (self.out / "journal.jsonl").stat().st_size
        done = self.run_small("--resume", preexec_fn=small_files_only(size))
        self.assert_error_line(done, 74)
        self.assertEqual((self.out / "results.json").read_bytes(), before)

    def test_impossible_folders(self):
        plain = self.scratch / "plain.json"
        plain.write_text("{}")
        for folder in (plain, plain / "below", "/proc/gradsweep", "/dev/null/x", "x" * 5000):
            self.assert_one_line(self.run_small(out=folder), 74)
        self.assertEqual(plain.read_text(), "{}")
        self.assert_one_line(self.program("run", "mlp", "--out", ""), 64, "--out")

    def assert_ends_at_once(self, process, *fragments):
        """After the cell at hand: with the table of what was measured, and 74."""
        done = self.finish(process)
        self.assert_error_line(done, 74, *fragments)
        self.assertIn("ok", done.stdout)
        self.assertIn("not run", done.stdout)
        return done

    def test_the_folder_is_deleted_during_the_run(self):
        process = self.start_small(fault="slow:*")
        self.wait_for_lines(2)
        shutil.rmtree(self.out)
        self.assert_ends_at_once(process, "journal.jsonl", "removed")
        self.assertFalse(self.out.exists())

    def test_the_folder_is_unmounted_during_the_run(self):
        (self.scratch / "mounted").mkdir()
        script = """mount -t tmpfs tmpfs mounted || exit 77
                    "$@" --out mounted/out & pid=$!
                    until [ "$(wc -l < mounted/out/journal.jsonl)" -ge 3 ]; do kill -0 $pid || break; sleep 0.01; done
                    umount -l mounted; wait $pid"""
        done = subprocess.run(["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", PROGRAM, "run", *SMALL],
                              env=environment("slow:*"), cwd=self.scratch, capture_output=True, text=True, timeout=120,
                              check=False)
        if done.returncode in (1, 77):
            self.skipTest(f"nothing can be mounted here: {done.stderr.strip()[:100]}")
        self.assert_error_line(done, 74, "unmounted")
        self.assertIn("not run", done.stdout)

    def test_the_journal_is_changed_during_the_run(self):
        def cut(path):
            os.truncate(path, path.stat().st_size - 10)

        def replace(path):
            path.rename(path.with_name("old"))
            path.write_text("somebody's")

        for number, (change, word) in enumerate(((cut, "changed"), (replace, "replaced"), (os.unlink, "removed"))):
            out = self.scratch / f"run{number}"
            process = self.start_small(out=out, fault="slow:*")
            self.wait_for_lines(2, out)
            change(out / "journal.jsonl")
            self.assert_ends_at_once(process, word)
            self.assertFalse((out / "results.json").exists())
        self.assertEqual((self.scratch / "run1" / "journal.jsonl").read_text(), "somebody's")

    def test_the_folder_is_renamed_during_the_run(self):
        """The run stays with its folder, and leaves a new one of the old name alone."""
        process = self.start_small(fault="slow:*")
        self.wait_for_lines(2)
        moved = self.scratch / "moved"
        self.out.rename(moved)
        self.assert_code(self.run_small(), 0)
        before = (self.out / "results.json").read_bytes()
        self.assert_code(self.finish(process), 0)
        self.assertEqual((self.out / "results.json").read_bytes(), before)
        self.assert_same_results(moved, self.out)

    def test_links_are_not_followed(self):
        victim = self.scratch / "victim"
        for name in ("journal.jsonl", "results.json"):
            for there in (True, False):
                for flags in ((), ("--resume",), ("--overwrite",)):
                    out = self.scratch / "linked"
                    out.mkdir()
                    if there:
                        victim.write_text("precious")
                    (out / name).symlink_to(victim)
                    self.assert_one_line(self.run_small(*flags, out=out), 74)
                    self.assertEqual(victim.exists() and victim.read_text(), there and "precious")
                    shutil.rmtree(out)
                    victim.unlink(missing_ok=True)

    def test_names_in_the_way(self):
        """A FIFO at a name that could be foreseen once; leftovers of killed runs."""
        self.out.mkdir()
        os.mkfifo(self.out / ".results.json.tmp")
        (self.out / ".results.json.0123456789abcdef.tmp").write_text("torn")
        self.assert_code(self.run_small(), 0)
        self.assertEqual([path.name for path in self.out.glob(".results.json.*")], [".results.json.tmp"])
        for name in ("journal.jsonl", "results.json"):
            out = self.scratch / f"folder-{name}"
            (out / name).mkdir(parents=True)
            self.assert_one_line(self.run_small("--overwrite", out=out), 74, name)
            self.assertEqual(list((out / name).iterdir()), [])

    def test_two_runs_at_once(self):
        for trial in range(10):
            out = self.scratch / f"both{trial}"
            done = [self.finish(process) for process in [self.start_small(out=out) for _ in range(2)]]
            codes = sorted(run.returncode for run in done)
            self.assertIn(codes, ([0, 64], [0, 74]), [run.stderr for run in done])
            self.assertEqual(self.statuses(out), ["ok"] * SMALL_COUNT)
            loser = max(done, key=lambda run: run.returncode)
            self.assertRegex(loser.stderr, "another run is writing|is there already")

    def test_two_new_folders_at_once(self):
        here = self.scratch / "here"
        here.mkdir()
        for _ in range(3):
            both = [self.start_program("run", "mlp", "--depth=1", "--time-limit=0", "--quiet", cwd=here)
                    for _ in range(3)]
            for process in both:
                self.assert_code(self.finish(process), 0)
        self.assertEqual(len(list(here.glob("results/local/*/results.json"))), 9)
        self.assertEqual(len(list(here.glob("results/local/*"))), 9)

    def test_a_run_that_never_began_leaves_nothing(self):
        here = self.scratch / "there"
        here.mkdir()
        self.assert_code(self.program("run", "mlp", "--depth=1", fault="absent", cwd=here), 69)
        self.assertEqual(list(here.iterdir()), [])
        self.assert_code(self.run_small(out=here / "a" / "b", fault="absent"), 69)
        self.assertEqual(list(here.iterdir()), [])

    @unittest.skipIf(os.geteuid() == 0, "root may write anywhere")
    def test_forbidden_folder(self):
        self.scratch.chmod(0o555)
        self.addCleanup(self.scratch.chmod, 0o755)
        self.assert_one_line(self.run_small(cwd="/"), 74, "cannot write to the output folder")

    def test_deep_folders_are_made(self):
        deep = self.scratch / "a" / "b" / "c"
        self.assert_code(self.run_small(out=f"{deep}//"), 0)
        self.assertEqual(len(self.statuses(deep)), SMALL_COUNT)


class Rounds(ProgramTest):
    """Interleaved runs: a line of the journal for every cell and round, and floors between."""
    ROUNDS = 3
    TIMED = ["run", "mlp", "--depth=1,2", "--width=8", "--batch=4", "--activation=tanh,relu", "--threads=1",
             "--time-limit=0.004", "--min-time=0.002", "--min-samples=2", f"--interleave={ROUNDS}"]
    CELLS = 4

    def run_timed(self, *arguments, out=None, fault="lavish", **more):
        return self.program(*self.TIMED, "--out", out or self.out, *arguments, fault=fault, **more)

    def start_timed(self, *arguments, out=None, fault=None):
        return subprocess.Popen([PROGRAM, *self.TIMED, "--out", str(out or self.out), *arguments],
                                env=environment(fault), cwd=self.scratch, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def lines_of(self, out=None):
        """(id, round) of the journal's lines, in order, and how many floors there are."""
        lines = self.journal(out)[1:]
        return ([(line["id"], line.get("round", 0)) for line in lines if "id" in line],
                sum("floor" in line for line in lines))

    def test_rounds(self):
        self.assert_code(self.run_timed(), 0)
        lines, floors = self.lines_of()
        self.assertEqual(floors, 2)  # before and after
        self.assertEqual([r for _, r in lines], [r for r in range(self.ROUNDS) for _ in range(self.CELLS)])
        orders = [[i for i, of in lines if of == r] for r in range(self.ROUNDS)]
        self.assertEqual(len({tuple(sorted(o)) for o in orders}), 1)
        self.assertGreater(len({tuple(o) for o in orders}), 1)
        document = self.results()
        for cell in document["cells"]:
            self.assertEqual([r["round"] for r in cell["timing"]["rounds"]], [0, 1, 2])
            self.assertGreaterEqual(len(cell["timing"]["samples_ns"]), 3)
            self.assertEqual(cell["timing"]["floor_measurements"], 2)
        self.assertEqual(len(document["context"]["floors"]), 2)
        self.assertEqual(len(document["benchmarks"]), self.CELLS * self.ROUNDS)
        for key in ("interleave", "order_seed"):
            self.assertIn(key, document["context"]["options"])
        again = self.scratch / "again"
        self.assert_code(self.run_timed(out=again), 0)
        self.assertEqual(self.lines_of(again)[0], lines)  # the same seed, the same orders
        self.assert_same_results(self.out, again)
        other = self.scratch / "other"
        self.assert_code(self.run_timed("--order-seed=2", out=other), 0)
        self.assertNotEqual(self.lines_of(other)[0], lines)
        self.assert_same_cells(self.out, other)

    def assert_same_cells(self, out, other):
        """But for the timing and the options."""
        self.assertEqual(*(without_times(self.results(o))["cells"] for o in (out, other)))

    def test_statistics_are_those_of_one_round(self):
        self.assert_code(self.run_timed(), 0)
        once = self.scratch / "once"
        self.assert_code(self.run_timed("--interleave=0", out=once), 0)
        self.assert_same_cells(self.out, once)

    def test_kill_at_any_moment(self):
        clean = self.scratch / "clean"
        self.assert_code(self.run_timed(out=clean), 0)
        chance = random.Random(1)
        for trial in range(3):
            out = self.scratch / f"trial{trial}"
            before = []
            for _ in range(3):
                process = self.start_timed("--resume", out=out, fault="slow:*,stale,lavish")
                time.sleep(chance.uniform(0.2, 1.5))
                process.kill()
                self.finish(process)
                path = out / "journal.jsonl"
                text = path.read_bytes() if path.exists() else b""
                kept = text[:text.rfind(b"\n") + 1].splitlines()
                self.assertEqual(kept[:len(before)], before)  # nothing finished is lost
                before = kept
            self.assert_code(self.run_timed("--resume", out=out), 0)
            self.assert_same_results(out, clean)
            lines = self.lines_of(out)[0]
            self.assertEqual(len(lines), self.CELLS * self.ROUNDS)  # and none is run again
            self.assertEqual(len(set(lines)), len(lines))

    def test_a_signal_keeps_the_finished_rounds(self):
        process = self.start_timed(fault="slow:*,lavish")
        self.wait_for_lines(1 + self.CELLS + 2)  # a floor, a round, and two cells more
        process.send_signal(signal.SIGINT)
        self.assert_code(self.finish(process), 130)
        document = self.results()
        rounds = sorted(len(cell["timing"]["rounds"]) for cell in document["cells"])
        self.assertEqual(len(rounds), self.CELLS)
        self.assertGreaterEqual(sum(rounds), self.CELLS + 2)
        self.assertLess(sum(rounds), self.CELLS * self.ROUNDS)
        self.assert_code(self.run_timed("--resume"), 0)
        self.assertEqual({len(cell["timing"]["rounds"]) for cell in self.results()["cells"]}, {self.ROUNDS})

    def test_a_later_round_goes_wrong(self):
        for fault, status, reason in (("crash:1@2", "crashed", "round 2: "), ("exit:0@1", "crashed", "round 1: "),
                                      ("lost:2@1", "failed", "round 1: the device is lost")):
            self.assert_code(self.run_timed("--overwrite", fault=f"{fault},lavish"), 2)
            (lost,) = [cell for cell in self.results()["cells"] if cell["status"] != "ok"]
            self.assertEqual(lost["status"], status)
            self.assertIn(reason, lost["error"])
            self.assertIn("summary", lost)  # the statistics were finished
            self.assertNotIn("timing", lost)
            self.assert_code(self.run_timed("--resume"), 0)
            self.assertEqual(len(self.lines_of()[0]), self.CELLS * self.ROUNDS + 1)
            clean = self.scratch / "clean"
            self.assert_code(self.run_timed("--overwrite", out=clean), 0)
            self.assert_same_results(self.out, clean)

    def test_the_first_round_goes_wrong(self):
        self.assert_code(self.run_timed(fault="crash:1@0,lavish"), 2)
        self.assertEqual(len(self.lines_of()[0]), 1 + (self.CELLS - 1) * self.ROUNDS)
        self.assert_code(self.run_timed("--resume"), 0)
        self.assertEqual(len(self.results()["benchmarks"]), self.CELLS * self.ROUNDS)

    def test_damaged_rounds(self):
        self.assert_code(self.run_timed(), 0)
        path = self.out / "journal.jsonl"
        lines = path.read_bytes().splitlines(keepends=True)
        number = next(i for i, line in enumerate(lines) if b'"round":1' in line[:60])
        later = json.loads(lines[number])
        floor = json.loads(lines[1])
        self.assertIn("floor", floor)
        del floor["floor"]["limits"]["copy_bytes_per_s"]
        clean = without_times(self.results())
        for at, bad in ((number, dict(later, round=7)), (number, dict(later, round=-1)),
                        (number, dict(later, round="1")), (number, dict(later, timing={})),
                        (number, {k: v for k, v in later.items() if k != "timing"}), (1, floor)):
            path.write_bytes(b"".join(lines[:at] + [sealed(bad)] + lines[at + 1:]))
            done = self.run_timed("--resume", "--quiet")
            self.assert_code(done, 0)
            self.assertIn(f"does not count: {path}:{at + 1}: ", done.stderr)
            self.assertEqual(without_times(self.results()), clean)
        floors = [line for line in lines if line.startswith(b'{"floor"')]
        path.write_bytes(b"".join(line for line in lines if line not in floors))  # none is left
        self.assert_code(self.run_timed("--resume"), 0)
        self.assertEqual(len(self.results()["context"]["floors"]), 1)

    def test_floors_between_cells(self):
        self.assert_code(self.run_timed("--interleave=1", "--filter=L1/", fault="stale"), 0)
        kinds = ["floor" if "floor" in line else "cell" for line in self.journal()[1:]]
        self.assertEqual(kinds, ["floor", "cell", "floor", "cell", "floor"])
        document = self.results()
        floors = [entry["limits"] for entry in document["context"]["floors"]]
        best = document["context"]["floor"]
        for key in ("flops_per_s_f32", "copy_bytes_per_s"):
            self.assertEqual(best[key], max(limits[key] for limits in floors))
        before = self.path_bytes()
        self.assert_code(self.run_timed("--interleave=1", "--filter=L1/", "--resume"), 0)
        self.assertEqual(self.path_bytes(), before)  # nothing to time, no floor

    def path_bytes(self):
        return (self.out / "journal.jsonl").read_bytes()

    def test_a_floor_that_cannot_be(self):
        done = self.run_timed("--interleave=0", fault="lame")
        self.assert_code(done, 0)
        for cell in self.results()["cells"]:
            self.assertGreater(cell["timing"]["fraction_of_floor"], 1.05)
            self.assertEqual(cell["timing"]["floor"], "not trustworthy")
            self.assertIn(f"  floor: not trustworthy: {cell['name']}: ", done.stdout)
        self.assertIn("%!", done.stdout)
        # a continued run measures again, and judges the old cells by the better floor
        path = self.out / "journal.jsonl"
        lines = path.read_bytes().splitlines(keepends=True)
        last = max(i for i, line in enumerate(lines) if b'"id"' in line[:6])
        path.write_bytes(b"".join(line for i, line in enumerate(lines) if i != last))
        done = self.run_timed("--interleave=0", "--resume")
        self.assert_code(done, 0)
        self.assertEqual({cell["timing"]["floor"] for cell in self.results()["cells"]}, {"trustworthy"})
        self.assertNotIn("floor: not trustworthy", done.stdout)
        self.assertEqual({cell["timing"]["floor_measurements"] for cell in self.results()["cells"]}, {4})


if __name__ == "__main__":
    main()
