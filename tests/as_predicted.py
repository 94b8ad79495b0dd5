"""The shipped sweeps against the theory: of the cells of width 64 or more in
default.json and width.json at least 95 % are as predicted, none is off, and each
other one says why it is outside the theory's reach."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

SWEEPS = pathlib.Path(__file__).resolve().parents[1] / "bench" / "sweeps"
MIN_WIDTH = 64
MIN_SHARE = 0.95


def cells_of(program, name):
    with tempfile.TemporaryDirectory(prefix="gradsweep_") as out:
        subprocess.run([program, "run", SWEEPS / f"{name}.json", "--backend", "cpu", "--time-limit", "0",
                        "--out", out, "--overwrite", "--quiet"],
                       check=True, stdout=subprocess.DEVNULL, timeout=500)
        return json.loads(pathlib.Path(out, "results.json").read_text())["cells"]


def main():
    if not os.environ.get("GRADSWEEP"):
        print("skipped: set GRADSWEEP to the program to test")
        return 77
    cells = [c for name in ("default", "width") for c in cells_of(os.environ["GRADSWEEP"], name)]
    wide = [c for c in cells if c["params"].get("width", c["params"].get("hidden")) >= MIN_WIDTH]
    faults = [f"{c['name']}: {c['status']}" for c in cells if c["status"] != "ok"]
    others = [c for c in wide if c["agreement"]["verdict"] != "as predicted"]
    for cell in others:
        agreement = cell["agreement"]
        print(f"{cell['name']}: {agreement['verdict']}: {agreement['message']}")
        if agreement["verdict"] == "off" or not agreement["message"]:
            faults.append(f"{cell['name']}: not explained")
    share = 1 - len(others) / len(wide)
    print(f"{len(wide) - len(others)} of {len(wide)} cells are as predicted ({share:.1%})")
    if not (len(wide) >= 80 and share >= MIN_SHARE):
        faults.append(f"fewer than {MIN_SHARE:.0%}")
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
