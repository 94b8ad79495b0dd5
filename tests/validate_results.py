"""Holds results.json against results/schema.json, and against what a schema
cannot say: lengths of arrays that belong together, ids that are unique.

With file names it judges those files. Without, it is a test: it runs the
program on a sweep with every kind of cell and judges what comes out, and then
shows that a damaged document does not pass. Needs Debian's python3-jsonschema;
exits with 77 (skipped) where it is missing.
"""
import copy
import hashlib
import json
import math
import os
import pathlib
import statistics
import struct
import subprocess
import sys
import tempfile

try:
    import jsonschema
except ImportError:
    jsonschema = None

SCHEMA = pathlib.Path(__file__).resolve().parents[1] / "results" / "schema.json"


def schema_problems(document):
    if jsonschema is None:
        return []
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    errors = jsonschema.Draft202012Validator(schema).iter_errors(document)
    return [f"{error.json_path}: {error.message[:300]}" for error in errors]


def arrays_in(node, path):
    if isinstance(node, dict):
        for key, value in node.items():
            yield from arrays_in(value, f"{path}.{key}")
    elif isinstance(node, list):
        yield path, node


def depth_of(params):
    return len(params["widths"]) - 1 if "widths" in params else params["depth"]


def axis_of(params, quantity):
    """The largest index that a quantity may have."""
    if quantity in ("stream", "grad_stream") and params["residual"] != "none":
        return depth_of(params) // params["block"]
    if params["model"] == "mlp":
        return depth_of(params)
    if quantity in ("activation", "delta"):
        return params["seq_len"]
    return params["seq_len"] if quantity == "grad_weight" and not params["tied"] else 1


def jacobian_problems(jacobian, params, path, max_points):
    layers = axis_of(params, "delta")
    usual = params.get("width", params.get("hidden"))
    ends = [params.get("input", usual), params.get("output", usual)] if params["model"] == "mlp" else [usual]
    widths = params.get("widths", ends)
    for part, longest in (("layers", layers), ("lyapunov", min(widths[0], widths[-1]))):
        index = jacobian[part]["index"]
        if index != sorted(set(index)) or index[0] != 1 or index[-1] != longest:
            yield f"{path}.{part}.index: not increasing from 1 to {longest}"
        if len(index) > max_points:
            yield f"{path}.{part}.index: more than {max_points} entries"
        for where, array in arrays_in(jacobian[part], f"{path}.{part}"):
            if len(array) != len(index):
                yield f"{where}: {len(array)} entries, not {len(index)}"
    for key, sample in (*jacobian["layers"].items(), *jacobian["lyapunov"].items()):
        if key != "index" and any(sum(n) != params["replicas"] for n in zip(
                sample["finite"], sample["not_finite"], sample.get("zero", [0] * len(sample["finite"])))):
            yield f"{path}.{key}: counts are not {params['replicas']} replicas"
    for key, sample in jacobian["end_to_end"].items():
        if sample["finite"] + sample["zero"] + sample["not_finite"] != params["replicas"]:
            yield f"{path}.end_to_end.{key}: counts are not {params['replicas']} replicas"
    for small, large in (("smallest", "mean"), ("mean", "rms"), ("rms", "largest")):
        pairs = zip(jacobian["layers"][small]["p50"], jacobian["layers"][large]["p50"])
        if any(a > b * (1 + 1e-9) for a, b in pairs if None not in (a, b)):
            yield f"{path}.layers: {small} is above {large}"
    whole = jacobian["lyapunov"]["exponent"]  # where no replica has lost its rank
    exponents = [x for x, n in zip(whole["p50"], whole["finite"]) if n == params["replicas"]]
    if exponents != sorted(exponents, reverse=True):
        yield f"{path}.lyapunov: exponents rise"


