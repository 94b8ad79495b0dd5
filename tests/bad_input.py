"""Bad input ends in one clear line and the documented exit code: nothing is run
and nothing is written."""
import json
import pathlib
import resource
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "endtoend"))
from program import ProgramTest, main  # noqa: E402

BLOCK = {"model": "mlp", "depth": 2, "width": 4}


def sweep_with(**changes):
    return json.dumps({"blocks": [dict(BLOCK, **changes)]})


class SweepFiles(ProgramTest):
    def assert_refused(self, text, *fragments, code=65):
        path = self.scratch / "sweep.json"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        start = time.monotonic()
        done = self.program("run", path, "--out", self.out)
        self.assertLess(time.monotonic() - start, 20)
        self.assert_one_line(done, code, *fragments)
        self.assertEqual(done.stdout, "")
        self.assert_nothing_written()
        return done

    def test_the_block_is_good(self):
        (self.scratch / "sweep.json").write_text(sweep_with())
        done = self.program("run", "sweep.json", "--out", self.out, "--time-limit", "0")
        self.assert_code(done, 0)

    def test_unknown_keys(self):
        self.assert_refused(sweep_with(dept=3), "$.blocks[0]", "dept")
        self.assert_refused(json.dumps({"blocks": [BLOCK], "nome": "x"}), "nome")
        self.assert_refused(sweep_with(seq_len=3), "$.blocks[0].seq_len")
        self.assert_refused(sweep_with(init={"name": "scaled", "std": 1}), "$.blocks[0].init")

    def test_wrong_types(self):
        for value in ("3", None, {}, [[1]], 1.5, True, [2, "3"]):
            self.assert_refused(sweep_with(depth=value), "$.blocks[0].depth")
        for text in ("[]", "3", "null", '"x"', "{}", '{"blocks": {}}', '{"blocks": [3]}'):
            self.assert_refused(text)

    def test_empty(self):
        self.assert_refused("")
        self.assert_refused(" \n")
        self.assert_refused('{"blocks": []}', "$.blocks")
        self.assert_refused(sweep_with(depth=[]), "$.blocks[0].depth")
        self.assert_refused(sweep_with(activation=[]), "$.blocks[0].activation")

    def test_impossible_sizes(self):
        for key in ("depth", "width", "batch", "replicas"):
            for value in (0, -1, 1e18, [3, 0]):
                self.assert_refused(sweep_with(**{key: value}), f"$.blocks[0].{key}")
        self.assert_refused(sweep_with(bias_std=-1), "$.blocks[0].bias_std")
        self.assert_refused(sweep_with(activation="tan"), "tanh")

    def test_numbers_that_are_none(self):
        for text in ("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "0x10", "1.", ".5", "+1", "01"):
            self.assert_refused(sweep_with(bias_std=0).replace('"bias_std": 0', f'"bias_std": {text}'))

    def test_broken_documents(self):
        good = sweep_with()
        self.assert_refused(good + "x")
        self.assert_refused(good + good)
        self.assert_refused(good[:-1])
        self.assert_refused(good.replace('"depth": 2', '"depth": 2, "depth": 3'), "depth")
        self.assert_refused(good.replace('"depth": 2', '"depth": 2,,'))
        self.assert_refused(good.encode().replace(b"mlp", b"\xff\xfe"))
        self.assert_refused(good.encode().replace(b"mlp", b"mlp\x00"))
        self.assert_refused(b"\x00" * 100)

    def test_deep_nesting(self):
        self.assert_refused("[" * 10000 + "]" * 10000)
        self.assert_refused('{"a":' * 10000 + "1" + "}" * 10000)
        self.assert_refused('{"blocks": [' + "[" * 10000)

    def test_a_large_file(self):
        path = self.scratch / "sweep.json"
        with open(path, "wb") as stream:
            stream.truncate(100 << 20)
        self.assert_one_line(self.program("run", path, "--out", self.out), 65, "sweep.json")
        self.assert_nothing_written()

    def test_too_many_cells(self):
        thousand = list(range(1, 1001))
        self.assert_refused(sweep_with(depth=thousand, batch=thousand, seed=thousand), "1000000000")

    def test_control_characters_do_not_reach_the_terminal(self):
        self.assert_refused(json.dumps({"blocks": [dict(BLOCK, **{"\x1b[2J\n": 1})]}))
        path = self.scratch / "no\x1b[2J\nfile"
        self.assert_one_line(self.program("run", path, "--out", self.out), 65)

    def test_what_terminals_obey_does_not_reach_them(self):
        for strange in ("\x9b2J", "\u202e", "\u2066", "\u2028", "\ufeff"):
            for document in ({"blocks": [dict(BLOCK, **{f"a{strange}b": 1})]},
                             {"blocks": [dict(BLOCK, activation=f"t{strange}")]},
                             {f"n{strange}": 1, "blocks": [BLOCK]},
                             {"name": f"n{strange}", "blocks": [BLOCK]}):
                done = self.assert_refused(json.dumps(document, ensure_ascii=False))
                self.assertNotIn(strange[0], done.stdout + done.stderr)
            twice = '{"blocks": [], "k%s": 1, "k%s": 2}' % (strange, strange)
            self.assertNotIn(strange[0], self.assert_refused(twice, "duplicate key").stderr)

    def test_work_is_limited_before_it_is_done(self):
        ones = [1] * 1000
        deep = {"blocks": [{"model": "mlp", "depth": 1 << 24, "width": 8, "seed": ones}]}
        wide = {"blocks": [{"model": "mlp", "widths": [[8] * 1001] * 80, "seed": ones}]}
        for document, words in ((deep, "layers together"), (wide, "layers together"),
                                ({"blocks": [0] * (1 << 21)}, "too many values")):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            self.assert_refused(json.dumps(document), words)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            self.assertLess(after.ru_utime - before.ru_utime, 60)  # it took hours
            self.assertLess(after.ru_maxrss, 2 << 20)  # KiB

    def test_files_that_are_none(self):
        self.assert_one_line(self.program("run", "absent.json", "--out", self.out), 65, "absent.json")
        self.assert_one_line(self.program("run", self.scratch, "--out", self.out), 65)
        self.assert_one_line(self.program("run", "/dev/null", "--out", self.out), 65)

    def test_several_devices(self):
        for several in ({"backend": ["cpu", "cuda"]}, {"backend": ["cpu", "auto"], "depth": [2, 3]},
                        {"device": ["0", "auto"]}):
            self.assert_refused(sweep_with(**several), "--backend")
        blocks = [dict(BLOCK, backend="cpu"), dict(BLOCK, backend="auto", depth=3)]
        self.assert_refused(json.dumps({"blocks": blocks}), "--backend")
        (self.scratch / "sweep.json").write_text(json.dumps({"blocks": blocks}))
        self.assert_code(self.program("run", "sweep.json", "--backend=cpu", "--time-limit=0", "--out", self.out), 0)

    def test_a_device_that_is_not_there(self):
        self.assert_refused(sweep_with(device="7"), "7", "CUDA", code=69)
        self.assert_refused(sweep_with(device="7", backend="cpu"), "7", code=69)
        for arguments in (["run", "mlp", "--out", self.out], ["run", "mlp", "--dry-run"], ["info"]):
            self.assert_one_line(self.program(*arguments, "--backend", "cuda"), 69, "CUDA")
            self.assert_one_line(self.program(*arguments, "--device", "GPU-0123"), 69, "GPU-0123", "CUDA")
            self.assert_one_line(self.program(*arguments, "--device", "0000:1b:00.0"), 69, "CUDA")
            self.assert_one_line(self.program(*arguments, "--backend=cpu", "--device=1"), 69, "cpu")
        self.assert_nothing_written()


class AddressSpace(ProgramTest):
    """Libraries that try for ever to get what a limit denies (ulimit -v) are not begun with."""

    def limited(self, megabytes, *arguments):
        limit = megabytes << 20
        return self.program(*arguments, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))

    def test_what_needs_no_products_needs_no_room(self):
        self.assert_code(self.limited(200, "--version"), 0)
        self.assert_code(self.limited(200, "run", "mlp", "--depth=1,2", "--list"), 0)
        self.assert_code(self.limited(200, "theory", "mlp", "--depth=5"), 0)

    def test_what_does_says_so_in_one_line(self):
        for megabytes in (200, 250, 300, 350, 400, 450, 500):
            done = self.limited(megabytes, "run", "mlp", "--dtype=f64", "--time-limit=0", "--out", self.out,
                                "--threads=2")
            self.assert_one_line(done, 71, "OpenBLAS", "ulimit -v")
        done = self.limited(2000, "run", "mlp", "--dtype=f64", "--time-limit=0", "--out", self.out, "--threads=2")
        self.assert_code(done, 0)


