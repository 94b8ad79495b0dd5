"""The kernels as g++ compiles them and as nvcc does: one sweep by both, on simulated GPUs.

In f32 and f16 every number of every record is the same, to the last digit: the weights'
hashes, losses, norms, exponents, histograms. The two programs share the runtime and
nothing of what compiles kernels, so what they agree on is what the sources say.

  same_bits.py PROGRAM PTX_PROGRAM
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "endtoend"))
from program import without_times  # noqa: E402

ACTIVATIONS = ["identity", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu", "gelu", "silu",
               "softsign", "softplus"]
INITS = ["normal", "scaled", "he_normal", "he_uniform", "he_truncated", "he_truncated_uncorrected",
         "xavier_normal", "xavier_uniform", "lecun_normal", "torch_default", "keras_default",
         "orthogonal", "identity"]
DTYPES = ["f32", "f16"]
MLP = {"model": "mlp", "batch": 5, "replicas": 2, "bias_std": 0.1, "stats": "full", "dtype": DTYPES}
RNN = {"model": "rnn", "batch": 3, "replicas": 2, "bias_std": 0.1, "stats": "full", "dtype": DTYPES}
SWEEP = {
    "timing": {"time_limit_s": 0},
    "blocks": [
        dict(MLP, depth=3, width=13, activation=ACTIVATIONS, range=["native", "extended"]),
        dict(MLP, depth=2, width=16, activation="tanh", init=INITS),
        dict(MLP, depth=40, width=[1, 33], activation=["relu", "tanh"], init="normal", loss="mse"),
        dict(RNN, seq_len=5, hidden=11, input=7, activation=ACTIVATIONS,
             loop=["steps", "persistent"]),
        dict(RNN, seq_len=30, hidden=[1, 40], input=3, activation=["relu", "tanh"], init=INITS[-2:],
             loop=["steps", "persistent"], loss_at="every"),
        dict(RNN, seq_len=3, hidden=130, input=9, activation=["silu", "relu"],
             loop=["steps", "persistent"]),
    ],
}


def records(program, folder):
    sweep = folder / "sweep.json"
    sweep.write_text(json.dumps(SWEEP), encoding="utf-8")
    out = folder / pathlib.Path(program).name
    done = subprocess.run([program, "run", sweep, "--backend=cuda", "--out", out], text=True,
                          capture_output=True, check=False,
                          env={**os.environ, "GRADSWEEP_SIM_CAPABILITY": "90"})
    if done.returncode:
        sys.exit(done.stderr)
    document = json.loads((out / "results.json").read_text(encoding="utf-8"))
    return without_times(document)["cells"]


def differences(one, other, path=""):
    """Where two values of JSON are not the same."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for key, value in one.items():
            yield from differences(value, other[key], f"{path}.{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for i, value in enumerate(one):
            yield from differences(value, other[i], f"{path}[{i}]")
    elif json.dumps(one) != json.dumps(other):
        yield f"{path}: {one}, {other}"


def check_the_check():
    same = {"a": [1.5, None, {"b": "c"}]}
    assert not list(differences(same, json.loads(json.dumps(same))))
    for other in ({"a": [1.5, None, {"b": "d"}]}, {"a": [1.5000000000000002, None, {"b": "c"}]},
                  {"a": [1.5, None]}, {"a": [1.5, 0.0, {"b": "c"}]}, {}):
        assert list(differences(same, other)), other


def main(program, ptx_program):
    check_the_check()
    with tempfile.TemporaryDirectory(prefix="gradsweep_") as folder:
        one, other = (records(each, pathlib.Path(folder)) for each in (program, ptx_program))
    problems = [f"{cell['name']}{where}" for cell, ptx in zip(one, other, strict=True)
                for where in differences(cell, ptx)]
    ran = sum(cell["status"] == "ok" for cell in one)
    print("\n".join(problems[:20]))
    print(f"{len(one)} cells, {ran} of them run, {len(problems)} numbers that differ")
    return 1 if problems or ran != len(one) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