def decades_problems(summary, params, path):
    """Every null has its class, and shares are those of the networks listed."""
    decades, law, replicas = summary["decades"], summary["law"], params["replicas"]
    values, classes = decades["values"], decades["class"].get("values", ["finite"] * replicas)
    counts = {key: classes.count(key) for key in ("finite", "dead", "not_finite")}
    if len(classes) != replicas or any(decades[key] != n for key, n in counts.items()):
        yield f"{path}.decades: classes and counts disagree"
    if any((x is None) != (c != "finite") for x, c in zip(values, classes)):
        yield f"{path}.decades: null values and classes disagree"
    if ("values" in decades["class"]) != (counts["finite"] < replicas):
        yield f"{path}.decades.class.values: there although all are finite, or missing"
    if any((decades[key] is None) != (decades["class"][key] != "finite") for key in ("p05", "p50", "p95")):
        yield f"{path}.decades: null quantiles and classes disagree"
    if (summary["verdict"] is None) != (axis_of(params, "delta") == 1):
        yield f"{path}.verdict: null, or not, with {axis_of(params, 'delta')} layers or steps"
    threshold = summary["threshold_decades"]
    order = {"dead": -math.inf, "not_finite": math.inf}
    x = [order.get(c, math.nan if v is None else v) for v, c in zip(values, classes)]
    wanted = {"dead": counts["dead"], "not_finite": counts["not_finite"]}
    if summary["verdict"] is not None:
        wanted |= {"below": sum(v < -threshold for v in x), "above": sum(v > threshold for v in x)}
        if summary["verdict"] not in law["verdicts"]:
            yield f"{path}.law.verdicts: the verdict is not among them"
        middle = order.get(decades["class"]["p50"], decades["p50"])
        if summary["verdict"] != "mixed" and middle is not None and summary["verdict"] != (
                "vanishing" if middle < -threshold else "exploding" if middle > threshold else "stable"):
            yield f"{path}.verdict: not that of the median"
    for key, count in wanted.items():
        share = law[key]
        if share["count"] != count or abs(share["share"] - count / replicas) > 1e-12:
            yield f"{path}.law.{key}: not {count} of {replicas}"
        if not share["low"] <= share["share"] <= share["high"]:
            yield f"{path}.law.{key}: outside its interval"


def timing_problems(timing, path):
    samples, rounds = timing["samples_ns"], timing["rounds"]
    if not min(samples) <= timing["median_ns"] <= max(samples):
        yield f"{path}: the median is outside the samples"
    if (timing["noise"] is None) != (len(samples) == 1):
        yield f"{path}.noise: null, or not, with {len(samples)} samples"
    numbers = [r["round"] for r in rounds]
    if numbers != sorted(set(numbers)):
        yield f"{path}.rounds: not in order"
    if timing["sample_round"] != [r["round"] for r in rounds for _ in range(r["samples"])]:
        yield f"{path}.sample_round: not the samples of the rounds"
    marked = timing["disturbed_samples"]
    if len(marked) != timing["disturbed"] or marked != sorted(set(marked)) or any(i >= len(samples) for i in marked):
        yield f"{path}.disturbed_samples: not {timing['disturbed']} of the samples"
    if timing["disturbed"] != sum(r["disturbed"] for r in rounds):
        yield f"{path}.disturbed: not the sum over the rounds"
    for r in rounds:
        own = [s for s, n in zip(samples, timing["sample_round"]) if n == r["round"]]
        if not own or abs(statistics.median(own) / r["median_ns"] - 1) > 1e-12:
            yield f"{path}.rounds[{r['round']}].median_ns: not its samples'"
        if not set(r["lacks"]) <= set(timing["lacks"]):
            yield f"{path}.lacks: less than that of a round"
    if abs(statistics.median(r["median_ns"] for r in rounds) / timing["median_ns"] - 1) > 1e-12:
        yield f"{path}.median_ns: not the rounds'"
    if (timing["fraction_of_floor"] > 1.05) != (timing["floor"] == "not trustworthy"):
        yield f"{path}.floor: {timing['floor']} at {timing['fraction_of_floor']}"
    if (timing["median_interval_ns"] is None) != (len(rounds) < 6):
        yield f"{path}.median_interval_ns: null, or not, with {len(rounds)} rounds"


