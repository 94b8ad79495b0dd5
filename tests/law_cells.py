"""Random cells where networks die or have few units: none may be off but by chance.

Relu and linear mlps of 1 to 24 units, identity weights in mlps and rnns with few and many
inputs, every parameter that may take a cell out of its law's domain. A law has its
domain and its share of dead networks, so every cell is as predicted or outside reach,
and enough of each kind are as predicted.

    tests/law_cells.py [CELLS [SEED]]
"""
import collections
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

CELLS, SEED = 500, 9


def recurrent(draw):
    identity = ["identity"] * 6 + [{"name": "identity", "gain": draw.choice([0.9, 1.1])}]
    return {"model": "rnn", "hidden": draw.choice([1, 2, 3, 5, 8, 16, 33, 64, 128]),
            "input": draw.choice([1, 2, 3, 8, 64]), "seq_len": draw.choice([1, 2, 3, 5, 10, 30, 100]),
            "activation": draw.choice(["relu"] * 5 + ["identity"]), "init": draw.choice(identity),
            "batch": draw.choice([1, 2, 4, 8, 32]), "replicas": draw.choice([1, 8, 32]),
            "tied": draw.random() < 0.7, "loss_at": draw.choice(["last"] * 6 + ["every"]),
            "bias_std": draw.choice([0] * 6 + [0.1]),
            "input_init": draw.choice([{"name": "scaled", "sigma_w2": 3}, "normal", "he_normal", "orthogonal",
                                       "he_uniform"])}


def mlp(draw):
    count = draw.choice([1, 2, 3, 5, 10, 30]) + 1
    width = draw.choice([1, 2, 3, 4, 5, 6, 8, 9, 12, 16, 24])
    identity = draw.random() < 0.2
    alike = identity or draw.random() < 0.6
    cell = {"model": "mlp", "batch": draw.choice([1, 1, 1, 2, 8]), "replicas": draw.choice([1, 4, 32, 500, 2000]),
            "widths": [[width if alike else draw.randint(1, 20) for _ in range(count)]],
            "init": "identity" if identity else draw.choice(["he_normal", "normal", "orthogonal", "he_uniform",
                                                             "he_truncated", "lecun_normal"]),
            "activation": draw.choice(["relu"] * 4 + ["identity", "leaky_relu", "gelu", "elu"]),
            "bias_std": draw.choice([0, 0, 0, 0.5])}
    if draw.random() < 0.3:
        cell["output_activation"] = draw.choice(["identity", "relu", "tanh", "sigmoid", "leaky_relu"])
    return cell


def main():
    if not os.environ.get("GRADSWEEP"):
        print("skipped: set GRADSWEEP to the program to test")
        return 77
    count = int(sys.argv[1]) if len(sys.argv) > 1 else CELLS
    draw = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else SEED)
    blocks = [{**(recurrent if i % 2 else mlp)(draw), "seed": draw.randint(1, 10**9), "stats": "norms",
               "dtype": draw.choice(["f32", "f32", "f64"])} for i in range(count)]
    with tempfile.TemporaryDirectory(prefix="gradsweep_") as scratch:
        path = pathlib.Path(scratch, "laws.json")
        path.write_text(json.dumps({"name": "laws", "blocks": blocks}))
        subprocess.run([os.environ["GRADSWEEP"], "run", path, "--backend", "cpu", "--time-limit", "0", "--quiet",
                        "--out", pathlib.Path(scratch, "out")], check=False, stdout=subprocess.DEVNULL, timeout=500)
        cells = json.loads(pathlib.Path(scratch, "out", "results.json").read_text())["cells"]
    kinds = collections.Counter()
    good = len(cells) == count
    chances = 0
    for cell in cells:
        agreement = cell["agreement"]
        kinds[cell["params"]["model"], cell["theory"]["validity"], agreement["verdict"]] += 1
        if agreement["verdict"] == "off":
            print(cell["name"], agreement["message"])
            chances += 1
    for kind, number in sorted(kinds.items()):
        print(*kind, number)
    enough = min(kinds["mlp", "exact", "as predicted"], kinds["rnn", "exact", "as predicted"])
    return 0 if good and chances <= count // 1000 and enough >= count // 20 else 1


if __name__ == "__main__":
    sys.exit(main())
