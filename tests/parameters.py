"""Every row of the table of parameters, walked: another value of it changes a cell's id and
name, comes back from JSON, is an option, stands in help, page and schema, and reaches the
worker. What the values are follows from the table: a new row is walked, too."""
import json
import os
import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "endtoend"))
from program import PROGRAM, SOURCE, ProgramTest, environment, main, validate_results  # noqa: E402

SCHEMA = json.loads((SOURCE / "results" / "schema.json").read_text())
SMALL = {"size": 3, "sizes": [3, 5, 2]}  # so that a cell takes a millisecond


def table():
    done = subprocess.run([PROGRAM, "parameters", "--json"], capture_output=True, check=True)
    return json.loads(done.stdout)


TABLE = table()
PARAMETERS = TABLE["parameters"]


def of_model(model):
    return [p for p in PARAMETERS if model in p["models"] and p["type"] != "model"]


def company(parameter):
    """What must stand beside it: the first value of the choice that it goes with."""
    key = parameter["goes_with"]
    if not key:
        return {}
    (other,) = (p for p in PARAMETERS if p["key"] == key)
    return {key: parameter["goes_with_value"] or next(v for v in other["choices"] if v != "none")}


def base_of(model):
    """A small cell: every size that is not instead of others; the rest has its default."""
    replaced = [p["key"] for p in of_model(model) if p["instead_of"] or p["goes_with"]]
    return {"model": model, **{p["key"]: SMALL["size"] for p in of_model(model)
                               if p["type"] == "size" and p["key"] not in replaced}}


def inits(parameter, default):
    """Every other initialisation, and this one with every other value of all that it takes."""
    for name, about in TABLE["initialisations"].items():
        if name != default["name"]:
            yield {"name": name, **{key: value[0] if isinstance(value, list) else value
                                    for key, value in about["takes"].items()}}
        for key, value in about["takes"].items():
            other = value[1] if isinstance(value, list) else value + 0.25
            full = {k: v[0] if isinstance(v, list) else v for k, v in about["takes"].items()}
            yield {"name": name, **full, key: other}


def accompanied(parameter):
    """What goes with it, and what goes with that; a branch of one layer makes any depth."""
    beside = company(parameter)
    if parameter["goes_with"] == "norm":  # some of whose places only residual connections have
        beside["residual"] = "plain"
    if parameter["key"] != "block":
        beside["block"] = 1
    return beside


def values_beside(parameter, model, default):
    if parameter["type"] == "size":  # divisors of the depth
        return [SMALL["size"], 1]
    if parameter["type"] == "real":
        return [0.25, 0.25000000000000006]
    if parameter["type"] == "init":
        (usual,) = (p["defaults"][model] for p in PARAMETERS if p["key"] == "init")
        return inits(parameter, usual)
    return [choice for choice in parameter["choices"] if choice != default]


def others(parameter, model):
    """(value, what else it needs) for values that are not the base's."""
    default = parameter["defaults"].get(model, parameter["usual"])
    kind = parameter["type"]
    if parameter["goes_with"] or parameter["key"] == "residual":
        return [(value, accompanied(parameter)) for value in values_beside(parameter, model, default)]
    if kind == "size":
        return [(SMALL["size"] + 1, {}), (1, {})]
    if kind == "sizes":
        return [(SMALL["sizes"], {}), ([4, 4, 1], {})]
    if kind in ("real", "bias"):
        return [(0.25, {}), (0.25000000000000006, {})]
    if kind == "slope":
        return [(0.25, {"activation": "leaky_relu"}), (0.25000000000000006, {"activation": "leaky_relu"})]
    if kind == "flag":
        return [(not default, {})]
    if kind == "seed":
        return [("7", {}), ("18446744073709551615", {})]
    if kind == "text":
        return [("0", {})]
    if kind == "init":
        return [(value, {}) for value in inits(parameter, default)]
    return [(choice, {}) for choice in parameter["choices"] if choice != default]