def benchmark_problems(document):
    """An entry of benchmarks[] for each round of each timed cell, and no others."""
    wanted = {(c["name"], r["round"]): (r["median_ns"], r["samples"] * c["timing"]["steps_per_sample"])
              for c in document["cells"] if "timing" in c for r in c["timing"]["rounds"]}
    listed = {(b["name"], b["repetition_index"]): (b["real_time"], b["iterations"]) for b in document["benchmarks"]}
    if wanted != listed or any(b["cpu_time"] != b["real_time"] for b in document["benchmarks"]):
        yield "$.benchmarks: not the rounds of the timed cells and their medians"
    rounds = max(1, document["context"]["options"]["interleave"])
    if any(b["repetitions"] != rounds or b["repetition_index"] >= rounds for b in document["benchmarks"]):
        yield f"$.benchmarks: not {rounds} repetitions"


def canonical(x):
    """What the digest is over, of one value."""
    if isinstance(x, dict):
        return b"{" + b"".join(k.encode() + b"\0" + canonical(v) for k, v in x.items()) + b"}"
    if isinstance(x, list):
        return b"[" + b"".join(map(canonical, x)) + b"]"
    if isinstance(x, str):
        return b"s" + x.encode() + b"\0"
    return b"z" if x is None else b"n" + struct.pack("<d", x + 0.0)  # -0 as 0


def digest_of(cell):
    """As results/README.md defines it."""
    digest = hashlib.sha256()
    for path in ("weights_hash", "layers", "summary.decades", "summary.loss", "jacobian"):
        x = cell
        for key in path.split("."):
            x = None if x is None else x.get(key)
        if x is not None:
            digest.update(path.encode() + b"\0" + canonical(x))
    return digest.hexdigest()


def cell_problems(cell, path, max_points):
    params = cell["params"]
    replicas = params["replicas"]
    for quantity, layers in cell.get("layers", {}).items():
        index = layers["index"]
        at = f"{path}.layers.{quantity}"
        longest = axis_of(params, quantity)
        first = 0 if quantity in ("stream", "grad_stream") else 1
        if index != sorted(set(index)) or index[0] != first or index[-1] != longest:
            yield f"{at}.index: not increasing from {first} to {longest}"
        if len(index) > max_points:
            yield f"{at}.index: more than {max_points} entries"
        for where, array in arrays_in(layers, at):
            if len(array) != len(index):
                yield f"{where}: {len(array)} entries for {len(index)} layers or steps"
        norm = layers["log10_norm"]
        if any(sum(n) != replicas for n in zip(norm["finite"], norm["zero"], norm["not_finite"])):
            yield f"{at}.log10_norm: finite, zero and not finite are not {replicas} replicas"
    if "jacobian" in cell:
        yield from jacobian_problems(cell["jacobian"], params, f"{path}.jacobian", max_points)
    summary = cell.get("summary")
    if summary:
        decades = summary["decades"]
        for what in (decades["values"], summary["loss"]["sign"], summary["loss"]["log10_abs"]):
            if len(what) != replicas:
                yield f"{path}.summary: {len(what)} values for {replicas} replicas"
        yield from decades_problems(summary, params, f"{path}.summary")
        if ("first_layer_lost_by_run" in summary) != (params["range"] == "native" and params["stats"] == "full"):
            yield f"{path}.summary.first_layer_lost_by_run: there, or missing"
    if "timing" in cell:
        yield from timing_problems(cell["timing"], f"{path}.timing")
    if cell["status"] == "ok" and cell["digest"] != digest_of(cell):
        yield f"{path}.digest: not that of its numbers"


def problems_of(document):
    """Everything wrong with a document, in words; empty when it is right."""
    problems = schema_problems(document)
    if problems:
        return problems
    max_points = document["context"]["options"]["max_points"]
    for i, cell in enumerate(document["cells"]):
        problems += cell_problems(cell, f"$.cells[{i}]", max_points)
    ids = [cell["id"] for cell in document["cells"]]
    if len(set(ids)) != len(ids):
        problems.append("$.cells: an id appears twice")
    return problems + list(benchmark_problems(document))


def refuse_constant(text):
    raise ValueError(f"{text} is not JSON")


def checksum_problems(data):
    """The file's last member is the SHA-256 of all bytes before it."""
    body, mark, rest = data.rpartition(b',\n  "sha256": "')
    if not mark:
        return ["no checksum at its end: not as gradsweep wrote it"]
    right = rest == hashlib.sha256(body).hexdigest().encode() + b'"\n}\n'
    return [] if right else ["edited: the checksum at its end is not that of its bytes"]


