"""The steps of tools/gpu-check, in their order: what each profile runs, and for how long."""
import pathlib
import re
import shutil
import subprocess

from gpu_checking import device, judge
from gpu_checking.run import Step

PROFILES = ("first", "peers", "full")
# What --only takes: steps are of these kinds.
GROUPS = ("build", "smoke", "test", "sanitize", "bench", "ncu", "peers", "sweep", "claims")
IN_PROFILE = {"first": ("build", "smoke", "test", "bench", "ncu"), "peers": ("build", "peers"), "full": GROUPS}
GOALS = ("deep", "recurrent", "replicas", "init", "statistics", "wide_bf16", "wide_tf32")

HERE = pathlib.Path(__file__).resolve().parent
SMOKE = HERE / "smoke.json"
PREFIX = pathlib.Path("build/gpu-prefix")
MIN_CELLS = 20  # of the smoke sweep that end ok on any GPU that serves
TESTS = ("ops", "ops_sequence", "stats", "init", "weights_hash", "gradient", "golden", "range",
         "range_activations", "determinism", "parity")
LONG_TESTS = ("range_far", "theory_values")
KERNELS = ("activate_forward", "fill", "stats")  # that ncu looks at

# What Google Benchmark runs for a goal (bench/GOALS.md), and of it what profile `first` does.
BENCHMARKS = {
    "deep": r"^step/mlp/depth:(100|1000)/width:(128|512)/batch:(64|256)/.*/stats:off/launch:graph",
    "recurrent": r"^(step/rnn/length:1024/.*/stats:off|ratio/sigmoid_to_tanh/rnn/.*)/launch:graph",
    "replicas": r"^ratio/replicas_to_one/mlp/depth:50/width:64/batch:32/replicas:1024/.*/launch:graph",
    "init": r"^init/normal",
    "statistics": r"^ratio/full_to_off/mlp/depth:(10/width:(2048|4096)/batch:2048|100/|1000/).*launch:graph",
    "wide_bf16": r"^(ratio/products_to_step|step)/mlp/depth:10/width:(2048|4096)/batch:(1024|2048)/.*/bf16"
                 r"(/stats:off)?/launch:graph",
    "wide_tf32": r"^(ratio/products_to_step|step)/mlp/depth:10/width:(2048|4096)/batch:(1024|2048)/.*/tf32"
                 r"(/stats:off)?/launch:graph",
}
IN_BRIEF = {
    "deep": r"^step/mlp/depth:100/width:(128|512)/batch:64/.*/relu/stats:off/launch:graph",
    "recurrent": r"^step/rnn/length:1024/width:512/.*/tanh(/loop:persistent)?/stats:off/launch:graph",
    "replicas": BENCHMARKS["replicas"],
    "init": BENCHMARKS["init"],
    "statistics": r"^ratio/full_to_off/mlp/depth:100/width:128/.*/relu/launch:graph",
    "wide_bf16": r"^(ratio/products_to_step|step)/mlp/depth:10/width:2048/batch:1024/.*/relu/bf16"
                 r"(/stats:off)?/launch:graph",
    "wide_tf32": r"^(ratio/products_to_step|step)/mlp/depth:10/width:2048/batch:1024/.*/relu/tf32"
                 r"(/stats:off)?/launch:graph",
}
PEERS = {  # cases of tools/peers/pytorch_steps.py
    "deep": r"^mlp depth (100|1000) ", "recurrent": r"^rnn ", "replicas": r" x 1024 ",
    "wide_bf16": r"^mlp depth 10 width .* bf16$", "wide_tf32": r"^mlp depth 10 width .* tf32$",
}


def cache_entry(build, name):
    try:
        found = re.search(rf"^{name}:[A-Z]+=(.+)$", (build / "CMakeCache.txt").read_text(), re.MULTILINE)
    except OSError:
        return ""
    return found.group(1) if found else ""


def toolkit_program(build, name):
    """From the PATH, or beside nvcc; "" where there is none."""
    beside = pathlib.Path(cache_entry(build, "CUDAToolkit_NVCC_EXECUTABLE") or shutil.which("nvcc") or "/").parent
    return shutil.which(name) or shutil.which(name, path=str(beside)) or ""


def has_pytorch():
    return subprocess.run(["python3", "-c", "import torch"], stderr=subprocess.DEVNULL, check=False).returncode == 0


# ---- the build, and what the device is ----

