"""Runs programs with one planted mistake each over the CUDA runtime on the CPU,
and compares what catches it with the table below.

usage: planted.py SANITIZER KERNELS_PROGRAM MATMUL_PROGRAM [LAUNCHER...]
SANITIZER: empty (plain), address or thread.
"""

import concurrent.futures
import os
import subprocess
import sys

LAZY = {"GRADSWEEP_SIM_LAZY": "1"}  # the newest stream runs first
ON_DEMAND = {"GRADSWEEP_SIM_LAZY": "2"}
BACKWARD = {"GRADSWEEP_SIM_ORDER": "1"}
TRUNCATING = {"GRADSWEEP_SIM_TF32_TRUNCATES": "1"}
CLUSTERS = {"GRADSWEEP_SIM_CAPABILITY": "90"}
RACE = "WARNING: ThreadSanitizer: data race"
WRONG_RESULT = "not true:"
NAMES = {"": "plain", "address": "asan", "thread": "tsan"}


def always(text):
    return {"plain": text, "asan": text, "tsan": text}


# What each build says, with these settings; a build that is not named does not
# see the mistake. The thread sanitizer knows of memory only that it is there;
# the address sanitizer knows of no order.
KERNELS = [
    ("write_past_by_one", {},
     {"plain": "written past an allocation of 4000 bytes", "asan": "use-after-poison",
      "tsan": "written past an allocation of 4000 bytes"}),
    ("write_far_past", {},
     {"plain": "access out of bounds", "asan": "use-after-poison",
      "tsan": "access out of bounds"}),
    ("read_after_free", {}, always("or was freed")),
    ("host_pointer_argument", {}, always("which is not device memory")),
    ("host_reads_device_memory", {}, always("host code touches device memory")),
    ("copy_too_long", {}, always("run past an allocation of 40 bytes")),
    ("copy_wrong_way", {}, always("device memory as its destination")),
    ("uninitialised_device_memory", {}, always(WRONG_RESULT)),
    ("uninitialised_shared_memory", {}, always(WRONG_RESULT)),
    ("shared_past_end", {},
     {"plain": "shared memory was written past an array of 240 bytes",
      "asan": "index 60 out of bounds",
      "tsan": "shared memory was written past an array of 240 bytes"}),
    ("leak", {}, always("never freed: 1 device allocations, 1 streams")),
    ("stack_overflow", {}, always("a thread's stack overflows")),
    ("integer_overflow", {}, {"asan": "signed integer overflow"}),
    ("missing_barrier", {}, {"plain": WRONG_RESULT, "asan": WRONG_RESULT, "tsan": RACE}),
    ("diverging_barriers", {}, always("barriers diverge")),
    ("exit_before_barrier", {}, always("exited while others wait at the barrier")),
    ("race_between_blocks", {}, {"tsan": RACE}),
    ("last_block_without_fence", {}, {"tsan": RACE}),
    ("exited_lane", {}, always("deadlock: waits at")),
    ("exited_lane", BACKWARD, always("names lane 20, which has exited")),
    ("lanes_beyond_block", {}, always("names lane 8, which has exited or lies beyond the block")),
    ("lane_not_in_mask", {}, always("is not in its own mask 0000ffff")),
    ("shuffle_from_outside", {}, always("reads lane 16, which is outside the mask")),
    ("diverging_shuffles", {}, always("warp operations diverge")),
    ("missing_warp_barrier", {}, {"tsan": RACE}),
    ("spin_in_ordinary_launch", {}, always("blocks of an ordinary launch need not run together")),
    ("spin_for_ever", {}, always("deadlock: waits in GS_SPIN_PAUSE")),
    ("flag_before_data", {}, {"tsan": RACE}),
    ("cluster_before_it_begins", CLUSTERS, always("has no such shared memory (yet)")),
    ("cluster_race", CLUSTERS, {"plain": WRONG_RESULT, "asan": WRONG_RESULT, "tsan": RACE}),
    ("cluster_barrier_alone", CLUSTERS, always("deadlock: waits in GS_SPIN_PAUSE")),
    ("cluster_barrier_alone", {}, always("cudaErrorNotSupported")),
    ("no_cluster", CLUSTERS, always("this launch has no clusters")),
    ("block_outside_cluster", CLUSTERS, always("a cluster of 2 blocks has no block 2")),
    ("missing_event", {}, {"tsan": RACE}),
    ("missing_event", LAZY, {"plain": WRONG_RESULT, "asan": WRONG_RESULT, "tsan": RACE}),
    ("missing_join", ON_DEMAND, {"plain": WRONG_RESULT, "asan": WRONG_RESULT, "tsan": RACE}),
    ("early_event", LAZY, {"plain": WRONG_RESULT, "asan": WRONG_RESULT, "tsan": RACE}),
    ("host_does_not_wait", {}, {"tsan": RACE}),
    ("host_does_not_wait", LAZY, always(WRONG_RESULT)),
    ("host_waits_for_other_stream", {}, {"tsan": RACE}),
    ("host_waits_for_other_stream", ON_DEMAND, always(WRONG_RESULT)),
    ("host_reuses_buffer", {}, {"tsan": RACE}),
    ("host_reuses_buffer", LAZY, {"plain": WRONG_RESULT, "asan": WRONG_RESULT, "tsan": RACE}),
    ("graph_without_edge", {}, {"plain": WRONG_RESULT, "asan": WRONG_RESULT, "tsan": RACE}),
    ("graph_without_join", {}, always("cudaErrorStreamCaptureUnjoined")),
    # Failures that the environment asks for.
    ("devices", {"GRADSWEEP_SIM_DEVICES": "0"}, always("cudaErrorNoDevice")),
    ("devices", {"GRADSWEEP_SIM_DEVICE_ERROR": "35"}, always("cudaErrorInsufficientDriver")),
    ("devices", {"GRADSWEEP_SIM_DEVICES": "2"}, always("not true: count == 1")),
    ("indices", {"GRADSWEEP_SIM_FAIL_MALLOC": "1"}, always("cudaErrorMemoryAllocation")),
    ("indices", {"GRADSWEEP_SIM_MEMORY": "4095"}, always("cudaErrorMemoryAllocation")),
    ("indices", {"GRADSWEEP_SIM_FAIL_LAUNCH": "1"}, always("cudaErrorLaunchOutOfResources")),
    ("indices", {"GRADSWEEP_SIM_STICKY_LAUNCH": "1"}, always("cudaErrorIllegalAddress")),
    ("indices", {"GRADSWEEP_SIM_FAIL_ANY": "3"}, always("cudaErrorUnknown")),
]
MATMUL = [
    ("shared_workspace", {}, {"tsan": RACE}),
    ("product_into_input", {}, always("matrix D overlaps A")),
    ("product_past_end", {}, always("run past an allocation of 1020 bytes")),
    ("product_of_host_memory", {}, always("is not device memory")),
]