def judge(path):
    data = pathlib.Path(path).read_bytes()
    problems = checksum_problems(data) + problems_of(json.loads(data, parse_constant=refuse_constant))
    for problem in problems:
        print(f"{path}: {problem}")
    return not problems


# ---- the test ----

SWEEP = {"name": "every kind", "timing": {"time_limit_s": 0.01}, "blocks": [
    {"model": "mlp", "depth": [1, 3, 40], "width": 5, "batch": 3, "replicas": [1, 3],
     "activation": ["sigmoid", "relu", "softplus"], "init": ["normal", {"name": "scaled", "sigma_w2": 0.5}],
     "stats": ["off", "norms", "full"]},
    {"model": "mlp", "widths": [[7, 5, 3], [2, 2]], "bias_std": 0.5, "loss": "mse", "dtype": "f64",
     "activation": {"name": "leaky_relu", "slope": 0.2}, "output_activation": "identity"},
    {"model": "mlp", "depth": 2, "width": 8, "init": ["torch_default", "keras_default"], "bias_std": [0, None]},
    {"model": "rnn", "seq_len": 3, "hidden": 8, "init": ["torch_default", "keras_default"]},
    {"model": "mlp", "depth": 200, "width": 8, "batch": 2, "replicas": 2, "range": "native",
     "activation": ["sigmoid", "relu"], "init": ["xavier_normal", "normal"]},
    {"model": "mlp", "depth": 1000000, "width": 20000},
    {"model": "mlp", "depth": 40, "width": 6, "batch": 2, "replicas": 3, "jacobian": True,
     "activation": ["tanh", "relu"], "stats": ["off", "norms"]},
    {"model": "mlp", "widths": [[7, 3, 5], [4, 40, 35]], "batch": 2, "jacobian": True},
    {"model": "rnn", "hidden": 6, "input": 4, "seq_len": [1, 50], "batch": 2, "replicas": 2,
     "tied": [True, False], "loss_at": ["last", "every"], "bias_std": [0, 0.1],
     "init": {"name": "orthogonal", "gain": 0.9}},
    {"model": "mlp", "depth": 4, "width": 7, "batch": 2, "replicas": 3, "jacobian": True,
     "init": [{"name": "normal", "std": s} for s in (1e20, 1e38, 1e300)],
     "activation": ["identity", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "softplus"]},
    {"model": "rnn", "hidden": 5, "input": 2, "seq_len": 3, "batch": 2, "jacobian": True, "dtype": ["f32", "f64"],
     "init": {"name": "normal", "std": 1e300}, "range": ["native", "extended"], "activation": ["tanh", "relu"]},
    {"model": "rnn", "hidden": 33, "input": 4, "seq_len": [1, 40], "batch": 2, "replicas": 2,
     "jacobian": True, "activation": ["tanh", "relu"], "init": ["orthogonal", "identity"]}]}


