#!/usr/bin/env python3
"""Times the same training steps (forward, loss, backward) in gradsweep and in
PyTorch, in one run and in turns, and prints the ratios.

    cmake --build build/release --target step_server
    tools/peers/pytorch_steps.py                         the three cases of GOALS.md
    tools/peers/pytorch_steps.py --sweep bench/sweeps/hardware.json
    tools/peers/pytorch_steps.py --case '{"model": "mlp", "depth": 50, "width": 512}'
    tools/peers/pytorch_steps.py --device cuda           the GPU's cases of GOALS.md
    tools/peers/pytorch_steps.py --device cuda --filter 'depth 100|rnn' --json peers.json

Needs PyTorch. For each case gradsweep makes the weights, the input and the
target; PyTorch is given the same numbers, and first of all both must compute the
gradients that PyTorch computes in float64, as far as the case's dtype can. Then the
two take turns for some rounds: a round times one, then the other, and yields one
ratio PyTorch / gradsweep (above 1: gradsweep is faster). gradsweep runs in a process
of its own (bench/step_server.c), so that the thread pools of the two cannot disturb
each other; on the CPU both use the same number of threads, and each rests while the
other is timed.

What is timed: gradsweep's step with statistics off, as in a sweep (weight
gradients are computed in full, but their memory is reused from layer to layer);
in PyTorch autograd.grad of the loss with respect to all weights and biases: eager,
compiled where --compile-depth allows, and on a GPU either of them as a CUDA graph.
Replicas are batched matrix products (baddbmm) in PyTorch, an RNN is torch.nn.RNN
(cuDNN's), one with another activation a loop over the steps. On a GPU times are those
of events around several steps, on both sides; gradsweep replays a graph unless the
case says "launch": "eager".

Exit code 1 when gradsweep's gradients are further from float64's than PyTorch's.
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import sys
import tempfile
import time
import warnings

import torch

import networks
import timing
from server import Server, ServerError

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOAL_CASES = [
    {"model": "mlp", "depth": 100, "width": 128, "batch": 64, "activation": "relu",
     "init": "he_normal"},
    {"model": "mlp", "depth": 10, "width": 1024, "batch": 256, "activation": "relu",
     "init": "he_normal"},
    {"model": "rnn", "hidden": 128, "input": 128, "batch": 32, "seq_len": 1000,
     "activation": "tanh", "init": "orthogonal"},
]
# A relu whose pre-activation is within rounding of 0 may fall on either side. In
# wide deep networks a few do, and each moves the gradient of one example by some
# per cent: PyTorch's own float32 gradients are then off by up to 1e-2, too.
KINK_TOLERANCE = 5e-2
REST_S = 0.05  # lets the other side's threads go to sleep


def init_of(activation):
    return "he_normal" if activation == "relu" else "xavier_normal"


def gpu_cases():
    """Wide, deep, recurrent and replicated networks: GOALS.md, "On a GPU"."""
    cases = [{"model": "mlp", "depth": 10, "width": width, "batch": batch, "activation": phi,
              "init": init_of(phi), "dtype": dtype}
             for width in (2048, 4096) for batch in (1024, 2048)
             for phi in ("relu", "tanh", "gelu") for dtype in ("f32", "tf32", "bf16")]
    cases += [{"model": "mlp", "depth": 10, "width": 2048, "batch": 1024, "activation": phi,
               "init": init_of(phi), "dtype": dtype}
              for phi in networks.ACTIVATIONS if phi not in ("relu", "tanh", "gelu")
              for dtype in ("tf32", "bf16")]
    cases += [{"model": "mlp", "depth": depth, "width": width, "batch": batch,
               "activation": "relu", "init": "he_normal"}
              for depth in (100, 1000) for width in (128, 512) for batch in (64, 256)]
    cases += [{"model": "rnn", "hidden": n, "input": n, "seq_len": 1024, "batch": 64,
               "activation": phi, "init": "orthogonal"}
              for n in (256, 1024, 2048) for phi in ("tanh", "relu", "sigmoid")]
    return cases + [{"model": "mlp", "depth": 50, "width": 64, "batch": 32, "replicas": 1024,
                     "activation": "relu", "init": "he_normal"}]


def complete(case):
    """The case with a sweep's defaults for what PyTorch's side reads of it."""
    sizes = {"hidden": 128, "input": 128, "seq_len": 100} if case["model"] == "rnn" else {}
    if case["model"] == "mlp" and "widths" not in case:
        sizes = {"depth": 10, "width": 128}
    return {"batch": 32, "activation": "tanh", **sizes, **case}


def layers_of(case):
    if case["model"] == "rnn":
        return case["seq_len"]
    return case["depth"] if "depth" in case else len(case["widths"]) - 1


def name_of(case):
    """What --filter looks at."""
    if case["model"] == "mlp":
        width = case.get("width", "-".join(map(str, case.get("widths", []))))
        size = f"depth {layers_of(case)} width {width}"
    else:
        size = f"length {case['seq_len']} hidden {case['hidden']} input {case['input']}"
    replicas = f" x {case['replicas']}" if case.get("replicas", 1) > 1 else ""
    words = [f"{case['model']} {size} batch {case['batch']}{replicas} {case['activation']}"]
    words += [case["dtype"]] if case.get("dtype", "f32") != "f32" else []
    words += [f"{key} {case[key]}" for key in ("launch", "loop") if case.get(key, "auto") != "auto"]
    return " ".join(words)


# ---- one case ----


def gradient_errors(peer, server, path):
    """Largest relative errors (Frobenius) of gradsweep's gradients, and of
    PyTorch's, against PyTorch's in float64."""
    server.ask("keep")
    server.ask("step")
    worst = [0.0, 0.0]
    exact = peer.in_float64().gradients()
    for (role, index), reference, theirs in zip(peer.names, exact, peer.gradients()):
        reference = reference.detach().cpu()
        ours = server.tensor(role, index, path).reshape(reference.shape)
        norm = reference.norm().item()
        if not 0 < norm < float("inf"):
            raise ValueError(f"PyTorch's {role} {index} has the norm {norm}: nothing to compare")
        for i, gradient in enumerate((ours, theirs.detach().cpu())):
            error = (gradient.double() - reference).norm().item() / norm
            worst[i] = float("inf") if error != error else max(worst[i], error)
    return worst


def take_turns(server, call, options):
    """Times of both sides and the ratio of each round."""
    ours, theirs, launch = [], [], ""
    timer = timing.timer_of(options.device)
    for _ in range(options.rounds):
        nanoseconds, launch = server.time(options.seconds)
        ours.append(nanoseconds)
        time.sleep(REST_S)
        theirs.append(timer(call, options.seconds))
        time.sleep(REST_S)
    ratios = [their / our for their, our in zip(theirs, ours)]
    return {"gradsweep_ns": statistics.median(ours), "launch": launch,
            "pytorch_ns": statistics.median(theirs), "ratio": statistics.median(ratios),
            "ratios": ratios}


def compare_gradients(case, server, options, path, record):
    """The peer, or None when it does not compute the same network."""
    peer = networks.make_peer(case, server, path, options.device)
    ours, theirs = gradient_errors(peer, server, path)
    kinked = {case["activation"], case.get("output_activation")} & {"relu", "leaky_relu"}
    agree = ours <= max(options.tolerance, 2 * theirs, KINK_TOLERANCE if kinked else 0)
    record.update(gradient_error=ours, pytorch_gradient_error=theirs, agree=agree)
    print(f"  gradients off by {ours:.1e}, PyTorch's by {theirs:.1e}"
          f"{'' if agree else '  TOO MUCH'}", flush=True)
    return peer


def time_case(case, peer, server, options, record):
    server.create(case, options.backend)
    timer = timing.timer_of(options.device)
    timer(peer.gradients, 0)
    server.time(0.05)
    for kind, call, reason in timing.ways(peer, options.device, layers_of(case),
                                          options.compile_depth):
        if not call:
            record["not_run"][kind] = reason
            print(f"  {kind}: not run ({reason})", flush=True)
            continue
        result = take_turns(server, call, options)
        record["results"].append({"kind": kind, **result})
        ratios = sorted(result["ratios"])
        print(f"  {kind:14}  gradsweep {result['gradsweep_ns'] / 1e3:10.0f} us ({result['launch']})"
              f"   PyTorch {result['pytorch_ns'] / 1e3:10.0f} us   ratio {result['ratio']:6.2f}"
              f"  ({ratios[0]:.2f} to {ratios[-1]:.2f})", flush=True)


def measure(case, server, options, path):
    """Prints one case and returns its record."""
    record = {"name": name_of(case), "params": case, "results": [], "not_run": {}}
    print(f"\n{record['name']}", flush=True)
    try:
        server.create(case, options.backend)
        peer = compare_gradients(case, server, options, path, record)
        time_case(case, peer, server, options, record)
    except (ServerError, ValueError, torch.OutOfMemoryError) as error:
        record["error"] = str(error).splitlines()[0]
        print(f"  not compared: {record['error']}", flush=True)
    if options.backend == "cuda":
        torch.cuda.empty_cache()
    return record


# ---- the run ----


def same_gpu(facts):
    """PyTorch's name for the GPU that gradsweep opened."""
    if not torch.cuda.is_available():
        sys.exit("PyTorch finds no GPU")
    plain = lambda uuid: str(uuid).lower().removeprefix("gpu-")
    for i in range(torch.cuda.device_count()):
        uuid = getattr(torch.cuda.get_device_properties(i), "uuid", None)
        if uuid is None or "uuid" not in facts or plain(uuid) == plain(facts["uuid"]):
            torch.cuda.set_device(i)
            return f"cuda:{i}"
    sys.exit(f"PyTorch does not see gradsweep's GPU {facts['uuid']}")


