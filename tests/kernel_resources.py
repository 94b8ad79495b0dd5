"""What each kernel takes, against a committed budget.

nvcc's assembler says of every kernel and architecture how many registers, how much
shared memory and how many bytes of spills it takes; tools/keep-resources keeps that
beside each object. tests/data/kernel_budget.txt allows so much for each: more is a
failure, and so is a kernel that the table does not know or knows no more.

  kernel_resources.py            compare
  kernel_resources.py --write    make what is there now the budget

Numbers are those of one compiler: the table names its version, and another's build is
not compared. Before it judges the build it judges planted faults, so that it is known to
be able to fail. Exit code 77: this build has no kernels, or another compiler's.
"""

import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(os.environ.get("GRADSWEEP_SOURCE_DIR", pathlib.Path(__file__).parent.parent))
BUILD = pathlib.Path(os.environ.get("GRADSWEEP_BUILD_DIR", ROOT / "build/release"))
BUDGET = ROOT / "tests/data/kernel_budget.txt"
HEADER = """\
# What each kernel may take: registers, bytes of shared memory, bytes of spills, for each
# architecture. tests/kernel_resources.py compares; with --write it makes this file.
#
# Spills that stay, for what they save is more than they cost:
#   stats_kernel<__half> on sm_100 and sm_120: in the loop 5 to 7 of more than 400 instructions
#     for 16 elements, in L1; with the registers that it lacks 3 blocks fit, not 4
#   stats_kernel<double> on sm_120, the same; its float64 units are what it waits for
#   activate_forward_kernel of gelu (7) in double: 2 to 4 words around erf's polynomials; ptxas
#     chose 80 registers by itself, and the kernel has no bound that could be taken away
#   loss_kernel<float,true> on sm_80: 12 bytes at the 80 registers of 3 blocks
#   normalize_rows_kernel<__half,false> on sm_100: 36 bytes at the 48 registers of 5 blocks
#   persistent_backward_kernel<16 bits, 4, true> on sm_90: one word, once a launch, before the
#     loop; 2 blocks of a multiprocessor leave 128 registers
# nvcc {}
"""
ENTRY = re.compile(r"Compiling entry function '(\S+)' for '(\w+)'")
SPILLS = re.compile(r"(\d+) bytes spill stores, (\d+) bytes spill loads")
REGISTERS = re.compile(r"Used (\d+) registers")
SHARED = re.compile(r"(\d+) bytes smem")


def read_resources(text):
    """{(mangled name, architecture): (registers, shared, spills)} of one compilation."""
    found = {}
    key, spills = None, 0
    for line in text.splitlines():
        if entry := ENTRY.search(line):
            key, spills = entry.groups(), 0
        elif key and (match := SPILLS.search(line)):
            spills = int(match[1]) + int(match[2])
        elif key and (match := REGISTERS.search(line)):
            shared = SHARED.search(line)
            found[key] = (int(match[1]), int(shared[1]) if shared else 0, spills)
            key = None
    return found


def readable(names):
    """Mangled names as `kernel<arguments>`, without what differs from build to build."""
    shown = subprocess.run(
        ["c++filt"], input="\n".join(names), text=True, capture_output=True, check=True
    ).stdout.splitlines()
    result = {}
    for name, text in zip(names, shown):
        text = re.sub(r"\(anonymous namespace\)::|\bgs::|persistent::", "", text)
        text = re.sub(r"^void ", "", text)
        depth = 0
        for i, letter in enumerate(text):  # up to the parameters
            depth += (letter == "<") - (letter == ">")
            if letter == "(" and depth == 0 and re.match(r"[\w>]", text[i - 1]):
                text = text[:i]
                break
        result[name] = text.replace(" ", "")
    return result


def of_build(folder):
    """{(kernel, architecture): resources} of all objects below a folder."""
    found = {}
    kernels = {path.stem for path in (ROOT / "kernels").glob("*.cu")}
    for path in sorted(folder.rglob("*.cu.o.resources")):
        if path.name.split(".")[0] not in kernels:
            continue  # of a source that is gone
        resources = read_resources(path.read_text(encoding="utf-8"))
        names = readable(sorted({name for name, _ in resources}))
        for (name, architecture), taken in resources.items():
            found[names[name], architecture] = taken
    return found


def compiler_version(folder):
    """nvcc's version as CMake found it, or None."""
    for path in folder.glob("CMakeFiles/*/CMakeCUDACompiler.cmake"):
        text = path.read_text(encoding="utf-8")
        if match := re.search(r'CMAKE_CUDA_COMPILER_VERSION "([\d.]+)"', text):
            return match[1]
    return None


def read_budget(text):
    budget = {}
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            kernel, architecture, *numbers = line.split()
            budget[kernel, architecture] = tuple(int(number) for number in numbers)
    return budget


def write_budget(found, version):
    lines = [HEADER.format(version)]
    for (kernel, architecture), numbers in sorted(found.items()):
        lines.append(f"{kernel} {architecture} {' '.join(str(n) for n in numbers)}\n")
    return "".join(lines)


def faults(found, budget):
    names = ("registers", "bytes of shared memory", "bytes of spills")
    architectures = {architecture for _, architecture in found}
    for key in sorted(found):
        if key not in budget:
            yield f"{key[0]} ({key[1]}) has no budget"
            continue
        for name, taken, allowed in zip(names, found[key], budget[key]):
            if not taken <= allowed:
                yield f"{key[0]} ({key[1]}) takes {taken} {name}, {allowed} are allowed"
    for kernel, architecture in sorted(budget):
        if architecture in architectures and (kernel, architecture) not in found:
            yield f"{kernel} ({architecture}) has a budget and is not there"


def check_the_check():
    text = """\
ptxas info    : Compiling entry function '_ZN2gs1aEv' for 'sm_90'
    0 bytes stack frame, 4 bytes spill stores, 8 bytes spill loads
ptxas info    : Used 30 registers, used 1 barriers, 128 bytes smem
"""
    found = read_resources(text)
    assert found == {("_ZN2gs1aEv", "sm_90"): (30, 128, 12)}, found
    assert read_budget(write_budget(found, "13.0")) == found
    key = next(iter(found))
    for allowed in ((29, 128, 12), (30, 127, 12), (30, 128, 11)):
        assert list(faults(found, {key: allowed})), allowed
    assert list(faults(found, {})) and list(faults(found, {**found, ("b", "sm_90"): (1, 1, 1)}))
    assert not list(faults(found, found))


def main():
    check_the_check()
    found = of_build(BUILD)
    if not found:
        print("skipped: this build has no kernels")
        return 77
    version = compiler_version(BUILD)
    if sys.argv[1:] == ["--write"]:
        BUDGET.write_text(write_budget(found, version), encoding="utf-8")
        return 0
    text = BUDGET.read_text(encoding="utf-8")
    if f"# nvcc {version}\n" not in text:
        print(f"skipped: the budget is another compiler's than nvcc {version}")
        return 77
    problems = list(faults(found, read_budget(text)))
    for problem in problems:
        print(problem)
    print(f"{len(found)} kernels and architectures, {len(problems)} over their budget")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
