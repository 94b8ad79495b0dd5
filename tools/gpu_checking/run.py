"""Runs steps one after the other within limits, and writes down what became of each."""
import dataclasses
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import xml.etree.ElementTree
from typing import Callable, Optional

PASSED, FAILED, SKIPPED, LEFT, REHEARSED = "passed", "FAILED", "skipped", "left", "rehearsed"
ENDED = (PASSED, FAILED, SKIPPED)  # and so not repeated
KILL_AFTER_S = 10


@dataclasses.dataclass
class Step:
    """A command, or several; an empty list of them where the judge does all. `expected_s` is a
    guess of what it takes with 16 cores, `limit_s` ends it. `judge` returns what is wrong
    with what it left, "" where the exit code says all. `absent`: why it cannot be here."""
    name: str
    commands: list
    expected_s: int
    limit_s: int
    judge: Optional[Callable] = None
    variables: dict = dataclasses.field(default_factory=dict)
    absent: str = ""
    stops: bool = False  # without it nothing else can run
    always: bool = False  # quick where nothing has changed, and done by every call
    simulated: bool = False  # the CPU-executed program can do it, too


class Check:
    def __init__(self, options, packages):
        self.options, self.packages = options, packages
        self.out, self.build = options.out, options.build
        self.started = time.monotonic()
        self.stopped = ""
        self.taken = []
        self.out.mkdir(parents=True, exist_ok=True)
        self.state = self.read_state()

    # ---- what has ended already ----

    def program(self):
        """The gradsweep that is checked; in a rehearsal the one that simulates a GPU."""
        simulated = self.build / "tests" / "gradsweep_simulated_program"
        return simulated if self.options.rehearse else self.build / "gradsweep"

    def identity(self):
        """Of the program: what another one did counts no more."""
        try:
            return hashlib.sha256(self.program().read_bytes()).hexdigest()
        except OSError:
            return ""

    def read_state(self):
        try:
            state = json.loads((self.out / "steps.json").read_text(encoding="utf-8"))
            return state if isinstance(state, dict) else {}
        except (OSError, ValueError):
            return {}

    def remember(self, step, entry):
        self.state[step.name] = entry
        path = self.out / "steps.json.new"
        path.write_text(json.dumps(self.state, indent=1) + "\n", encoding="utf-8")
        path.replace(self.out / "steps.json")

    def has_ended(self, step):
        entry = self.state.get(step.name, {})
        return (not step.always and step.name not in self.options.again and entry.get("result") in ENDED
                and entry.get("program") == self.identity())

    # ---- one step ----

    def left_s(self):
        return self.options.limit - (time.monotonic() - self.started)

    def take(self, step):
        self.taken.append(step)
        if self.has_ended(step):
            return
        begin = time.monotonic()
        result, note = self.result_of(step)
        entry = {"result": result, "seconds": round(time.monotonic() - begin, 1), "note": note,
                 "program": self.identity()}
        self.remember(step, entry)
        print(f"gpu-check: {line_of(step.name, entry)}", file=sys.stderr)
        if step.stops and result not in (PASSED, REHEARSED):
            self.stopped = note or result

    def result_of(self, step):
        if step.absent:
            return SKIPPED, step.absent
        if self.options.rehearse and not (step.simulated and self.program().exists()):
            self.write_log(step, "\n".join(" ".join(map(str, command)) for command in step.commands))
            return REHEARSED, f"not run: {len(step.commands)} commands, about {step.expected_s} s with a GPU"
        if self.left_s() < 1:
            return LEFT, "this call's time is over"
        limit = min(step.limit_s, self.left_s())
        fault = self.run(step, limit)
        if fault is None:
            cut = limit < step.limit_s
            return (LEFT, "cut by the end of this call's time") if cut else (FAILED, f"longer than {step.limit_s} s")
        fault = (step.judge() if step.judge else "") or fault
        if fault.startswith("no GPU"):
            return SKIPPED, fault
        if fault:
            return FAILED, fault
        return PASSED, "on the CPU-executed runtime, not on a GPU" if self.options.rehearse else ""

    def write_log(self, step, text):
        (self.out / f"{step.name}.log").write_text(text + "\n", encoding="utf-8")

    def run(self, step, limit):
        """Runs a step's commands: "", what is wrong, or None where it took too long."""
        print(f"gpu-check: {step.name} ...", file=sys.stderr)
        end = time.monotonic() + limit
        with open(self.out / f"{step.name}.log", "wb") as log:
            for command in step.commands:
                log.write(("$ " + " ".join(map(str, command)) + "\n").encode())
                log.flush()
                code = run_command(command, {**os.environ, **step.variables}, log, end - time.monotonic())
                if code is None:
                    return None
                if code != 0:
                    return f"exit code {code}: {self.last_words(step)}"
        return ""

    def last_words(self, step):
        lines = (self.out / f"{step.name}.log").read_text(encoding="utf-8", errors="replace").splitlines()
        spoken = [line for line in lines if line.strip() and not line.startswith("$ ")]
        return spoken[-1][:120] if spoken else ""

    # ---- the end ----

    def entries(self):
        return [(step.name, self.state[step.name]) for step in self.taken]

    def failures(self):
        return [name for name, entry in self.entries() if entry["result"] == FAILED]

    def left(self):
        return [name for name, entry in self.entries() if entry["result"] == LEFT]

    def close(self):
        lines = [line_of(name, entry) for name, entry in self.entries()]
        counts = {result: sum(entry["result"] == result for _, entry in self.entries())
                  for result in (PASSED, FAILED, SKIPPED, LEFT, REHEARSED)}
        total = ", ".join(f"{count} {result}" for result, count in counts.items() if count)
        expected = sum(step.expected_s for step in self.taken if not step.absent)
        about = f"these {len(self.taken)} steps take about {expected / 60:.1f} minutes with 16 cores, by estimate"
        (self.out / "summary.txt").write_text("\n".join([*lines, total, about]) + "\n", encoding="utf-8")
        write_junit(self.out / "junit.xml", self.entries())
        archive = pack(self.out)
        print("\n".join([*lines, f"gpu-check: {total}; {about}", f"gpu-check: all of it is in {archive}"]))
        if self.left():
            print(f"gpu-check: {len(self.left())} steps are left: the same command again goes on")


