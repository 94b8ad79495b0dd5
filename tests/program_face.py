"""What people see of the program: help, lists, tables, progress, exit codes."""
import json
import os
import pathlib
import pty
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "endtoend"))
from program import (LIMIT_S, PROGRAM, SMALL, SMALL_COUNT, SOURCE, ProgramTest,  # noqa: E402
                     compared, environment, main, sealed)



class Words(ProgramTest):
    def test_help(self):
        for arguments in (["--help"], ["-h"], ["help"], ["run", "--help"], ["theory", "--help"]):
            done = self.program(*arguments)
            self.assert_code(done, 0)
            command = "theory" if arguments[0] == "theory" else "run"
            self.assertTrue(done.stdout.startswith(f"Usage: gradsweep {command}"))
            self.assertEqual(done.stderr, "")
            self.assertLessEqual(max(map(len, done.stdout.splitlines())), 100)

    def test_help_lists_every_parameter(self):
        help_text = self.program("run", "--help").stdout
        words = dict(re.findall(r"^  --([a-z_]+) (?:[A-Z]+)? *(?:mlp|rnn)? +(\S.*)$", help_text, re.M))
        self.assert_code(self.program("run", "mlp", "--depth=1", "--width=4", "--time-limit=0",
                                      "--activation=leaky_relu", "--out", self.out / "mlp"), 0)
        self.assert_code(self.program("run", "rnn", "--seq-len=2", "--hidden=4", "--time-limit=0",
                                      "--out", self.out / "rnn"), 0)
        for model in ("mlp", "rnn"):
            for key in self.results(self.out / model)["cells"][0]["params"]:
                if key != "model":
                    self.assertIn(key, words)

    def test_help_defaults(self):
        """Numbers in brackets are what a cell gets."""
        help_text = self.program("run", "--help").stdout
        for model, keys in (("mlp", ["depth", "width", "batch", "replicas", "seed", "bias_std"]),
                            ("rnn", ["hidden", "input", "seq_len", "batch"])):
            self.assert_code(self.program("run", model, "--time-limit=0", "--out", self.out / model), 0)
            params = self.results(self.out / model)["cells"][0]["params"]
            for key in keys:
                shown = re.search(rf"^  --{key} .*\(([0-9]+)\)$", help_text, re.M)
                self.assertEqual(str(params[key]), shown.group(1), key)

    def test_version(self):
        done = self.program("--version")
        self.assert_code(done, 0)
        self.assertRegex(done.stdout, r"^gradsweep \d+\.\d+\.\d+ \((commit [0-9a-f]{12}(, dirty)?, )?.+\)\n$")

    def test_build_of_results(self):
        self.assert_code(self.run_small(), 0)
        context = self.results()["context"]
        (header, *_) = self.journal()
        self.assertEqual(context["build_id"], header["build_id"])
        version = self.program("--version").stdout
        if context["commit"] is None:
            self.assertIsNone(context["dirty"])
        else:
            self.assertIn(f"(commit {context['commit'][:12]}{', dirty' if context['dirty'] else ''},", version)

    def test_info(self):
        done = self.program("info")
        self.assert_code(done, 0)
        for word in ("backend    cpu", "threads", "libraries", "FLOP/s (f32)", "B/s (copy)"):
            self.assertIn(word, done.stdout)

    def test_info_of_a_device(self):
        facts = lambda done: [l for l in done.stdout.splitlines() if not re.match("limits|memory", l)]
        for options in (["--backend", "cpu"], ["--backend=auto", "--device=0"], ["--device", "auto"]):
            done = self.program("info", *options)
            self.assert_code(done, 0)
            self.assertEqual(facts(done), facts(self.program("info")))
        done = self.program("info", "--help")
        self.assert_code(done, 0)
        self.assertTrue(done.stdout.startswith("Usage: gradsweep info"))

    def test_list_and_filter(self):
        done = self.program("run", *SMALL, "--list")
        lines = done.stdout.splitlines()
        self.assert_code(done, 0)
        self.assertEqual(len(lines), SMALL_COUNT)
        self.assertTrue(all(re.match(r"[0-9a-f]{16}  mlp/", line) for line in lines))
        only = self.program("run", *SMALL, "--list", "--filter", "/relu/.*/L[13]/")
        self.assertEqual(only.stdout.splitlines(), [l for l in lines if "relu" in l and "L2" not in l])
        for expression in (f"^{lines[3][:16]}$", lines[3][:16]):
            by_id = self.program("run", *SMALL, "--list", "--filter", expression)
            self.assertEqual(by_id.stdout.splitlines(), [lines[3]])
        for hexadecimal in "0123456789abcdef":  # some digit of every id; in names those of names
            some = self.program("run", *SMALL, "--list", "--filter", hexadecimal)
            self.assertEqual(some.stdout.splitlines(), [l for l in lines if hexadecimal in l[18:]])
        self.assert_nothing_written()

    def test_a_cell_is_the_same_on_every_device(self):
        sweep = {"blocks": [{"model": "mlp", "depth": [2, 3], "backend": "cpu"},
                            {"model": "mlp", "widths": [[3] + [2, 5, 4] * 90, [4] + [2, 5, 4] * 90],
                             "device": "0"},
                            {"model": "rnn", "seq_len": 4}]}
        (self.scratch / "sweep.json").write_text(json.dumps(sweep))
        for what in ([*SMALL], ["sweep.json"]):
            listed = self.program("run", *what, "--list")
            self.assert_code(listed, 0)
            for where in (["--backend=cpu"], ["--backend", "cuda"], ["--device=1"], ["--device", "auto"],
                          ["--backend=auto", "--device=GPU-0123"], ["--device=0000:1b:00.0"]):
                self.assertEqual(self.program("run", *what, "--list", *where).stdout, listed.stdout)

    def test_dry_run(self):
        done = self.program("run", *SMALL, "--dry-run", "--memory-limit", "100k")
        self.assert_code(done, 0)
        self.assertEqual(done.stdout.count("mlp/"), SMALL_COUNT)
        self.assertIn(f"{SMALL_COUNT} cells", done.stdout)
        self.assertRegex(done.stdout, r"\d B|KiB|MiB")
        self.assert_nothing_written()

    def test_dry_run_of_every_dtype(self):
        done = self.program("run", *SMALL, "--dtype=f64,f32,tf32,bf16,f16", "--dry-run")
        self.assert_code(done, 0)
        self.assertEqual(done.stdout.count("mlp/"), 5 * SMALL_COUNT)
        for dtype in ("tf32", "bf16", "f16"):
            self.assertEqual(len(re.findall(
                f"skipped  mlp/.*/dtype={dtype}: dtype {dtype} is not supported", done.stdout)), SMALL_COUNT)
        self.assertRegex(done.stdout, r"limits, \S+ .FLOP/s \(f64\), \S+ .FLOP/s \(f32\) and \S+ .B/s,")
        self.assertIn(f"{5 * SMALL_COUNT} cells, {3 * SMALL_COUNT} of them skipped", done.stdout)
        only = self.program("run", *SMALL, "--dtype=bf16", "--dry-run")
        self.assertRegex(only.stdout, r"measured limits, \S+ .B/s, and")

    def test_dry_run_predicts_what_a_run_records(self):
        done = self.program("run", "mlp", "--depth=7", "--width=300", "--dry-run")
        self.assert_code(self.program("run", "mlp", "--depth=7", "--width=300", "--time-limit=0",
                                      "--out", self.out), 0)
        number, unit = re.search(r"^ *([0-9.]+) ([KM]iB) .* mlp/", done.stdout, re.M).groups()
        predicted = self.results()["cells"][0]["memory"]["predicted_bytes"]
        self.assertAlmostEqual(float(number) * {"KiB": 1 << 10, "MiB": 1 << 20}[unit] / predicted,
                               1, delta=0.06)

    def test_dry_run_says_how_many_replicas_fit(self):
        """As many as a run with the same limit takes, and no more."""
        for model in (["mlp", "--depth=7", "--width=30"], ["rnn", "--seq-len=7", "--hidden=30", "--tied=false"]):
            cell = ["run", *model, "--batch=3", "--memory-limit=3M"]
            done = self.program(*cell, "--replicas=1000", "--dry-run")
            self.assert_code(done, 0)
            (fitting,) = map(int, re.findall(r"(?m) skipped  .*: too large, (\d+) replicas would fit$", done.stdout))
            self.assertTrue(1 < fitting < 999)
            self.assert_code(self.program(*cell, f"--replicas={fitting},{fitting + 1}",
                                          "--time-limit=0", "--out", self.out, "--overwrite"), 0)
            self.assertEqual(self.statuses(), ["ok", "skipped"])
            done = self.program(*cell, f"--replicas={fitting},{fitting + 1}", "--dry-run")
            self.assertIn(f"too large, {fitting} replicas would fit", done.stdout)
            self.assertEqual(done.stdout.count("would fit"), 1)
        done = self.program("run", "mlp", "--replicas=1,9", "--memory-limit=10k", "--dry-run")
        self.assertEqual(re.findall(r"/R(\d): too large, (\d+) replicas", done.stdout), [("1", "0"), ("9", "0")])

    def test_shipped_sweeps_can_be_read(self):
        sweeps = sorted((SOURCE / "bench" / "sweeps").glob("*.json"))
        self.assertTrue(sweeps)
        for sweep in sweeps:
            done = self.program("run", sweep, "--list")
            self.assert_code(done, 0)
            self.assertGreater(len(done.stdout.splitlines()), 1)


