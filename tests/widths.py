"""An mlp's input and output widths beside its depth: the same network as the list of its widths
says, for every depth of an axis; and where they say nothing new, no other cell."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "endtoend"))
from program import ProgramTest, main  # noqa: E402

SMALL = {"model": "mlp", "batch": 3, "replicas": 2, "backend": "cpu", "bias_std": 0.5}


class Ends(ProgramTest):
    def run_blocks(self, *blocks):
        path = self.scratch / "sweep.json"
        path.write_text(json.dumps({"blocks": [{**SMALL, **block} for block in blocks]}))
        self.assert_code(self.program("run", path, "--time-limit", "0", "--threads", "1", "--out", self.out), 0)
        return self.results()["cells"]

    def test_the_same_networks_as_by_lists(self):
        ends = {"input": 9, "width": 5, "output": 2}
        depths = [1, 2, 4]
        lists = [[9, *[5] * (depth - 1), 2] for depth in depths]
        cells = self.run_blocks({"depth": depths, **ends}, {"widths": lists})
        for cell, depth, widths, by_list in zip(cells, depths, lists, cells[len(depths):]):
            self.assertEqual(cell["name"], f"mlp/tanh/xavier_normal/L{depth}/n5/x9/y2/B3/R2/bias_std=0.5")
            self.assertEqual([cell["params"][key] for key in ("depth", "width", "input", "output")],
                             [depth, 5, 9, 2])
            self.assertEqual(by_list["params"]["widths"], widths)
            for part in ("weights_hash", "summary", "layers", "theory"):
                self.assertEqual(cell[part], by_list[part], f"{part} of {cell['name']}")

    def test_one_end_alone(self):
        cells = self.run_blocks({"depth": 2, "width": 5, "input": 9}, {"widths": [9, 5, 5]},
                                {"depth": 2, "width": 5, "output": 9}, {"widths": [5, 5, 9]})
        for cell, by_list in zip(cells[::2], cells[1::2]):
            self.assertEqual(cell["weights_hash"], by_list["weights_hash"])

    def test_what_says_nothing_new_is_no_other_cell(self):
        """Identities are those that cells had before there were these two."""
        plain = {"model": "mlp", "depth": 4, "width": 6}
        for block in (plain, {**plain, "input": 6, "output": 6}):
            path = self.scratch / "plain.json"
            path.write_text(json.dumps({"blocks": [block]}))
            done = self.program("theory", path, "--json")
            self.assert_code(done, 0)
            (cell,) = json.loads(done.stdout)["cells"]
            self.assertEqual((cell["id"], cell["name"]),
                             ("fa8e239cdf82eee5", "mlp/tanh/xavier_normal/L4/n6/B32/R1"))

    def test_bad_input(self):
        for words, code, *fragments in (
                (["--input", "0"], 64, "--input", "1 to"), (["--output", "x"], 64, "--output"),
                (["--widths", "3,4,5", "--output", "5"], 64, "widths", "output"),
                (["--input", "9", "--init", "identity"], 64, "identity", "square")):
            done = self.program("run", "mlp", *words, "--out", self.out)
            self.assert_one_line(done, code, *fragments)
        done = self.program("run", "rnn", "--output", "3", "--out", self.out)
        self.assert_one_line(done, 64, "output")


if __name__ == "__main__":
    main()
