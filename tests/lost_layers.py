"""The layer at which a number format loses a network does not depend on the range that
it is run in: random cells in native and extended range say the same. And, where rounding
does not make it another path, both say what a float64 run in native range shows, whose
elements are all there to be counted: its exponents reach from -1074 to 1023.

Vanishing and exploding, until float32 is long lost; what the activation makes zero is
not lost, and what underflowed or overflowed in native range is.
"""
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import unittest

SEED, COUNT = 1, 45
LIMITS = {"f32": (-150, 127), "bf16": (-134, 127), "f16": (-25, 15), "e4m3": (-10, 8), "e5m2": (-17, 15)}
WALKS = {"activation": 1, "delta": -1, "grad_weight": -1}
# neither chaotic nor with tails that float64 holds and float32 does not
JUDGED = ["relu", "leaky_relu", "identity", "sigmoid"]
ACTIVATIONS = JUDGED + ["relu", "sigmoid", "tanh", "gelu", "silu", "selu", "elu", "softsign", "softplus"]


def cell(draw):
    sizes = {"depth": draw.choice([40, 100]), "width": draw.choice([8, 16, 33, 64])}
    if draw.random() < 0.3:
        sizes = {"seq_len": sizes["depth"], "hidden": sizes["width"], "input": sizes["width"],
                 "loss_at": draw.choice(["last", "every"])}
    name = draw.choice(["normal", "normal", "xavier_normal", "he_normal", "scaled"])
    init = {"name": name}
    if name == "normal":
        init["std"] = draw.choice([0.03, 0.3, 1])
    elif name == "scaled":
        init["sigma_w2"] = draw.choice([0.05, 0.3, 3, 20])
    return {"model": "mlp" if "width" in sizes else "rnn", **sizes, "init": init,
            "activation": draw.choice(ACTIVATIONS), "batch": draw.choice([1, 2, 8, 32]),
            "replicas": draw.choice([1, 3]), "seed": draw.randrange(1000)}


def first_lost(layers, form, step):
    """From the histogram: zeros are the activation's."""
    low, high = LIMITS[form]
    histogram = layers["histogram"]
    order = range(len(layers["index"]))[::step]
    for i in order:
        exponent, lost, count = histogram["first_exponent"][i], 0, 0
        for bin_ in histogram["counts"][i]:
            if bin_ < 0:
                exponent -= bin_
                continue
            count += bin_
            lost += 0 if low <= exponent <= high else bin_
            exponent += 1
        if 2 * lost > count:
            return layers["index"][i]
    return None


class LostLayers(unittest.TestCase):
    def run_cells(self, cells, **more):
        with tempfile.TemporaryDirectory(prefix="gradsweep_") as scratch:
            sweep = pathlib.Path(scratch, "sweep.json")
            sweep.write_text(json.dumps({"name": "lost", "blocks": [dict(c, **more) for c in cells]}))
            subprocess.run([os.environ["GRADSWEEP"], "run", sweep, "--backend", "cpu", "--time-limit", "0",
                            "--threads", "1", "--out", scratch, "--quiet"], check=True, stdout=subprocess.DEVNULL,
                           timeout=300)
            found = json.loads(pathlib.Path(scratch, "results.json").read_text())["cells"]
        self.assertEqual([c["error"] for c in found], [None] * len(cells))
        return found

    def test_ranges_agree(self):
        draw = random.Random(SEED)
        cells = [cell(draw) for _ in range(COUNT)]
        extended, native = self.run_cells(cells), self.run_cells(cells, range="native")
        judged = [i for i, c in enumerate(cells) if c["activation"] in JUDGED]
        wide = dict(zip(judged, self.run_cells([cells[i] for i in judged], range="native", dtype="f64")))
        lost, apart = 0, []
        for i, (here, there) in enumerate(zip(extended, native)):
            judge = wide.get(i)
            for quantity, step in WALKS.items():
                self.assertEqual(here["layers"][quantity]["kept"], there["layers"][quantity]["kept"], here["name"])
                for form in LIMITS:
                    a, b = (c["summary"]["first_layer_lost"][quantity][form] for c in (here, there))
                    self.assertEqual(a, b, f"{here['name']}, {quantity}, {form}")
                    if judge is None:
                        continue
                    c = first_lost(judge["layers"][quantity], form, step)
                    lost += c is not None
                    if (a is None) != (c is None) or (a is not None and abs(a - c) > 1):
                        apart.append(f"{here['name']}, {quantity}, {form}: {a}, in float64 {c}")
        self.assertGreater(lost, 2 * COUNT)
        self.assertLessEqual(len(apart), 0.01 * lost, apart)  # half of a layer may be one element

    def test_what_the_run_lost(self):
        relu = {"model": "mlp", "depth": 60, "width": 64, "activation": "relu", "init": {"name": "normal"}}
        sigmoid = {"model": "mlp", "depth": 100, "width": 64, "activation": "sigmoid",
                   "init": {"name": "xavier_normal"}}
        for found, kind in zip(self.run_cells([relu, sigmoid], range="native"), ("inf", "zero")):
            layers, lost = found["layers"]["delta"], found["summary"]["first_layer_lost"]["delta"]["f32"]
            self.assertTrue(1 < lost < found["params"]["depth"] // 2, lost)
            self.assertEqual(layers["log10_norm"]["finite"][0], 0)  # nothing arrived
            self.assertEqual(layers["kept"]["f32"][kind][0], 1)
            by_run = found["summary"]["first_layer_lost_by_run"]
            self.assertIsNotNone(by_run["delta"])
            if kind == "inf":  # forward, an infinity makes all of the next layer NaN
                self.assertTrue(abs(by_run["activation"] - found["summary"]["first_layer_lost"]["activation"]["f32"]) <= 1)
            else:  # sums of what is nearly zero are zero a little before
                self.assertTrue(abs(by_run["delta"] - lost) <= 1, (by_run, lost))
                self.assertIsNone(by_run["activation"])


if __name__ == "__main__":
    if not os.environ.get("GRADSWEEP"):
        print("skipped: set GRADSWEEP to the program to test")
        sys.exit(77)
    unittest.main()
