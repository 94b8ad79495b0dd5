"""tools/plot: that its pictures show what the records say, and that no file, however
broken or hostile, gets more out of it than one clear line.

The program runs a small sweep once; theory's predictions are joined to its records
where they are not in them yet. Exits with 77 (skipped) without matplotlib.
"""
import contextlib
import copy
import importlib.machinery
import importlib.util
import io
import json
import math
import os
import pathlib
import re
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree

if not all(map(importlib.util.find_spec, ("matplotlib", "numpy"))):
    print("skipped: matplotlib or numpy is not installed (tools/install-dependencies --plot)")
    sys.exit(77)

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent
TOOL = SOURCE / "tools" / "plot"
sys.path.insert(0, str(HERE / "endtoend"))
from program import PROGRAM, environment, main  # noqa: E402

LOADER = importlib.machinery.SourceFileLoader("plot_tool", str(TOOL))
TOOLS = importlib.util.module_from_spec(importlib.util.spec_from_loader("plot_tool", LOADER))
sys.modules["plot_tool"] = TOOLS  # where dataclasses look for it
LOADER.exec_module(TOOLS)
import numpy  # noqa: E402
from plotting import (document, formats, gradient, heatmap, histogram, sheet, style,  # noqa: E402
                      throughput, width)

SWEEP = {"name": "pictures", "timing": {"time_limit_s": 0.005}, "blocks": [
    {"model": "mlp", "depth": [2, 40], "width": [24, 96], "batch": 3, "replicas": 4, "activation": ["sigmoid", "relu"],
     "init": ["normal", "xavier_normal"]},
    {"model": "mlp", "depth": [200], "width": 16, "batch": 4, "replicas": 3, "range": "native", "seed": 2,
     "activation": ["sigmoid", "relu"], "init": "normal"},
    {"model": "mlp", "depth": [1, 2], "width": [8, 9], "batch": 2, "replicas": 4, "seed": 3, "init": "normal"},
    {"model": "mlp", "depth": 3, "width": 16, "batch": 4, "replicas": 1, "dtype": ["bf16", "f64"]},
    {"model": "rnn", "hidden": 9, "input": 5, "seq_len": [5, 30], "batch": 2, "replicas": 3, "activation": "tanh"}]}