def select_cases(server, options):
    cases = options.case or (gpu_cases() if options.backend == "cuda" else GOAL_CASES)
    if options.sweep:
        cases = server.cells(options.sweep)
    cases = [complete(case) for case in cases]
    if options.filter:
        cases = [case for case in cases if re.search(options.filter, name_of(case))]
    if not cases:
        sys.exit("no case matches --filter")
    return cases


def summarise(records):
    """Prints the end; returns the exit code."""
    slowest = [(min(r["ratio"] for r in record["results"]), record["name"])
               for record in records if record["results"]]
    slower = sorted(entry for entry in slowest if entry[0] < 1)
    agree = all(record.get("agree", True) for record in records)
    print(f"\n{len(slowest)} cases timed; gradsweep is slower in {len(slower)}"
          f"{'' if agree else '; GRADIENTS DIFFER'}")
    for ratio, name in slower:
        print(f"  {ratio:.2f}  {name}")
    return 0 if agree else 1


def write_json(path, facts, options, records):
    document = {"pytorch": torch.__version__, "pytorch_cuda": torch.version.cuda,
                "cudnn": torch.backends.cudnn.version(), "device": facts,
                "threads": options.threads, "rounds": options.rounds, "seconds": options.seconds,
                "ratio": "PyTorch / gradsweep, median of the rounds", "cases": records}
    finite = json.loads(json.dumps(document), parse_constant=lambda _: None)
    path.write_text(json.dumps(finite, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--sweep", type=pathlib.Path, help="the cells of a sweep file")
    parser.add_argument("--case", action="append", type=json.loads, metavar="JSON",
                        help="one network, in a sweep's words; may be repeated")
    parser.add_argument("--filter", metavar="REGEX", help="only cases whose name matches")
    parser.add_argument("--list", action="store_true", help="print the cases' names, run nothing")
    parser.add_argument("--server", type=pathlib.Path,
                        default=ROOT / "build/release/bench/step_server")
    parser.add_argument("--device", dest="backend", choices=["cpu", "cuda"], default="cpu",
                        help="which GPU: GRADSWEEP_DEVICE")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each side, in a round")
    parser.add_argument("--compile-depth", type=int, metavar="N",
                        help="torch.compile for mlps of at most N layers (cpu: 0, cuda: 100)")
    parser.add_argument("--tolerance", type=float, default=1e-5,
                        help="of the gradients, or twice PyTorch's own error")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the results there")
    options = parser.parse_args()
    if options.compile_depth is None:
        options.compile_depth = 100 if options.backend == "cuda" else 0
    return options


def main():
    options = parse_options()
    warnings.filterwarnings("ignore", category=UserWarning)
    torch.set_num_threads(options.threads)
    if not options.server.exists():
        sys.exit(f"{options.server} is not there: build the target step_server first")
    server = Server(options.server, "cpu" if options.list else options.backend, options.threads)
    records = []
    try:
        cases = select_cases(server, options)
        if options.list:
            print("\n".join(map(name_of, cases)))
            return 0
        facts = server.device()
        options.device = same_gpu(facts) if options.backend == "cuda" else "cpu"
        print(f"PyTorch {torch.__version__}, {facts['name']}, {options.threads} threads; ratio: "
              f"PyTorch / gradsweep, median of {options.rounds} rounds (least to largest)")
        with tempfile.TemporaryDirectory() as folder:
            for case in cases:
                records.append(measure(case, server, options, pathlib.Path(folder) / "tensor"))
                if options.json:  # after every case: a run that is cut short leaves the rest
                    write_json(options.json, facts, options, records)
    except ServerError as error:
        sys.exit(str(error))
    finally:
        server.close()
    return summarise(records)


if __name__ == "__main__":
    sys.exit(main())