def build_steps(check):
    flags = ["-S", ".", "-B", check.build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DGRADSWEEP_CUDA=ON"]
    if check.options.arch:
        flags.append(f"-DCMAKE_CUDA_ARCHITECTURES={check.options.arch}")
    configure = [["cmake", *flags]]
    if any(check.packages.glob("*.deb")):
        configure = [["tools/gpu-libraries", "unpack", check.packages, PREFIX],
                     ["bash", "-c", 'mapfile -t more <"$0" && exec cmake "$@" "${more[@]}"', PREFIX / "cmake.flags",
                      *flags]]
    yield Step("configure", configure, 15, 120, always=True, stops=True)
    yield Step("build", [["cmake", "--build", check.build, "--target", "gradsweep", "gpu_tests", "benchmarks",
                          "step_server"]], 120, 540, always=True, stops=True)


def info_step(check):
    def write_facts():
        info = (check.out / "info.log").read_text(encoding="utf-8", errors="replace")
        (check.out / "device.txt").write_text(device.facts(info, toolkit_program(check.build, "nvcc")),
                                              encoding="utf-8")
        return f"no GPU: {info.splitlines()[-1][:100]}" if "no CUDA device" in info else ""
    return Step("info", [[check.program(), "info", "--backend", "cuda"]], 5, 60, judge=write_facts, stops=True,
                simulated=True)


# ---- smoke runs ----

def sweep_command(check, backend, out, *more):
    return [check.program(), "run", SMOKE, "--backend", backend, "--time-limit", "0", "--timeout", "60", "--out",
            check.out / out, "--overwrite", *more]


def smoke_steps(check):
    results, cpu = check.out / "smoke" / "results.json", check.out / "smoke-cpu" / "results.json"
    yield Step("smoke", [sweep_command(check, "cuda", "smoke", "--require", "backend=cuda")], 10, 120,
               judge=lambda: judge.cells(results, MIN_CELLS), simulated=True)
    yield Step("weights", [sweep_command(check, "cpu", "smoke-cpu")], 5, 60,
               judge=lambda: judge.same_weights(results, cpu, MIN_CELLS // 2), simulated=True)


# ---- tests ----

def test_steps(check):
    """One after the other, each within limits of its own: one that hangs costs no other."""
    simulated = check.options.rehearse
    for short in TESTS if simulated else (*TESTS, *LONG_TESTS):
        name = f"{'cuda_on_cpu' if simulated else 'gpu'}.{short}"
        report = check.out / f"test-{short}.xml"
        command = ["ctest", "--test-dir", check.build, "-R", f"^{re.escape(name)}$", "--no-tests=error",
                   "--output-on-failure", "--output-junit", report]
        yield Step(f"test-{short}", [command], 12, 120 if check.options.profile == "first" else 600,
                   judge=lambda report=report: judge.test(report), simulated=True)


def sanitize_steps(check):
    """Over the smoke sweep: its cells launch every kernel, and a sanitizer slows each a hundredfold."""
    program = toolkit_program(check.build, "compute-sanitizer")
    absent = "" if program or check.options.rehearse else "compute-sanitizer is not there"
    for tool in ("memcheck", "racecheck", "synccheck"):
        command = [program or "compute-sanitizer", "--tool", tool, "--target-processes", "all", "--error-exitcode",
                   "99", *sweep_command(check, "cuda", f"sanitize-{tool}")]
        yield Step(f"sanitize-{tool}", [command], 120, 540, absent=absent)


# ---- measurements ----

def bench_steps(check):
    brief = check.options.profile == "first"
    for goal in check.options.goals:
        path = check.out / f"bench-{goal}.json"
        command = [check.build / "bench" / "benchmarks",
                   f"--benchmark_filter={(IN_BRIEF if brief else BENCHMARKS)[goal]}",
                   f"--benchmark_out={path}", "--benchmark_out_format=json"]
        yield Step(f"bench-{goal}", [command], 15 if brief else 200, 60 if brief else 540,
                   judge=lambda path=path: judge.benchmarks(path), variables={"GRADSWEEP_BACKEND": "cuda"})


def ncu_steps(check):
    program = toolkit_program(check.build, "ncu")
    absent = "" if program or check.options.rehearse else "ncu is not there"
    for kernel in KERNELS:
        command = [program or "ncu", "--target-processes", "all", "-k", f"regex:{kernel}", "-c", "4", "--section",
                   "SpeedOfLight", "--section", "MemoryWorkloadAnalysis", check.program(), "run", "mlp", "--depth=3",
                   "--width=2048", "--batch=1024", "--backend=cuda", "--time-limit=0", "--out",
                   check.out / f"ncu-{kernel}", "--overwrite"]
        yield Step(f"ncu-{kernel}", [command], 10, 60, absent=absent)


def peer_steps(check):
    absent = "" if check.options.rehearse or has_pytorch() else "python3 has no PyTorch"
    common = ["--server", check.build / "bench" / "step_server", "--device", "cuda", "--rounds", "5", "--seconds",
              "0.3"]
    for goal in check.options.goals:
        path = check.out / f"peers-{goal}.json"
        command = ["python3", "tools/peers/pytorch_steps.py", *common, "--filter", PEERS.get(goal, ""), "--json", path]
        if goal == "statistics":
            continue  # PyTorch has none
        if goal == "init":
            command = ["python3", "tools/peers/pytorch_normals.py", *common, "--json", path]
        yield Step(f"peers-{goal}", [command], 240, 540, judge=lambda path=path: judge.peers(path), absent=absent)


def sweep_steps(check):
    yield Step("sweep", [[check.program(), "run", "bench/sweeps/default.json", "--backend", "cuda", "--require",
                          "backend=cuda,no-skips,predicted", "--out", check.out / "sweep", "--overwrite"]], 60, 540)


def claims_steps(check):
    yield Step("claims", [[check.program(), "reproduce", "all", "--backend", "cuda"]], 60, 540)


STEPS = {"smoke": smoke_steps, "test": test_steps, "sanitize": sanitize_steps, "bench": bench_steps,
         "ncu": ncu_steps, "peers": peer_steps, "sweep": sweep_steps, "claims": claims_steps}


def of(check):
    """The steps of a call. What cannot be without a build stands behind it."""
    groups = check.options.only or IN_PROFILE[check.options.profile]
    if "build" in groups:
        yield from build_steps(check)
    if groups == ["build"]:
        return
    yield info_step(check)
    for group in GROUPS[1:]:
        if group in groups:
            yield from STEPS[group](check)
