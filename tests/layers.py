"""Includes point downward only, and CUDA's headers stay in their place.

The layers (README, "The house"): cli -> compare -> sweep, claims -> measure, theory, net
-> device -> base. A folder of host/ may include its own headers and those of the folders
listed for it here. CUDA's headers belong to kernels/ and to the files
host/device/cuda_*.c and cuda_*.h, and the latter to the former. No header includes itself by
way of others, and none outside host/device leads to device.h, the operations: a file that
uses them includes it, and nothing else is compiled again when they change. And no two files
of kernels/ define different types of one name (which no compiler says: One Definition Rule).
Bits depend on the rules by which an operation chooses its exponent: what joins two addends'
exponents stands in host/device/*scale.h alone, for all backends.

Before it judges the sources it judges planted faults, so that it is known to be
able to fail.
"""

import pathlib
import re
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent

MAY_INCLUDE = {
    "base": set(),
    "device": {"base"},
    "net": {"base", "device"},
    "theory": {"base", "device", "net"},
    "measure": {"base", "device", "net", "theory"},
    "claims": {"base", "device", "net", "theory", "measure"},
    "sweep": {"base", "device", "net", "theory", "measure"},
    "compare": {"base", "device", "net", "theory", "measure", "claims", "sweep"},
    "cli": {"base", "device", "net", "theory", "measure", "claims", "sweep", "compare"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
CUDA = re.compile(
    r"^(cuda|cublas|cufft|curand|cusolver|cusparse|cudnn|nccl|nvml|nvrtc|nvtx|cooperative_groups"
    r"|cub/|thrust/|mma\.h|device_launch_parameters|vector_types|driver_types|math_constants)"
)
EXPONENT_RULE = re.compile(r"\bgs_scale_join\s*\(")
SOURCES = {".c", ".h", ".cc", ".cpp", ".hpp", ".cu", ".cuh"}
NAMESPACE = re.compile(r"^namespace(?:\s+([\w:]+))?\s*\{|^\}\s*(?://|/\*)\s*namespace|"
                       r"^(?:template\s*<.*>\s*)?(?:struct|class|union|enum(?:\s+class)?)\s+(\w+)[^;(]*\{")


def faults_of_file(path, name):
    """Faults of one source; name is its path from the root, with slashes."""
    parts = name.split("/")
    layer = parts[1] if parts[0] == "host" and len(parts) > 2 else None
    cuda_allowed = parts[0] == "kernels" or (
        layer == "device" and parts[-1].startswith("cuda_") and parts[-1].endswith((".c", ".h"))
    )
    if parts[0] == "host" and layer not in MAY_INCLUDE:
        yield f"{name}: not in one of the layers {', '.join(MAY_INCLUDE)}"
        return
    text = path.read_text(encoding="utf-8")
    if EXPONENT_RULE.search(text) and not (layer == "device" and name.endswith("scale.h")):
        yield f"{name}: a rule for exponents of its own, apart from host/device/scale.h"
    for style, header in INCLUDE.findall(text):
        if header.startswith("device/cuda_") and not cuda_allowed:
            yield f"{name}: {header}, which is the CUDA backend's own"
        if CUDA.match(header) and not cuda_allowed:
            yield f"{name}: CUDA header {header}"
        if layer is None or style == "<":
            continue
        target = header.split("/")[0]
        if header.startswith("kernels/"):
            if not cuda_allowed:
                yield f"{name}: {header}, which only host/device/cuda_*.c may see"
        elif ".." in header.split("/") or "/" not in header:
            yield f'{name}: "{header}" is not written relative to host/'
        elif target not in MAY_INCLUDE:
            yield f'{name}: "{header}" names no layer'
        elif target != layer and target not in MAY_INCLUDE[layer]:
            yield f"{name}: {layer} includes {header}, which is above or beside it"


OPERATIONS = "device/device.h"
ABOUT_OPERATIONS = {"net/tape.h", "net/ops.h"}  # headers for those who write operations of a network


def faults_of_headers(root):
    """Circles of includes, and headers that lead to the operations."""
    headers = {path.relative_to(root / "host").as_posix(): path for path in (root / "host").rglob("*.h")}
    includes = {name: [header for _, header in INCLUDE.findall(path.read_text(encoding="utf-8")) if header in headers]
                for name, path in headers.items()}
    for name in sorted(headers):
        reached, waiting = {}, [name]  # header: the one that includes it
        while waiting:
            by = waiting.pop()
            for header in includes[by]:
                if header not in reached:
                    reached[header] = by
                    waiting.append(header)
        if name in reached:
            yield f"host/{name}: includes itself by way of {reached[name]}"
        if OPERATIONS in reached and not name.startswith("device/") and name not in ABOUT_OPERATIONS:
            yield f"host/{name}: leads to {OPERATIONS} by way of {reached[OPERATIONS]}"


def types_of_file(path):
    """Qualified names of the types that a C++ source defines for all others: those in no
    unnamed namespace, at the left margin. A specialisation is no definition of its own."""
    spaces = []
    for line in path.read_text(encoding="utf-8").splitlines():
        found = NAMESPACE.match(line)
        if not found:
            continue
        if found.group(2):
            if "" not in spaces and f"{found.group(2)}<" not in line:
                yield "::".join([*spaces, found.group(2)])
        elif line.startswith("}"):
            spaces = spaces[:-1]
        else:
            spaces.append(found.group(1) or "")


def types_of_two_files(root):
    owners = {}
    for path in sorted((root / "kernels").rglob("*")):
        if path.suffix in {".cu", ".cuh"}:
            for name in types_of_file(path):
                owners.setdefault(name, []).append(path.relative_to(root).as_posix())
    for name, files in sorted(owners.items()):
        if len(files) > 1:
            yield f"{files[-1]}: defines {name}, and so does {files[0]}"


def faults_of_tree(root):
    """(faults, number of files judged). host/, kernels/ and bench/ are judged;
    tests may look anywhere."""
    faults, count = [*types_of_two_files(root), *faults_of_headers(root)], 0
    for folder in ("host", "kernels", "bench"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in SOURCES:
                faults += faults_of_file(path, path.relative_to(root).as_posix())
                count += 1
    return faults, count


PLANTED = {  # file: (content, is it a fault?)
    "host/base/up.c": ('#include "device/device.h"\n', True),
    "host/device/up.h": ('#  include "net/network.h"\n', True),
    "host/device/cpu_cuda.c": ("#include <cuda_runtime_api.h>\n", True),
    "host/device/cpu_kernels.c": ('#include "kernels/kernels.h"\n', True),
    "host/net/measures.c": ('int x;\n  #include "measure/measure.h"\n', True),
    "host/net/theory.c": ('#include "theory/theory.h"\n', True),
    "host/net/relative.c": ('#include "../base/status.h"\n', True),
    "host/net/bare.c": ('#include "network.h"\n', True),
    "host/theory/measures.c": ('#include "measure/measure.h"\n', True),
    "host/measure/sweeps.c": ('#include "sweep/spec.h"\n', True),
    "host/claims/sweeps.c": ('#include "sweep/text.h"\n', True),
    "host/sweep/claims.c": ('#include "claims/claims.h"\n', True),
    "host/sweep/cli.c": ('#include "cli/run.h"\n', True),
    "host/sweep/compares.c": ('#include "compare/compare.h"\n', True),
    "host/new/layer.c": ("int x;\n", True),
    "bench/cuda.c": ("#include <cublasLt.h>\n", True),
    "host/net/backend.c": ('#include "device/cuda_internal.h"\n', True),
    "host/device/types.c": ('#include "device/cuda_internal.h"\n', True),
    "host/device/cuda_internal.h": (
        '#include <cublasLt.h>\n#include "kernels/kernels.h"\n#include "device/device.h"\n', False),
    "host/device/cuda_gemm.c": ('#include "device/cuda_internal.h"\n', False),
    "host/device/cuda_ops.c": ('#include <cublasLt.h>\n#include "kernels/kernels.h"\n', False),
    "host/measure/nets.c": ('#include "net/network.h"\n#include "base/json.h"\n', False),
    "host/device/device.h": ('#include "device/plain.h"\n', False),
    "host/device/plain.h": ('#include <math.h>\n', False),
    "host/net/tape.h": ('#include "device/device.h"\n', False),
    "host/net/tape_user.c": ('#include "net/tape.h"\n', False),
    "host/net/describes.h": ('#include "device/plain.h"\n', False),
    "host/net/direct.h": ('#include "device/device.h"\n', True),
    "host/sweep/indirect.h": ('#include "net/tape.h"\n', True),
    "host/theory/circle_a.h": ('#include "theory/circle_b.h"\n', True),
    "host/theory/circle_b.h": ('#include "theory/circle_a.h"\n', True),
    "host/theory/into_circle.h": ('#include "theory/circle_a.h"\n', False),
    "host/cli/main.c": ('#include "sweep/spec.h"\n#include <stdio.h>\n', False),
    "host/net/mlp.c": ('// a comment on measure/measure.h\n#include "net/network.h"\n', False),
    "host/device/cpu_rule.c": ("int e = gs_scale_join(a, b);\n", True),
    "host/device/own_scale.h": ("int e = gs_scale_join(a, b);\n", False),
    "kernels/rule.cu": ("  e = gs_scale_join (a, b);\n", True),
    "kernels/ops.cu": ("#include <cuda_runtime.h>\n", False),
    "kernels/first.cuh": ("namespace gs {\nstruct Walk {\n};\ntemplate <typename T> struct Step {\n};\n}\n", False),
    "kernels/same.cuh": ("namespace gs {\n\nstruct Walk {\n  int x;\n};\n", True),
    "kernels/step.cuh": ("namespace gs {\ntemplate <int N> struct Step {\n};\n", True),
    "kernels/inner.cuh": ("namespace gs::other {\nstruct Walk {\n};\n} // namespace gs::other\n", False),
    "kernels/own.cu": ("namespace gs {\nnamespace {\nstruct Walk {\n};\n} // namespace\n} // namespace gs\n", False),
    "kernels/special.cuh": ("namespace gs {\nstruct Walk;\ntemplate <> struct Step<int> {\n};\n", False),
}


def check_itself():
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, (content, _) in PLANTED.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        faults, _ = faults_of_tree(root)
        found = {fault.split(":")[0] for fault in faults}
    expected = {name for name, (_, faulty) in PLANTED.items() if faulty}
    return [f"planted fault not found: {name}" for name in sorted(expected - found)] + [
        f"found a fault where none is: {name}" for name in sorted(found - expected)
    ]


def main():
    faults = check_itself()
    tree_faults, count = faults_of_tree(ROOT)
    faults += tree_faults
    if count < 10:
        faults.append(f"only {count} sources found under {ROOT}")
    for fault in faults:
        print(fault)
    print(f"{count} sources, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
