#!/usr/bin/env python3
"""Times drawing normal numbers in gradsweep and in PyTorch (torch.Tensor.normal_), in
one run and in turns, and prints the ratios.

    cmake --build build/release --target step_server
    tools/peers/pytorch_normals.py --device cuda         2^28 numbers: GOALS.md
    tools/peers/pytorch_normals.py --side 1024           2^20, on the CPU

Needs PyTorch. Both fill a square tensor of the same size and dtype with N(0, 1), by
generators of their own: the numbers differ (gradsweep's are held to their definition by
its tests). gradsweep runs in a process of its own (bench/step_server.c). On a GPU times
are those of events around the fills, on the CPU those of the host's clock. A round times
one, then the other, and yields one ratio PyTorch / gradsweep (above 1: gradsweep is
faster).
"""

import argparse
import os
import pathlib
import statistics
import sys
import time

import torch

import timing
from networks import DTYPES
from pytorch_steps import REST_S, ROOT, same_gpu, write_json
from server import Server, ServerError


def measure(server, dtype, options):
    """Prints one dtype and returns its record."""
    side, ours, theirs = options.side, [], []
    record = {"name": f"normals {side} x {side} {dtype}", "results": []}
    print(f"\n{record['name']}", flush=True)
    try:
        tensor = torch.empty(side, side, dtype=DTYPES[dtype], device=options.device)
        timer = timing.timer_of(options.device)
        timer(tensor.normal_, 0)
        for _ in range(options.rounds):
            ours.append(server.normals(side, side, dtype, options.seconds))
            time.sleep(REST_S)
            theirs.append(timer(tensor.normal_, options.seconds))
            time.sleep(REST_S)
    except (ServerError, torch.OutOfMemoryError) as error:
        record["error"] = str(error).splitlines()[0]
        print(f"  not compared: {record['error']}", flush=True)
        return record
    ratios = [their / our for their, our in zip(theirs, ours)]
    result = {"kind": "normal_", "gradsweep_ns": statistics.median(ours),
              "pytorch_ns": statistics.median(theirs), "ratio": statistics.median(ratios),
              "ratios": ratios}
    record["results"].append(result)
    print(f"  gradsweep {result['gradsweep_ns'] / 1e3:10.0f} us   PyTorch "
          f"{result['pytorch_ns'] / 1e3:10.0f} us   ratio {result['ratio']:6.2f}"
          f"  ({min(ratios):.2f} to {max(ratios):.2f})", flush=True)
    return record


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--side", type=int, default=1 << 14, help="rows and columns (16384)")
    parser.add_argument("--dtype", action="append", choices=["f64", "f32", "bf16", "f16"],
                        help="may be repeated (f32, and on a GPU bf16)")
    parser.add_argument("--server", type=pathlib.Path,
                        default=ROOT / "build/release/bench/step_server")
    parser.add_argument("--device", dest="backend", choices=["cpu", "cuda"], default="cpu",
                        help="which GPU: GRADSWEEP_DEVICE")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each side, in a round")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the results there")
    options = parser.parse_args()
    options.dtype = options.dtype or (["f32", "bf16"] if options.backend == "cuda" else ["f32"])
    return options


def main():
    options = parse_options()
    torch.set_num_threads(options.threads)
    if not options.server.exists():
        sys.exit(f"{options.server} is not there: build the target step_server first")
    server = Server(options.server, options.backend, options.threads)
    try:
        facts = server.device()
        options.device = same_gpu(facts) if options.backend == "cuda" else "cpu"
        print(f"PyTorch {torch.__version__}, {facts['name']}, {options.threads} threads; ratio: "
              f"PyTorch / gradsweep, median of {options.rounds} rounds (least to largest)")
        records = [measure(server, dtype, options) for dtype in options.dtype]
        if options.json:
            write_json(options.json, facts, options, records)
    except ServerError as error:
        sys.exit(str(error))
    finally:
        server.close()
    return 1 if any("error" in record for record in records) else 0


if __name__ == "__main__":
    sys.exit(main())
