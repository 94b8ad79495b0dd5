"""What people see of a run: its table, progress, and files where they cannot be written."""
import json
import os
import pathlib
import pty
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "endtoend"))
from program import LIMIT_S, PROGRAM, SMALL, SMALL_COUNT, ProgramTest, compared, environment, main  # noqa: E402


class Output(ProgramTest):
    def test_table(self):
        done = self.program("run", "mlp", "--depth=3,30", "--width=32", "--activation=sigmoid,relu",
                            "--init=xavier_normal,normal", "--replicas=3", "--out", self.out)
        self.assert_code(done, 0)
        lines = done.stdout.splitlines()
        self.assertLessEqual(max(map(len, lines)), 120)
        self.assertIn("mlp, 8 cells: width=32 batch=32 replicas=3", done.stdout)
        rows = {tuple(l.split()[:3]): l.split()[3:] for l in lines if re.match(r" +\d+  (sig|relu)", l)}
        for cell in self.results()["cells"]:
            params, summary, timing = cell["params"], cell["summary"], cell["timing"]
            row = rows[(str(params["depth"]), params["activation"], params["init"]["name"])]
            self.assertAlmostEqual(float(row[0]), summary["decades"]["p50"], delta=0.0051)
            low, high = row[1].split("..")
            self.assertAlmostEqual(float(low), summary["decades"]["p05"], delta=0.0051)
            self.assertAlmostEqual(float(high), summary["decades"]["p95"], delta=0.0051)
            self.assertAlmostEqual(float(row[2]), summary["decades_per_layer"]["p50"], delta=0.000051)
            self.assertEqual(row[3], summary["verdict"])
            agreement = cell["agreement"]
            self.assertEqual(agreement["verdict"], "as predicted")
            self.assertAlmostEqual(float(row[4]), agreement["decades"]["z"], delta=0.051)
            for text, key in ((row[5], "f16"), (row[6], "f32")):
                lost = summary["first_layer_lost"]["delta"][key]
                self.assertEqual(text, "-" if lost is None else str(lost))
            number = float(row[7].rstrip("kMG")) * {"k": 1e3, "M": 1e6, "G": 1e9}.get(row[7][-1], 1)
            self.assertAlmostEqual(number / timing["samples_per_s"], 1, delta=0.01)
            self.assertAlmostEqual(float(row[8].rstrip("%!")) / 100, timing["fraction_of_floor"], delta=0.0051)
        self.assertEqual(lines[-1], f"results: {self.out}/results.json")

    def test_lost_networks_in_the_table(self):
        done = self.program("run", "mlp", "--depth=1,40", "--width=4", "--batch=1", "--activation=relu,tanh",
                            "--init=he_normal", "--replicas=200", "--time-limit=0", "--out", self.out)
        self.assert_code(done, 0)
        self.assertRegex(done.stdout, r"verdict +dead +z ")
        self.assertNotIn("NaN  ", done.stdout)
        rows = {tuple(line.split()[:2]): line.split()[2:] for line in done.stdout.splitlines()
                if re.match(r" +\d+  (relu|tanh)", line)}
        for cell in self.results()["cells"]:
            params, summary = cell["params"], cell["summary"]
            row = rows[str(params["depth"]), params["activation"]]
            dead = summary["law"]["dead"]["share"]
            self.assertEqual(row[3], "-" if params["depth"] == 1 else summary["verdict"])
            if params["activation"] == "tanh":
                self.assertEqual((dead, row[4]), (0, "-"))
                continue
            self.assertAlmostEqual(float(row[4].rstrip("%")) / 100, dead, delta=0.0051)
            if params["depth"] == 40:  # most are dead, and so is the median
                self.assertGreater(dead, 0.8)
                self.assertEqual(summary["decades"]["p50"], None)
                self.assertEqual(summary["decades"]["class"]["p50"], "dead")
                self.assertEqual((row[0], row[1][:6], row[3]), ("dead", "dead..", "vanishing"))
        done = self.program("run", "mlp", "--depth=60", "--width=64", "--activation=relu", "--init=normal",
                            "--range=native,extended", "--replicas=2", "--time-limit=0", "--out", self.out,
                            "--overwrite")
        self.assert_code(done, 0)
        native, extended = (line.split()[2:] for line in done.stdout.splitlines()
                            if re.match(r" +60  (native|extended) ", line))
        self.assertEqual((native[0], native[1], native[3], native[4]), ("inf", "inf..inf", "exploding", "100%"))
        self.assertEqual((extended[3], extended[4]), ("exploding", "-"))
        self.assertEqual(native[6:8], extended[6:8])  # what formats lose

    def test_verdict_is_of_the_law(self):
        """The same law, whether 16 or 2,048 networks are drawn from it."""
        self.assert_code(self.program(
            "run", "mlp", "--depth=30", "--width=8,24", "--batch=1", "--activation=relu,tanh", "--init=he_normal",
            "--replicas=16,256,2048", "--seed=3", "--stats=norms", "--time-limit=0", "--out", self.out), 0)
        found = {}
        for cell in self.results()["cells"]:
            key = cell["params"]["width"], cell["params"]["activation"]
            found.setdefault(key, []).append(cell["summary"])
        self.assertEqual(len(found), 4)
        for key, summaries in found.items():
            for few in summaries:
                for many in summaries:
                    self.assertIn(many["verdict"], few["law"]["verdicts"], key)
                    for side in ("below", "above", "dead"):
                        a, b = few["law"][side], many["law"][side]
                        self.assertTrue(a["low"] <= b["high"] and b["low"] <= a["high"], (key, side, a, b))

    def test_table_of_jacobians(self):
        done = self.program("run", "mlp", "--depth=20", "--width=12", "--activation=identity,relu",
                            "--init=orthogonal,xavier_normal", "--replicas=3", "--jacobian=true",
                            "--time-limit=0", "--out", self.out)
        self.assert_code(done, 0)
        lines = done.stdout.splitlines()
        self.assertLessEqual(max(map(len, lines)), 120)
        start = next(i for i, line in enumerate(lines) if "singular values of dh^L/dh^0" in line)
        rows = {tuple(line.split()[1:3]): line.split()[3:] for line in lines[start + 2:start + 6]}
        for cell in self.results()["cells"]:
            jacobian, params = cell["jacobian"], cell["params"]
            row = rows[params["activation"], params["init"]["name"]]
            for text, key in zip(row, ("log10_rms", "log10_largest", "log10_smallest")):
                value = jacobian["end_to_end"][key]["mean"]
                if value is None:
                    self.assertEqual(text, "-")
                else:
                    self.assertAlmostEqual(float(text), value, delta=0.0051)
            exponent = jacobian["lyapunov"]["exponent"]["mean"][0]
            self.assertTrue(row[3] == "-" if exponent is None else abs(float(row[3]) - exponent) <= 0.000051)

    def test_statistics_off(self):
        self.assert_code(self.run_small("--stats=off"), 0)
        self.assert_code(self.run_small("--stats=norms", "--overwrite"), 0)
        self.assert_code(self.run_small("--stats=norms", "--range=native", "--overwrite"), 0)
        self.results()

    def test_what_this_device_cannot(self):
        """Skipped with a reason, in a dry run, too; and `eager` is what the CPU does anyway."""
        cells = ["rnn", "--seq-len=3", "--hidden=4", "--loop=steps,persistent",
                 "--launch=eager,graph", "--dtype=f32,bf16"]
        done = self.program("run", *cells, "--out", self.out, "--time-limit=0.001")
        self.assert_code(done, 0)
        skipped = set()
        for cell in self.results()["cells"]:
            params = cell["params"]
            can = (params["loop"], params["launch"], params["dtype"]) == ("steps", "eager", "f32")
            self.assertEqual(cell["status"], "ok" if can else "skipped")
            if can:
                self.assertEqual(cell["timing"]["launch"], "eager")
            else:
                self.assertRegex(cell["error"], "bf16|persistent|graph")
                skipped.add(cell["error"])
        self.assertEqual(len(skipped), 3)
        dry = self.program("run", *cells, "--dry-run")
        self.assert_code(dry, 0)
        self.assertEqual(len(re.findall("^.* skipped  rnn/.*: .*(?:bf16|persistent|graph)", dry.stdout, re.M)), 7)
        self.assertRegex(dry.stdout, r"8 cells, 7 of them skipped; at most .* of .*; about [0-9.]+ s")

    def test_dtypes_this_device_lacks(self):
        done = self.run_small("--dtype=f32,bf16,f16,tf32", "--filter=/tanh/.*L1/")
        self.assert_code(done, 0)
        cells = {c["params"]["dtype"]: c for c in self.results()["cells"]}
        self.assertEqual({d: c["status"] for d, c in cells.items()},
                         {"f32": "ok", "bf16": "skipped", "f16": "skipped", "tf32": "skipped"})
        for dtype in ("bf16", "f16", "tf32"):
            self.assertIn(f"dtype {dtype}", cells[dtype]["error"])
            self.assertRegex(done.stdout, rf"{dtype} +skipped: dtype {dtype} is not")
        self.assertIn("1 ok, 3 skipped", done.stdout)

    def test_default_folder(self):
        for _ in range(2):
            self.assert_code(self.program("run", *SMALL, "--filter=L1/"), 0)
        folders = list((self.scratch / "results" / "local").iterdir())
        self.assertEqual(len(folders), 2)
        for folder in folders:
            self.assertEqual(self.statuses(folder), ["ok"] * 2)

    def test_lines_of_progress(self):
        done = self.run_small()
        lines = done.stderr.splitlines()
        self.assertEqual(len(lines), SMALL_COUNT)
        for i, line in enumerate(lines):
            self.assertRegex(line, rf"^\[{i + 1}/{SMALL_COUNT}\] ok +[0-9.]+ s  mlp/")
        self.assertNotIn("\x1b", done.stdout + done.stderr)
        self.assertEqual(self.run_small("--quiet", "--overwrite").stderr, "")

    def test_a_reason_is_apart_from_the_name(self):
        """Whatever the status: a name ends where a colon and a blank begin."""
        done = self.run_small("--timeout=1", fault="crash:0,hang:1,garbage:2,lost:3")
        self.assert_code(done, 2)
        seen = {}
        for arguments in (["--depth=2", "--width=4", "--stats=norms,off"], ["--width=64"], ["--dtype=bf16"]):
            done.stderr += self.program("run", "mlp", "--time-limit=0", *arguments, "--out", self.out,
                                        "--overwrite").stderr
        for line in done.stderr.splitlines():
            if not line.startswith("["):
                continue
            status, name, reason = re.fullmatch(r"\[\d+/\d+\] (\w+) +[0-9.]+ s  ([^: ]+)(?:: (.*\S))?", line).groups()
            self.assertRegex(name, r"^mlp/\w+/xavier_normal/L\d+/n\d+/B\d+/R\d+(/\w+=\w+)*$")
            seen.setdefault(status, set()).add(reason)
        self.assertEqual(set(seen), {"ok", "crashed", "timeout", "failed", "skipped"})
        self.assertIn(None, seen["ok"])
        self.assertTrue(any((reason or "").startswith("outside reach: ") for reason in seen["ok"]))
        for status in set(seen) - {"ok"}:
            self.assertTrue(all(seen[status]), status)

    def on_terminal(self, **variables):
        """Everything a terminal gets, from both streams."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen([PROGRAM, "run", *SMALL, "--overwrite", "--out", str(self.out)],
                                   env=environment("slow:*,crash:1", **variables), stdout=theirs,
                                   stderr=theirs, stdin=subprocess.DEVNULL)
        os.close(theirs)
        seen = b""
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # nobody writes to it any more
                break
            if not chunk:
                break
            seen += chunk
        os.close(ours)
        self.assertEqual(process.wait(LIMIT_S), 2)
        return seen.decode()

    def test_terminal(self):
        seen = self.on_terminal()
        self.assertIn("\x1b[32m", seen)
        self.assertIn(f"{SMALL_COUNT - 1}/{SMALL_COUNT}", seen)
        self.assertIn("crashed", seen)
        plain = self.on_terminal(NO_COLOR="1")
        self.assertIn("\r\x1b[K[", plain)  # a bar, without colour
        self.assertNotRegex(plain, "\x1b\\[[0-9]*m")

    def test_closed_output(self):
        read_end, write_end = os.pipe()
        os.close(read_end)
        done = self.run_small("--quiet", stdout=write_end)
        os.close(write_end)
        self.assert_code(done, 74)
        self.assertEqual(done.stderr, "")
        self.assertEqual(self.statuses(), ["ok"] * SMALL_COUNT)
        for redirection in (">&-", ">&- 2>&-", "<&-", "<&- >&- 2>&-"):
            command = " ".join([f"'{PROGRAM}' run", *SMALL, f"--overwrite --out '{self.out}'", redirection])
            done = subprocess.run(["sh", "-c", command], env=environment(), timeout=LIMIT_S,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
            self.assertEqual(done.returncode, 0 if redirection == "<&-" else 74, redirection)
            self.assertEqual(self.statuses(), ["ok"] * SMALL_COUNT)
            self.assertEqual(len(self.journal()), SMALL_COUNT + 1)

    def test_full_output(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = self.run_small("--quiet", stdout=full)
        self.assert_one_line(done, 74, "standard output")
        self.assertEqual(self.statuses(), ["ok"] * SMALL_COUNT)

    def test_nothing_but_skipped_cells(self):
        done = self.run_small("--dtype=bf16")
        self.assert_error_line(done, 2, "every cell was skipped")
        self.assertIn(f"{SMALL_COUNT} skipped", done.stdout)
        self.assert_error_line(self.run_small("--dtype=bf16", "--resume", "--quiet"), 2, "every cell was skipped")
        self.assert_code(self.run_small("--dtype=bf16,f32", "--overwrite"), 0)

    def test_sweep_file_and_options_agree(self):
        sweep = {"name": "same", "blocks": [
            {"model": "mlp", "depth": [1, 2, 3], "width": 8, "batch": 4, "replicas": 2,
             "activation": ["tanh", "relu"]}]}
        (self.scratch / "same.json").write_text(json.dumps(sweep))
        listed = self.program("run", "same.json", "--list")
        self.assertEqual(listed.stdout, self.program("run", *SMALL, "--list").stdout)
        self.assert_code(self.program("run", "same.json", "--backend", "cpu", "--time-limit=0",
                                      "--out", self.out), 0)
        document = self.results()
        self.assertEqual(document["context"]["name"], "same")
        self.assertEqual({c["params"]["backend"] for c in document["cells"]}, {"cpu"})

    def test_google_benchmark_compares_devices(self):
        """A row for every cell, whatever the two runs said of where to run."""
        paths = []
        for i, where in enumerate((["--backend=auto"], ["--backend=cpu", "--device=0"])):
            out = self.scratch / f"{i}"
            self.assert_code(self.program("run", "mlp", "--depth=1,2", "--width=8", "--time-limit=0.01",
                                          *where, "--out", out), 0)
            paths.append(out / "results.json")
        for a, b, row in ((0, 1, r" +[+-]\d+\.\d{4} +[+-]\d+\.\d{4} "), (0, 0, r" +\+0\.0000 +\+0\.0000 ")):
            for cell in self.results(paths[a].parent)["cells"]:
                self.assertRegex(compared(paths[a], paths[b]), re.escape(cell["name"]) + row)


if __name__ == "__main__":
    main()
