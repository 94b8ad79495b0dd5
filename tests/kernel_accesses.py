"""How wide kernels load and store, and how they order memory, as compiled.

A store of a structure that nvcc's front end takes apart costs a pointwise kernel half its
speed, and nothing else shows it: so the kernels in WIDE must have 16-byte accesses, and
those in UNFENCED no fence of all against all, in the PTX of this build and, where
cuobjdump is at hand (the toolkit's, or PyPI's nvidia-cuda-cuobjdump with
nvidia-cuda-nvdisasm, on PATH), in the SASS of each architecture.

Exit code 77: this build has no kernels.
"""

import re
import shutil
import subprocess
import sys

from kernel_resources import BUILD, readable

# Kernel, loads, stores.
WIDE = [
    (r"activate_(forward|backward|backward_sums)_kernel<.*>", True, True),
    (r"combine_kernel<.*>", True, True),
    (r"normalize_(rows|columns)_kernel<.*>", True, True),
    (r"shift_steps_kernel<.*>", True, True),
    (r"loss_kernel<.*>", True, True),
    (r"stats_kernel<.*>", True, False),
    (r"fill_kernel<.*>", False, True),
    (r"hash_kernel<(float|__half|__nv_bfloat16),.*>", True, False),
    (r"persistent_(forward|backward)_kernel<float,.*,true>", True, False),
    (r"persistent_(forward|backward)_kernel<(__half|__nv_bfloat16),8,true>", True, False),
]
UNFENCED = [r"persistent_(forward|backward)_kernel<.*>", r"grid_barrier_kernel"]

PTX = (re.compile(r"\.entry (\w+)\("), re.compile(r"\b(ld|st)\.global\S*\.v(\d)\.\w(\d+)"),
       re.compile(r"\b(?:membar|fence\.sc)\."))
SASS = (re.compile(r"Function : (\w+)"), re.compile(r"\b(LD|ST)G?\.E\S*\.()(128)\b"),
        re.compile(r"\bMEMBAR\.SC\b"))
ARCHITECTURE = re.compile(r"^arch = (\w+)")


def accesses(lines, grammar, architecture=""):
    """{(mangled name, architecture): [bytes of the widest load, store, number of fences]}"""
    entry, access, fence = grammar
    found, current = {}, None
    for line in lines:
        if match := ARCHITECTURE.match(line):
            architecture, current = match[1], None
        elif match := entry.search(line):
            current = found.setdefault((match[1], architecture), [0, 0, 0])
        elif current and (match := access.search(line)):
            place = 0 if match[1].lower() == "ld" else 1
            current[place] = max(current[place], int(match[2] or 1) * int(match[3]) // 8)
        elif current and fence.search(line):
            current[2] += 1
    return found


def faults(found):
    """found: accesses by (readable name, architecture)."""
    for pattern, *wanted in WIDE:
        kernels = [key for key in sorted(found) if re.fullmatch(pattern, key[0])]
        if not kernels:
            yield f"no kernel is {pattern}"
        for key in kernels:
            for what, width, must in zip(("loads", "stores"), found[key], wanted):
                if must and width < 16:
                    yield f"{' '.join(key)} {what} {width} bytes at most"
    for pattern in UNFENCED:
        for key in sorted(found):
            if re.fullmatch(pattern, key[0]) and found[key][2]:
                yield f"{' '.join(key)} has {found[key][2]} fences of all against all"


def named(found):
    names = readable(sorted({name for name, _ in found}))
    return {(names[name], architecture): numbers for (name, architecture), numbers in found.items()}


def of_ptx():
    found = {}
    for path in BUILD.rglob("gs_ptx.dir/**/*.ptx"):
        found.update(accesses(path.read_text(encoding="utf-8").splitlines(), PTX, "PTX"))
    return named(found)


def of_sass(tool):
    found = {}
    for path in sorted(BUILD.glob("CMakeFiles/gradsweep_cuda.dir/kernels/*.cu.o")):
        with subprocess.Popen([tool, "-sass", path], stdout=subprocess.PIPE, text=True) as dump:
            found.update(accesses(dump.stdout, SASS))
    return named(found)


def check_the_check():
    ptx = ".entry a(\n ld.global.nc.v4.f32 {%f1}, [%rd1];\n st.global.f32 [%rd1], %f1;\n membar.gl;"
    assert accesses(ptx.splitlines(), PTX, "PTX") == {("a", "PTX"): [16, 0, 1]}
    sass = "arch = sm_80\n Function : a\n LDG.E.64 R2 ;\n STG.E.128.STRONG.GPU [R2] ;\n MEMBAR.SC.GPU ;"
    assert accesses(sass.splitlines(), SASS) == {("a", "sm_80"): [0, 16, 1]}
    right = {("activate_forward_kernel<float>", "sm_80"): [16, 16, 0]}
    assert not [f for f in faults(right) if f.startswith("activate")]
    for narrow in ([16, 8, 0], [8, 16, 0]):
        assert [f for f in faults(dict.fromkeys(right, narrow)) if f.startswith("activate")], narrow
    assert [f for f in faults({("grid_barrier_kernel", "sm_80"): [0, 0, 1]}) if f.startswith("grid")]


def main():
    check_the_check()
    builds = {"PTX": of_ptx()}
    if not builds["PTX"]:
        print("skipped: this build has no kernels")
        return 77
    tool = shutil.which("cuobjdump")
    if tool and shutil.which("nvdisasm"):
        builds["SASS"] = of_sass(tool)
    else:
        print("SASS skipped: no cuobjdump and nvdisasm")
    problems = [f"{name}: {fault}" for name, found in builds.items() for fault in faults(found)]
    for problem in problems:
        print(problem)
    print(f"{sum(map(len, builds.values()))} kernels and architectures, {len(problems)} faults")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
