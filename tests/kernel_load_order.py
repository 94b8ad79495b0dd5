"""Kernels ask for all that they read before they wait for any of it.

Loads that are asked for together cost one memory latency, one after the other one each, and
nothing else shows it: nvcc that takes a pack of 16-bit elements apart as soon as it is loaded
makes a kernel wait for each operand before it asks for the next. So these must stand before
the first instruction that touches what one of them loads:

  persistent.cu   in each kernel of whole packs: after the wait for other blocks, the step's
                  first two rows and the peak of the step before
  pointwise.cu    the 16-byte loads of all operands of a thread's first pack

in the SASS of each architecture, where cuobjdump is at hand (kernel_accesses.py says where
from), pointwise.cu's of sm_80 and sm_90 alone; persistent.cu's in the PTX of this build, too.
Elsewhere pointwise.cu's cannot be told: what loads packs that are not whole stands between the
loads and writes the same registers.

Exit code 77: this build has no kernels.
"""

import re
import shutil
import subprocess
import sys

from kernel_accesses import ARCHITECTURE, PTX, SASS
from kernel_resources import BUILD, readable

PERSISTENT = re.compile(r"persistent_(?:forward|backward)_kernel<(\w+),(\d+),true>")
POINTWISE = re.compile(r"activate_(forward|backward|backward_sums)_kernel"
                       r"<\(gs_activation_kind\)(\d+),\w+,(\w+),(\d+)>")
BYTES = {"double": 8, "float": 4, "__half": 2, "__nv_bfloat16": 2}
PEAK_BYTES = 4
STRAIGHT = ("sm_80", "sm_90")  # elsewhere what packs that are not whole need stands between


class Ptx:
    entry = PTX[0]
    pause, barrier = "nanosleep.", "bar.sync"
    load = re.compile(r"\bld\.global(?:\.cg|\.nc)?(?:\.v(\d))?\.\w(\d+)\s+(\{[^}]*\}|%\w+)")
    register = re.compile(r"%\w+")
    copy = re.compile(r"^\s*mov\.\w+\s+%")  # where branches meet; ptxas has none of them

    @staticmethod
    def loaded(match):
        return int(match[1] or 1) * int(match[2]) // 8, Ptx.registers(match[3])

    @staticmethod
    def registers(text):
        return set(Ptx.register.findall(text))