def damaged_copies(document):
    """Documents that must not pass, each with what is wrong about it."""
    ok = next(i for i, c in enumerate(document["cells"])
              if {"layers", "timing", "jacobian"} <= c.keys() and c["params"]["replicas"] > 1)
    small = dict(document, cells=[document["cells"][ok]], benchmarks=[
        b for b in document["benchmarks"] if b["name"] == document["cells"][ok]["name"]])
    ok = 0
    assert not problems_of(small)

    def copy_with(what, change):
        damaged = copy.deepcopy(small)
        change(damaged)
        return what, damaged
    yield copy_with("another version", lambda d: d.update(schema=1))
    yield copy_with("an unknown key", lambda d: d.update(extra=1))
    yield copy_with("a host name", lambda d: d["context"].update(host_name="x"))
    yield copy_with("a device without dtypes", lambda d: d["context"]["device"].pop("dtypes"))
    yield copy_with("a rate of zero", lambda d: d["context"]["floor"].update(flops_per_s_bf16=0))
    yield copy_with("a barrier in no time", lambda d: d["context"]["floor"].update(block_barrier_ns=0))
    yield copy_with("no grid barrier", lambda d: d["context"]["floor"].pop("grid_barrier_ns"))
    yield copy_with("no launch time", lambda d: d["context"]["floor"].pop("launch_ns"))
    yield copy_with("no cells", lambda d: d.pop("cells"))
    yield copy_with("a number as id", lambda d: d["cells"][ok].update(id=7))
    yield copy_with("an id twice", lambda d: d["cells"].append(d["cells"][ok]))
    yield copy_with("an unknown status", lambda d: d["cells"][ok].update(status="done"))
    yield copy_with("ok with an error", lambda d: d["cells"][ok].update(error="no"))
    yield copy_with("a missing parameter", lambda d: d["cells"][ok]["params"].pop("batch"))
    yield copy_with("an unknown law of biases", lambda d: d["cells"][ok].update(bias="some"))
    yield copy_with("a seed as number", lambda d: d["cells"][ok]["params"].update(seed=1))
    yield copy_with("ok without layers", lambda d: d["cells"][ok].pop("layers"))
    yield copy_with("a text for a number",
                    lambda d: d["cells"][ok]["layers"]["delta"]["zero_share"].__setitem__(0, "0"))
    yield copy_with("a share over 1",
                    lambda d: d["cells"][ok]["layers"]["delta"]["zero_share"].__setitem__(0, 1.5))
    yield copy_with("a short array", lambda d: d["cells"][ok]["layers"]["delta"]["nan"].append(0))
    yield copy_with("a replica too few",
                    lambda d: d["cells"][ok]["summary"]["decades"]["values"].pop())
    yield copy_with("an unknown verdict", lambda d: d["cells"][ok]["summary"].update(verdict="fine"))
    yield copy_with("a verdict that is not open", lambda d: d["cells"][ok]["summary"].update(
        verdict=next(v for v in ("mixed", "stable", "exploding", "vanishing")
                     if v not in d["cells"][ok]["summary"]["law"]["verdicts"])))
    yield copy_with("no verdict", lambda d: d["cells"][ok]["summary"].update(verdict=None))
    yield copy_with("a dead network that nobody counted",
                    lambda d: d["cells"][ok]["summary"]["decades"].update(dead=1))
    yield copy_with("a null without its class",
                    lambda d: d["cells"][ok]["summary"]["decades"].update(p50=None))
    yield copy_with("a share of other networks",
                    lambda d: d["cells"][ok]["summary"]["law"]["below"].update(count=99))
    yield copy_with("a zero norm too many",
                    lambda d: d["cells"][ok]["layers"]["delta"]["log10_norm"]["zero"].__setitem__(0, 1))
    yield copy_with("no Jacobians", lambda d: d["cells"][ok].pop("jacobian"))
    yield copy_with("Jacobians nobody asked for",
                    lambda d: d["cells"][ok]["params"].update(jacobian=False))
    yield copy_with("a Jacobian's layer too few",
                    lambda d: d["cells"][ok]["jacobian"]["layers"]["rms"]["sd"].pop())
    yield copy_with("singular values in disorder",
                    lambda d: d["cells"][ok]["jacobian"]["layers"]["mean"]["p50"].__setitem__(0, 99))
    yield copy_with("an exponent too many",
                    lambda d: d["cells"][ok]["jacobian"]["lyapunov"]["index"].append(7))
    yield copy_with("an exponent out of order",
                    lambda d: d["cells"][ok]["jacobian"]["lyapunov"]["exponent"]["p50"].reverse())
    yield copy_with("an end without its end",
                    lambda d: d["cells"][ok]["jacobian"]["end_to_end"].pop("log10_smallest"))
    yield copy_with("a sample of a round that is not there",
                    lambda d: d["cells"][ok]["timing"]["sample_round"].__setitem__(0, 7))
    yield copy_with("a disturbed sample that nobody counted",
                    lambda d: d["cells"][ok]["timing"].update(disturbed=99))
    yield copy_with("an ending without a name", lambda d: d["cells"][ok]["timing"].update(stopped="bored"))
    yield copy_with("no noise", lambda d: d["cells"][ok]["timing"].update(
        noise=None if len(d["cells"][ok]["timing"]["samples_ns"]) > 1 else 0))
    yield copy_with("a message under the name of version 2", lambda d: d["cells"][ok]["agreement"].update(
        words=d["cells"][ok]["agreement"].pop("message")))
    yield copy_with("a validity under the name of version 2", lambda d: d["cells"][ok]["theory"].update(
        reach=d["cells"][ok]["theory"].pop("validity")))
    yield copy_with("a share that cannot be", lambda d: d["cells"][ok]["timing"].update(fraction_of_floor=2))
    yield copy_with("a floor without its measurements", lambda d: d["context"].pop("floors"))
    yield copy_with("a norm that is one ulp off", lambda d: d["cells"][ok]["layers"]["delta"]["log10_norm"]["mean"]
                    .__setitem__(0, math.nextafter(d["cells"][ok]["layers"]["delta"]["log10_norm"]["mean"][0], 9)))
    yield copy_with("no digest", lambda d: d["cells"][ok].pop("digest"))
    yield copy_with("no benchmark", lambda d: d["benchmarks"].pop())
    yield copy_with("another time", lambda d: d["benchmarks"][0].update(real_time=1.0, cpu_time=1.0))


