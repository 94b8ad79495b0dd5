"""Running the program from outside, for the end-to-end tests in tests/*.py.

The program is $GRADSWEEP. Every results.json read here is held against
results/schema.json where Debian's python3-jsonschema is installed.
"""
import hashlib
import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import validate_results  # noqa: E402

SOURCE = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("GRADSWEEP")

# Six small cells, about a millisecond each, nothing timed.
SMALL = ["mlp", "--depth=1,2,3", "--width=8", "--batch=4", "--replicas=2",
         "--activation=tanh,relu", "--time-limit=0"]
SMALL_COUNT = 6
LIMIT_S = 300  # of any one run; far more than it takes


def environment(fault=None, **more):
    variables = {key: value for key, value in os.environ.items() if key != "GRADSWEEP_FAULT"}
    # no GPU: what these tests say of "auto" is said of the CPU
    variables.update(TERM="xterm", OMP_WAIT_POLICY="passive", CUDA_VISIBLE_DEVICES="", **more)
    if fault:
        variables["GRADSWEEP_FAULT"] = fault
    return variables


def small_files_only(limit_bytes):
    """For preexec_fn: every write past this size of a file fails, as on a full disk."""
    def apply():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))
    return apply


def without_times(results):
    """What must be equal between two runs of one sweep."""
    cells = [{key: value for key, value in cell.items() if key != "timing"}
             for cell in results["cells"]]
    names = [entry["name"] for entry in results["benchmarks"]]
    options = {k: v for k, v in results["context"]["options"].items() if k != "timeout_s"}
    return {"cells": cells, "names": names, "options": options}


def sealed(tree):
    """A line of a journal with its checksum (results/README.md)."""
    body = json.dumps({key: value for key, value in tree.items() if key != "sha256"}, separators=(",", ":"),
                      ensure_ascii=False).encode()[:-1]
    return body + b',"sha256":"' + hashlib.sha256(body).hexdigest().encode() + b'"}\n'


def compared(one, other):
    """What Google Benchmark's own comparison says of two results.json. Debian's package
    is libbenchmark-tools: tools/install-dependencies --ci."""
    tool = "/usr/share/benchmark/compare.py"
    if not os.path.exists(tool):
        raise unittest.SkipTest(f"{tool} is not installed")
    done = subprocess.run(["/usr/bin/python3", tool, "--no-color", "benchmarks", str(one), str(other)],
                          capture_output=True, text=True, timeout=LIMIT_S, check=False)
    if done.returncode:
        raise AssertionError(done.stdout + done.stderr)
    return done.stdout


class ProgramTest(unittest.TestCase):
    """A test with a scratch folder; self.out is where a run's results go."""

    def setUp(self):
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="gradsweep_"))
        self.addCleanup(shutil.rmtree, self.scratch, True)
        self.out = self.scratch / "out"

    # ---- starting ----

    def program(self, *arguments, fault=None, cwd=None, variables=None, **more):
        more.setdefault("stdout", subprocess.PIPE)
        more.setdefault("stderr", subprocess.PIPE)
        more.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run([PROGRAM, *map(str, arguments)], env=environment(fault, **(variables or {})),
                              cwd=cwd or self.scratch, timeout=LIMIT_S, text=True, check=False,
                              **more)

    def run_small(self, *arguments, out=None, **more):
        return self.program("run", *SMALL, "--out", out or self.out, *arguments, **more)

    def start_program(self, *arguments, fault=None, cwd=None, **more):
        return subprocess.Popen(
            [PROGRAM, *map(str, arguments)], env=environment(fault), cwd=cwd or self.scratch,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)

    def start_small(self, *arguments, out=None, **more):
        return self.start_program("run", *SMALL, "--out", out or self.out, *arguments, **more)

    def finish(self, process):
        stdout, stderr = process.communicate(timeout=LIMIT_S)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    # ---- judging ----

    def assert_code(self, done, code):
        self.assertEqual(done.returncode, code, f"stdout: {done.stdout}\nstderr: {done.stderr}")

    def assert_one_line(self, done, code, *fragments):
        """One line of words on stderr and the exit code."""
        self.assert_code(done, code)
        lines = done.stderr.splitlines()
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertTrue(lines[0].startswith("gradsweep: error: "), lines[0])
        for fragment in fragments:
            self.assertIn(fragment, lines[0])

    def assert_error_line(self, done, code, *fragments):
        """The same after lines of progress."""
        self.assert_code(done, code)
        errors = [l for l in done.stderr.splitlines() if l.startswith("gradsweep: error: ")]
        self.assertEqual(len(errors), 1, done.stderr)
        for fragment in fragments:
            self.assertIn(fragment, errors[0])

    def assert_nothing_written(self):
        self.assertEqual(sorted(p.name for p in self.scratch.iterdir() if p.suffix != ".json"), [])

    def results(self, out=None):
        path = (out or self.out) / "results.json"
        data = path.read_bytes()
        document = json.loads(data, parse_constant=self.fail)
        problems = validate_results.checksum_problems(data) + validate_results.problems_of(document)
        self.assertEqual(problems, [])
        return document

    def statuses(self, out=None):
        return [cell["status"] for cell in self.results(out)["cells"]]

    def journal(self, out=None):
        text = ((out or self.out) / "journal.jsonl").read_text()
        self.assertTrue(text.endswith("\n"), "the journal ends in a torn line")
        return [json.loads(line) for line in text.splitlines()]

    def assert_same_results(self, out, other):
        self.assertEqual(without_times(self.results(out)), without_times(self.results(other)))

    # ---- processes ----

    @staticmethod
    def children_of(pid):
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid and fields[0] != "Z":
                found.append(int(entry.name))
        return found

    def wait_until(self, condition, what):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            value = condition()
            if value:
                return value
            time.sleep(0.005)
        return self.fail(f"waited in vain for {what}")

    def wait_for_lines(self, count, out=None):
        """Until the journal has its header and this many cells."""
        path = (out or self.out) / "journal.jsonl"
        self.wait_until(lambda: path.exists() and path.read_bytes().count(b"\n") > count,
                        f"{count} cells in the journal")

    def assert_gone(self, pid):
        self.wait_until(lambda: not os.path.exists(f"/proc/{pid}")
                        or "State:\tZ" in pathlib.Path(f"/proc/{pid}/status").read_text(),
                        f"the end of process {pid}")


def main():
    if not PROGRAM:
        print("set GRADSWEEP to the program to test")
        sys.exit(77)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    unittest.main(verbosity=1)
