"""Networks with norms and residual connections against an independent simulation in float64
(tests/data/cases.json): what a plain run records, over 16 networks, is within four standard
errors of the means there. s^k is the stream, g^k its gradient, K blocks of m layers:

  decades_delta            log10 |delta| of the first block's first layer over the last block's
  decades_stream           log10 |g^0|/|g^K|
  log10_h_out_over_x       log10 |s^K|/|s^0|
  bulk_decades_per_layer   minus the slope of log10 |g^k| from k = K/4 to 3K/4
"""
import json
import math
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "endtoend"))
from program import SOURCE, ProgramTest, main  # noqa: E402

CASES = json.loads((SOURCE / "tests/data/cases.json").read_text())["cases"]


def slope(values, first, last):
    xs = range(first, last + 1)
    middle = sum(xs) / len(xs)
    return sum((x - middle) * values[x] for x in xs) / sum((x - middle)**2 for x in xs)


def metrics(cell):
    layers, params = cell["layers"], cell["params"]
    g, s, delta = (layers[key]["log10_norm"]["mean"] for key in ("grad_stream", "stream", "delta"))
    blocks, m = len(g) - 1, params.get("block", 1)
    found = {"decades_stream": g[0] - g[-1], "log10_h_out_over_x": s[-1] - s[0],
             "bulk_decades_per_layer": -slope(g, blocks // 4, 3 * blocks // 4)}
    if delta[0] is not None:  # all of them are 0 where branches are
        found["decades_delta"] = delta[0] - delta[-m]
    return found


class Cases(ProgramTest):
    def run_blocks(self, *blocks):
        path = self.scratch / "sweep.json"
        path.write_text(json.dumps({"blocks": [{"model": "mlp", **block} for block in blocks]}))
        done = self.program("run", path, "--time-limit", "0", "--threads", "1", "--out", self.out)
        self.assert_code(done, 0)
        return self.results()["cells"]

    def test_means(self):
        cells = self.run_blocks(*({**case["cell"], "replicas": 16} for case in CASES))
        for case, cell in zip(CASES, cells):
            found = metrics(cell)
            for metric, (expected, allowed) in case["expected"].items():
                off = found[metric] - expected
                self.assertTrue(abs(off) <= allowed + 1e-12,
                                f"{case['name']} {cell['name']}: {metric} {found[metric]}, not {expected}")
            self.assertEqual(cell["agreement"]["verdict"], "outside reach")

    def test_decades_are_the_stream_s(self):
        """At the start a rezero net is the identity: exactly 0 decades. Of a net with norms alone
        decades are delta's, as of any other."""
        small = {"depth": 12, "width": 9, "batch": 3, "replicas": 4}
        rezero, plain, normed = self.run_blocks({**small, "residual": "rezero"},
                                                {**small, "residual": "plain"}, {**small, "norm": "rms"})
        self.assertEqual(rezero["summary"]["decades"]["values"], [0] * 4)
        self.assertEqual(rezero["summary"]["verdict"], "stable")
        self.assertEqual(rezero["layers"]["delta"]["zero_share"], [1] * 12)
        self.assertEqual(rezero["layers"]["stream"]["index"], list(range(7)))
        mean = plain["layers"]["grad_stream"]["log10_norm"]["mean"]
        self.assertAlmostEqual(plain["summary"]["decades"]["mean"], mean[0] - mean[-1], delta=1e-12)
        self.assertAlmostEqual(plain["summary"]["decades_per_layer"]["mean"], (mean[0] - mean[-1]) / 6,
                               delta=1e-12)
        mean = normed["layers"]["delta"]["log10_norm"]["mean"]
        self.assertAlmostEqual(normed["summary"]["decades"]["mean"], mean[0] - mean[-1], delta=1e-12)

    def test_the_table_says_whose_decades(self):
        for residual, said in (("none", 0), ("none,plain", 1)):
            done = self.program("run", "mlp", "--depth=4", "--width=8", f"--residual={residual}", "--time-limit=0",
                                "--out", self.scratch / residual)
            self.assert_code(done, 0)
            self.assertEqual(done.stdout.count("decades of residual networks: "), said)

    def test_two_examples_are_plus_and_minus_one(self):
        """Batch norm of two examples: y = +-1, less what epsilon does, and hardly a gradient."""
        (cell,) = self.run_blocks({"depth": 3, "width": 8, "batch": 2, "norm": "batch", "norm_at": "h",
                                   "dtype": "f64", "activation": "identity", "init": "lecun_normal"})
        norm = cell["layers"]["activation"]["log10_norm"]["mean"]
        for at in norm:
            self.assertAlmostEqual(at, math.log10(math.sqrt(16)), delta=0.03)
        delta = cell["layers"]["delta"]["log10_norm"]["mean"]
        self.assertLess(delta[0] - delta[2], -2)

    def test_lsuv(self):
        """z has variance 1 in every layer, biases or not: of linear units h is z."""
        linear = {"depth": 5, "width": 24, "batch": 16, "replicas": 3, "activation": "identity", "lsuv": True}
        for cell in self.run_blocks({**linear, "init": {"name": "normal", "std": 0.01}, "bias_std": [0, 0.3]},
                                    {**linear, "init": {"name": "normal", "std": 1e12}, "dtype": "f64"}):
            norm = cell["layers"]["activation"]["log10_norm"]
            for mean in norm["mean"]:  # the mean of z, which is not taken off, is small beside it
                self.assertAlmostEqual(mean, math.log10(math.sqrt(24 * 16)), delta=0.03)
            self.assertEqual(cell["agreement"]["verdict"], "outside reach")

    def test_bad_input(self):
        for words, *fragments in (
                (["--residual", "plain", "--widths", "8,9,7"], "residual", "8 units", "7 of layer 2"),
                (["--residual", "plain", "--input", "7", "--width", "8"], "residual", "7 units"),
                (["--residual", "scaled", "--output", "7"], "residual", "7 of layer 10"),
                (["--residual", "plain", "--block", "3"], "blocks of 3", "depth of 10"),
                (["--residual", "plain", "--output-activation", "relu"], "output_activation"),
                (["--residual", "skip"], "residual", "rezero"),
                (["--block", "1"], "block", "residual"),
                (["--residual", "plain", "--residual-scale", "0.5"], "residual-scale", "scaled"),
                (["--residual", "scaled", "--residual-scale", "-1"], "residual-scale", "at least 0"),
                (["--norm", "layer", "--widths", "8,1,8"], "norm layer", "two units"),
                (["--norm", "rms", "--width", "1"], "norm rms", "two units"),
                (["--norm", "batch", "--batch", "1"], "norm batch", "two examples"),
                (["--norm", "layer", "--norm-at", "stream"], "norm_at stream", "residual"),
                (["--norm", "layer", "--norm-at", "branch", "--residual", "plain", "--width", "1"],
                 "norm layer", "two units"),
                (["--norm-at", "h"], "norm-at", '"norm"'),
                (["--norm", "layer", "--jacobian", "true"], "jacobian", "norms"),
                (["--lsuv", "true", "--dtype", "f16"], "lsuv", "f16")):
            done = self.program("run", "mlp", *words, "--out", self.out)
            self.assert_one_line(done, 64, *fragments)
        done = self.program("run", "rnn", "--norm", "layer", "--out", self.out)
        self.assert_one_line(done, 64, "norm")
        for block in ({"residual": "plain", "widths": [8, 9, 7]}, {"norm": "batch", "batch": 1},
                      {"norm": "layer", "width": 1}):
            path = self.scratch / "bad.json"
            path.write_text(json.dumps({"blocks": [{"model": "mlp", **block}]}))
            self.assert_one_line(self.program("run", path, "--out", self.out), 65, "blocks[0]")


if __name__ == "__main__":
    main()
