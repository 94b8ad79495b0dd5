"""What kernels execute, against a committed budget.

count_instructions launches kernels with fixed shapes and data and counts, in the PTX that
nvcc made of them, every instruction that every thread executes. Nothing is measured and
nothing is left to chance, so the budget (tests/data/instruction_budget.txt) has to be met
exactly: more is a kernel that got slower, less a budget that no longer says what is true.

  instructions.py PROGRAM            compare
  instructions.py PROGRAM --write    make what is there now the budget

Exit code 77: the budget is another compiler's.
"""
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from kernel_resources import BUILD, ROOT, compiler_version  # noqa: E402

BUDGET = ROOT / "tests/data/instruction_budget.txt"
HEADER = """\
# What kernels execute, in PTX (tests/ptx_on_cpu/instructions.py makes and compares this):
# a launch's kernel, its tensor's elements, instructions, and these for each element;
# fences; of one thread, most instructions before its first 16-byte load from global memory,
# and most loads from there before it.
# nvcc {}
"""


def kernel_of(mangled):
    """_ZN2gs9fill_unit11fill_kernelI... -> fill_kernel"""
    shown = subprocess.run(["c++filt", "-p", mangled], text=True, capture_output=True, check=True)
    return shown.stdout.strip().split("<")[0].split("::")[-1]


def read_counts(text):
    """{launch and kernel: [elements, instructions, fences, to data, loads before]}"""
    counts = {}
    for line in text.splitlines():
        launch, kernel, *numbers = line.split()
        counts[f"{launch} {kernel_of(kernel)}"] = [int(n) for n in numbers]
    return counts


def shown(name, numbers):
    elements, instructions, *rest = numbers
    return f"{name} {elements} {instructions} {instructions / elements:.2f} " + " ".join(
        str(n) for n in rest)


def faults(found, budget):
    wanted = {tuple(line.split()[:2]): line for line in budget.splitlines()
              if line.strip() and not line.startswith("#")}
    for line in found:
        allowed = wanted.pop(tuple(line.split()[:2]), None)
        if line != allowed:
            yield f"{line}\n  the budget: {allowed or 'nothing'}"
    yield from (f"not launched: {line}" for line in wanted.values())


def check_the_check():
    line = shown("fill.f32.normal fill_kernel", [8, 36, 0, 0, 0])
    assert line == "fill.f32.normal fill_kernel 8 36 4.50 0 0 0", line
    assert not list(faults([line], f"# words\n{line}\n"))
    for other in ("", line.replace("36", "35"), line.replace("36", "37"), f"{line}\nb c 1 1 1.00 0 0 0"):
        assert list(faults([line], other)), other


def main(program, *arguments):
    check_the_check()
    version = compiler_version(BUILD)
    text = subprocess.run([program], text=True, capture_output=True, check=True).stdout
    found = [shown(name, numbers) for name, numbers in sorted(read_counts(text).items())]
    if arguments == ("--write",):
        BUDGET.write_text(HEADER.format(version) + "\n".join(found) + "\n", encoding="utf-8")
        return 0
    budget = BUDGET.read_text(encoding="utf-8")
    if f"# nvcc {version}\n" not in budget:
        print(f"skipped: the budget is another compiler's than nvcc {version}")
        return 77
    problems = list(faults(found, budget))
    for problem in problems:
        print(problem)
    print(f"{len(found)} kernels of launches, {len(problems)} not as the budget has them")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
