#!/usr/bin/env python3
"""Times the same training steps (forward, loss, backward) in gradsweep and in
PyTorch, in one run and in turns, and prints the ratios.

    cmake --build build/release --target step_server
    tools/peers/pytorch_steps.py                         the three cases of GOALS.md
    tools/peers/pytorch_steps.py --sweep bench/sweeps/hardware.json
    tools/peers/pytorch_steps.py --case '{"model": "mlp", "depth": 50, "width": 512}'

Needs PyTorch. For each case gradsweep makes the weights, the input and the
target; PyTorch is given the same numbers, and first of all both must compute the
gradients that PyTorch computes in float64, as far as float32 can. Then the two take turns for some rounds: a round times one, then
the other, and yields one ratio PyTorch / gradsweep (above 1: gradsweep is
faster). gradsweep runs in a process of its own (bench/step_server.c), so that the
thread pools of the two cannot disturb each other; both use the same number of
threads, and each rests while the other is timed.

What is timed: gradsweep's step with statistics off, as in a sweep (weight
gradients are computed in full, but their memory is reused from layer to layer);
in PyTorch autograd.grad of the loss with respect to all weights and biases,
eager, and compiled where --compile-depth allows. Replicas are batched matrix
products (baddbmm) in PyTorch, an RNN is torch.nn.RNN.

Exit code 1 when gradsweep's gradients are further from float64's than PyTorch's.
"""

import argparse
import copy
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

import torch
import torch.nn.functional as F

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
ACTIVATIONS = {
    "identity": lambda z: z,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "selu": F.selu,
    "gelu": F.gelu,
    "silu": F.silu,
    "softsign": F.softsign,
    "softplus": F.softplus,
}


class ServerError(Exception):
    """The step server refused a request."""


