"""Networks whose weights are all one value: dead, or of rank one. What was found is recorded:
every cell is ok, no number is NaN, and nothing is predicted or called off."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "endtoend"))
from program import ProgramTest, main  # noqa: E402

INITS = ["constant", {"name": "constant", "value": -0.3}, {"name": "constant", "value": 1e300}, "zeros"]
# of scale 0: one value, too, where relu makes it matter
SILENT = [{"name": "xavier_normal", "gain": 0}, {"name": "uniform", "a": 0},
          {"name": "truncated_normal", "std": 0}, {"name": "normal", "std": 0}]
SMALL = {"batch": 2, "replicas": 3, "backend": "cpu"}
MLP = {"model": "mlp", "depth": 6, "width": 20, **SMALL}
RNN = {"model": "rnn", "hidden": 20, "input": 20, "seq_len": 5, **SMALL}


class OneValue(ProgramTest):
    def run_blocks(self, name, blocks):
        path = self.scratch / f"{name}.json"
        path.write_text(json.dumps({"blocks": blocks}))
        self.assert_code(self.program("run", path, "--time-limit", "0", "--threads", "1",
                                      "--out", self.scratch / name), 0)
        return self.results(self.scratch / name)["cells"]  # checked by schema, NaN refused

    def assert_outside(self, cell):
        self.assertEqual(cell["status"], "ok", cell)
        self.assertEqual(cell["theory"]["reasons"], ["constant_weights"], cell["name"])
        self.assertEqual(cell["agreement"]["verdict"], "outside reach")
        self.assertIn("all one value", cell["agreement"]["message"])
        decades = cell["theory"]["decades"]
        self.assertEqual([decades[key] for key in ("rms", "typical", "sd")], [None] * 3)

    def test_every_cell_is_measured(self):
        some = ["tanh", "relu", "identity", "softplus"]
        blocks = [{**MLP, "init": INITS, "activation": some, "jacobian": True, "bias_std": [0, 0.3]},
                  {**MLP, "init": INITS, "activation": some, "range": "native"},
                  {**MLP, "init": SILENT, "activation": "relu", "jacobian": True},
                  {**RNN, "init": INITS, "activation": some, "jacobian": True},
                  {**RNN, "input_init": INITS, "activation": some, "jacobian": True}]
        cells = self.run_blocks("one", blocks)
        self.assertEqual(len(cells), 4 * 4 * 5 + 4)
        for cell in cells:
            self.assert_outside(cell)

    def test_what_is_found(self):
        """Rank one: the singular value c n a layer for linear units, and no other."""
        (cell,) = self.run_blocks("linear", [{**MLP, "init": {"name": "constant", "value": 0.5},
                                              "activation": "identity", "jacobian": True}])
        layers = cell["jacobian"]["layers"]
        for at in layers["largest"]["p50"]:
            self.assertAlmostEqual(at, 10, delta=1e-12)
        self.assertEqual(layers["smallest"]["p50"], [0] * 6)
        (dead,) = self.run_blocks("dead", [{**MLP, "init": "zeros", "activation": "relu"}])
        self.assertEqual(dead["summary"]["decades"]["class"]["values"], ["dead"] * 3)
        self.assertEqual(dead["summary"]["verdict"], "vanishing")


if __name__ == "__main__":
    main()