def quietly(*arguments):
    """(exit code, stdout, stderr) of tools/plot, run in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = TOOLS.main([str(a) for a in arguments])
    return code, out.getvalue(), err.getvalue()


class PlotTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.base = pathlib.Path(tempfile.mkdtemp(prefix="gradsweep_"))
        cls.addClassCleanup(shutil.rmtree, cls.base, True)
        sweep = cls.base / "sweep.json"
        sweep.write_text(json.dumps(SWEEP))
        def run(*arguments):
            return subprocess.run([PROGRAM, *map(str, arguments)], env=environment(), check=True, text=True,
                                  stdout=subprocess.PIPE, timeout=120).stdout
        run("run", sweep, "--out", cls.base / "run", "--quiet")
        predicted = {c["id"]: c["theory"] for c in json.loads(run("theory", sweep, "--json"))["cells"]}
        cls.results = json.loads((cls.base / "run" / "results.json").read_text())
        for cell in cls.results["cells"]:
            if "layers" in cell:
                cell.setdefault("theory", predicted[cell["id"]])
        cls.file = cls.base / "results.json"
        cls.file.write_text(json.dumps(cls.results))

    def setUp(self):
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="gradsweep_"))
        self.addCleanup(shutil.rmtree, self.scratch, True)

    def drawn(self, module, file=None, quantity="delta", cells=None):
        """[(name, arranged sheet)] of a kind of figure."""
        style.set_up()
        read = document.read(file or self.file)
        chosen = [c for c in read.cells if cells is None or re.search(cells, c.name)]
        plans = module.plans(read, TOOLS.Options(chosen, cells is not None, quantity))
        sheets = [(plan.name, plan.draw()) for plan in plans]
        for _, one in sheets:
            one.arrange()
        return sheets

    def cell(self, pattern):
        return next(c for c in self.results["cells"] if re.search(pattern, c["name"]))

    def changed(self, change):
        copied = copy.deepcopy(self.results)
        change(copied)
        path = self.scratch / "changed.json"
        path.write_text(json.dumps(copied))
        return path


def has_line(axes, values, **properties):
    """Whether the panel has a line with these heights (NaN where null)."""
    wanted = numpy.array([math.nan if v is None else v for v in values])
    return any(len(line.get_ydata()) == len(wanted)
               and numpy.allclose(numpy.asarray(line.get_ydata(), float), wanted, rtol=1e-12, atol=0, equal_nan=True)
               and all(getattr(line, f"get_{key}")() == value for key, value in properties.items())
               for line in axes.lines)


class Pictures(PlotTest):
    def test_every_figure_is_written(self):
        out = self.scratch / "pictures"
        code, printed, err = quietly(self.file, "--out", out)
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(sorted(printed.split()), sorted(str(p) for p in out.iterdir()))
        words = {"gradient": ("log10 ‖delta‖  [decades]", "layer l", "theory: root mean square", "theory: typical"),
                 "width": ("width n  [units]", "layer 1 over layer L  [decades]", "theory: typical"),
                 "heatmap": ("depth L  [layers]", "initialisation", "decades, log10 of ‖delta‖"),
                 "histogram": ("log2 of magnitude", "[binades]", "layer l", "f16 subnormal", "smallest normal"),
                 "throughput": ("throughput  [samples / s]", "depth L  [layers]", "floor", "[%]")}
        for figure, wanted in words.items():
            texts = [path.read_text(encoding="utf-8") for path in out.glob(f"{figure}-*mlp*.svg")]
            for fragment in (*wanted, "batch\N{NO-BREAK SPACE}3"):
                self.assertTrue(any(fragment in text for text in texts), f"{figure}: {fragment}")
        for path in out.iterdir():
            if path.suffix == ".svg":
                root = xml.etree.ElementTree.parse(path).getroot()
                self.assertEqual(root.tag, "{http://www.w3.org/2000/svg}svg")
                self.assertTrue(path.with_suffix(".png").exists())
            else:
                data = path.read_bytes()
                self.assertEqual(data[:8], b"\x89PNG\r\n\x1a\n")
                across, down = struct.unpack(">II", data[16:24])
                self.assertTrue(600 < across < 5000 and 400 < down < 4000, f"{path.name}: {across} x {down}")

    def test_same_bytes_again(self):
        def pictures(name):
            out = self.scratch / name
            done = subprocess.run([TOOL, self.file, "--out", out, "--cell", "sigmoid/.*L40/n24/",
                                   "--figure", "gradient", "histogram"],
                                  capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            return {p.name: p.read_bytes() for p in out.iterdir()}
        self.assertEqual(pictures("a"), pictures("b"))

    def test_gradient_shows_the_record(self):
        for quantity in ("delta", "activation", "grad_weight"):
            name, picture = self.drawn(gradient, quantity=quantity)[0]
            self.assertTrue(name.startswith(f"gradient-{quantity}-mlp"))
            for axes in picture.flat:
                for init in ("normal", "xavier_normal"):
                    cell = self.cell(f"{axes.get_title(loc='left')}/{init}/L40/n24/")
                    norm = cell["layers"][quantity]["log10_norm"]
                    theory = cell["theory"]["layers"][quantity]
                    self.assertTrue(has_line(axes, norm["p50"], linestyle="-"))
                    self.assertTrue(has_line(axes, theory["typical"]))
                    self.assertTrue(has_line(axes, theory["rms"]))
                    self.assertFalse(has_line(axes, norm["p05"]))
                    band = numpy.concatenate([c.get_paths()[0].vertices[:, 1] for c in axes.collections])
                    for edge in ("p05", "p95"):
                        self.assertTrue(numpy.isin(norm[edge], band).all())

    def test_limits_of_formats(self):
        """They are those of the C code, and drawn where an element of rms size meets them."""
        header = (SOURCE / "host" / "measure" / "formats.h").read_text()
        listed = re.findall(r'X\(GS_FORMAT_\w+, "(\w+)", (-?\d+), (-?\d+), (-?\d+)\)', header)
        self.assertEqual([(f.name, str(f.subnormal), str(f.normal), str(f.most)) for f in formats.FORMATS], listed)
        _, picture = self.drawn(gradient, cells="sigmoid/xavier_normal/L40/n96/")[0]
        zero = -25 * math.log10(2) + 0.5 * math.log10(3 * 96)
        self.assertTrue(has_line(picture.flat[0], [zero, zero]))
        self.assertIn("0 in f16", [t.get_text() for t in picture.flat[0].texts])

    def test_lost_replicas_are_seen(self):
        sheets = dict(self.drawn(gradient, cells="range=native"))
        (picture,) = sheets.values()
        keys = " ".join(handle.get_label() for handle in picture.keys)
        self.assertIn("norm is 0 here", keys)
        self.assertIn("norm is ∞ or NaN here", keys)
        whole = dict(self.drawn(gradient, cells="L40/"))
        self.assertNotIn("here", " ".join(h.get_label() for p in whole.values() for h in p.keys))
        path = self.changed(lambda d: d["cells"][0]["summary"]["decades"].update(vanished=1))
        texts = [t.get_text() for _, p in self.drawn(heatmap, path) for axes in p.flat for t in axes.texts]
        self.assertIn("of 4: 1 zero", texts)

    def test_width(self):
        (_, picture) = next((n, s) for n, s in self.drawn(width) if "L40" in n or "40" in n)
        axes = next(a for a in picture.flat if a.get_title(loc="left") == "sigmoid")
        cells = [self.cell(f"sigmoid/normal/L40/n{n}/") for n in (24, 96)]
        self.assertTrue(has_line(axes, [c["summary"]["decades"]["p50"] for c in cells]))
        self.assertTrue(any(has_line(axes, [c["theory"]["decades"]["typical"] for c in cells], linestyle=ls)
                            for ls in {line.get_linestyle() for line in axes.lines}))
        (crossing,) = width.crossing(numpy.array([10, 1000]), numpy.array([-1.0, 1.0]))
        self.assertAlmostEqual(crossing, 100)
        self.assertEqual(width.crossing(numpy.array([10, 1000]), numpy.array([1.0, math.nan])), [])

    def test_heatmap(self):
        _, picture = next((n, s) for n, s in self.drawn(heatmap) if n.startswith("heatmap-mlp-n24"))
        texts = {t.get_text() for axes in picture.flat for t in axes.texts}
        for cell in self.results["cells"]:
            if "/n24/" in cell["name"]:
                p50, verdict = cell["summary"]["decades"]["p50"], cell["summary"]["verdict"]
                self.assertIn(f"{heatmap.SIGNS[verdict]} {heatmap._decimal(p50)}", texts)
        self.assertEqual(heatmap._decimal(-0.001), "0.00")
        self.assertEqual(heatmap._decimal(-12.34), "\N{MINUS SIGN}12.3")
        skipped = [t.get_text() for _, p in self.drawn(heatmap, self.changed(
            lambda d: d["cells"][0].update(status="skipped", error="x"))) for a in p.flat for t in a.texts]
        self.assertIn("skipped", skipped)

    def test_histogram(self):
        self.assertTrue(self.drawn(histogram))
        cell = next(c for c in document.read(self.file).cells if "relu/xavier_normal/L40/n24/" in c.name)
        record = self.cell("relu/xavier_normal/L40/n24/")["layers"]["delta"]
        seen = cell.histogram("delta")
        elements = 4 * 3 * 24
        for i, (exponents, counts) in enumerate(seen.columns):
            self.assertEqual(counts.sum(), round(elements * (1 - record["zero_share"][i])))
            self.assertEqual(exponents[0], record["histogram"]["first_exponent"][i])
            self.assertEqual(math.floor(record["log10_max"][i] / math.log10(2) + 1e-9), exponents[-1])
        low, high, step, shares = histogram._grid(seen)
        self.assertEqual((high - low) / step, shares.shape[0])
        self.assertTrue(numpy.allclose(shares.sum(axis=0) * step, 1 - seen.zero_share))

    def test_throughput(self):
        _, picture = self.drawn(throughput, cells="relu/.*/n96/")[0]
        cells = [self.cell(f"relu/normal/L{n}/n96/") for n in (2, 40)]
        upper, lower = picture.axes[0][0], picture.axes[1][0]
        self.assertTrue(has_line(upper, [c["timing"]["samples_per_s"] for c in cells]))
        self.assertTrue(has_line(upper, [c["cost"]["samples"] / c["timing"]["floor_ns"] * 1e9 for c in cells]))
        self.assertTrue(has_line(lower, [100 * c["timing"]["fraction_of_floor"] for c in cells]))

    def test_without_theory(self):
        bare = self.changed(lambda d: [c.pop("theory", None) for c in d["cells"]])
        for module in (gradient, width):
            for _, picture in self.drawn(module, bare):
                self.assertNotIn("theory", " ".join(handle.get_label() for handle in picture.keys))

    def test_unequal_widths_and_one_layer(self):
        sweep = self.scratch / "sweep.json"
        sweep.write_text(json.dumps({"blocks": [
            {"model": "mlp", "widths": [[7, 30, 5, 9], [3, 2]], "batch": 2, "replicas": 2, "bias_std": 0.1},
            {"model": "mlp", "depth": 1, "width": 3, "stats": "norms"}]}))
        subprocess.run([PROGRAM, "run", sweep, "--out", self.scratch / "run", "--quiet", "--time-limit=0"],
                       env=environment(), check=True, stdout=subprocess.DEVNULL)
        file = self.scratch / "run" / "results.json"
        for quantity in ("delta", "grad_weight", "grad_bias"):
            code, out, err = quietly(file, "--quantity", quantity)
            self.assertEqual(code, 0, err)
            self.assertEqual(len(out.split()), 4)  # gradient and histogram of the one with layers
        cell = document.read(file).cells[0]
        self.assertEqual(list(cell.elements("delta", numpy.array([1, 2, 3]))), [60, 10, 18])
        self.assertEqual(list(cell.elements("grad_weight", numpy.array([1, 2, 3]))), [210, 150, 45])

    def test_one_cell_and_list(self):
        name = "sigmoid/normal/L40/n24/"
        cell = self.cell(name)
        for which in (cell["id"], name):
            code, out, err = quietly(self.file, "--cell", which, "--figure", "gradient", "--out", self.scratch)
            self.assertEqual((code, len(out.split())), (0, 2), err)
        code, out, _ = quietly(self.file, "--list")
        self.assertEqual(code, 0)
        self.assertIn(f"{cell['id']}  ok      {cell['name']}", out)
        self.assertRegex(out, r"gradient: \d+ picture")
        self.assertFalse((self.base / "pictures").exists())


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
    ((*CELL, "summary", "decades", "vanished"), 99, "$.cells[0].summary.decades.vanished"),
    ((*CELL, "summary", "verdict"), "fine", "$.cells[0].summary.verdict"),
    ((*CELL, "summary", "first_layer_lost", "delta", "f16"), 99, "$.cells[0].summary.first_layer_lost.delta.f16"),
    ((*CELL, "theory", "decades", "rms"), "x", "$.cells[0].theory.decades.rms"),
    ((*CELL, "theory", "reach"), "far", "$.cells[0].theory.reach"),
    ((*CELL, "theory", "layers", "delta", "sd"), [0], "$.cells[0].theory.layers.delta.sd"),
    ((*CELL, "theory"), 1, "$.cells[0].theory"),
    ((*CELL, "timing", "median_ns"), 0, "$.cells[0].timing.median_ns"),
    ((*CELL, "timing", "floor_ns"), ..., "$.cells[0].timing"),
    ((*CELL, "timing", "p5_ns"), 1e40, "$.cells[0].timing.p5_ns"))


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
        for length in (1, 100, len(whole) // 2, len(whole) - 1):
            file.write_bytes(whole[:length])
            self.assert_refused(quietly(file, "--out", self.scratch / "out"), 65, "not JSON")
        self.assertFalse((self.scratch / "out").exists())

    def test_fields(self):
        """Each change alone makes the file bad, and nothing is written."""
        small = copy.deepcopy(self.results)
        small["cells"] = [c for c in small["cells"] if c["params"]["seed"] == "3"]
        small["cells"].sort(key=lambda c: -c["params"]["depth"])
        text = json.dumps(small)
        file = self.scratch / "bad.json"
        file.write_text(text)
        self.assertEqual(quietly(file, "--list")[0], 0)
        for path, value, where in BAD_FIELDS:
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
            "log10_norm": {"p05": layer, "p50": layer, "p95": layer, "finite": [4] * million}}}
        file = self.scratch / "million.json"
        file.write_text(json.dumps(dict(self.results, cells=[cell])))
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
                                 ((self.file, "--quantity", "x"), "--quantity")):
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

    def test_without_matplotlib(self):
        """One line, where nothing can be installed either."""
        (self.scratch / "matplotlib").mkdir()
        (self.scratch / "matplotlib" / "__init__.py").write_text("raise ImportError('not here')\n")
        done = subprocess.run([TOOL, self.file], capture_output=True, text=True, check=False,
                              env={"PATH": str(self.scratch), "PYTHONPATH": str(self.scratch)})
        self.assert_refused((done.returncode, done.stdout, done.stderr), 69, "matplotlib", "--plot")


if __name__ == "__main__":
    main()