class Theory(ProgramTest):
    def test_table(self):
        done = self.program("theory", "mlp", "--depth=10,30", "--width", "64", "--activation=relu",
                            "--init=xavier_normal,he_normal", "--batch=1")
        self.assert_code(done, 0)
        self.assertEqual(done.stderr, "")
        self.assertRegex(done.stdout, r"(?m)^ +30 +xavier_normal +-4\.36 ")
        self.assertRegex(done.stdout, r"(?m)^ +30 +he_normal +0\.00 +-0\.25 .* exact$")
        self.assertLessEqual(max(map(len, done.stdout.splitlines())), 140)
        self.assert_nothing_written()

    def test_one_cell_shows_layers(self):
        done = self.program("theory", "mlp", "--depth=5", "--bias-std=0.2")
        self.assert_code(done, 0)
        for word in ("critical:", "log10 chi", "grad_weight", "grad_bias"):
            self.assertIn(word, done.stdout)
        done = self.program("theory", "rnn", "--seq-len=50", "--points", "4", "--activation=sigmoid",
                            "--init=orthogonal")
        self.assert_code(done, 0)
        self.assertIn("must vanish", done.stdout)
        self.assertIn("grad_input_weight of all steps: rms", done.stdout)
        self.assertEqual(len(re.findall(r"(?m)^ +\d+ .*\+-", done.stdout)), 4)

    def test_outside_reach_is_no_number(self):
        for arguments in (["mlp", "--depth=20", "--activation=tanh", "--init=normal:std=1e10"],
                          ["mlp", "--depth=20", "--activation=tanh", "--init=scaled:sigma_w2=1e308"],
                          ["mlp", "--depth=20", "--width=3", "--activation=tanh", "--loss=mse"],
                          ["rnn", "--seq-len=50", "--activation=sigmoid", "--init=scaled:sigma_w2=1"]):
            with self.subTest(arguments=arguments):
                done = self.program("theory", *arguments)
                self.assert_code(done, 0)
                self.assertRegex(done.stdout, r"(?m)^ +\d+ +- +- +- +- +\S+  outside reach: \w")
                self.assertNotIn("+-", done.stdout)
                self.assertNotRegex(done.stdout.partition("decades")[2], r"e\+\d|nan|inf\b")
                theory = json.loads(self.program("theory", *arguments, "--json").stdout)["cells"][0]["theory"]
                self.assertEqual({theory["decades"][key] for key in ("rms", "typical", "sd")}, {None})
                for series in theory["layers"].values():
                    self.assertEqual({v for key in ("rms", "typical", "sd") for v in series[key]}, {None})
                self.assertTrue(theory["reasons"])

    def test_json(self):
        done = self.program("theory", "mlp", "--depth=3,2000", "--activation=tanh,relu", "--batch=1",
                            "--init=he_normal", "--json")
        self.assert_code(done, 0)
        cells = json.loads(done.stdout)["cells"]
        self.assertEqual(len(cells), 4)
        for cell in cells:
            theory = cell["theory"]
            points = min(cell["params"]["depth"], 1024)
            self.assertEqual(set(theory["decades"]), {"rms", "typical", "sd", "dead"})
            self.assertIn(theory["reach"], ("exact", "wide limit", "outside reach"))
            self.assertEqual(theory["index"][-1], cell["params"]["depth"])
            for name in ("activation", "delta", "grad_weight"):
                for column in theory["layers"][name].values():
                    self.assertEqual(len(column), points)
                    self.assertNotIn(None, column)

    def test_sweep_file(self):
        done = self.program("theory", SOURCE / "bench" / "sweeps" / "default.json")
        self.assert_code(done, 0)
        self.assertIn("mlp:", done.stdout)
        self.assertIn("rnn:", done.stdout)

    def test_realised(self):
        done = self.program("theory", "rnn", "--hidden=32", "--replicas=3", "--realised",
                            "--init=orthogonal:gain=0.5")
        self.assert_code(done, 0)
        self.assertIn("realised spectral radius 0.5 (-0.3010 decades a step)", done.stdout)

    def test_refusals(self):
        for arguments, words in ((["theory"], "takes a sweep file, mlp or rnn"),
                                 (["theory", "mlp", "--depht=3"], "did you mean --depth"),
                                 (["theory", "mlp", "--points=1"], "--points"),
                                 (["theory", "mlp", "--points"], "needs a value"),
                                 (["theory", "mlp", "--json", "--realised"], "exclude"),
                                 (["theory", "x.json", "--depth=3"], "belongs to theory mlp")):
            done = self.program(*arguments)
            self.assert_code(done, 64)
            self.assertIn(words, done.stderr)
            self.assertEqual(done.stdout, "")
        self.assert_code(self.program("theory", "no-such-file.json"), 65)
        self.assert_code(self.program("theory", "mlp", "--depth=0"), 64)


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
        record["agreement"].update(verdict="off", words="planted")
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
