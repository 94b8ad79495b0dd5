"""tools/plot: that no file, however broken or hostile, gets more out of it than one
clear line and the documented exit code, and nothing is written."""
import copy
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "endtoend"))
from program import main  # noqa: E402
from plotting_test import TOOL, TOOLS, PlotTest, quietly, written  # noqa: E402
from plotting import sheet  # noqa: E402

BAD_TEXT = (
    (b"", "not JSON"), (b"{", "not JSON"), (b"[]", "expected an object"), (b"3", "expected an object"),
    (b"null", "expected an object"), (b"{}", '"schema" is missing'), (b"\xff\xfe{}", "not UTF-8"),
    (b'{"schema": NaN}', "NaN is not JSON"), (b'{"schema": -Infinity}', "not JSON"),
    (b'{"schema": 1, "schema": 1}', "appears twice"), (b"[" * 200000, "nested too deeply"),
    (b'{"a":' * 100000, "nested too deeply"), (b'{"schema": ' + b"9" * 10000 + b"}", "digits"),
    (b'{"schema": 1} x', "not JSON"), (b"\x00" * 100, "not JSON"), (b'{"schema": 99}', "$.schema"),
    (b'{"schema": 0.5}', "$.schema"), (b'{"schema": true}', "$.schema"), (b'{"schema": "1"}', "$.schema"))


def put(*path, value):
    """A change: document[path...] = value; a missing value is a deletion."""
    def change(node):
        for key in path[:-1]:
            node = node[key]
        if value is ...:
            del node[path[-1]]
        else:
            node[path[-1]] = value
    return change


CELL = ("cells", 0)
DELTA = (*CELL, "layers", "delta")
NORM = (*DELTA, "log10_norm")
JACOBIAN = (*CELL, "jacobian")
BAD_JACOBIANS = (
    (JACOBIAN, 1, "$.cells[0].jacobian"), ((*JACOBIAN, "layers"), ..., "$.cells[0].jacobian"),
    ((*JACOBIAN, "layers", "index"), [1], "$.cells[0].jacobian.layers.mean.mean"),
    ((*JACOBIAN, "layers", "index", 0), 0, "$.cells[0].jacobian.layers.index[0]"),
    ((*JACOBIAN, "layers", "largest", "mean", 1), -1, "$.cells[0].jacobian.layers.largest.mean[1]"),
    ((*JACOBIAN, "layers", "smallest"), [], "$.cells[0].jacobian.layers.smallest"),
    ((*JACOBIAN, "lyapunov", "index"), [1, 1], "$.cells[0].jacobian.lyapunov.index"),
    ((*JACOBIAN, "lyapunov", "exponent", "mean", 0), "x", "$.cells[0].jacobian.lyapunov.exponent.mean[0]"))
