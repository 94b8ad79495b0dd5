"""Exact laws and atoms against networks that numpy draws and differentiates by itself.

Relu mlps (every width; biases; a linear output layer) and relu rnns of identity weights
with few and many inputs: mean and sd of log10 of the first delta's norm over the last's
among the living, and the share of the dead, beside `gradsweep theory --json`.
"""
import json
import math
import os
import subprocess
import sys

import numpy as np

draw = np.random.default_rng(20240611)


def predict(arguments):
    done = subprocess.run([os.environ["GRADSWEEP"], "theory", *arguments.split(), "--json"],
                          check=True, capture_output=True, text=True)
    document = json.loads(done.stdout)
    cell = document["cells"][0] if "cells" in document else document
    return cell.get("theory", cell)


def orthogonal(networks, n, m):
    q, r = np.linalg.qr(draw.standard_normal((networks, max(n, m), min(n, m))))
    q = q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None, :]
    return q if n >= m else q.transpose(0, 2, 1)


def mlp(networks, widths, orthogonal_weights, bias, linear_output):
    """Squared norms of the first and the last delta, batch 1."""
    h = draw.standard_normal((networks, widths[0]))
    weights, masks = [], []
    for layer, (m, n) in enumerate(zip(widths, widths[1:])):
        w = (orthogonal(networks, n, m) if orthogonal_weights
             else draw.standard_normal((networks, n, m)) * math.sqrt(2 / m))
        z = np.einsum("rij,rj->ri", w, h) + bias * draw.standard_normal((networks, n))
        linear = linear_output and layer == len(widths) - 2
        mask = np.ones_like(z) if linear else (z > 0) * 1.0
        h = z * mask
        weights.append(w)
        masks.append(mask)
    delta = draw.standard_normal(h.shape) * masks[-1]
    last = (delta ** 2).sum(1)
    for w, mask in zip(weights[:0:-1], masks[-2::-1]):
        delta = np.einsum("rij,ri->rj", w, delta) * mask
    return (delta ** 2).sum(1), last


def irnn(networks, hidden, inputs, batch, steps):
    u = draw.standard_normal((networks, hidden, inputs))
    h = np.zeros((networks, batch, hidden))
    alive = np.ones(h.shape, bool)
    for _ in range(steps):
        z = h + draw.standard_normal((networks, batch, inputs)) @ u.transpose(0, 2, 1)
        up = z > 0
        h = z * up
        alive &= up
    g2 = draw.standard_normal(h.shape) ** 2
    return (g2 * alive).sum((1, 2)), (g2 * up).sum((1, 2))


def compare(name, first, last, theory, slack, sd_slack):
    """slack: decades, beside five standard errors; sd_slack: share."""
    living = first > 0
    decades = 0.5 * np.log10(first[living] / last[living])
    networks, count = len(first), living.sum()
    expected = theory["decades"]
    share = expected["dead"]
    spread = math.sqrt(share * (1 - share) / networks) + 1 / networks
    dead = 1 - count / networks
    mean, sd = decades.mean(), decades.std(ddof=1)
    print(f"{name}: mean {mean:.4f} ({expected['typical']:.4f}), sd {sd:.4f} ({expected['sd']:.4f}), "
          f"dead {dead:.4f} ({theory['dead_law']} {share:.4f}), {theory['validity']}")
    good = abs(mean - expected["typical"]) <= 5 * sd / math.sqrt(count) + slack
    kurtosis = ((decades - mean) ** 4).mean() / sd ** 4
    good &= abs(sd / expected["sd"] - 1) <= 5 * math.sqrt((kurtosis - 1) / (4 * count)) + sd_slack
    below = dead <= share + 5 * spread
    good &= below and (theory["dead_law"] == "at most" or dead >= share - 5 * spread)
    return bool(good)


def main():
    if not os.environ.get("GRADSWEEP"):
        print("skipped: set GRADSWEEP to the program to test")
        return 77
    good = True
    for widths, square, bias, linear in (([3, 4, 2, 5, 3], False, 0, False), ([1, 1, 1, 1], False, 0, False),
                                         ([4] * 9, True, 0, False), ([2, 5, 3, 6, 4], True, 0, True),
                                         ([9] * 41, False, 0, False)):
        networks = 40000 if len(widths) < 20 else 6000
        first, last = mlp(networks, widths, square, bias, linear)
        theory = predict(f"mlp --widths {','.join(map(str, widths))} --activation relu --batch 1 --init "
                         + ("orthogonal" if square else "he_normal")
                         + (" --output-activation identity" if linear else ""))
        good &= theory["validity"] == "exact" and theory["dead_law"] == "exact"
        good &= compare(f"mlp {widths[:5]}", first, last, theory, 0, 0)
    first, last = mlp(20000, [16, 4, 3, 5], False, 0.5, False)  # atoms alone: moments are outside reach
    share = predict("mlp --widths 16,4,3,5 --activation relu --batch 1 --init he_normal --bias-std 0.5")["decades"]["dead"]
    print(f"biases: dead {np.mean(first == 0):.4f}, expected {share:.4f}")
    good &= abs(np.mean(first == 0) - share) <= 5 * math.sqrt(share * (1 - share) / 20000)
    for hidden, inputs, batch, steps in ((16, 1, 64, 20), (16, 2, 32, 20), (16, 8, 16, 20), (32, 32, 8, 20),
                                         (1, 1, 96, 5), (24, 3, 16, 1)):
        theory = predict(f"rnn --hidden {hidden} --input {inputs} --batch {batch} --seq-len {steps} "
                         "--activation relu --init identity")
        if steps == 1:
            good &= theory["decades"]["typical"] == 0 and theory["decades"]["sd"] == 0
            continue
        good &= theory["validity"] == "exact"
        first, last = irnn(1500, hidden, inputs, batch, steps)
        good &= compare(f"irnn {hidden, inputs, batch, steps}", first, last, theory, 0.006, 0.06)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