class CommandLine(ProgramTest):
    def assert_usage(self, *arguments, words=()):
        self.assert_one_line(self.program(*arguments), 64, *words)
        self.assert_nothing_written()

    def test_commands(self):
        self.assert_usage(words=["--help"])
        self.assert_usage("rum", words=["rum", "run"])
        self.assert_usage("info", "x", words=["x"])
        self.assert_usage("info", "--backend", words=["--backend", "value"])
        self.assert_usage("info", "--backend", "gpu", words=["--backend", "gpu"])
        self.assert_usage("info", "--devise=0", words=["--devise"])
        self.assert_usage("info", "--help=x", words=["--help=x"])
        self.assert_usage("worker")
        self.assert_usage("run", words=["--help"])
        self.assert_usage("run", "--depth", "3")
        self.assert_usage("run", "mlp", "rnn", words=["rnn"])

    def test_options(self):
        self.assert_usage("run", "mlp", "--deepth", "3", words=["--deepth", "--depth"])
        self.assert_usage("run", "mlp", "--deepth=3", words=["--deepth", "--depth"])
        self.assert_usage("run", "mlp", "-x", words=["-x"])
        self.assert_usage("run", "mlp", "--depth", words=["--depth", "value"])
        self.assert_usage("run", "mlp", "--resume=3", words=["--resume", "value"])
        self.assert_usage("run", "mlp", "--resume", words=["--out"])
        self.assert_usage("run", "mlp", "--out", "x", "--resume", "--overwrite")
        self.assert_usage("run", "mlp", "--list", "--dry-run")
        self.assert_usage("run", "x.json", "--depth", "3", words=["--depth"])
        self.assert_usage("run", "mlp", "--backend", "gpu", words=["--backend", "gpu"])
        self.assert_usage("run", "mlp", "--filter", "(", words=["("])
        self.assert_usage("run", "mlp", "--filter", "no such cell", words=["--filter"])

    def test_values(self):
        for option in ("--timeout", "--time-limit", "--threads", "--max-points", "--threshold",
                       "--memory-limit"):
            for value in ("", "x", "-1", "nan", "inf", "1e400", "1x", " 1", "0x10", "1,2"):
                self.assert_usage("run", "mlp", option, value, words=[option])
        self.assert_usage("run", "mlp", "--threads", "1.5", words=["--threads"])
        self.assert_usage("run", "mlp", "--timeout", "0", words=["--timeout"])

    def test_requirements(self):
        for words in ("", ",", "predicted,", "cells", "cells>20", "cells>=0", "cells>=-1", "cells>=x", "cells>=",
                      "cells=20", "backend", "backend=", "backend=auto", "backend=gpu", "device", "predicted=1",
                      "Predicted", "no-skips ", "x" * 200, "timed," * 40 + "timed"):
            self.assert_usage("run", "mlp", "--require", words, words=["--require"])
        self.assert_usage("run", "mlp", "--require", "predcited", words=["predicted"])
        self.assert_usage("run", "mlp", "--require", "cells", words=["'cells>=N'"])
        self.assert_usage("run", "mlp", "--list", "--require", "predicted", words=["--list"])

    def test_parameters(self):
        for option, value in (("--depth", "0"), ("--depth", "-5"), ("--depth", "1,"), ("--depth", ""),
                              ("--depth", "x"), ("--activation", "tan"), ("--init", "scaled:std=1"),
                              ("--init", "normal:std"), ("--seed", "-1"), ("--batch", "1e30"),
                              ("--stats", "most"), ("--hidden", "4"),
                              ("--launch", "fast"), ("--loop", "steps")):
            self.assert_usage("run", "mlp", option, value, words=[option])


class LargeCells(ProgramTest):
    def test_more_memory_than_there_is(self):
        done = self.program("run", "mlp", "--depth", "2,1000000", "--width", "20000", "--batch", "1",
                            "--filter", "L1000000", "--out", self.out)
        self.assert_error_line(done, 2, "every cell was skipped")
        (cell,) = self.results()["cells"]
        self.assertEqual(cell["status"], "skipped")
        self.assertIn("memory", cell["error"])
        self.assertIn("1 skipped", done.stdout)

    def test_sizes_that_overflow(self):
        done = self.program("run", "mlp", "--depth", "16777216", "--width", "1048576", "--batch", "1",
                            "--replicas", "1000", "--out", self.out)
        self.assertIn(done.returncode, (2, 64), done.stderr)
        if done.returncode == 2:
            self.assertEqual(self.statuses(), ["skipped"])

    def test_memory_limit(self):
        done = self.program("run", "mlp", "--depth", "2", "--width", "8,512", "--time-limit", "0",
                            "--memory-limit", "1M", "--out", self.out)
        self.assert_code(done, 0)
        self.assertEqual(self.statuses(), ["ok", "skipped"])
        self.assertIn("--memory-limit", self.results()["cells"][1]["error"])


if __name__ == "__main__":
    main()