BAD_FIELDS = (
    (("cells",), [], "$.cells"), (("cells",), {}, "$.cells"), (("cells",), ..., "cells"),
    (("context",), 3, "$.context"), (("context", "name"), None, "$.context.name"),
    (("context", "device", "name"), ..., "$.context.device"),
    (CELL, None, "$.cells[0]"), (("cells", 1, "id"), "0" * 15, "$.cells[1].id"),
    ((*CELL, "id"), "../../../../x/y/z", "$.cells[0].id"), ((*CELL, "id"), 7, "$.cells[0].id"),
    ((*CELL, "name"), "", "$.cells[0].name"), ((*CELL, "name"), {}, "$.cells[0].name"),
    ((*CELL, "status"), "OK", "$.cells[0].status"), ((*CELL, "params"), [], "$.cells[0].params"),
    ((*CELL, "params", "model"), "gru", "$.cells[0].params.model"),
    ((*CELL, "params", "depth"), 2.5, "$.cells[0].params.depth"),
    ((*CELL, "params", "depth"), -1, "$.cells[0].params.depth"),
    ((*CELL, "params", "depth"), 10**400, "$.cells[0].params.depth"),
    ((*CELL, "params", "width"), ..., "$.cells[0].params"),
    ((*CELL, "params", "replicas"), True, "$.cells[0].params.replicas"),
    ((*CELL, "params", "widths"), [3], "$.cells[0].params.widths"),
    ((*CELL, "params", "activation"), "<script>alert(1)</script>", "$.cells[0].params.activation"),
    ((*CELL, "params", "init"), "normal", "$.cells[0].params.init"),
    ((*CELL, "params", "init", "name"), "$\\frac{1}{0}$", "$.cells[0].params.init.name"),
    ((*CELL, "params", "init", "std"), [1], "$.cells[0].params.init.std"),
    ((*CELL, "params", "slope"), "x", "$.cells[0].params.slope"),
    ((*CELL, "params", "a\n<b>"), 1, "$.cells[0].params"),
    ((*CELL, "layers"), ..., "$.cells[0]"), ((*CELL, "layers"), [], "$.cells[0].layers"),
    ((*DELTA, "index"), [1], "$.cells[0].layers.delta.log10_norm.p05"),
    ((*DELTA, "index"), [1, 3], "$.cells[0].layers.delta.index[1]"),
    ((*DELTA, "index"), [2, 1], "$.cells[0].layers.delta.index"),
    ((*DELTA, "index"), [1, 1], "$.cells[0].layers.delta.index"),
    ((*DELTA, "index"), [1, 1.5], "$.cells[0].layers.delta.index[1]"),
    ((*DELTA, "index"), [], "$.cells[0].layers.delta.index"), ((*DELTA, "index"), "12", "$.cells[0].layers.delta.index"),
    (NORM, ..., "$.cells[0].layers.delta"), ((*NORM, "p50"), ..., "$.cells[0].layers.delta.log10_norm"),
    ((*NORM, "p50"), [1], "$.cells[0].layers.delta.log10_norm.p50"),
    ((*NORM, "p50", 1), "1", "$.cells[0].layers.delta.log10_norm.p50[1]"),
    ((*NORM, "p50", 1), True, "$.cells[0].layers.delta.log10_norm.p50[1]"),
    ((*NORM, "p50", 1), None, "$.cells[0].layers.delta.log10_norm.p50[1]"),
    ((*NORM, "p95", 0), [], "$.cells[0].layers.delta.log10_norm.p95[0]"),
    ((*NORM, "p95", 0), 1e300, "$.cells[0].layers.delta.log10_norm.p95[0]"),
    ((*NORM, "p95", 0), -10**400, "$.cells[0].layers.delta.log10_norm.p95[0]"),
    ((*NORM, "finite", 0), 5, "$.cells[0].layers.delta.log10_norm.finite[0]"),
    ((*NORM, "finite", 0), -1, "$.cells[0].layers.delta.log10_norm.finite[0]"),
    ((*NORM, "finite", 0), None, "$.cells[0].layers.delta.log10_norm.finite[0]"),
    ((*NORM, "zero", 0), 5, "$.cells[0].layers.delta.log10_norm.zero[0]"),
    ((*NORM, "not_finite"), ..., "$.cells[0].layers.delta.log10_norm"),
    ((*DELTA, "nan", 0), 10**30, "$.cells[0].layers.delta.nan[0]"),
    ((*DELTA, "zero_share", 0), 1.5, "$.cells[0].layers.delta.zero_share[0]"),
    ((*DELTA, "histogram"), ..., "$.cells[0].layers.delta"),
    ((*DELTA, "histogram", "counts"), [[1]], "$.cells[0].layers.delta.histogram.counts"),
    ((*DELTA, "histogram", "counts", 1), [1, "2"], "$.cells[0].layers.delta.histogram.counts[1][1]"),
    ((*DELTA, "histogram", "counts", 1), [-10**12, 1], "$.cells[0].layers.delta.histogram.counts[1][0]"),
    ((*DELTA, "histogram", "first_exponent", 1), None, "$.cells[0].layers.delta.histogram.counts[1]"),
    ((*DELTA, "histogram", "first_exponent", 1), 0.5, "$.cells[0].layers.delta.histogram.first_exponent[1]"),
    ((*CELL, "summary", "decades", "p50"), None, "$.cells[0].summary.decades.p50"),
    ((*CELL, "summary", "decades", "p50"), "NaN", "$.cells[0].summary.decades.p50"),
    ((*CELL, "summary", "decades", "dead"), 99, "$.cells[0].summary.decades.dead"),
    ((*CELL, "summary", "decades", "class"), ..., "$.cells[0].summary.decades"),
    ((*CELL, "summary", "decades", "class", "p50"), "gone", "$.cells[0].summary.decades.class.p50"),
    ((*CELL, "summary", "decades", "class", "p50"), "dead", "$.cells[0].summary.decades.p50"),
    ((*CELL, "summary", "verdict"), "fine", "$.cells[0].summary.verdict"),
    ((*CELL, "summary", "first_layer_lost", "delta", "f16"), 99, "$.cells[0].summary.first_layer_lost.delta.f16"),
    ((*CELL, "theory", "decades", "rms"), "x", "$.cells[0].theory.decades.rms"),
    ((*CELL, "theory", "validity"), "far", "$.cells[0].theory.validity"),
    ((*CELL, "theory", "layers", "delta", "sd"), [0], "$.cells[0].theory.layers.delta.sd"),
    ((*CELL, "theory"), 1, "$.cells[0].theory"),
    ((*CELL, "timing", "median_ns"), 0, "$.cells[0].timing.median_ns"),
    ((*CELL, "timing", "floor_ns"), ..., "$.cells[0].timing"),
    ((*CELL, "timing", "p5_ns"), 1e40, "$.cells[0].timing.p5_ns"),
    ((*CELL, "timing", "median_interval_ns"), [1], "$.cells[0].timing.median_interval_ns"),
    ((*CELL, "timing", "median_interval_ns"), [1, None], "$.cells[0].timing.median_interval_ns"))


