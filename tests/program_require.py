"""gradsweep run --require: what makes a run's exit code 3."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "endtoend"))
from program import ProgramTest, main, sealed  # noqa: E402


class Requirements(ProgramTest):
    """--require: the exit code is 3, and a line says what is not met."""
    WIDE = ["mlp", "--depth=2,3", "--width=64", "--batch=4", "--replicas=2"]

    def unmet(self, done):
        return [line.removeprefix("gradsweep: error: not met: --require ")
                for line in done.stderr.splitlines() if "not met" in line]

    def assert_unmet(self, done, *fragments):
        self.assert_code(done, 3)
        lines = self.unmet(done)
        self.assertEqual(len(lines), len(fragments), done.stderr)
        for line, fragment in zip(lines, fragments):
            self.assertIn(fragment, line)

    def test_met(self):
        everything = ["--require", "backend=cpu,cells>=2", "--require", "predicted,timed", "--require=no-skips"]
        for more in ([], ["--resume"], ["--resume", "--quiet"]):
            done = self.program("run", *self.WIDE, "--time-limit=0.001", *everything, *more, "--out", self.out)
            self.assert_code(done, 0)
            self.assertEqual(self.unmet(done), [])
        name = self.results()["context"]["device"]["name"]
        done = self.program("run", *self.WIDE, "--time-limit=0", "--require", f"device={name[2:6].swapcase()}",
                            "--out", self.out, "--overwrite")
        self.assert_code(done, 0)

    def test_known_beforehand(self):
        """Nothing is measured, and nothing written; also in a dry run."""
        for more in (["--out", self.out], ["--out", self.out, "--resume"], ["--dry-run"]):
            done = self.program("run", *self.WIDE, "--time-limit=0", *more,
                                "--require=backend=cuda,device=abacus,cells>=3,timed")
            self.assert_unmet(done, "backend=cuda: the run's backend is cpu", "device=abacus: ",
                              "cells>=3: the sweep has 2", "timed: ")
            self.assertEqual(done.stdout, "")
            self.assert_unmet(self.program("run", *self.WIDE, "--stats=off", *more, "--require=predicted"),
                              "no cell has statistics")
        self.assert_nothing_written()

    def test_known_in_the_end(self):
        """After everything has been measured and written."""
        cells = ["mlp", "--depth=2,3", "--width=64", "--dtype=f32,bf16", "--time-limit=0", "--out", self.out]
        for more in ([], ["--resume"]):
            done = self.program("run", *cells, *more, "--require=cells>=3,no-skips,cells>=2,predicted")
            self.assert_unmet(done, "cells>=3: 2 of 4 are ok", "no-skips: 2 of 4 cells are skipped, the first is mlp/")
            self.assertIn("2 ok, 2 skipped", done.stdout)
            self.assertEqual(self.statuses(), ["ok", "skipped"] * 2)
        self.assert_code(self.program("run", *cells, "--resume"), 0)

    def test_more_than_one_reason(self):
        done = self.run_small("--require=cells>=6", fault="crash:2")
        self.assert_unmet(done, "cells>=6: 5 of 6 are ok")
        self.assert_code(self.run_small("--require=cells>=5", "--overwrite", fault="crash:2"), 2)
        self.assert_unmet(self.run_small("--dtype=bf16", "--require=cells>=1", "--overwrite"), "0 of 6 are ok")

    def test_predicted(self):
        """Also what is off in an older run's record."""
        run = ["run", *self.WIDE, "--time-limit=0", "--out", self.out]
        self.assert_code(self.program(*run, "--require=predicted"), 0)
        path = self.out / "journal.jsonl"
        lines = path.read_bytes().splitlines(keepends=True)
        record = json.loads(lines[2])
        record["agreement"].update(verdict="off", message="planted")
        path.write_bytes(b"".join([*lines[:2], sealed(record)]))
        done = self.program(*run, "--resume", "--require=predicted")
        self.assert_unmet(done, f"predicted: 1 of 2 cells are off, the first is {record['name']}")
        self.assert_code(self.program(*run, "--resume"), 0)
        self.assert_unmet(self.program("run", "mlp", "--width=2", "--time-limit=0", "--out", self.scratch / "narrow",
                                       "--require=predicted"), "no cell is as predicted; outside theory's reach: 1")

    def test_timing(self):
        run = ["run", *self.WIDE, "--out", self.out, "--require=timed,samples,floor"]
        done = self.program(*run, "--time-limit=1e-9")
        lines = self.unmet(done)
        self.assert_code(done, 3)
        self.assertIn("samples: 2 of 2 cells have fewer, the first is mlp/", lines[0])
        self.assert_unmet(self.program(*run, "--time-limit=0", "--overwrite"), "timed: ", "samples: ", "floor: ")
        done = self.program(*run, "--time-limit=20", "--min-samples=2", "--min-time=0.001", "--overwrite")
        wrong = any(cell["timing"]["floor"] == "not trustworthy" for cell in self.results()["cells"])
        self.assertEqual([line.split(":")[0] for line in self.unmet(done)], ["floor"] if wrong else [])

    def test_dry_run(self):
        cells = ["run", "mlp", "--depth=2", "--width=8", "--dtype=f32,bf16", "--dry-run"]
        self.assert_code(self.program(*cells, "--require=cells>=1,predicted,timed"), 0)
        self.assert_unmet(self.program(*cells, "--require=cells>=2,no-skips"), "1 of 2 are ok", "1 of 2 cells")

    def test_help_has_every_word(self):
        text = self.program("run", "--help").stdout
        for word in ("backend=NAME", "device=TEXT", "cells>=N", "no-skips", "predicted", "timed", "samples", "floor"):
            self.assertRegex(text, rf"(?m)^ +{word} +\S")
        self.assertRegex(self.program("--help").stdout, r"(?m)^  3 +run: what --require asks for")


if __name__ == "__main__":
    main()
