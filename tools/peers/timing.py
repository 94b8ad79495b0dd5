"""How a step of PyTorch's is run and timed: eagerly, compiled, or replayed from a
CUDA graph; by the host's clock on the CPU, by events on a GPU."""

import statistics
import time

import torch

SAMPLE_NS = 1e6  # on a GPU shorter steps are timed several at a time
WARM_UP = 3


def time_on_cpu(call, seconds):
    """Median nanoseconds of a step, over at least three."""
    samples, end = [], time.perf_counter() + seconds
    while len(samples) < 3 or time.perf_counter() < end:
        start = time.perf_counter_ns()
        call()
        samples.append(time.perf_counter_ns() - start)
    return statistics.median(samples)


def sample_on_gpu(call, steps):
    """Nanoseconds of a step: the device's time from before the first to after the last,
    the host's delays between them included."""
    start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    start.record()
    for _ in range(steps):
        call()
    stop.record()
    stop.synchronize()
    return start.elapsed_time(stop) * 1e6 / steps


def time_on_gpu(call, seconds):
    """The same as time_on_cpu, of samples as gradsweep's server takes them."""
    shortest = min(sample_on_gpu(call, 1) for _ in range(WARM_UP))
    steps = max(1, int(SAMPLE_NS / max(shortest, 1e3)))
    samples, end = [], time.perf_counter() + seconds
    while len(samples) < 3 or time.perf_counter() < end:
        samples.append(sample_on_gpu(call, steps))
    return statistics.median(samples)


def timer_of(device):
    return time_on_gpu if device.startswith("cuda") else time_on_cpu


def capture(call):
    """The call as a CUDA graph; returns what replays it."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # lazy initialisations must not be captured
        for _ in range(WARM_UP):
            call()
    torch.cuda.current_stream().wait_stream(side)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        kept = call()  # the graph writes its results here
    torch.cuda.synchronize()

    def replay(_kept=kept):
        graph.replay()
    return replay


class NotRun(Exception):
    """Why a way of running the step is left out."""


def compiled(peer, layers, limit):
    """The peer's step with its loss compiled; the peer stays compiled."""
    if peer.compiles:
        raise NotRun(peer.compiles)
    if layers > limit:
        raise NotRun(f"deeper than --compile-depth {limit}")
    if peer.run == peer.loss:
        torch._dynamo.reset()  # nothing of the case before
        peer.run = torch.compile(peer.loss)
    for _ in range(WARM_UP):
        peer.gradients()
    return peer.gradients


def ways(peer, device, layers, compile_limit):
    """Yields (name, call or None, why not) for every way to run the peer's step."""
    makers = [("eager", lambda: peer.gradients)]
    if device.startswith("cuda"):
        makers.append(("graph", lambda: capture(peer.gradients)))
    makers.append(("compiled", lambda: compiled(peer, layers, compile_limit)))
    if device.startswith("cuda"):
        makers.append(("compiled graph",
                       lambda: capture(compiled(peer, layers, compile_limit))))
    for name, make in makers:
        try:
            call = make()
        except NotRun as reason:
            yield name, None, str(reason)
        except Exception as error:  # whatever the compiler's stack or a capture raises
            words = str(error).strip().splitlines() or [""]
            yield name, None, f"{type(error).__name__}: {words[0]}"
        else:
            yield name, call, None
