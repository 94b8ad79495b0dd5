"""tools/gpu-check where there is no GPU, and over programs that stand for the real ones:
what is repeated and what is not, limits, verdicts, the archive. tools/gpu_checking/ has
what it is made of."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import types
import unittest
import xml.etree.ElementTree

SOURCE = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(SOURCE / "tools"))
sys.dont_write_bytecode = True

from gpu_checking import judge, run, steps  # noqa: E402

# Stands for every program of a build and its tools: notes that it was called, and does what
# $STAND_IN, a JSON object by program, says of it.
STAND_IN = r'''
import json, os, pathlib, sys, time
name = pathlib.Path(sys.argv[0]).name
with open(os.environ["CALLS"], "a") as calls:
    calls.write(" ".join([name, *sys.argv[1:]]) + "\n")
told = json.loads(os.environ["STAND_IN"]).get(name, {})
def value_of(option):
    return pathlib.Path(sys.argv[sys.argv.index(option) + 1])
time.sleep(told.get("sleep", 0) if told.get("of", "") in " ".join(sys.argv) else 0)
if name == "nvidia-smi" and told.get("gpu"):
    print("GPU 0: one")
if name == "gradsweep" and "--out" in sys.argv:
    value_of("--out").mkdir(exist_ok=True)
    backend = value_of("--backend").name
    cells = [{"id": i, "name": f"cell {i}", "status": "ok", "weights_hash": told.get(backend, 1)} for i in range(30)]
    (value_of("--out") / "results.json").write_text(json.dumps({"cells": cells}))
if name == "ctest":
    bad = "<failure/>" if told.get("fails", "none") in " ".join(sys.argv) else ""
    value_of("--output-junit").write_text(f"<testsuite><testcase>{bad}</testcase></testsuite>")
if name == "benchmarks":
    out = next(word.split("=", 1)[1] for word in sys.argv if word.startswith("--benchmark_out="))
    pathlib.Path(out).write_text(json.dumps({"benchmarks": [{"name": "one"}]}))
sys.exit(told.get("exit", 0))
'''


class Checking(unittest.TestCase):
    def setUp(self):
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="gpu_check_"))
        self.addCleanup(shutil.rmtree, self.scratch)
        self.out, self.build, self.calls = (self.scratch / name for name in ("out", "build", "calls"))
        self.told = {"nvidia-smi": {"gpu": True}}
        (self.scratch / "bin").mkdir()
        (self.build / "bench").mkdir(parents=True)
        for name in ("nvidia-smi", "cmake", "ctest"):
            self.plant(self.scratch / "bin" / name)
        self.plant(self.build / "gradsweep")
        self.plant(self.build / "bench" / "benchmarks")

    def plant(self, path, more=""):
        path.write_text(f"#!{sys.executable}\n{STAND_IN}{more}", encoding="utf-8")
        path.chmod(0o755)

    def check(self, *arguments, code):
        self.calls.write_text("", encoding="utf-8")
        variables = dict(os.environ, PATH=f"{self.scratch / 'bin'}:/usr/bin:/bin", CALLS=str(self.calls),
                         STAND_IN=json.dumps(self.told))
        done = subprocess.run([sys.executable, SOURCE / "tools" / "gpu-check", "--out", self.out, "--build", self.build,
                               *arguments], env=variables, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def called(self, name):
        """Lines of calls of a program since the last check."""
        return [line for line in self.calls.read_text(encoding="utf-8").splitlines() if line.startswith(name + " ")]

    def results(self):
        """What junit.xml in the archive says of each step: {name: "passed" or its message}."""
        with tarfile.open(self.out.with_name("out.tgz")) as tar:
            suite = xml.etree.ElementTree.parse(tar.extractfile("out/junit.xml")).getroot()
        self.assertEqual(int(suite.get("tests")), len(suite))
        return {case.get("name"): case[0].get("message") if len(case) else "passed" for case in suite}


class WithoutGpu(Checking):
    def setUp(self):
        super().setUp()
        self.told = {}

    def test_nothing_is_done(self):
        done = self.check(code=77)
        self.assertEqual(done.stderr, "gpu-check: skipped: no GPU (nvidia-smi lists none)\n")
        self.assertFalse(self.out.exists())

    def test_rehearsals(self):
        """Every step of every profile, said to be no run, in one archive; the first in 10 minutes."""
        expected = {"first": 20, "peers": 8, "full": 35}
        for profile in steps.PROFILES:
            done = self.check("--rehearse", "--profile", profile, code=0)
            results = self.results()
            self.assertGreater(len(results), expected[profile])
            self.assertTrue(all(text.startswith("rehearsed: not run") for text in results.values()), results)
            if profile == "first":
                minutes = float(done.stdout.partition("take about ")[2].split()[0])
                self.assertLess(minutes, 10)
        self.assertEqual(self.calls.read_text(encoding="utf-8").replace("nvidia-smi -L\n", ""), "")

    def test_command_line(self):
        for wrong in (["--only", "build,else"], ["--goals", "deepest"], ["--limit", "soon"], ["--profile", "last"],
                      ["--what"]):
            done = self.check(*wrong, code=64)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)


class Steps(Checking):
    def test_all_passes(self):
        self.check(code=0)
        results = self.results()
        self.assertEqual({name: text for name, text in results.items() if text != "passed"},
                         {f"ncu-{kernel}": "skipped: ncu is not there" for kernel in steps.KERNELS})
        self.assertEqual(len(self.called("ctest")), len(steps.TESTS) + len(steps.LONG_TESTS))
        self.assertEqual(len(self.called("benchmarks")), len(steps.GOALS))

    def test_no_test_is_left_out(self):
        text = (SOURCE / "tests" / "CMakeLists.txt").read_text(encoding="utf-8")
        for name, listed in (("gs_device_tests", steps.TESTS), ("gs_long_device_tests", steps.LONG_TESTS)):
            self.assertEqual(set(re.search(rf"set\({name} ([^)]*)\)", text).group(1).split()), set(listed))

    def test_what_has_ended_is_not_repeated(self):
        self.told["ctest"] = {"fails": "gpu\\.stats"}
        self.check(code=1)
        self.assertEqual(self.results()["test-stats"], "FAILED: failed")
        self.check(code=1)
        self.assertEqual((len(self.called("ctest")), len(self.called("benchmarks"))), (0, 0))
        self.assertEqual(len(self.called("cmake")), 2)  # which takes no time where nothing changed
        self.told["ctest"] = {}
        self.check("--again", "test-stats", code=0)
        self.assertEqual(len(self.called("ctest")), 1)
        self.plant(self.build / "gradsweep", "# another program\n")
        self.check(code=0)
        self.assertGreater(len(self.called("ctest")), 10)

    def test_a_call_ends_in_time_and_the_next_goes_on(self):
        self.told["benchmarks"] = {"sleep": 30, "of": "init/normal"}
        self.check("--only", "bench,smoke", "--limit", "4", code=75)
        left = {name for name, text in self.results().items() if text.startswith("skipped") or "left: " in text}
        self.assertIn("bench-init", left)
        self.assertNotIn("bench-deep", left)
        self.told["benchmarks"] = {}
        self.check("--only", "bench,smoke", code=0)
        self.assertEqual(len(self.called("benchmarks")), len(left))

    def test_a_failed_build_ends_it(self):
        self.told["cmake"] = {"exit": 2}
        self.check(code=1)
        self.assertEqual(list(self.results()), ["configure"])

    def test_another_weight(self):
        self.told["gradsweep"] = {"cpu": 2}
        self.check("--only", "smoke", code=1)
        self.assertIn("weights of 30 of 30 cells differ", self.results()["weights"])

    def test_a_command_that_hangs(self):
        """It is ended, with what it started."""
        with open(os.devnull, "wb") as log:
            self.assertIsNone(run.run_command(["sh", "-c", "sleep 60 & wait"], dict(os.environ), log, 0.3))
            self.assertEqual(run.run_command(["sh", "-c", "exit 3"], dict(os.environ), log, 10), 3)
            self.assertEqual(run.run_command([self.scratch / "none"], dict(os.environ), log, 10), 127)


class Programs(unittest.TestCase):
    """The programs of the tests, in this build, by the very commands of the steps."""

    def setUp(self):
        build = os.environ.get("GRADSWEEP_BUILD_DIR", "")
        self.build = pathlib.Path(build)
        if not build or not self.listed_by(["ctest", "--test-dir", build, "-R", "^gpu\\."]):
            self.skipTest("this build has no tests on a GPU")

    def listed_by(self, command):
        """What a ctest command would run, by name."""
        done = subprocess.run([*command, "--show-only=json-v1"], capture_output=True, text=True, check=True)
        return {test["name"]: test for test in json.loads(done.stdout)["tests"]}

    def commands(self, rehearse):
        """{step: its command} without where the report goes, which asks for a run."""
        with tempfile.TemporaryDirectory() as out:
            check = types.SimpleNamespace(build=self.build, out=pathlib.Path(out), options=types.SimpleNamespace(
                rehearse=rehearse, profile="first"))
            return {step.name: [str(word) for word in step.commands[0] if word not in ("--output-junit",)
                                and not str(word).startswith(out)] for step in steps.test_steps(check)}

    def test_each_step_has_its_test(self):
        for rehearse, prefix in ((False, "gpu."), (True, "cuda_on_cpu.")):
            for step, command in self.commands(rehearse).items():
                self.assertEqual(list(self.listed_by(command)), [prefix + step.removeprefix("test-")], command)

    def test_each_program_knows_its_test(self):
        """Where there is no GPU it says so; it would say 64 of a name that it does not know."""
        wrong = self.run_test(self.listed_by(self.commands(False)["test-ops"])["gpu.ops"], ["no_such_test"])
        self.assertEqual(wrong.returncode, 64, wrong.stderr)
        for step, command in self.commands(False).items():
            (test,) = self.listed_by(command).values()
            done = self.run_test(test)
            skip = next(entry["value"] for entry in test["properties"] if entry["name"] == "SKIP_RETURN_CODE")
            self.assertEqual(done.returncode, skip, f"{step}: {done.stdout}{done.stderr}")
            self.assertIn("no CUDA device", done.stdout + done.stderr)

    def run_test(self, test, arguments=None):
        """As ctest would, with every GPU hidden."""
        variables = next(entry["value"] for entry in test["properties"] if entry["name"] == "ENVIRONMENT")
        environment = dict(os.environ, **dict(pair.split("=", 1) for pair in variables), CUDA_VISIBLE_DEVICES="")
        command = test["command"] if arguments is None else [test["command"][0], *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


class Verdicts(unittest.TestCase):
    def of(self, judge_of, document, *more):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "file"
            path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
            return judge_of(path, *more)

    def test_benchmarks(self):
        refused = {"name": "a", "error_occurred": True, "error_message": "unsupported: no bf16"}
        broken = {"name": "b", "error_occurred": True, "error_message": "CUDA error 700"}
        self.assertEqual(self.of(judge.benchmarks, {"benchmarks": [{"name": "c"}, refused]}), "")
        self.assertIn("1 of 2 failed: CUDA", self.of(judge.benchmarks, {"benchmarks": [refused, broken]}))
        self.assertEqual(self.of(judge.benchmarks, {"benchmarks": []}), "nothing was measured")
        self.assertIn("no JSON", self.of(judge.benchmarks, '{"benchmarks": ['))

    def test_peers(self):
        self.assertEqual(self.of(judge.peers, {"cases": [{"agree": True, "error": None}]}), "")
        self.assertIn("differ in 1", self.of(judge.peers, {"cases": [{"results": [{"agree": False}]}]}))
        self.assertIn("not compared: gone", self.of(judge.peers, {"cases": [{"agree": True, "error": "gone"}]}))
        self.assertEqual(self.of(judge.peers, {"cases": []}), "nothing was compared")

    def test_tests(self):
        self.assertEqual(self.of(judge.test, "<testsuite><testcase/></testsuite>"), "")
        for inner, words in (("<testcase><failure/></testcase>", "failed"), ("", "there is no such test"),
                             ("<testcase><skipped/></testcase>", "was skipped")):
            self.assertEqual(self.of(judge.test, f"<testsuite>{inner}</testsuite>"), words)

    def test_cells(self):
        ok, lost = {"status": "ok"}, {"status": "crashed", "name": "n", "error": "signal 11"}
        self.assertEqual(self.of(judge.cells, {"cells": [ok, ok]}, 2), "")
        self.assertIn("only 1 cells", self.of(judge.cells, {"cells": [ok, {"status": "skipped"}]}, 2))
        self.assertIn("1 cells crashed: n: signal 11", self.of(judge.cells, {"cells": [ok, lost]}, 1))


if __name__ == "__main__":
    unittest.main()