def run_command(command, variables, log, limit):
    """Its exit code, or None where it was ended after `limit` seconds, its children with it."""
    if limit <= 0:
        return None
    try:
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=subprocess.STDOUT, env=variables, start_new_session=True)
    except OSError as error:
        log.write(f"{error}\n".encode())
        return 127
    try:
        return process.wait(limit)
    except subprocess.TimeoutExpired:
        return None
    finally:
        if process.poll() is None:
            end_group(process)


def end_group(process):
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(KILL_AFTER_S)
            return
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            pass


def line_of(name, entry):
    return f"{name:<26} {entry['result']:<9} {entry['seconds']:>7.1f} s  {entry['note']}".rstrip()


def write_junit(path, entries):
    """What CI systems read: a test case for every step."""
    kinds = {FAILED: "failure", SKIPPED: "skipped", LEFT: "skipped", REHEARSED: "skipped"}
    counts = [sum(kinds.get(entry["result"]) == kind for _, entry in entries) for kind in ("failure", "skipped")]
    suite = xml.etree.ElementTree.Element(
        "testsuite", name="gpu-check", tests=str(len(entries)), failures=str(counts[0]), skipped=str(counts[1]),
        errors="0", time=f"{sum(entry['seconds'] for _, entry in entries):.1f}")
    for name, entry in entries:
        case = xml.etree.ElementTree.SubElement(suite, "testcase", classname="gpu-check", name=name,
                                                time=str(entry["seconds"]))
        if entry["result"] in kinds:
            note = f"{entry['result']}: {entry['note']}"
            xml.etree.ElementTree.SubElement(case, kinds[entry["result"]], message=note)
    xml.etree.ElementTree.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)


def pack(folder):
    """The whole folder in one file beside it, written whole or not at all."""
    archive = folder.with_name(folder.name + ".tgz")
    unfinished = archive.with_name(archive.name + ".new")
    with tarfile.open(unfinished, "w:gz") as tar:
        tar.add(folder, arcname=folder.name)
    shutil.move(unfinished, archive)
    return archive
