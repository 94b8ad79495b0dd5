"""Running tools/plot, for tests/plot.py and tests/plot_bad_input.py: in the test's own
process, on the records of a small sweep. Exits with 77 (skipped) without matplotlib.
"""
import contextlib
import copy
import hashlib
import importlib.machinery
import importlib.util
import io
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from program import PROGRAM, SOURCE, environment

if not all(map(importlib.util.find_spec, ("matplotlib", "numpy"))):
    print("skipped: matplotlib or numpy is not installed (tools/install-dependencies --plot)")
    sys.exit(77)

TOOL = SOURCE / "tools" / "plot"
LOADER = importlib.machinery.SourceFileLoader("plot_tool", str(TOOL))
TOOLS = importlib.util.module_from_spec(importlib.util.spec_from_loader("plot_tool", LOADER))
sys.modules["plot_tool"] = TOOLS  # where dataclasses look for it
LOADER.exec_module(TOOLS)  # which puts tools/ on the path
from plotting import document, style  # noqa: E402

SWEEP = {"name": "pictures", "timing": {"time_limit_s": 0.005}, "blocks": [
    {"model": "mlp", "depth": [2, 40], "width": [24, 96], "batch": 3, "replicas": 4, "activation": ["sigmoid", "relu"],
     "init": ["normal", "xavier_normal"]},
    {"model": "mlp", "depth": [200], "width": 16, "batch": 4, "replicas": 3, "range": "native", "seed": 2,
     "activation": ["sigmoid", "relu"], "init": "normal"},
    {"model": "mlp", "depth": [1, 2], "width": [8, 9], "batch": 2, "replicas": 4, "seed": 3, "init": "normal"},
    {"model": "mlp", "depth": 3, "width": 16, "batch": 4, "replicas": 1, "dtype": ["bf16", "f64"]},
    {"model": "mlp", "depth": 4, "width": 12, "batch": 3, "replicas": 3, "seed": 4, "jacobian": True,
     "activation": ["tanh", "relu"], "init": ["orthogonal", "normal"]},
    {"model": "rnn", "hidden": 9, "input": 5, "seq_len": [5, 30], "batch": 2, "replicas": 3, "activation": "tanh"}]}


def written(document):
    """The text of a document as gradsweep writes it, with the checksum of that text."""
    text = json.dumps({key: value for key, value in document.items() if key != "sha256"})[:-1]
    return f'{text},\n  "sha256": "{hashlib.sha256(text.encode()).hexdigest()}"\n}}\n'


def quietly(*arguments):
    """(exit code, stdout, stderr) of tools/plot, run in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = TOOLS.main([str(a) for a in arguments])
    return code, out.getvalue(), err.getvalue()


class PlotTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.base = pathlib.Path(tempfile.mkdtemp(prefix="gradsweep_"))
        cls.addClassCleanup(shutil.rmtree, cls.base, True)
        sweep = cls.base / "sweep.json"
        sweep.write_text(json.dumps(SWEEP))
        subprocess.run([PROGRAM, "run", sweep, "--out", cls.base / "run", "--quiet"], env=environment(),
                       check=True, stdout=subprocess.DEVNULL, timeout=120)
        cls.results = json.loads((cls.base / "run" / "results.json").read_text())
        cls.file = cls.base / "results.json"
        cls.file.write_text(written(cls.results))

    def setUp(self):
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="gradsweep_"))
        self.addCleanup(shutil.rmtree, self.scratch, True)

    def drawn(self, module, file=None, quantity="delta", cells=None):
        """[(name, arranged sheet)] of a kind of figure."""
        style.set_up()
        read = document.read(file or self.file)
        chosen = [c for c in read.cells if cells is None or re.search(cells, c.name)]
        plans = module.plans(read, TOOLS.Options(chosen, cells is not None, quantity))
        sheets = [(plan.name, plan.draw()) for plan in plans]
        for _, one in sheets:
            one.arrange()
        return sheets

    def cell(self, pattern):
        return next(c for c in self.results["cells"] if re.search(pattern, c["name"]))

    def changed(self, change):
        copied = copy.deepcopy(self.results)
        change(copied)
        path = self.scratch / "changed.json"
        path.write_text(written(copied))
        return path