def nothing_finite(jacobian, replicas):
    """Whether each number of a Jacobian is null and all its replicas are counted as not finite."""
    samples = [*jacobian["end_to_end"].values(), *(
        {key: values[i] for key, values in sample.items()} for part in ("layers", "lyapunov")
        for name, sample in jacobian[part].items() if name != "index" for i in range(len(sample["mean"])))]
    return all(s["mean"] is None and s["p50"] is None and s["not_finite"] == replicas for s in samples)


def test(program):
    with tempfile.TemporaryDirectory(prefix="gradsweep_") as scratch:
        sweep = pathlib.Path(scratch, "every.json")
        sweep.write_text(json.dumps(SWEEP))
        out = pathlib.Path(scratch, "out")
        subprocess.run([program, "run", sweep, "--out", out, "--quiet", "--max-points", "30"],
                       check=True, stdout=subprocess.DEVNULL, timeout=300,
                       env=dict(os.environ, CUDA_VISIBLE_DEVICES=""))  # the sweep is the CPU's
        data = (out / "results.json").read_bytes()
        document = json.loads(data, parse_constant=refuse_constant)
    problems = checksum_problems(data) + problems_of(document)
    if not checksum_problems(data.replace(b"0", b"1", 1)) or not checksum_problems(json.dumps(document).encode()):
        problems.append("an edited file passes for what gradsweep wrote")
    print("\n".join(problems))
    statuses = {cell["status"] for cell in document["cells"]}
    if statuses != {"ok", "skipped"}:
        problems.append(f"unexpected statuses {statuses}")
    for cell in document["cells"]:  # doubles are printed so that they read back equal
        for _, array in arrays_in(cell.get("layers", {}), "$"):
            if any(isinstance(x, float) and not math.isfinite(x) for x in array):
                problems.append("a number that is not finite")
    infinite = [cell for cell in document["cells"] if cell["params"]["init"].get("std") == 1e300]
    for cell in infinite:  # weights that no float32 holds: findings, not failures
        parts = cell["jacobian"], cell["params"]["replicas"]
        if len(infinite) != 16 or not nothing_finite(*parts):
            problems.append(f"{cell['name']}: {len(infinite)} such cells, or a finite Jacobian of infinite weights")
    for what, damaged in damaged_copies(document):
        if not problems_of(damaged):
            problems.append(f"a document with {what} passes")
    print("\n".join(problems) or f"{len(document['cells'])} cells are as the schema says")
    return not problems


def main():
    if jsonschema is None:
        print("skipped: python3-jsonschema is not installed")
        return 77
    if len(sys.argv) > 1:
        return 0 if all([judge(path) for path in sys.argv[1:]]) else 1
    if not os.environ.get("GRADSWEEP"):
        print("skipped: set GRADSWEEP to the program to test, or name files to judge")
        return 77
    return 0 if test(os.environ["GRADSWEEP"]) else 1


if __name__ == "__main__":
    sys.exit(main())
