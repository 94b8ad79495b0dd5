"""Whether a run says that the machine was busy, beside busy loops, and does not without
them. Not a test of every build: its answer is the machine's as well. By hand, on a machine
that has nothing else to do:

    GRADSWEEP=build/release/gradsweep python3 tests/endtoend/busy_machine.py [COUNT]

runs every kind of sweep COUNT times (20) without and with one busy loop for each
processor; the exit code is 1 when any of them was wrong.
"""
import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile

PROGRAM = os.environ.get("GRADSWEEP")
SWEEPS = {
    "small": ["mlp", "--depth=10", "--width=32", "--batch=8"],
    "small, one thread": ["mlp", "--depth=10", "--width=32", "--batch=8", "--threads=1"],
    "usual": ["mlp", "--depth=20", "--width=128", "--replicas=16"],
    "large": ["mlp", "--depth=20", "--width=1024", "--batch=128", "--stats=off"],
    "recurrent": ["rnn", "--seq-len=100", "--hidden=128", "--batch=8", "--replicas=8"],
    "short": ["mlp", "--depth=5", "--width=64", "--min-time=0.1", "--time-limit=0.2"],
}


def run(cells):
    """Whether it said so, and the largest share of time that a cell was held up."""
    with tempfile.TemporaryDirectory(prefix="gradsweep_") as scratch:
        done = subprocess.run([PROGRAM, "run", *cells, "--quiet", "--out", scratch], capture_output=True, text=True,
                              check=True)
        document = json.loads(pathlib.Path(scratch, "results.json").read_text(encoding="utf-8"))
    shares = [cell["timing"]["held_up_share"] for cell in document["cells"]]
    return "machine: busy" in done.stdout, max(share or 0 for share in shares)


def main():
    if not PROGRAM:
        print("set GRADSWEEP to the program to test")
        return 77
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    processors = len(os.sched_getaffinity(0))
    wrong = 0
    for busy in (False, True):
        loops = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(processors if busy else 0)]
        try:
            for name, cells in SWEEPS.items():
                runs = [run(cells) for _ in range(count)]
                said = collections.Counter(answer for answer, _ in runs)
                shares = sorted(share for _, share in runs)
                wrong += said[not busy]
                print(f"{len(loops)} busy loops, {name}: busy {said[True]} of {count}, held up"
                      f" {100 * shares[0]:.1f}% .. {100 * shares[-1]:.1f}%", flush=True)
        finally:
            for loop in loops:
                loop.kill()
                loop.wait()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
