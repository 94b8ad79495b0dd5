"""gradsweep compare from outside: what is planted is found, with its exit code and its
place, and what is no result of a run is refused in one line.
"""
import copy
import csv
import hashlib
import io
import json
import math
import pathlib
import random
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "endtoend"))
from program import LIMIT_S, PROGRAM, environment  # noqa: E402
from validate_results import checksum_problems, digest_of, problems_of  # noqa: E402

SWEEP = {"name": "compared", "blocks": [
    {"model": "mlp", "depth": [3, 9], "width": 7, "batch": 3, "replicas": 3, "activation": ["tanh", "relu"]},
    {"model": "mlp", "depth": 40, "width": 3, "batch": 1, "replicas": 4, "activation": "relu", "stats": "norms"},
    {"model": "rnn", "hidden": 6, "input": 2, "seq_len": 5, "batch": 3, "replicas": 2, "bias_std": 0.1,
     "jacobian": True},
    {"model": "mlp", "depth": 2, "width": 5, "stats": "off"}]}
COLUMNS = ("mean", "p50")


def sealed(document):
    """The bytes of a document with its checksum (results/README.md)."""
    bare = {key: value for key, value in document.items() if key != "sha256"}
    body = json.dumps(bare)[:-1].encode()
    return body + b',\n  "sha256": "' + hashlib.sha256(body).hexdigest().encode() + b'"\n}\n'


def with_digests(document):
    for cell in document["cells"]:
        if cell["status"] == "ok":
            cell["digest"] = digest_of(cell)
    return document


def with_rounds(document, time_of):
    """Times of nine rounds of ten samples; time_of(cell, round) in ns."""
    for k, cell in enumerate(document["cells"]):
        if "timing" not in cell or cell["status"] != "ok":
            continue
        timing = cell["timing"]
        samples = [time_of(k, r) * (1 + 0.001 * s) for r in range(9) for s in range(10)]
        entry = dict(timing["rounds"][0], samples=10, disturbed=0, involuntary_switches=0)
        timing.update(disturbed=0, disturbed_samples=[], samples_ns=samples, sample_round=[r for r in range(9) for _ in range(10)],
                      rounds=[dict(entry, round=r) for r in range(9)])
    document["context"]["options"]["interleave"] = 9
    return document


