"""How far z of cells as predicted is from N(0,1).

Small random cells; z of decades of those within the theory's reach, where the law is exact
and where it is the wide limit's, and the p of counts of the dead. Prints mean, sd and
quantiles, and fails beyond the bounds below. Allowances take no part in z, so a
prediction that is systematically off shows as a wide or a shifted z.

    tests/calibration.py [CELLS [SEED]]     default 1200 cells in the tests
"""
import json
import math
import os
import pathlib
import random
import subprocess
import sys
import tempfile

CELLS, SEED = 1200, 5
QUANTILES = (0.005, 0.05, 0.25, 0.5, 0.75, 0.95, 0.995)
NORMAL = (-2.576, -1.645, -0.674, 0, 0.674, 1.645, 2.576)
# Largest |mean| and range of sd: an exact law's z is standard but for the skew of a few
# networks' mean; the wide limit's has the theory's own error over a standard error of a
# few networks. Chance adds four standard errors of each.
BOUNDS = {"exact": (0.0, 0.97, 1.03), "wide limit": (0.12, 0.85, 1.2)}


def exact_cell(draw):
    return {"model": "mlp", "activation": draw.choice(["relu", "relu", "identity"]), "batch": 1,
            "widths": [[draw.randint(1, 40) if draw.random() < 0.5 else 24 for _ in range(draw.randint(3, 10))]],
            "init": draw.choice(["he_normal", "orthogonal", "xavier_normal", "normal"])}


def wide_cell(draw):
    init = draw.choice(["xavier_uniform", "he_uniform", "lecun_normal", "orthogonal",
                        {"name": "scaled", "sigma_w2": draw.choice([0.7, 1.5, 2.5])}])
    cell = {"activation": draw.choice(["tanh", "sigmoid", "relu", "elu", "gelu", "selu", "leaky_relu", "softsign"]),
            "init": init, "batch": draw.choice([1, 1, 4]), "bias_std": draw.choice([0, 0, 0.2])}
    if draw.random() < 0.7:
        return {"model": "mlp", "width": draw.choice([24, 40, 64]), "depth": draw.randint(2, 8), **cell}
    return {"model": "rnn", "hidden": draw.choice([24, 40, 64]), "input": 24, "seq_len": draw.randint(2, 8),
            "tied": draw.random() < 0.5, **cell}


def cells_of(program, count, seed):
    draw = random.Random(seed)
    blocks = [{**(exact_cell if i % 2 else wide_cell)(draw), "replicas": draw.choice([24, 48]),
               "seed": draw.randint(1, 10**9), "stats": "norms"} for i in range(count)]
    with tempfile.TemporaryDirectory(prefix="gradsweep_") as scratch:
        path = pathlib.Path(scratch, "calibration.json")
        path.write_text(json.dumps({"name": "calibration", "blocks": blocks}))
        subprocess.run([program, "run", path, "--backend", "cpu", "--time-limit", "0", "--quiet", "--out",
                        pathlib.Path(scratch, "out")], check=False, stdout=subprocess.DEVNULL, timeout=500)
        return json.loads(pathlib.Path(scratch, "out", "results.json").read_text())["cells"]


def describe(name, values):
    values = sorted(values)
    count = len(values)
    mean = sum(values) / count
    sd = math.sqrt(sum((v - mean) ** 2 for v in values) / (count - 1))
    shown = [values[min(int(q * count), count - 1)] for q in QUANTILES]
    print(f"{name}: {count} cells, mean {mean:.3f}, sd {sd:.3f}; quantiles "
          + ", ".join(f"{q:g}: {v:.2f} ({n:.2f})" for q, v, n in zip(QUANTILES, shown, NORMAL)))
    return mean, sd


def check(cells):
    good = True
    for validity, (largest, min_sd, max_sd) in BOUNDS.items():
        inside = [c for c in cells if c["theory"]["validity"] == validity]
        z = [c["agreement"]["decades"]["z"] for c in inside]
        z = [value for value in z if value is not None]
        good &= len(z) >= len(cells) // 5
        mean, sd = describe(validity, z)
        chance = 4 / math.sqrt(len(z))
        good &= abs(mean) <= largest + chance and min_sd - chance / 2 <= sd <= max_sd + chance / 2
        off = [c["name"] + ": " + c["agreement"]["message"] for c in inside if c["agreement"]["verdict"] == "off"]
        print("\n".join(off))
        good &= len(off) <= 3 + 0.002 * len(inside)
    deaths = [c["agreement"]["decades"]["dead"] for c in cells
              if c["theory"]["validity"] == "exact" and c["agreement"]["decades"]["dead"]["expected"] >= 3
              and c["agreement"]["decades"]["dead"]["expected_share"] <= 0.9]
    mean, sd = describe("dead, exact", [d["z"] for d in deaths])
    return good and abs(mean) <= 4 / math.sqrt(len(deaths)) and abs(sd - 1) <= 3 / math.sqrt(len(deaths))


def main():
    if not os.environ.get("GRADSWEEP"):
        print("skipped: set GRADSWEEP to the program to test")
        return 77
    count = int(sys.argv[1]) if len(sys.argv) > 1 else CELLS
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else SEED
    return 0 if check(cells_of(os.environ["GRADSWEEP"], count, seed)) else 1


if __name__ == "__main__":
    sys.exit(main())