def run(command, settings):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GRADSWEEP_SIM_")}
    environment.update(settings)
    # The thread sanitizer else waits a second at the end of every program.
    environment["TSAN_OPTIONS"] = environment.get("TSAN_OPTIONS", "") + " atexit_sleep_ms=0"
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=100, check=False)
    return done.returncode, done.stdout.decode(errors="replace")


def judge(command, settings, text):
    """What is wrong with the outcome, or None. text None: the program must pass."""
    status, output = run(command, settings)
    if text is None and status != 0:
        return f"status {status}\n{output[-3000:]}"
    if text is not None and status == 0:
        return f"not caught; expected: {text}\n{output[-1000:]}"
    if text is not None and text not in output:
        return f"caught, but without the words: {text}\n{output[-3000:]}"
    return None


def right_runs(build):
    orders = [(order, lazy) for order in range(3) for lazy in range(3)]
    if build != "plain":
        orders = [(0, 0), (1, 1), (2, 2)]
    return [{"GRADSWEEP_SIM_ORDER": str(o), "GRADSWEEP_SIM_LAZY": str(l),
             "GRADSWEEP_SIM_CAPABILITY": str(90 if o + l else 80)} for o, l in orders]


def main():
    build = NAMES[sys.argv[1]]
    kernels, matmul, *launcher = sys.argv[2:]
    tasks = [(kernels, "right", settings, None) for settings in right_runs(build)]
    tasks += [(matmul, "right", settings, None) for settings in ({}, TRUNCATING)]
    for program, table in ((kernels, KERNELS), (matmul, MATMUL)):
        tasks += [(program, name, settings, texts.get(build)) for name, settings, texts in table]

    failures = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = [pool.submit(judge, [*launcher, program, name], settings, text)
                   for program, name, settings, text in tasks]
        for (_, name, settings, _), result in zip(tasks, results):
            complaint = result.result()
            if complaint:
                failures += 1
                print(f"{name} {settings}: {complaint}")
    print(f"{len(tasks)} programs, {failures} with another outcome than the table's ({build})")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