def option_text(value):
    """A value as the command line takes it."""
    if isinstance(value, dict):
        return ":".join([value["name"], *(f"{k}={v!r}" if isinstance(v, float) else f"{k}={v}"
                                          for k, v in value.items() if k != "name")])
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def variants(model):
    """(parameter, value, block) for every other value of every parameter of the model."""
    for parameter in of_model(model):
        for value, more in others(parameter, model):
            block = {**base_of(model), **more, parameter["key"]: value}
            for other in parameter["instead_of"]:
                del block[other]
            yield parameter, value, block


def identified(block):
    """The part of a block that is the cell's own."""
    return {p["key"]: block[p["key"]] for p in PARAMETERS
            if p["key"] in block and p["in_name"] != "never"}


class Walk(ProgramTest):
    def cells_of(self, blocks):
        """What the program makes of each block: id, name, params."""
        path = self.scratch / "sweep.json"
        cells = {}
        path.write_text(json.dumps({"blocks": blocks}))
        done = self.program("theory", path, "--json")
        self.assert_code(done, 0)
        for cell in json.loads(done.stdout)["cells"]:
            cells[cell["id"]] = {key: cell[key] for key in ("id", "name", "params")}
        return list(cells.values())

    def test_another_value_is_another_cell(self):
        for model in TABLE["models"]:
            given = list(variants(model))
            own = {json.dumps(identified(block), sort_keys=True): block for _, _, block in given}
            cells = self.cells_of([base_of(model), *own.values()])
            distinct = len(own) + (json.dumps(base_of(model), sort_keys=True) not in own)
            self.assertEqual(len(cells), distinct, "two values are one cell")
            self.assertEqual(len({cell["name"] for cell in cells}), distinct, "two cells have one name")
            walked = {parameter["key"] for parameter, _, _ in given}
            self.assertEqual(walked, {p["key"] for p in of_model(model)})

    def test_a_place_is_no_other_cell(self):
        for model in TABLE["models"]:
            places = [(p, block) for p, _, block in variants(model) if p["in_name"] == "never"]
            self.assertGreater(len(places), 1)
            (base,) = self.cells_of([base_of(model)])
            for parameter, block in places:
                (cell,) = self.cells_of([block])
                self.assertEqual((cell["id"], cell["name"]), (base["id"], base["name"]))
                self.assertEqual(cell["params"][parameter["key"]], block[parameter["key"]])

    def test_a_value_comes_back_from_json(self):
        for model in TABLE["models"]:
            given = list(variants(model))
            for place in (False, True):
                some = [(p, v, b) for p, v, b in given if (p["in_name"] == "never") == place]
                cells = [self.cells_of([b])[0] for _, _, b in some] if place else \
                    self.cells_of([b for _, _, b in some])
                self.assertGreaterEqual(len(some), len(cells))
                for parameter, value, _ in some:
                    self.assertTrue(any(cell["params"].get(parameter["key"]) == value for cell in cells),
                                    f"{parameter['key']} = {value} is in no params")
                if not place:
                    self.assertEqual(self.cells_of([cell["params"] for cell in cells]), cells)
                    for cell in cells:
                        if validate_results.jsonschema:
                            self.assert_valid(cell["params"])

    def test_defaults_come_back(self):
        """A default that nobody has given a value to is none that a file may hold."""
        for model in TABLE["models"]:
            (cell,) = self.cells_of([{"model": model}])
            self.assertEqual(self.cells_of([cell["params"]]), [cell])
            self.assertEqual({p["key"]: p["defaults"][model] for p in PARAMETERS if model in p["defaults"]},
                             cell["params"])

    def assert_valid(self, params):
        schema = {"$ref": "#/$defs/params", "$defs": SCHEMA["$defs"]}
        validate_results.jsonschema.Draft202012Validator(schema).validate(params)

    def test_every_parameter_is_an_option(self):
        for model in TABLE["models"]:
            seen = set()
            for parameter, value, block in variants(model):
                sample = (parameter["key"], json.dumps(value) if parameter["type"] == "init" and
                          len(value) > 1 and "fan" in value else None)
                if sample in seen:
                    continue
                seen.add(sample)
                words = [f"--{key.replace('_', '-')}={option_text(one)}"
                         for key, one in block.items() if key != "model"]
                listed = self.program("run", model, *words, "--list")
                self.assert_code(listed, 0)
                (cell,) = self.cells_of([block])
                self.assertEqual(listed.stdout, f"{cell['id']}  {cell['name']}\n", words)

    def test_help_page_and_schema_have_it(self):
        page = (SOURCE / "docs" / "PARAMETERS.md").read_text()
        for command in (["parameters"], ["run", "--help"], ["theory", "--help"]):
            text = self.program(*command).stdout
            entries = dict(re.findall(r"^  --(\w+) +(.*(?:\n {20,}.*)*)", text, re.M))
            for p in PARAMETERS:
                if p["type"] == "model":
                    continue
                words = " ".join(entries[p["key"]].split())
                if command[0] == "run" and p["in_name"] == "never":
                    continue  # an option of its own
                self.assertIn(p["help"], words)
                if p["usual"]:
                    self.assertIn(f"({p['usual']})", words)
                if p["type"] in ("choice", "activation"):
                    for choice in p["choices"]:
                        self.assertIn(choice, words)
        for p in PARAMETERS:
            self.assertIn(f"| `{p['key']}` |", page)
            for model in TABLE["models"]:
                properties = SCHEMA["$defs"][f"{model}_params"]["properties"]
                self.assertEqual(p["key"] in properties, model in p["models"])

    def test_the_worker_has_it(self):
        """A worker is asked for each cell by what its block says; its answer has all
        parameters of the network that it made."""
        options = {"time_limit_s": 0, "min_time_s": 0, "min_samples": 1, "spread": 0, "max_points": 9,
                   "threshold_decades": 1, "round": 0, "steps_per_sample": 0}
        for model in TABLE["models"]:
            given = list(variants(model))
            lines = [json.dumps({"request": "cell", "cell": i, "id": f"{i:016x}", "name": "n", "params": block,
                                 "options": options, "memory_limit_bytes": 0})
                     for i, (_, _, block) in enumerate(given)]
            done = subprocess.run([PROGRAM, "worker", "--backend", "cpu", "--threads", "1",
                                   "--parent", str(os.getpid())],
                                  input="\n".join(lines) + "\n", env=environment(), capture_output=True,
                                  text=True, timeout=100, check=False)
            _, *answers = [json.loads(line) for line in done.stdout.splitlines()]
            self.assertEqual(len(answers), len(given), done.stderr)
            fine = 0
            for (parameter, value, block), answer in zip(given, answers):
                self.assertEqual(answer["params"].get(parameter["key"]), value, answer)
                self.assertGreater(len(answer["params"]), len(block))
                fine += answer["status"] == "ok"
            self.assertGreater(fine, 0.7 * len(given))

    def test_a_run_records_it(self):
        for model in TABLE["models"]:
            blocks = [{**block, "backend": "cpu"} for p, _, block in variants(model)
                      if p["type"] != "init" and p["in_name"] != "never"]
            cells = {cell["id"]: cell["params"] for cell in self.cells_of(blocks)}
            path = self.scratch / f"{model}.json"
            path.write_text(json.dumps({"blocks": blocks}))
            self.assert_code(self.program("run", path, "--time-limit", "0", "--threads", "1",
                                          "--out", self.scratch / model), 0)
            recorded = self.results(self.scratch / model)["cells"]
            self.assertEqual({cell["id"]: cell["params"] for cell in recorded}, cells)


if __name__ == "__main__":
    main()
