"""What people see of the program before a run: help, lists, predictions."""
import json
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "endtoend"))
from program import SMALL, SMALL_COUNT, SOURCE, ProgramTest, main  # noqa: E402


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
                shown = re.search(rf"^  --{key} .*(?:\n {{9,}}.*)*?\(([0-9]+)(?:; .*)?\)$", help_text, re.M)
                self.assertEqual(str(params[key]), shown and shown.group(1), key)

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
            self.assertIn(theory["validity"], ("exact", "wide limit", "outside reach"))
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


if __name__ == "__main__":
    main()