class BadInput(PlotTest):
    def assert_refused(self, done, code, *fragments):
        self.assertEqual(done[0], code, done)
        self.assertEqual(done[1], "")
        self.assertEqual(done[2].count("\n"), 1, done[2])
        self.assertTrue(done[2].startswith("tools/plot: error: "), done[2])
        self.assertTrue(done[2][:-1].isprintable(), repr(done[2]))
        self.assertLess(len(done[2]), 400)
        for fragment in fragments:
            self.assertIn(fragment, done[2])

    def test_not_a_document(self):
        file = self.scratch / "bad.json"
        for data, words in BAD_TEXT:
            file.write_bytes(data)
            self.assert_refused(quietly(file, "--out", self.scratch / "out"), 65, f"{file}: $", words)
        whole = self.file.read_bytes()
        for length in (1, 100, len(whole) // 2, len(whole) - 2):  # its newline may go
            file.write_bytes(whole[:length])
            self.assert_refused(quietly(file, "--out", self.scratch / "out"), 65, "not JSON")
        self.assertFalse((self.scratch / "out").exists())

    def test_fields(self):
        """Each change alone makes the file bad, and nothing is written."""
        self.check_fields("3", BAD_FIELDS)
        self.check_fields("4", BAD_JACOBIANS)

    def check_fields(self, seed, bad_fields):
        small = copy.deepcopy(self.results)
        small["cells"] = [c for c in small["cells"] if c["params"]["seed"] == seed]
        small["cells"].sort(key=lambda c: -c["params"]["depth"])
        text = json.dumps(small)
        file = self.scratch / "bad.json"
        file.write_text(text)
        self.assertEqual(quietly(file, "--list")[0], 0)
        for path, value, where in bad_fields:
            changed = json.loads(text)
            put(*path, value=value)(changed)
            file.write_text(json.dumps(changed))
            with self.subTest(path=path, value=str(value)[:40]):
                self.assert_refused(quietly(file, "--out", self.scratch / "out"), 65, where + ":"
                                    if value is not ... else where)
        self.assertFalse((self.scratch / "out").exists())

    def test_infinite_numbers(self):
        """1e999 is JSON, but no number."""
        text = self.file.read_text().replace(json.dumps(self.results["cells"][0]["summary"]["decades"]["p50"]), "1e999")
        (self.scratch / "bad.json").write_text(text)
        self.assert_refused(quietly(self.scratch / "bad.json", "--out", self.scratch / "o"), 65, "inf is not between")

    def test_same_id_twice(self):
        file = self.changed(lambda d: d["cells"][1].update(id=d["cells"][0]["id"]))
        self.assert_refused(quietly(file), 65, "$.cells[1].id", "appears twice")

    def test_hostile_words(self):
        """Names of another's choosing end in the picture as they are, or as '?'."""
        words = "<script>alert('x')</script> $\\none{$ ]]> --> \x1b[31m\u202e\ud800 &amp; {}%s ../../x"
        def change(results):
            results["context"]["name"] = results["context"]["device"]["name"] = words
            for i, cell in enumerate(results["cells"]):
                cell["name"] = f"{i} {words}"
                cell["params"]["device"] = words
        file = self.changed(change)
        code, out, err = quietly(file, "--out", self.scratch / "out", "--figure", "gradient", "heatmap",
                                "--cell", "^[0-7] ")
        self.assertEqual((code, err), (0, ""))
        for path in map(pathlib.Path, out.split()):
            self.assertEqual(path.parent, self.scratch / "out")
            if path.suffix == ".svg":
                root = xml.etree.ElementTree.parse(path).getroot()
                self.assertFalse([e for e in root.iter() if "script" in str(e.tag)])
                text = path.read_text(encoding="utf-8")
                self.assertNotIn("<script", text)
                self.assertNotIn("\x1b", text)
                self.assertIn("$\\none{$", text)
        listed = quietly(file, "--list")[1]
        self.assertTrue(all(line.isprintable() for line in listed.splitlines()))
        self.assertEqual(sheet.safe_name("../../etc/passwd\n"), "etc-passwd")
        self.assertEqual(sheet.safe_name("..."), "figure")

    def test_a_million_layers(self):
        million = 10**6
        cell = copy.deepcopy(self.cell("sigmoid/normal/L40/n24/"))
        cell["params"].update(depth=million, stats="norms")
        layer = [-0.6 * i for i in range(million)]
        flat = [0] * million
        for key in ("theory", "timing"):
            cell.pop(key, None)
        cell["summary"]["first_layer_lost"] = {}
        cell["layers"] = {"delta": {
            "index": list(range(1, million + 1)), "nan": flat, "inf": flat, "zero_share": flat,
            "log10_norm": {"p05": layer, "p50": layer, "p95": layer, "finite": [4] * million,
                           "zero": flat, "not_finite": flat}}}
        file = self.scratch / "million.json"
        file.write_text(written(dict(self.results, cells=[cell])))
        def limited():
            resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
        start = time.monotonic()
        done = subprocess.run([TOOL, file, "--out", self.scratch, "--figure", "gradient"], capture_output=True,
                              text=True, check=False, preexec_fn=limited, timeout=60,
                              env=dict(os.environ, OPENBLAS_NUM_THREADS="1"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertLess(time.monotonic() - start, 30)
        self.assertLess((self.scratch / "gradient-delta-mlp.svg").stat().st_size, 400_000)

    def test_files_that_cannot_be_read(self):
        self.assert_refused(quietly(self.scratch / "none.json"), 65, "No such file")
        self.assert_refused(quietly(self.scratch), 65, "directory")
        self.assert_refused(quietly("a\x00b"), 65, "cannot be read")
        self.assert_refused(quietly("no\nsuch\x1bfile"), 65, "no?such?file")

    def test_usage(self):
        for arguments, words in (((), "RESULTS.json"), ((self.file, "--figure", "pie"), "pie"),
                                 ((self.file, "--figure"), "--figure"), ((self.file, "--colour"), "--colour"),
                                 ((self.file, "--cell", "("), "--cell"), ((self.file, "--cell", "gru"), "no such cell"),
                                 ((self.file, "--quantity", "x"), "--quantity"), ((self.file, "--format", "jpg"), "jpg"),
                                 ((self.file, "--format", "svg,"), "--format"), ((self.file, "--format="), "--format"),
                                 *(((self.file, "--width-in", value), "--width-in")
                                   for value in ("", "x", "nan", "inf", "0", "-3", "2.9", "41", "1e400"))):
            self.assert_refused(quietly(*arguments), 64, words)

    def test_nothing_to_draw(self):
        file = self.changed(lambda d: d.update(cells=[c for c in d["cells"] if c["status"] == "skipped"]))
        code, out, err = quietly(file)
        self.assertEqual((code, out), (65, ""))
        self.assertTrue(err.splitlines()[-1].endswith("nothing to draw"))
        self.assertEqual(len(err.splitlines()), 1 + len(TOOLS.FIGURES))
        self.assert_refused(quietly(file, "--figure", "width"), 65, "no width figure")

    def test_output_that_cannot_be_written(self):
        (self.scratch / "file").write_text("")
        for out in (self.scratch / "file", self.scratch / "file" / "below", "/proc/none"):
            self.assert_refused(quietly(self.file, "--figure", "width", "--out", out), 74, "cannot be written")

    def test_standard_output_that_cannot_be_written(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            for arguments in ([self.file, "--list"], [self.file, "--figure", "width", "--out", self.scratch], ["--help"]):
                done = subprocess.run([TOOL, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
                self.assertEqual(done.returncode, 74, done.stderr)
                self.assertEqual(done.stderr.splitlines()[-1],
                                 "tools/plot: error: cannot write to the standard output: No space left on device")
        reader, writer = os.pipe()
        os.close(reader)
        closed = lambda: os.close(1)  # noqa: E731
        for more in ({"stdout": writer}, {"preexec_fn": closed}):
            done = subprocess.run([TOOL, "--help"], stderr=subprocess.PIPE, text=True, check=False, **more)
            self.assertEqual((done.returncode, done.stderr), (74, ""))
        os.close(writer)

    def test_an_output_folder_that_is_no_text(self):
        done = subprocess.run([TOOL, self.file, "--figure", "width", "--out", os.fsencode(self.scratch) + b"/\xff"],
                              capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        for path in done.stdout.splitlines():
            self.assertTrue(os.path.exists(path), path)

    def test_umask(self):
        """Pictures are for those whom the user's mask lets read them, and no others."""
        self.addCleanup(os.umask, os.umask(0))
        for mask in (0o077, 0o022, 0o002, 0o027):
            out = self.scratch / f"{mask:03o}"
            os.umask(mask)
            code, _, err = quietly(self.file, "--figure", "width", "--out", out)
            self.assertEqual(code, 0, err)
            self.assertEqual({path.stat().st_mode & 0o777 for path in out.iterdir()}, {0o666 & ~mask})
            self.assertEqual(out.stat().st_mode & 0o777, 0o777 & ~mask)

    def test_without_matplotlib(self):
        """One line; nothing is installed, though it could be."""
        called = self.scratch / "called"
        for name in ("sudo", "apt-get", "apt", "dpkg-query", "pip"):
            program = self.scratch / name
            program.write_text(f"#!/bin/sh\necho {name} >>{called}\n")
            program.chmod(0o755)
        for missing in ("matplotlib", "numpy"):
            (self.scratch / missing).mkdir()
            (self.scratch / missing / "__init__.py").write_text("raise ImportError('not here')\n")
            done = subprocess.run([TOOL, self.file], capture_output=True, text=True, check=False,
                                  env={"PATH": f"{self.scratch}:/usr/bin:/bin", "PYTHONPATH": str(self.scratch)})
            self.assert_refused((done.returncode, done.stdout, done.stderr), 69, f"python3-{missing}",
                                "tools/install-dependencies --plot")
            shutil.rmtree(self.scratch / missing)
        self.assertFalse(called.exists())


if __name__ == "__main__":
    main()