class Sass:
    entry = SASS[0]
    pause, barrier = "NANOSLEEP", "BAR.SYNC"
    load = re.compile(r"\bLDG\.E(?:\.[US]?(\d+))?(?:\.CONSTANT|\.STRONG\.GPU)? R(\d+),")
    register = re.compile(r"\bR(\d+)(\.64)?")
    copy = re.compile("(?!)")

    @staticmethod
    def loaded(match):
        width = int(match[1] or 32) // 8
        first = int(match[2])
        return width, {first + i for i in range(max(1, width // 4))}

    @staticmethod
    def registers(text):
        found = set()
        for number, pair in Sass.register.findall(text):
            found |= {int(number), int(number) + 1} if pair else {int(number)}
        return found


def after_the_wait(lines, grammar):
    """What stands between the wait for other blocks and the next barrier."""
    pause = next((i for i, line in enumerate(lines) if grammar.pause in line), len(lines))
    barriers = [i for i, line in enumerate(lines) if i > pause and grammar.barrier in line]
    return lines[barriers[0] + 1:barriers[1]] if len(barriers) > 1 else []


def asked_together(lines, grammar, least=0):
    """Bytes of each load of `least` bytes or more, up to the first instruction that touches
    what one before it loads."""
    widths, pending = [], set()
    for line in lines:
        if grammar.copy.search(line):
            continue
        if pending & grammar.registers(line):
            break
        if match := grammar.load.search(line):
            width, registers = grammar.loaded(match)
            if width >= least:
                widths.append(width)
                pending |= registers
    return widths


def kernels(lines, grammar, architecture=""):
    """{(mangled name, architecture): lines}"""
    found, current = {}, None
    for line in lines:
        if match := ARCHITECTURE.match(line):
            architecture, current = match[1], None
        elif match := grammar.entry.search(line):
            current = found.setdefault((match[1], architecture), [])
        elif current is not None:
            current.append(line)
    return found


def packs(size, elements):
    """Bytes of each load of so many elements."""
    return [min(16, size * elements)] * max(1, size * elements // 16)


def fault(name, lines, grammar):
    """What is wrong with a kernel; None for nothing, False for one that is not judged."""
    if match := PERSISTENT.fullmatch(name):
        wanted = [PEAK_BYTES] + 2 * packs(BYTES[match[1]], int(match[2]))
        widths = asked_together(after_the_wait(lines, grammar), grammar)
    elif (match := POINTWISE.fullmatch(name)) and grammar is Sass:
        identity = match[2] == "0"
        others = 1 if match[1] == "forward" or identity else 2  # bias; dh and what tells phi'
        wanted = packs(BYTES[match[3]], int(match[4])) + others * [16]
        widths = asked_together(lines, grammar, least=16)
    else:
        return False
    if sorted(widths) != sorted(wanted):
        return f"asks together for loads of {sorted(widths)} bytes, not for {sorted(wanted)}"
    return None


def judge(found, grammar):
    """(kernels judged, faults)"""
    names = readable(sorted({name for name, _ in found}))
    judged, faults = set(), []
    for (mangled, architecture), lines in sorted(found.items()):
        if POINTWISE.fullmatch(names[mangled]) and architecture not in STRAIGHT:
            continue
        what = fault(names[mangled], lines, grammar)
        if what is not False:
            judged.add((names[mangled], architecture))
        if what:
            faults.append(f"{names[mangled]} {architecture} {what}")
    return judged, faults


def of_ptx():
    found = {}
    for path in BUILD.rglob("gs_ptx.dir/**/*.ptx"):
        found.update(kernels(path.read_text(encoding="utf-8").splitlines(), Ptx, "PTX"))
    return judge(found, Ptx)


def of_sass(tool):
    judged, faults = set(), []
    for name in ("persistent", "pointwise"):
        path = BUILD / f"CMakeFiles/gradsweep_cuda.dir/kernels/{name}.cu.o"
        dump = subprocess.run([tool, "-sass", path], stdout=subprocess.PIPE, text=True, check=True)
        of_file = judge(kernels(dump.stdout.splitlines(), Sass), Sass)
        if not of_file[0]:
            faults.append(f"no kernel of {name}.cu in SASS")
        judged |= of_file[0]
        faults += of_file[1]
    return judged, faults


def check_the_check():
    wait = "NANOSLEEP 0x20 ;\nBAR.SYNC.DEFER_BLOCKING 0x0 ;\n"
    meet = "BAR.SYNC 0x0 ;\n"
    peak = "LDG.E.STRONG.GPU R9, desc[UR10][R64.64+0x4] ;\n"
    rows = ("@!P4 LDG.E.128.STRONG.GPU R20, desc[UR10][R32.64] ;\n"
            "@!P2 LDG.E.128.STRONG.GPU R68, desc[UR10][R68.64] ;\n")
    use_peak, use_row = "VIMNMX R3, R9, R4, PT ;\n", "PRMT R3, R22, 0x7632, R3 ;\n"
    loop = "persistent_forward_kernel<__half,8,true>"
    for text, right in (
            (wait + peak + rows + use_peak + meet, True), (wait + rows + peak + use_row + meet, True),
            (wait + peak + use_peak + rows + meet, False), (wait + rows + use_row + peak + meet, False),
            (wait + rows + meet + peak + meet, False), (peak + rows + wait + meet, False), ("", False)):
        assert (fault(loop, text.splitlines(), Sass) is None) == right, text
    load = "LDG.E.128 R{}, desc[UR6][R24.64] ;\n"
    pointwise = "activate_backward_kernel<(gs_activation_kind)4,__half,__half,8>"
    for text, right in (
            (load.format(28) + load.format(32) + load.format(36) + use_row, True),
            (load.format(20) + load.format(32) + use_row + load.format(36), False),
            (load.format(28) + load.format(32), False)):
        assert (fault(pointwise, text.splitlines(), Sass) is None) == right, text
    lines = (wait + peak + meet).replace("NANOSLEEP", "nanosleep.").replace("BAR.SYNC", "bar.sync")
    lines = lines.splitlines()
    ptx = ["ld.global.cg.v4.u32 {%r3,%r4,%r5,%r6}, [%rd2];", "mov.u32 %r9, %r4;",
           "ld.global.cg.v4.u32 {%r13,%r14,%r15,%r16}, [%rd2];", "ld.global.cg.s32 %r2, [%rd1];"]
    unpack = ["mov.b32 {%rs1, %rs2}, %r4;"]
    assert fault(loop, lines[:2] + ptx + unpack + lines[3:], Ptx) is None
    assert fault(loop, lines[:2] + ptx[:2] + unpack + ptx[2:] + lines[3:], Ptx)
    assert fault("fill_kernel<float>", [], Ptx) is False
    assert Sass.registers("IADD R1, R12.64, UR5, SR_TID") == {1, 12, 13}


def main():
    check_the_check()
    judged, faults = of_ptx()
    if not judged:
        print("skipped: this build has no kernels")
        return 77
    tool = shutil.which("cuobjdump")
    if tool and shutil.which("nvdisasm"):
        in_sass, of_them = of_sass(tool)
        judged, faults = judged | in_sass, faults + of_them
    else:
        print("SASS skipped: no cuobjdump and nvdisasm")
    print(*faults, f"{len(judged)} kernels and architectures, {len(faults)} faults", sep="\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
