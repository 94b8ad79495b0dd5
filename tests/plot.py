"""tools/plot: that its pictures show what the records say."""
import json
import math
import pathlib
import re
import struct
import subprocess
import sys
import unittest.mock
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "endtoend"))
from program import PROGRAM, SOURCE, environment, main  # noqa: E402
from plotting_test import TOOL, TOOLS, PlotTest, quietly  # noqa: E402
import numpy  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from plotting import (document, formats, gradient, heatmap, histogram, jacobian, params, selection, strokes, style,  # noqa: E402
                      throughput, width)


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
        self.assertEqual(code, 0, err)
        for line in err.splitlines():
            self.assertRegex(line, r"^tools/plot: [a-z]\S*: without \d+ cells?, \S.*: (mlp|rnn)/")
        self.assertEqual(sorted(printed.split()), sorted(str(p) for p in out.iterdir()))
        words = {"gradient": ("log10 ‖delta‖  [decades]", "layer l", "theory: root mean square", "theory: typical"),
                 "width": ("width n  [units]", "layer 1 over layer L  [decades]", "theory: typical"),
                 "heatmap": ("depth L  [layers]", "initialisation", "decades, log10 of ‖delta‖"),
                 "histogram": ("log2 of magnitude", "[binades]", "layer l", "f16 subnormal", "smallest normal"),
                 "throughput": ("throughput  [samples / s]", "depth L  [layers]", "floor", "[%]"),
                 "jacobian": ("singular values of dh^l/dh^(l-1)  [1]", "layer l", "[nats per layer]", "[% of n]")}
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

    def test_an_edited_file_is_said_to_be(self):
        text = self.file.read_text()
        (code, _, err), edited = self.draw_quietly(text), text.replace("xavier_normal", "xavier_norMal", 1)
        self.assertEqual((code, err), (0, ""))
        for other in (edited, text.replace(" ", "  ", 1), json.dumps(self.results)):
            code, out, err = self.draw_quietly(other)
            self.assertEqual((code, len(err.splitlines())), (0, 1))
            self.assertIn("edited since gradsweep wrote it", err)
            self.assertIn(".svg", out)  # and drawn all the same

    def draw_quietly(self, text):
        file = self.scratch / "some.json"
        file.write_text(text)
        return quietly(file, "--out", self.scratch / "drawn", "--figure", "gradient", "--cell", "sigmoid/.*L40/n24/",
                       "--format", "svg")

    def test_same_bytes_again(self):
        def pictures(name):
            out = self.scratch / name
            done = subprocess.run([TOOL, self.file, "--out", out, "--cell", "sigmoid/.*L40/n24/",
                                   "--figure", "gradient", "histogram", "--format", "svg,png,pdf"],
                                  capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            return {p.name: p.read_bytes() for p in out.iterdir()}
        self.assertEqual(pictures("a"), pictures("b"))

    def test_formats(self):
        magic = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF-"}
        for options, wanted in (([], ("svg", "png")), (["--format", "pdf"], ("pdf",)),
                                (["--format", "png,pdf"], ("png", "pdf")),
                                (["--format=svg", "--format=pdf,svg"], ("svg", "pdf"))):
            out = self.scratch / "-".join(wanted + (str(len(options)),))
            code, printed, err = quietly(self.file, "--figure", "width", "--out", out, *options)
            self.assertEqual(code, 0, err)
            self.assertEqual({p.suffix[1:] for p in out.iterdir()}, set(wanted))
            self.assertEqual(sorted(printed.split()), sorted(str(p) for p in out.iterdir()))
            for path in out.iterdir():
                self.assertTrue(path.read_bytes().startswith(magic[path.suffix[1:]]), path.name)

    def test_width_in_inches(self):
        """Every picture has exactly this width, and all that it drew before."""
        for inches in ("3", "6.5"):
            out = self.scratch / inches
            code, _, err = quietly(self.file, "--figure", "heatmap", "jacobian", "--width-in", inches, "--out", out)
            self.assertEqual(code, 0, err)
            for path in out.glob("*.png"):
                across, _ = struct.unpack(">II", path.read_bytes()[16:24])
                self.assertEqual(across, round(200 * float(inches)), path.name)
            for path in out.glob("*.svg"):
                root = xml.etree.ElementTree.parse(path).getroot()
                self.assertEqual(root.get("width"), f"{72 * float(inches):g}pt")
        style.set_up()
        read = document.read(self.file)
        for module in (gradient, width, heatmap, histogram, throughput, jacobian):
            for plan in module.plans(read, TOOLS.Options(read.cells, False, "delta")):
                page = plan.draw()
                for page.width in (30, 5, 3):
                    page.arrange()
                    self.assert_panels_apart(page, plan.name)

    def assert_panels_apart(self, page, name):
        boxes = [axes.get_position() for axes in page.flat if axes.get_visible()]
        for i, one in enumerate(boxes):
            self.assertTrue(0 < one.x0 < one.x1 < 1 and 0 < one.y0 < one.y1 < 1, name)
            self.assertGreater(one.width * page.width, 0.5, name)
            for other in boxes[:i]:
                apart = (one.x1 <= other.x0 or other.x1 <= one.x0
                         or one.y1 <= other.y0 + 1e-9 or other.y1 <= one.y0 + 1e-9)
                self.assertTrue(apart, f"{name}: panels overlap at {page.width} inches")

    def test_every_cell_is_drawn_or_left_out(self):
        """In every kind of figure; and what is left out is said, with the reason."""
        def change(results):
            results["cells"][3].update(status="failed", error="planted")
            for key in ("layers", "summary", "timing", "theory", "agreement"):
                results["cells"][3].pop(key, None)
        for path in (self.file, self.changed(change)):
            read = document.read(path)
            options = TOOLS.Options(read.cells, False, "delta")
            for name, plans, others in TOOLS.planned(TOOLS.FIGURES, read, options, False):
                told = [c.id for plan in plans for c in plan.cells]
                told += [c.id for plan in plans for _, cells in plan.left_out for c in cells]
                told += [c.id for _, cells in others for c in cells]
                self.assertEqual(sorted(told), sorted(c.id for c in read.cells), name)
                for why, cells in [*others, *(part for plan in plans for part in plan.left_out)]:
                    self.assertTrue(why or not cells)

    def test_what_is_left_out_is_said(self):
        out = self.scratch / "out"
        code, _, err = quietly(self.file, "--figure", "gradient", "--out", out, "--cell", "n24/", "--cell", "bf16")
        self.assertEqual(code, 0)
        skipped = self.cell("dtype=bf16")["name"]
        self.assertIn(f"tools/plot: gradient: without 1 cell, skipped: {skipped}\n", err)
        code, _, err = quietly(self.file, "--figure", "gradient", "--out", out)
        short = [c["name"] for c in self.results["cells"] if "/L2/n24/B3/" in c["name"]]
        line = next(l for l in err.splitlines() if "shorter than those drawn" in l and short[0] in l)
        for name in short:
            self.assertIn(name, line)
        code, listed, _ = quietly(self.file, "--figure", "gradient", "--list")
        self.assertEqual(code, 0)
        for cell in self.results["cells"]:
            if cell["name"] in short:
                self.assertIn(f"      {cell['id']}  {cell['name']}\n", listed)
        many = [dict(c, id=f"{i:016x}", name=f"cell {i}", params=dict(c["params"], seed=str(i)), status="failed")
                for i in range(20) for c in [self.cell("dtype=bf16")]]
        code, _, err = quietly(self.changed(lambda d: d["cells"].extend(many)), "--figure", "gradient", "--out", out)
        self.assertRegex(err, r"without 20 cells, failed: cell 0, .*cell 15, and 4 more, see --list")

    def test_more_pictures_than_are_drawn(self):
        """Their cells are named, too."""
        read = document.read(self.file)
        plans = heatmap.plans(read, TOOLS.Options(read.cells, False, "delta"))
        self.assertGreater(len(plans), 2)
        with unittest.mock.patch.object(selection, "MAX_FIGURES", 2):
            code, out, err = quietly(self.file, "--figure", "heatmap", "--format=png", "--out", self.scratch / "out")
        self.assertEqual((code, len(out.split())), (0, 2))
        missing = [cell for plan in plans[1:-1] for cell in plan.cells]
        line = next(l for l in err.splitlines() if "more than 2; --cell chooses" in l)
        self.assertIn(f"without {len(missing)} cells", line)
        for cell in missing[:16]:
            self.assertIn(cell.name, line)

    def test_ids_are_whole(self):
        cell = self.cell("sigmoid/normal/L40/n24/")
        for which in (cell["id"], f"^{cell['id']}$", f"nothing|{cell['id']}"):
            code, out, err = quietly(self.file, "--cell", which, "--list")
            self.assertEqual(code, 0, err)
            self.assertEqual(out.splitlines()[0], f"{cell['id']}  ok      {cell['name']}")
            self.assertNotIn("  ok  ", out.splitlines()[1])
        self.assertEqual(quietly(self.file, "--cell", cell["id"][:15], "--list")[0], 64)
        cut = self.changed(lambda d: d["cells"][0].update(name=f"mlp/cut~{d['cells'][0]['id']}"))
        first = self.results["cells"][0]["id"]
        self.assertEqual(quietly(cut, "--cell", first[3:14], "--list")[0], 64)
        for which in ("^mlp/cut$", f"cut~{first}"):
            code, out, _ = quietly(cut, "--cell", which, "--list")
            self.assertEqual((code, out.split()[0]), (0, first))

    def test_where_cells_were_to_run_does_not_matter(self):
        """Half of a run may have been asked for by another name of its device."""
        def change(results):
            for i, cell in enumerate(results["cells"]):
                cell["params"].update(backend=("auto", "cpu")[i % 2], device=("auto", "0")[i // 2 % 2])
        for module in (gradient, width, heatmap, throughput):
            self.assertEqual([n for n, _ in self.drawn(module, self.changed(change))],
                             [n for n, _ in self.drawn(module)])

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
        self.assertEqual([(f.name, str(f.subnormal), str(f.normal), str(f.largest)) for f in formats.FORMATS], listed)
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
        path = self.changed(lambda d: d["cells"][0]["summary"]["decades"].update(dead=1))
        texts = [t.get_text() for _, p in self.drawn(heatmap, path) for axes in p.flat for t in axes.texts]
        self.assertIn("of 4: 1 dead", texts)

    def test_dead_median(self):
        def kill(d):
            summary = d["cells"][0]["summary"]
            summary["decades"].update(p05=None, p50=None, dead=3, finite=1)
            summary["decades"]["class"].update(p05="dead", p50="dead")
            summary["verdict"] = "vanishing"
        path = self.changed(kill)
        (cell, *_) = document.read(path).cells
        self.assertEqual(cell.decades().p50, -math.inf)
        texts = [t.get_text() for _, p in self.drawn(heatmap, path) for axes in p.flat for t in axes.texts]
        self.assertIn("▼ dead", texts)
        self.assertIn("of 4: 3 dead", texts)
        self.assertTrue(self.drawn(width, path))

    def test_band_of_lost_replicas(self):
        axes = Figure().subplots()
        axes.set_ylim(-5, 5)
        band = numpy.array([math.nan, math.nan, -1]), numpy.array([2.0, 2.0, 2.0])
        lost = numpy.array([True, True, False]), numpy.array([False] * 3)
        strokes.open_band(axes, numpy.array([1, 2, 3]), band, lost, {"color": "black"})
        extents = [path.get_extents() for drawn in axes.collections for path in drawn.get_paths()]
        self.assertEqual([(e.x0, e.x1, e.y0, e.y1) for e in extents], [(1, 2, -5, 2)])

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
                self.assertIn(f"{heatmap.SIGNS[verdict]} {heatmap._decimal(p50)}".strip(), texts)
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
        self.assertEqual(picture.keys[0].get_label(), "measured: median, p5 .. p95 of the samples")

    def test_throughput_over_rounds(self):
        """Bars are the interval of the median where there are rounds enough for one."""
        def with_interval(document):
            for cell in document["cells"]:
                if "timing" in cell:
                    median = cell["timing"]["median_ns"]
                    cell["timing"]["median_interval_ns"] = [median / 2, median * 4]
        _, picture = self.drawn(throughput, file=self.changed(with_interval), cells="relu/.*/n96/")[0]
        self.assertEqual(picture.keys[0].get_label(), "measured: median, 95 % interval over rounds")
        rates = [self.cell(f"relu/normal/L{n}/n96/")["timing"]["samples_per_s"] for n in (2, 40)]
        ends = [sorted(segment[:, 1]) for bars in picture.axes[0][0].collections for segment in bars.get_segments()]
        for rate in rates:
            self.assertTrue(any(numpy.allclose(end, [rate / 4, rate * 2]) for end in ends), rate)

    def test_jacobian(self):
        _, picture = self.drawn(jacobian)[0]
        for upper, lower in zip(*picture.axes):
            for init in ("orthogonal", "normal"):
                record = self.cell(f"{upper.get_title(loc='left')}/{init}/L4/n12/")["jacobian"]
                self.assertTrue(has_line(upper, record["layers"]["mean"]["mean"], linestyle="-"))
                self.assertTrue(has_line(upper, record["layers"]["largest"]["mean"]))
                smallest = [value if value > 0 else None for value in record["layers"]["smallest"]["mean"]]
                self.assertTrue(has_line(upper, smallest))
                self.assertTrue(has_line(lower, record["lyapunov"]["exponent"]["mean"], linestyle="-"))
            self.assertEqual(upper.get_yscale(), "log")

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

    def test_frameworks_in_words(self):
        """What a framework's name sets needs no words, and what is set beside it does."""
        sweep = self.scratch / "sweep.json"
        sweep.write_text(json.dumps({"blocks": [
            {"model": "rnn", "seq_len": 2, "hidden": 4, "init": "torch_default", "bias_std": [None, 0],
             "stats": "norms"},
            {"model": "rnn", "seq_len": 2, "hidden": 4, "init": "torch_default", "stats": "norms",
             "input_init": "normal"}]}))
        subprocess.run([PROGRAM, "run", sweep, "--out", self.scratch / "named", "--quiet", "--time-limit=0"],
                       env=environment(), check=True, stdout=subprocess.DEVNULL)
        words = [" ".join(params.held_fixed([cell]))
                 for cell in document.read(self.scratch / "named" / "results.json").cells]
        self.assertEqual([("bias std 0" in w, "input normal" in w, "torch_default" in w) for w in words],
                         [(False, False, True), (True, False, True), (False, True, True)])
        self.assertNotIn("input torch_default", words[0])

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


if __name__ == "__main__":
    main()
