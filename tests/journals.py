"""What --resume makes of the journal it finds: of another run, torn, or damaged in any way.
A damaged line costs the cell it was of, and nothing else."""
import json
import pathlib
import random
import re
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "endtoend"))
from program import (PROGRAM, SMALL_COUNT, ProgramTest, main, sealed, small_files_only,  # noqa: E402
                     without_times)


class Journals(ProgramTest):
    def setUp(self):
        super().setUp()
        self.assert_code(self.run_small(), 0)
        self.path = self.out / "journal.jsonl"
        self.bytes = self.path.read_bytes()

    def assert_refused(self, done, code, *fragments):
        """And the journal is as it was."""
        before = self.path.read_bytes()
        self.assert_one_line(done, code, *fragments)
        self.assertEqual(self.path.read_bytes(), before)

    def edit_header(self, change):
        header, _, rest = self.bytes.partition(b"\n")
        tree = json.loads(header)
        change(tree)
        self.path.write_bytes(sealed(tree) + rest)

    def test_existing_run_is_kept(self):
        self.assert_refused(self.run_small(), 64, "--resume", "--overwrite")
        self.path.unlink()
        self.assert_one_line(self.run_small(), 64, "results.json")
        self.assert_one_line(self.run_small("--resume"), 64, "results.json")
        self.assert_code(self.run_small("--overwrite"), 0)

    def test_overwrite(self):
        self.assert_code(self.run_small("--overwrite", "--filter", "L1/"), 0)
        self.assertEqual(len(self.statuses()), 2)

    def test_finished_run(self):
        self.assert_code(self.run_small("--resume"), 0)
        self.assertEqual(self.path.read_bytes(), self.bytes)

    def test_another_sweep(self):
        self.assert_refused(self.run_small("--resume", "--seed=2"), 65, "another sweep")
        self.assert_refused(self.run_small("--resume", "--filter=relu"), 65, "another sweep")
        self.assert_refused(self.run_small("--resume", "--threshold=3"), 65, "other options")
        self.assert_code(self.run_small("--resume", "--timeout=9"), 0)

    def test_another_build(self):
        self.edit_header(lambda header: header.update(build_id="0123456789abcdef"))
        self.assert_refused(self.run_small("--resume"), 65, "another build")

    def test_another_device(self):
        for key, value in (("name", "abacus"), ("threads", 77), ("libraries", "none"),
                           ("uuid", "GPU-0123"), ("driver", "580.65")):
            self.edit_header(lambda header, k=key, v=value: header["device"].update({k: v}))
            self.assert_refused(self.run_small("--resume"), 65, "another device")

    def test_torn_anywhere(self):
        clean = self.scratch / "clean"
        self.assert_code(self.run_small(out=clean), 0)
        ends = [i + 1 for i, byte in enumerate(self.bytes) if byte == 10]
        for cut in (0, 1, ends[0] - 1, ends[0], ends[0] + 1, ends[2] - 1, ends[2], len(self.bytes) - 1):
            (self.out / "results.json").unlink()
            self.path.write_bytes(self.bytes[:cut])
            self.assert_code(self.run_small("--resume"), 0)
            self.assert_same_results(self.out, clean)
            self.assertEqual(len(self.journal()), SMALL_COUNT + 1)

    def assert_costs(self, data, number, cells, *reasons):
        """A journal of these bytes: its line `number` is named, and so many cells are run again."""
        self.path.write_bytes(data)
        done = self.run_small("--resume", "--quiet")
        self.assert_code(done, 0)
        (line,) = done.stderr.splitlines()
        self.assertTrue(line.isprintable(), line)
        self.assertIn(f"a damaged line does not count: {self.path}:{number}: ", line)
        for reason in reasons:
            self.assertIn(reason, line)
        lines = self.path.read_bytes()
        self.assertTrue(lines.startswith(data), "what was there was touched")
        self.assertEqual(lines[len(data):].count(b"\n"), cells)
        self.assertEqual(without_times(self.results()), self.clean)

    def test_damage_in_the_middle(self):
        lines = self.bytes.splitlines(keepends=True)
        record = json.loads(lines[2])
        other = json.loads(lines[3])
        self.clean = without_times(self.results())
        for bad, *reasons in (
                (b"\n", "no checksum"), (b"{}\n", "no checksum"), (b"garbage\n", "no checksum"),
                (lines[2][:-9] + b"\n", "no checksum"), (lines[2][:-1] + b" x\n", "no checksum"),
                (lines[2].replace(b'"ok"', b'"fine"'), "checksum is wrong"), (b"\x00" * 50 + b"\n", "no checksum"),
                (lines[2][:500] + b"\x00" * 20 + lines[2][520:], "checksum is wrong"),
                (lines[2][:2000] + lines[2][2100:], "checksum is wrong"),
                (b"\x1b[31m\xc2\x9b" * 9 + b"\n", "no checksum"), (b"[" * (1 << 20) + b"\n", "no checksum"),
                (sealed(dict(record, id="0123456789abcdef")), "a cell that the sweep does not have"),
                (sealed(dict(record, status="fine")),), (sealed({"id": record["id"], "status": "okay"}),)):
            with self.subTest(bad[:80]):
                self.assert_costs(b"".join(lines[:2] + [bad] + lines[3:]), 3, 1, *reasons)
        with self.subTest("a second line of a cell that is done"):
            self.assert_costs(self.bytes + sealed(other), SMALL_COUNT + 2, 0, "a cell that is done")
        self.path.write_bytes(b"not a journal\n" + b"".join(lines[1:]))
        self.assert_refused(self.run_small("--resume"), 65, "journal.jsonl:1 is damaged")

    def test_every_flipped_bit_is_found(self):
        """Of a finished journal, with a stride: the results are those of the undamaged run."""
        clean = without_times(self.results())
        header = self.bytes.index(b"\n") + 1
        chance = random.Random(5)
        for bit in [header * 8 - 3] + sorted(chance.sample(range(8 * len(self.bytes)), 12)):
            data = bytearray(self.bytes)
            data[bit // 8] ^= 1 << bit % 8
            self.path.write_bytes(data)
            done = self.run_small("--resume", "--quiet")
            if bit < 8 * header:
                self.assert_one_line(done, 65, "journal.jsonl:1 is damaged")
                continue
            self.assert_code(done, 0)
            self.assertIn("does not count", done.stderr)
            self.assertEqual(without_times(self.results()), clean)

    def test_newest_line_counts(self):
        """A cell that went wrong and was run again has two lines."""
        lines = self.bytes.splitlines(keepends=True)
        failed = {key: json.loads(lines[2])[key] for key in ("id", "name", "params", "status", "error", "backend")}
        failed = sealed(dict(failed, status="failed", error="once"))
        clean = without_times(self.results())
        self.path.write_bytes(b"".join(lines[:2] + [failed] + lines[3:]))
        self.assert_code(self.run_small("--resume"), 0)
        self.assertEqual(len(self.journal()), SMALL_COUNT + 2)
        self.assertEqual(without_times(self.results()), clean)


class LongRecords(ProgramTest):
    """Records of more bytes than the parent holds of any: they go through it in pieces."""
    LONG = ["run", "mlp", "--width=2", "--batch=1", "--activation=tanh,relu", "--time-limit=0", "--max-points=100000"]

    def run_long(self, depth, *arguments, out=None, **more):
        return self.program(*self.LONG, f"--depth={depth}", "--quiet", "--out", out or self.out, *arguments, **more)

    def peak_kib(self, depth):
        """The largest resident set of the parent, which /proc knows for as long as it lives."""
        process = self.start_program(*self.LONG, f"--depth={depth}", "--quiet", "--overwrite", "--out", self.out)
        peak = 0
        while process.poll() is None:
            try:
                text = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            except OSError:
                break
            found = re.search(r"VmHWM:\s+([0-9]+) kB", text)
            peak = max(peak, int(found[1])) if found else peak
            time.sleep(0.002)
        self.assert_code(self.finish(process), 0)
        return peak

    @unittest.skipIf(PROGRAM and b"__asan_init" in pathlib.Path(PROGRAM).read_bytes(), "sanitizers keep what is freed")
    def test_memory_does_not_grow_with_points(self):
        few, many = self.peak_kib(20), self.peak_kib(3000)
        self.assertGreater((self.out / "results.json").stat().st_size, 3 << 20)
        self.assertLess(many - few, 8 << 10)  # trees of them took 30 MiB more

    def test_damage_and_resume(self):
        self.assert_code(self.run_long(400), 0)
        clean = without_times(self.results())
        path = self.out / "journal.jsonl"
        whole = path.read_bytes()
        lines = whole.splitlines(keepends=True)
        self.assertTrue(all(len(line) > 1 << 17 for line in lines[1:]))
        for at in (len(lines[0]) + 70000, len(whole) - 100000, len(whole) - 40):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1:])
            done = self.run_long(400, "--resume")
            self.assert_code(done, 0)
            self.assertIn("does not count", done.stderr)
            self.assertEqual(without_times(self.results()), clean)
        path.write_bytes(whole[:len(whole) - 100000])  # killed while it was on its way
        done = self.run_long(400, "--resume")
        self.assert_code(done, 0)
        self.assertIn("journal.jsonl:3: its end is missing", done.stderr)
        self.assertEqual(path.read_bytes(), whole)

    def test_a_full_disk_in_the_middle_of_a_record(self):
        clean = self.scratch / "clean"
        self.assert_code(self.run_long(400, out=clean), 0)
        lines = (clean / "journal.jsonl").read_bytes().splitlines(keepends=True)
        for limit in (len(lines[0]) + 100000, len(lines[0]) + len(lines[1]) + 5, len(lines[0]) + len(lines[1]) - 5):
            out = self.scratch / f"limit{limit}"
            self.assert_error_line(self.run_long(400, out=out, preexec_fn=small_files_only(limit)), 74, "cannot write")
            self.assertTrue((out / "journal.jsonl").read_bytes().endswith(b"\n"))
            self.assert_code(self.run_long(400, "--resume", out=out), 0)
            self.assert_same_results(out, clean)

    def test_times_are_put_into_long_records(self):
        self.assert_code(self.program(*self.LONG, "--depth=400", "--interleave=2", "--min-time=0",
                                      "--time-limit=0.001", "--min-samples=1", "--quiet", "--out", self.out), 0)
        cell = self.results()["cells"][1]
        self.assertEqual([entry["round"] for entry in cell["timing"]["rounds"]], [0, 1])
        self.assertEqual(len(cell["layers"]["delta"]["index"]), 400)


if __name__ == "__main__":
    main()