class Server:
    """gradsweep, in a process of its own."""

    def __init__(self, program, threads):
        # as the program starts its workers (host/sweep/process.c)
        environment = {"GOMP_SPINCOUNT": "2000", **os.environ, "OMP_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, env=environment)

    def ask(self, request):
        """The words after "ok", and the lines before them."""
        self.process.stdin.write(request + "\n")
        self.process.stdin.flush()
        lines = []
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise ServerError(f"the step server ended during: {request}")
            word, _, rest = line.rstrip("\n").partition(" ")
            if word == "error":
                raise ServerError(rest)
            if word == "ok":
                return rest.split(" "), lines
            lines.append(rest)

    def tensor(self, role, index, path):
        shape, _ = self.ask(f"tensor {role} {index} {path}")
        values = torch.frombuffer(bytearray(path.read_bytes()), dtype=torch.float64)
        return values.reshape([int(n) for n in shape]).to(torch.float32)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class PeerMlp:
    """The network in PyTorch, with gradsweep's numbers."""

    def __init__(self, case, server, path, device):
        layers = case["depth"] if "depth" in case else len(case["widths"]) - 1
        self.mse = case.get("loss", "linear") == "mse"
        self.x = server.tensor("input", 0, path).to(device)
        self.target = server.tensor("target", 0, path).to(device)
        load = lambda role, l: server.tensor(role, l, path).to(device).requires_grad_()
        self.weights = [load("weight", l) for l in range(1, layers + 1)]
        self.biases = ([load("bias", l) for l in range(1, layers + 1)]
                       if case.get("bias_std", 0) > 0 else [])
        self.replicas = len(self.x)
        if self.replicas == 1:
            squeeze = lambda t: t[0].detach().requires_grad_()
            self.x, self.target = self.x[0], self.target[0]
            self.weights = [squeeze(w) for w in self.weights]
            self.biases = [squeeze(b)[0].detach().requires_grad_() for b in self.biases]
        phi = ACTIVATIONS[case["activation"]]
        output = ACTIVATIONS[case.get("output_activation", case["activation"])]
        self.phis = [phi] * (layers - 1) + [output]
        self.names = ([("grad_weight", l) for l in range(1, layers + 1)]
                      + [("grad_bias", l) for l in range(1, len(self.biases) + 1)])
        self.run = self.loss

    def loss(self):
        h = self.x
        for l, (w, phi) in enumerate(zip(self.weights, self.phis)):
            if self.replicas == 1:
                z = F.linear(h, w, self.biases[l] if self.biases else None)
            elif self.biases:
                z = torch.baddbmm(self.biases[l], h, w.transpose(1, 2))
            else:
                z = torch.bmm(h, w.transpose(1, 2))
            h = phi(z)
        if self.mse:
            return 0.5 * ((h - self.target) ** 2).sum()
        return (h * self.target).sum()

    def gradients(self):
        return torch.autograd.grad(self.run(), self.weights + self.biases)

    def in_float64(self):
        """The same network, computed in float64."""
        twin = copy.copy(self)
        double = lambda t: t.detach().double().requires_grad_()
        twin.x, twin.target = self.x.double(), self.target.double()
        twin.weights = [double(w) for w in self.weights]
        twin.biases = [double(b) for b in self.biases]
        twin.run = twin.loss
        return twin


class PeerRnn:
    """torch.nn.RNN with gradsweep's numbers."""

    def __init__(self, case, server, path, device):
        if case.get("replicas", 1) != 1 or not case.get("tied", True) \
                or case["activation"] not in ("tanh", "relu"):
            raise ValueError("torch.nn.RNN has no such network")
        steps, bias = case["seq_len"], case.get("bias_std", 0) > 0
        self.mse = case.get("loss", "linear") == "mse"
        self.every = case.get("loss_at", "last") == "every"
        x = server.tensor("input", 0, path)[0]
        self.x = x.reshape(steps, -1, case["input"]).to(device)
        target = server.tensor("target", 0, path)[0].to(device)
        self.target = target.reshape(-1, self.x.shape[1], case["hidden"])
        self.rnn = torch.nn.RNN(case["input"], case["hidden"], nonlinearity=case["activation"],
                                bias=bias).to(device)
        with torch.no_grad():
            self.rnn.weight_hh_l0.copy_(server.tensor("weight", 1, path)[0])
            self.rnn.weight_ih_l0.copy_(server.tensor("input_weight", 0, path)[0])
            if bias:
                self.rnn.bias_ih_l0.copy_(server.tensor("bias", 0, path)[0, 0])
                self.rnn.bias_hh_l0.zero_()
        self.parameters = [self.rnn.weight_hh_l0, self.rnn.weight_ih_l0]
        self.names = [("grad_weight", 1), ("grad_input", 0)]
        if bias:
            self.parameters.append(self.rnn.bias_ih_l0)
            self.names.append(("grad_bias", 0))

    def gradients(self):
        h, _ = self.rnn(self.x)
        h = h if self.every else h[-1:]
        loss = 0.5 * ((h - self.target) ** 2).sum() if self.mse else (h * self.target).sum()
        return torch.autograd.grad(loss, self.parameters)

    def in_float64(self):
        """The same network, computed in float64."""
        twin = copy.copy(self)
        twin.x, twin.target = self.x.double(), self.target.double()
        twin.rnn = copy.deepcopy(self.rnn).double()
        twin.parameters = [twin.rnn.weight_hh_l0, twin.rnn.weight_ih_l0]
        if len(self.parameters) > 2:
            twin.parameters.append(twin.rnn.bias_ih_l0)
        return twin


def finish(device):
    if device == "cuda":
        torch.cuda.synchronize()


def time_peer(peer, seconds, device):
    """Median nanoseconds of a step, over at least three."""
    samples, end = [], time.perf_counter() + seconds
    while len(samples) < 3 or time.perf_counter() < end:
        start = time.perf_counter_ns()
        peer.gradients()
        finish(device)
        samples.append(time.perf_counter_ns() - start)
    return statistics.median(samples)


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


def name_of(case):
    if case["model"] == "mlp":
        size = f"depth {case['depth']} width {case['width']}"
    else:
        size = f"length {case['seq_len']} hidden {case['hidden']} input {case['input']}"
    replicas = f" x {case['replicas']}" if case.get("replicas", 1) > 1 else ""
    return f"{case['model']} {size} batch {case['batch']}{replicas} {case['activation']}"


def compare(server, timers, rounds, seconds):
    """Medians and ratios of the peers' steps: {name: (theirs_ns, ours_ns, ratios)}."""
    ours, theirs = [], {name: [] for name in timers}
    for _ in range(rounds):
        words, _ = server.ask(f"time {seconds}")
        ours.append(float(words[1]))
        time.sleep(0.05)  # let the other pool's threads go to sleep
        for name, timer in timers.items():
            theirs[name].append(timer())
            time.sleep(0.05)
    return {name: (statistics.median(times), statistics.median(ours),
                   sorted(their / our for their, our in zip(times, ours)))
            for name, times in theirs.items()}


def compiled(peer, case, limit):
    """The peer with its loss compiled, or None and why not."""
    if case["model"] != "mlp":
        return None, "torch.nn.RNN is not compiled"
    if case["depth"] > limit:
        return None, f"deeper than --compile-depth {limit}"
    try:
        peer.run = torch.compile(peer.loss)
        for _ in range(3):
            peer.gradients()
    except Exception as error:  # whatever the compiler stack raises
        peer.run = peer.loss
        return None, f"torch.compile: {str(error).splitlines()[0]}"
    return peer, None


def measure(case, server, options, path):
    """Prints one case; returns (gradients agree, slowest ratio)."""
    asked = dict(case, stats="off", backend=options.device)
    print(f"\n{name_of(case)}", flush=True)
    try:
        server.ask("create " + json.dumps(asked))
    except ServerError as error:
        print(f"  gradsweep: {error}")
        return True, None
    try:
        make = PeerMlp if case["model"] == "mlp" else PeerRnn
        peer = make(case, server, path, options.device)
        ours, theirs = gradient_errors(peer, server, path)
    except ValueError as error:
        print(f"  not compared: {error}")
        return True, None
    kinked = {case["activation"], case.get("output_activation")} & {"relu", "leaky_relu"}
    agree = ours <= max(options.tolerance, 2 * theirs, KINK_TOLERANCE if kinked else 0)
    print(f"  gradients off by {ours:.1e}, PyTorch's by {theirs:.1e}"
          f"{'' if agree else '  TOO MUCH'}", flush=True)
    server.ask("create " + json.dumps(asked))
    for _ in range(2):
        time_peer(peer, 0, options.device)
    server.ask("time 0.05")
    slowest = None
    for kind in ("eager", "compiled"):
        if kind == "compiled":
            peer, reason = compiled(peer, case, options.compile_depth)
            if not peer:
                print(f"  compiled: not run ({reason})")
                continue
        timer = lambda: time_peer(peer, options.seconds, options.device)
        result = compare(server, {kind: timer}, options.rounds, options.seconds)
        theirs, ours, ratios = result[kind]
        ratio = statistics.median(ratios)
        slowest = ratio if slowest is None else min(slowest, ratio)
        print(f"  {kind:8}  gradsweep {ours / 1e3:10.0f} us   PyTorch {theirs / 1e3:10.0f} us   "
              f"ratio {ratio:6.2f}  ({ratios[0]:.2f} to {ratios[-1]:.2f})", flush=True)
    return agree, slowest


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--sweep", type=pathlib.Path, help="the cells of a sweep file")
    parser.add_argument("--case", action="append", type=json.loads, metavar="JSON",
                        help="one network, in a sweep's words; may be repeated")
    parser.add_argument("--server", type=pathlib.Path,
                        default=ROOT / "build/release/bench/step_server")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each side, in a round")
    parser.add_argument("--compile-depth", type=int, default=0, metavar="N",
                        help="also time torch.compile for mlps of at most N layers")
    parser.add_argument("--tolerance", type=float, default=1e-5,
                        help="of the gradients, or twice PyTorch's own error")
    return parser.parse_args()


def main():
    options = parse_options()
    warnings.filterwarnings("ignore", category=UserWarning)
    torch.set_num_threads(options.threads)
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit("PyTorch finds no GPU")
    if not options.server.exists():
        sys.exit(f"{options.server} is not there: build the target step_server first")
    server = Server(options.server, options.threads)
    cases = options.case or GOAL_CASES
    if options.sweep:
        cases = [json.loads(line) for line in server.ask(f"cells {options.sweep}")[1]]
    print(f"PyTorch {torch.__version__}, {options.device}, {options.threads} threads; "
          f"ratio: PyTorch / gradsweep, median of {options.rounds} rounds (least to largest)")
    all_agree, slower, timed = True, [], 0
    with tempfile.TemporaryDirectory() as folder:
        for case in cases:
            agree, ratio = measure(case, server, options, pathlib.Path(folder) / "tensor")
            all_agree = all_agree and agree
            timed += ratio is not None
            if ratio is not None and ratio < 1:
                slower.append((ratio, name_of(case)))
    server.close()
    print(f"\n{timed} cases timed; gradsweep is slower in {len(slower)}"
          f"{'' if all_agree else '; GRADIENTS DIFFER'}")
    for ratio, name in sorted(slower):
        print(f"  {ratio:.2f}  {name}")
    return 0 if all_agree else 1


if __name__ == "__main__":
    sys.exit(main())