class Compare(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory(prefix="gradsweep_")
        cls.folder = pathlib.Path(cls.scratch.name)
        sweep = cls.folder / "sweep.json"
        sweep.write_text(json.dumps(SWEEP))
        for name in ("one", "two"):
            subprocess.run([PROGRAM, "run", sweep, "--out", cls.folder / "runs" / name, "--quiet",
                            "--time-limit", "0.002", "--min-time", "0.001"], check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(), timeout=LIMIT_S)
        cls.one = cls.folder / "runs" / "one" / "results.json"
        cls.document = json.loads(cls.one.read_bytes())
        noise = random.Random(7)
        cls.factors = {side: {(k, r): math.exp(noise.gauss(0, 0.006)) for k in range(99) for r in range(9)}
                       for side in ("base", "new")}
        cls.base = cls.write("base", with_rounds(copy.deepcopy(cls.document), cls.time_of("base")))

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    @classmethod
    def time_of(cls, side, factor=lambda k: 1):
        return lambda k, r: 1e6 * (k + 1) * cls.factors[side][k, r] * factor(k)

    @classmethod
    def write(cls, name, document):
        path = cls.folder / f"{name}.json"
        path.write_bytes(document if isinstance(document, bytes) else sealed(with_digests(document)))
        return path

    def changed(self, change, factor=lambda k: 1):
        document = with_rounds(copy.deepcopy(self.document), self.time_of("new", factor))
        change(document)
        return self.write("new", document)

    def run_it(self, *arguments):
        return subprocess.run([PROGRAM, "compare", *map(str, arguments)], capture_output=True, text=True,
                              timeout=LIMIT_S, check=False)

    def compare(self, *arguments):
        done = self.run_it(*arguments, "--json")
        self.assertEqual(done.stderr, "")
        document = json.loads(done.stdout)
        self.assertEqual(document["exit_code"], done.returncode)
        return done.returncode, document["comparisons"]

    # ---- the same ----

    def test_a_run_and_itself(self):
        code, (found,) = self.compare(self.base, self.base)
        self.assertEqual((code, found["verdict"], found["numbers"]), (0, "same", "identical"))
        self.assertEqual([c["speed"]["verdict"] for c in found["cells"]], ["same"] * len(self.document["cells"]))

    def test_two_runs_have_the_same_numbers(self):
        code, (found,) = self.compare(self.one, self.folder / "runs" / "two", "--no-speed")
        self.assertEqual((code, found["numbers"]), (0, "identical"))

    def test_noise_is_no_change(self):
        code, (found,) = self.compare(self.base, self.changed(lambda d: None))
        self.assertEqual((code, found["speed"]["verdict"]), (0, "same"))

    def test_one_round_is_no_evidence(self):
        code, (found,) = self.compare(self.one, self.folder / "runs" / "two")
        self.assertEqual(code, 5)
        self.assertIn("--interleave 9", found["message"])

    def test_a_folder_of_starts(self):
        code, (found,) = self.compare(self.folder / "runs", self.one)
        self.assertEqual((code, found["base_starts"], found["new_starts"]), (5, 2, 1))
        many = self.folder / "many"
        for start in range(6):
            (many / f"{start}").mkdir(parents=True, exist_ok=True)
            document = with_rounds(copy.deepcopy(self.document), self.time_of("base" if start % 2 else "new"))
            (many / f"{start}" / "results.json").write_bytes(sealed(document))
        code, (found,) = self.compare(many, many)
        self.assertEqual((found["speed"]["unit"], found["speed"]["base_units"]), ("start", 6))

    # ---- speed ----

    def test_all_slower(self):
        code, (found,) = self.compare(self.base, self.changed(lambda d: None, lambda k: 1.05))
        self.assertEqual((code, found["verdict"]), (3, "slower"))

    def test_one_slower(self):
        code, (found,) = self.compare(self.base, self.changed(lambda d: None, lambda k: 1.05 if k == 2 else 1))
        self.assertEqual(code, 3)
        self.assertEqual([c["speed"]["red"] for c in found["cells"]],
                         [k == 2 for k in range(len(self.document["cells"]))])
        self.assertIn(self.document["cells"][2]["name"], found["message"])

    def test_faster(self):
        code, (found,) = self.compare(self.base, self.changed(lambda d: None, lambda k: 0.95))
        self.assertEqual((code, found["verdict"]), (0, "faster"))

    def test_threshold(self):
        new = self.changed(lambda d: None, lambda k: 1.05)
        self.assertEqual(self.compare(self.base, new, "--threshold", "10")[0], 0)
        self.assertEqual(self.run_it(self.base, new, "--threshold", "10", "--margin", "5").returncode, 64)

    def test_the_worst_of_several(self):
        slow = self.write("slow", with_rounds(copy.deepcopy(self.document), self.time_of("new", lambda k: 1.05)))
        code, found = self.compare(self.base, self.base, slow, self.base)
        self.assertEqual((code, [f["verdict"] for f in found]), (3, ["same", "slower", "same"]))

    def test_nothing_timed(self):
        def untimed(document):
            for cell in document["cells"]:
                cell.pop("timing", None)
        new = self.changed(untimed)
        self.assertEqual(self.compare(self.base, new)[0], 5)
        self.assertEqual(self.compare(self.base, new, "--no-speed")[0], 0)

    def test_a_busy_machine_is_no_evidence(self):
        """Threads that lose their processors: three times as slow, and yet no alarm."""
        def busy(document, rounds=9):
            timing = document["cells"][2]["timing"]
            for r in timing["rounds"][:rounds]:
                r.update(involuntary_switches=30, wall_ns=1e7)
            timing["samples_ns"][:10 * rounds] = [3 * t for t in timing["samples_ns"][:10 * rounds]]
        code, (found,) = self.compare(self.base, self.changed(busy))
        self.assertEqual((code, found["cells"][2]["speed"]["red"]), (5, False))
        self.assertIn("others had the machine", found["message"])

        def partly(document):
            busy(document, 2)
        self.assertEqual(self.compare(self.base, self.changed(partly))[0], 0)

        def marked(document):  # samples, and a round of more than half such samples
            timing = document["cells"][2]["timing"]
            timing["disturbed_samples"] = [*range(0, 4), *range(10, 16)]
            for i in timing["disturbed_samples"]:
                timing["samples_ns"][i] *= 9
        self.assertEqual(self.compare(self.base, self.changed(marked))[0], 0)

    # ---- numbers ----

    def plant(self, cell, quantity, place, value_of):
        """A mean (and what else is the same number) of one layer, changed."""
        def change(document):
            norm = document["cells"][cell]["layers"][quantity]["log10_norm"]
            for column in COLUMNS:
                if norm[column][place] is not None:
                    norm[column][place] = value_of(norm[column][place])
        return change

    def test_planted_numbers_are_found_and_named(self):
        changes = {"an ulp": lambda x: math.nextafter(x, math.inf), "1e-3": lambda x: x + math.log10(1.001)}
        found_of = 0
        for k, cell in enumerate(self.document["cells"]):
            for quantity, layers in cell.get("layers", {}).items():
                for place in sorted({0, len(layers["index"]) // 2, len(layers["index"]) - 1}):
                    if layers["log10_norm"]["mean"][place] is None:
                        continue
                    for what, value_of in changes.items():
                        new = self.changed(self.plant(k, quantity, place, value_of))
                        code, (found,) = self.compare(self.base, new)
                        numbers = found["cells"][k]["numbers"]
                        self.assertEqual(code, 4, (cell["name"], quantity, place, what))
                        self.assertEqual(numbers["verdict"], "rounding" if what == "an ulp" else "different")
                        self.assertEqual(numbers["quantity"], f"{quantity}.log10_norm.mean")
                        self.assertEqual((numbers["axis"], numbers["index"]), (
                            "step" if cell["params"]["model"] == "rnn" else "layer", layers["index"][place]))
                        if place == 0:
                            self.assertEqual(self.run_it(self.base, new, "--numbers", "rounding").returncode,
                                             4 if what == "1e-3" else 0)
                        found_of += 1
        self.assertGreater(found_of, 50)

    def test_an_edit_is_found_whatever_the_digest_says(self):
        document = with_digests(with_rounds(copy.deepcopy(self.document), self.time_of("new")))
        self.plant(0, "delta", 1, lambda x: math.nextafter(x, 9))(document)
        code, (found,) = self.compare(self.base, self.write("new", sealed(document)))
        self.assertEqual((code, found["cells"][0]["numbers"]["quantity"]), (4, "delta.log10_norm.mean"))

    def test_a_digest_of_what_is_not_recorded(self):
        document = with_digests(with_rounds(copy.deepcopy(self.document), self.time_of("new")))
        document["cells"][1]["digest"] = "0" * 64
        code, (found,) = self.compare(self.base, self.write("new", sealed(document)))
        self.assertEqual((code, found["cells"][1]["numbers"]["quantity"]), (4, "digest"))

    def test_wrong_weights(self):
        def change(document):
            cell = document["cells"][1]
            cell["weights_hash"] = "0123456789abcdef"
            for layers in cell["layers"].values():
                layers["log10_norm"]["mean"] = [None if x is None else x + 0.01
                                                for x in layers["log10_norm"]["mean"]]
        code, (found,) = self.compare(self.base, self.changed(change))
        numbers = found["cells"][1]["numbers"]
        self.assertEqual((code, numbers["quantity"], numbers["index"]), (4, "activation.log10_norm.mean", 1))

    def test_classes(self):
        """A norm that is lost on one side is no rounding, nor is a replica more that died."""
        def lose(document):
            norm = document["cells"][0]["layers"]["delta"]["log10_norm"]
            norm["p05"][1] = None

        def die(document):
            norm = document["cells"][0]["layers"]["delta"]["log10_norm"]
            norm["finite"][1] -= 1
            norm["zero"][1] += 1
        for change, quantity in ((lose, "delta.log10_norm.p05"), (die, "delta.log10_norm.finite")):
            code, (found,) = self.compare(self.base, self.changed(change), "--numbers", "rounding")
            numbers = found["cells"][0]["numbers"]
            self.assertEqual((code, numbers["verdict"], numbers["quantity"]), (4, "different", quantity))

    def test_losses_and_decades(self):
        for part, key in (("loss", "log10_abs"), ("decades", "values")):
            def change(document):
                document["cells"][2]["summary"][part][key][1] += 0.01
            code, (found,) = self.compare(self.base, self.changed(change))
            numbers = found["cells"][2]["numbers"]
            self.assertEqual((code, numbers["quantity"], numbers["axis"], numbers["index"]),
                             (4, f"{part}.{key}", "replica", 2))

    def test_jacobians(self):
        k = next(i for i, c in enumerate(self.document["cells"]) if "jacobian" in c)

        def change(document):
            document["cells"][k]["jacobian"]["layers"]["rms"]["mean"][2] *= 1.001
        code, (found,) = self.compare(self.base, self.changed(change), "--numbers", "rounding")
        numbers = found["cells"][k]["numbers"]
        self.assertEqual((code, numbers["quantity"], numbers["index"]), (4, "jacobian.layers.rms.mean", 3))

    # ---- what a worker does wrong ----

    def faulty(self, fault, *arguments):
        """The exit code and the comparison of a run without a fault and one with it."""
        for name, wrong in (("right", None), ("wrong", fault)):
            subprocess.run([PROGRAM, "run", "mlp", "--depth", "5,9", "--width", "8", "--batch", "4", "--activation",
                            "tanh,relu", "--out", self.folder / name, "--overwrite", "--quiet", *arguments],
                           check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           env=environment(wrong), timeout=LIMIT_S)
        return self.compare(self.folder / "right", self.folder / "wrong", "--no-speed")

    def test_a_faulty_worker_is_found(self):
        for fault, cell in (("ulp:2", 2), ("off:3", 3), ("weights:1", 1)):
            code, (found,) = self.faulty(fault, "--time-limit", "0")
            self.assertEqual([c["numbers"]["verdict"] != "identical" for c in found["cells"]],
                             [k == cell for k in range(4)], fault)
            numbers = found["cells"][cell]["numbers"]
            self.assertEqual((code, numbers["axis"]), (4, "layer"), fault)
            if fault.startswith("weights"):
                self.assertEqual((numbers["quantity"], numbers["index"]), ("activation.log10_norm.mean", 1))
            else:
                index = {0: 3, 1: 3, 2: 5, 3: 5}[cell]
                self.assertEqual((numbers["quantity"], numbers["index"]), ("delta.log10_norm.mean", index))

    def test_a_late_worker_has_valid_results(self):
        """Its times are 5 % longer; whether that shows on a busy machine is not for a test."""
        self.assertEqual(self.faulty("late:*", "--time-limit", "0.002", "--interleave", "2")[0], 0)
        data = (self.folder / "wrong" / "results.json").read_bytes()
        self.assertEqual(checksum_problems(data) + problems_of(json.loads(data)), [])

    # ---- not comparable ----

    def test_what_differs_is_named(self):
        cases = [
            ("device", "device name", lambda d: d["context"]["device"].update(name="another")),
            ("driver", "driver", lambda d: d["context"].update(device={
                k: v for key, value in d["context"]["device"].items()
                for k, v in ([("driver", "1.2")] if key == "threads" else []) + [(key, value)]})),
            ("threads", "threads", lambda d: d["context"]["device"].update(threads=77)),
            ("libraries", "libraries", lambda d: d["context"]["device"].update(libraries="x 1")),
            ("options", "options max_points", lambda d: d["context"]["options"].update(max_points=12)),
            ("cells", "cells", lambda d: d["cells"].pop()),
            ("cells", "cells", lambda d: d.update(cells=d["cells"][:3])),
            ("cells", "cells", lambda d: d["cells"][0].update(id="0" * 16)),
            (None, "cells", lambda d: d.update(cells=[])),
            (None, "cells", lambda d: d["cells"][0]["params"].update(dtype="f64")),
            (None, "weights", lambda d: d["cells"][0].update(weights_hash="0" * 16)),
        ]
        for kind, words, change in cases:
            new = self.changed(change)
            code, (found,) = self.compare(self.base, new)
            self.assertEqual((code, found["verdict"]), (6, "not comparable"), words)
            self.assertTrue(found["message"].startswith(words), found["message"])
            lines = self.run_it(self.base, new).stdout.splitlines()
            self.assertEqual(sum(line.startswith("not comparable: ") for line in lines), len(found["differences"]))
            if kind:
                self.assertIn(self.run_it(self.base, new, "--across", f"backend,{kind}").returncode, (0, 5))

    def test_a_failed_cell_is_not_comparable(self):
        def fail(document):
            cell = document["cells"][0]
            for key in [k for k in cell if k not in ("id", "name", "params", "backend")]:
                del cell[key]
            backend = cell.pop("backend")
            cell.update(status="failed", error="it is gone", backend=backend)
        code, (found,) = self.compare(self.base, self.changed(fail))
        self.assertEqual(code, 6)
        self.assertIn("ok in", found["message"])
        code, (found,) = self.compare(self.base, self.changed(fail), "--across", "cells")
        self.assertEqual((code, found["left_out"]), (0, 1))

    def test_free_options(self):
        def change(document):
            document["context"]["options"].update(interleave=12, order_seed="9", timeout_s=7, memory_limit_bytes=99)
            document["cells"].reverse()
        self.assertEqual(self.compare(self.base, self.changed(change))[0], 0)

    def test_across_lets_rounding_pass(self):
        def change(document):
            document["context"]["device"].update(libraries="x 1")
            self.plant(0, "delta", 1, lambda x: x * (1 + 1e-9))(document)
        new = self.changed(change)
        code, (found,) = self.compare(self.base, new, "--across", "libraries")
        self.assertEqual((code, found["numbers"], found["numbers_required"]), (0, "rounding", "rounding"))
        self.assertEqual(self.compare(self.base, new, "--across", "libraries", "--numbers", "identical")[0], 4)

    # ---- forms ----

    def test_forms(self):
        new = self.changed(lambda d: None, lambda k: 1.05)
        table = self.run_it(self.base, new)
        self.assertEqual(table.returncode, 3)
        self.assertLess(max(map(len, table.stdout.splitlines()[:len(self.document["cells"]) + 2])), 120)
        self.assertTrue(table.stdout.splitlines()[-1].startswith("slower: "))
        rows = list(csv.DictReader(io.StringIO(self.run_it(self.base, new, "--csv").stdout)))
        self.assertEqual([row["id"] for row in rows], [c["id"] for c in self.document["cells"]])
        self.assertTrue(all(abs(float(row["ratio"]) - 1.05) < 0.03 and row["speed"] == "slower" for row in rows))
        markdown = self.run_it(self.base, new, "--markdown").stdout
        self.assertEqual(markdown.count("\n| "), len(rows) + 1)
        self.assertTrue(markdown.startswith("**slower**: "))
        both = self.run_it(self.base, new, "--csv", "--json")
        self.assertEqual((both.returncode, both.stdout), (64, ""))

    def test_names_from_outside_stay_harmless(self):
        def change(document):
            document["cells"][0]["name"] = "evil | \x1b[31m \" , ` name"
        for form in ([], ["--markdown"], ["--csv"]):
            done = self.run_it(self.changed(change), self.base, *form)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertNotIn("\x1b", done.stdout)
            self.assertEqual(done.stdout.count("evil"), 1)

    # ---- bad input ----

    def refused(self, code, *arguments):
        done = self.run_it(*arguments)
        self.assertEqual((done.returncode, done.stdout), (code, ""), done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertTrue(done.stderr.startswith("gradsweep: error: "), done.stderr)
        return done.stderr

    def test_bad_files(self):
        good = self.one.read_bytes()
        half = copy.deepcopy(self.document)
        half["cells"][0]["layers"]["delta"]["log10_norm"]["mean"].pop()
        twice = copy.deepcopy(self.document)
        twice["cells"].append(twice["cells"][0])
        samples = copy.deepcopy(self.document)
        samples["cells"][0]["timing"]["samples_ns"][0] = -1
        older = dict(self.document, schema=2)
        newer = dict(self.document, schema=4)
        files = [b"", b"{}", b"[]", b"null", b"\0" * 100, b"\x89PNG\r\n", b"{" * 100000, b'{"a":' * 1000,
                 good + b" x", good.replace(b'"ok"', b'"on"', 1), good.replace(b"0.", b"0.1", 1),
                 json.dumps(self.document).encode(), sealed(half), sealed(twice), sealed(samples),
                 json.dumps(older).encode(), sealed(newer), sealed(dict(self.document, extra=1)),
                 sealed(dict(self.document, context={})), sealed(dict(self.document, cells=3)),
                 sealed(dict(self.document, cells=[3])),
                 json.dumps({"benchmarks": [], "context": {}}).encode()]
        files += [good[:len(good) * part // 17] for part in range(1, 17)]
        for content in files:
            path = self.write("bad", content)
            for order in ((path, self.base), (self.base, path)):
                self.assertIn("bad.json", self.refused(65, *order))
        self.assertIn("older", self.refused(65, self.write("bad", sealed(older)), self.base))
        self.assertIn("newer", self.refused(65, self.write("bad", sealed(newer)), self.base))

    def test_bad_paths(self):
        empty = self.folder / "empty"
        empty.mkdir()
        self.refused(65, empty, self.base)
        self.refused(65, self.base, self.folder / "nowhere")
        self.refused(65, self.base, self.one.parent / "journal.jsonl")

    def test_bad_usage(self):
        self.refused(64)
        self.refused(64, self.base)
        self.assertIn("device", self.refused(64, self.base, self.base, "--across", "devise"))
        self.refused(64, self.base, self.base, "--threshold", "-1")
        self.refused(64, self.base, self.base, "--alpha", "2")
        self.refused(64, self.base, self.base, "--numbers", "approximate")

    def test_a_record_cut_anywhere_is_refused(self):
        """Every member of a record that is missed, or of another type."""
        cell = self.document["cells"][0]
        for key in cell:
            for value in (None, [], {}, 3, "x"):
                if type(value) is type(cell[key]) or (key == "error" and value in (None, "x")):
                    continue
                document = copy.deepcopy(self.document)
                document["cells"][0][key] = value
                self.refused(65, self.write("bad", sealed(document)), self.base)

    def leaves(self, value, path=()):
        children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, child in children:
            yield from self.leaves(child, (*path, key))
        if not isinstance(value, (dict, list)):
            yield path

    def test_any_value_ends(self):
        """Whatever stands in place of a number or text: a verdict or one line, and soon."""
        chance = random.Random(9)
        places = {}  # one of each kind: indices are no kinds
        for path in self.leaves({"context": self.document["context"], "cells": self.document["cells"][:1]}):
            places.setdefault(tuple(key for key in path if isinstance(key, str)), []).append(path)
        for kind, paths in chance.sample(sorted(places.items()), 60):
            document = copy.deepcopy(self.document)
            *path, last = chance.choice(paths)
            place = document
            for key in path:
                place = place[key]
            place[last] = chance.choice([None, 1e308, -1e308, 1e19, -5, 0.5, "a\u009b31m\u202eb"])
            done = self.run_it(self.write("bad", sealed(document)), self.one)
            self.assertIn(done.returncode, (0, 3, 4, 5, 6, 65), (kind, done.stderr))
            self.assertFalse(set("\x1b\u009b\u202e") & set(done.stdout + done.stderr), kind)

    def test_a_histogram_without_a_place(self):
        def change(document):
            document["cells"][0]["layers"]["delta"]["histogram"]["first_exponent"][1] = None
        for order in ((self.base, self.changed(change)), (self.changed(change), self.base)):
            code, (comparison,) = self.compare(*order)
            self.assertEqual(code, 4)
            self.assertIn("histogram", comparison["message"])


if __name__ == "__main__":
    unittest.main()
