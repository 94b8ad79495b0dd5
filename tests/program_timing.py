"""What a run says of its times."""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "endtoend"))
from program import ProgramTest, compared, main  # noqa: E402


class Timing(ProgramTest):
    """What is said of times: how many samples, how noisy, what ended them, what they lack."""
    SMALL = ["mlp", "--depth=1,2", "--width=8", "--batch=4", "--threads=1"]

    def run_cells(self, *arguments, out=None):
        done = self.program("run", *self.SMALL, "--out", out or self.out, *arguments, fault="lavish")
        self.assert_code(done, 0)
        return done.stdout, [cell["timing"] for cell in self.results(out)["cells"]]

    def rows(self, text):
        return [line.split() for line in text.splitlines() if re.match(r" +[12] ", line)]

    def test_columns(self):
        text, timings = self.run_cells("--min-time=0.02", "--min-samples=12", "--time-limit=5")
        self.assertRegex(text, r"(?m) timed +noise$")
        for row, timing in zip(self.rows(text), timings, strict=True):
            self.assertEqual(int(row[-2]), len(timing["samples_ns"]))
            self.assertAlmostEqual(float(row[-1].rstrip("%")) / 100, timing["noise"], delta=0.0051)
            self.assertGreaterEqual(len(timing["samples_ns"]), 12)
            steps = timing["steps_per_sample"]
            self.assertGreaterEqual(sum(timing["samples_ns"]) * steps, 0.02e9)
            self.assertIn(timing["stopped"], ("min_time", "min_samples", "spread", "max_samples"))

    def test_one_sample(self):
        text, timings = self.run_cells("--time-limit=1e-9")
        for row, timing in zip(self.rows(text), timings, strict=True):
            self.assertEqual(row[-2:], ["1", "?"])
            self.assertIsNone(timing["noise"])
            self.assertEqual(timing["stopped"], "time_limit")
            self.assertEqual(timing["lacks"], ["min_time", "min_samples", "spread"])
        names = [cell["name"] for cell in self.results()["cells"]]
        self.assertIn("asked for within the limit: 2 cells\n", text)
        for name in names:
            self.assertRegex(text, rf"(?m)^  lacks: {re.escape(name)}: min_samples, min_time, has 1 of [0-9.e-]+ s$")

    def test_nothing_timed(self):
        text = self.program("run", *self.SMALL, "--time-limit=0", "--interleave=3", "--out", self.out).stdout
        self.assertEqual([row[-2:] for row in self.rows(text)], [["-", "-"]] * 2)
        document = self.results()
        self.assertEqual((document["context"]["floor"], document["context"]["floors"]), (None, []))
        self.assertEqual(document["benchmarks"], [])

    def test_noisy_cells_are_named(self):
        for _ in range(3):  # whether a cell is noisy is not ours to say
            text, timings = self.run_cells("--min-time=0", "--min-samples=2", "--time-limit=0.001", "--overwrite")
            noisy = {cell["name"] for cell in self.results()["cells"] if (cell["timing"]["noise"] or 0) > 0.2}
            self.assertEqual(set(re.findall(r"(?m)^  noisy: (.*): noise \d+%$", text)), noisy)
            self.assertEqual(f"noise above 20%: {len(noisy)} cells" in text, bool(noisy))

    def test_limit_leaves_room_for_the_least_time(self):
        for arguments, limit in (([], 1), (["--min-time=3"], 6), (["--min-time=3", "--time-limit=0.5"], 0.5),
                                 (["--min-time=0.1"], 1)):
            text = self.program("run", *self.SMALL, *arguments, "--dry-run", fault="lavish").stdout
            self.assertIn(f"with --time-limit {limit:g} s per cell", text)
        text = self.program("run", *self.SMALL, "--interleave=4", "--dry-run", fault="lavish").stdout
        self.assertIn("per cell in each of 4 rounds", text)

    def test_refusals(self):
        for option, words in (("--min-time=-1", "from 0"), ("--min-samples=0", "from 1"), ("--min-samples=1001", "1000"),
                              ("--min-samples=1.5", "whole"), ("--interleave=1001", "1000"), ("--interleave=x", "x"),
                              ("--order-seed=-1", "from 0"), ("--min-tme=1", "did you mean --min-time")):
            done = self.program("run", *self.SMALL, option)
            self.assert_code(done, 64)
            self.assertIn(words, done.stderr)

    def test_google_benchmark_tells_chance_from_change(self):
        """Its U test has nine rounds to each side."""
        paths = []
        for i in range(2):
            out = self.scratch / f"{i}"
            self.run_cells("--interleave=9", "--min-time=0.001", "--min-samples=2", "--time-limit=0.002", out=out)
            paths.append(out / "results.json")
        text = compared(*paths)
        for cell in self.results(paths[0].parent)["cells"]:
            name = re.escape(cell["name"])
            self.assertRegex(text, name + r"_pvalue +[01]\.\d{4} +[01]\.\d{4} +U Test, Repetitions: 9 vs 9")
            self.assertEqual(len(re.findall(rf"(?m)^{name} +[+-]", text)), 9)
            self.assertIsNotNone(cell["timing"]["median_interval_ns"])


if __name__ == "__main__":
    main()
