"""Adds a parameter, a model, a subcommand, a statistic and an activation to a copy of the sources, as CONTRIBUTING.md
says, and shows that what is left out is caught: by the compiler, or by a test that walks the tables.

The copy is compiled without optimisation, and takes from the build what knows nothing of
networks (host/base, host/device)."""
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor

SOURCE = pathlib.Path(__file__).resolve().parents[1]
BUILD = pathlib.Path(os.environ.get("GRADSWEEP_BUILD_DIR", SOURCE / "build" / "release"))
CC = os.environ.get("CC", "cc")
FOLDERS = ("net", "theory", "measure", "claims", "sweep", "cli")

FIELD = "  int64_t heads; /* a parameter for this test */\n"
DEFAULT = ".heads = 1,\n"
ROW = """    {.key = "heads",
     .help = "heads of nothing at all",
     .models = GS_EVERY_MODEL,
     .type = &gs_type_size,
     .offset = FIELD(heads),
     .max = 64},
"""
WORDS = "a twin has what no theory here has"
COMMAND = """#include "cli/commands.h"
static gs_status run(void *arguments, const gs_given *given, int *code, gs_error *error) {
  (void)arguments, (void)given, (void)code, (void)error;
  puts("hello");
  return GS_OK;
}
const gs_command gs_hello_command = {.name = "hello",
                                     .summary = "says so",
                                     .usages = (const char *const[]){"[options]", NULL},
                                     .description = "Says hello.\\n",
                                     .run = run};
"""


def edit(path, pattern, replacement):
    text = path.read_text()
    changed, count = re.subn(pattern, lambda found: found.expand(replacement), text, count=1)
    assert count == 1, f"{path}: no {pattern}"
    path.write_text(changed)


class Copy:
    def __init__(self, root):
        self.root = root
        self.objects = {}
        leave = shutil.ignore_patterns("data", "fuzz", "cuda_on_cpu", "ptx_on_cpu", "__pycache__", "pictures")
        for folder in ("host", "tests", "tools", "docs", "results"):
            shutil.copytree(SOURCE / folder, root / folder, ignore=leave, symlinks=True)
        commands = json.loads((BUILD / "compile_commands.json").read_text())
        self.options = self._options(next(entry for entry in commands
                                          if entry["file"].endswith("host/measure/jacobian.c")))

    def _options(self, entry):
        """Where headers are, and what is defined."""
        words = shlex.split(entry["command"])
        options = [word for word in words if word[:2] in ("-D", "-I") or word.startswith(("-std", "-fopenmp"))]
        for place, word in enumerate(words):
            if word == "-isystem":
                options += words[place:place + 2]
        return [word.replace(f"-I{SOURCE}", f"-I{self.root}", 1)
                if word in (f"-I{SOURCE}", f"-I{SOURCE}/host") else word for word in options]

    def compile(self, name, warnings="-w"):
        """A file of host/: (object, what the compiler says)."""
        output = self.root / (name.replace("/", "_") + ".o")
        done = subprocess.run([CC, "-O0", warnings, *self.options, "-c", str(self.root / "host" / name),
                               "-o", str(output)], capture_output=True, text=True, check=False)
        return output if done.returncode == 0 else None, done.stderr

    def link(self, *names):
        """The program, of all files, or again after these have changed."""
        if not names:
            names = [f"{folder}/{path.name}" for folder in FOLDERS
                     for path in sorted((self.root / "host" / folder).glob("*.c"))]
            names.append("device/no_cuda.c")
        with ThreadPoolExecutor(2) as pool:
            made = list(pool.map(self.compile, names))
        said = "".join(words for output, words in made if output is None)
        assert not said, said
        self.objects.update(zip(names, (str(output) for output, _ in made)))
        program = self.root / "gradsweep"
        subprocess.run([CC, "-fopenmp", "-o", str(program), *self.objects.values(),
                        str(BUILD / "libgradsweep_core.a"), "-lcjson", "-ldnnl", "-lpthread", "-ldl", "-lm"],
                       check=True)
        return program


class NewParts(unittest.TestCase):
    def setUp(self):
        self.assertTrue((BUILD / "compile_commands.json").exists(), "no compile_commands.json")
        scratch = pathlib.Path(tempfile.mkdtemp(prefix="gradsweep_"))
        self.addCleanup(shutil.rmtree, scratch, True)
        self.copy = Copy(scratch)
        self.host = scratch / "host"

    def run_program(self, *arguments, code=0):
        done = subprocess.run([str(self.program), *arguments], capture_output=True, text=True, timeout=60,
                              check=False, cwd=self.copy.root, env={**os.environ, "CUDA_VISIBLE_DEVICES": ""})
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout

    def run_script(self, *words):
        return subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True, timeout=100,
                              check=False, env={**os.environ, "GRADSWEEP": str(self.program)})

    def assert_refused(self, name, *fragments, warnings="-w"):
        output, words = self.copy.compile(name, warnings)
        self.assertIsNone(output, f"{name} compiles")
        for fragment in fragments:
            self.assertIn(fragment, words)

    def add_parameter(self):
        edit(self.host / "net/param.c", r"(\};\n_Static_assert)", ROW.replace("\\", "\\\\") + r"\1")
        self.assert_refused("net/param.c", "GS_PARAM_COUNT")  # the rows are not counted
        count = re.search(r"GS_PARAM_COUNT = (\d+)", (self.host / "net/param.h").read_text()).group(1)
        edit(self.host / "net/param.h", r"GS_PARAM_COUNT = \d+", f"GS_PARAM_COUNT = {int(count) + 1}")
        self.assert_refused("net/param.c", "heads")  # there is no such field
        edit(self.host / "net/config.h", r"(typedef struct gs_config \{\n)", r"\1" + FIELD)
        edit(self.host / "net/config_check.c", r"(\.seed = 1,\n)", r"\1" + DEFAULT)
        self.assertIsNotNone(self.copy.compile("net/param.c")[0])

    def add_model(self):
        edit(self.host / "net/config.h", r'(X\(GS_RNN, "rnn", gs_rnn_model\))',
             r'\1 X(GS_TWIN, "twin", gs_twin_model)')
        self.assert_refused("net/model.c", "gs_twin_model")  # there is no such row
        row = re.search(r"const gs_model_row gs_rnn_model = \{(.*?)\};\n", (self.host / "net/model.c").read_text(),
                        re.S).group(1)
        edit(self.host / "net/model.c", r"(/\* ---- the table ---- \*/)",
             f'const gs_model_row gs_twin_model = {{{row}, .no_theory = "{WORDS}"}};\n' + r"\1")
        edit(self.host / "net/param.c", r"(#define RNN) (GS_OF_MODEL\(GS_RNN\))",
             r"\1 (\2 | GS_OF_MODEL(GS_TWIN))")

    def add_command(self):
        (self.host / "cli/hello.c").write_text(COMMAND)
        edit(self.host / "cli/commands.c", r"(&gs_worker_command,)", r"&gs_hello_command, \1")
        self.assert_refused("cli/commands.c", "gs_hello_command")  # it is not declared
        edit(self.host / "cli/commands.h", r"(extern const gs_command gs_worker_command;)",
             r"extern const gs_command gs_hello_command;\n\1")
        self.assertIsNotNone(self.copy.compile("cli/commands.c")[0])

    def check_command(self):
        self.assertEqual(self.run_program("hello"), "hello\n")
        self.assertIn("says so", self.run_program("--help"))
        self.assertTrue(self.run_program("hello", "--help").startswith("Usage: gradsweep hello [options]"))
        self.run_program("hello", "you", code=64)
        self.assertIn(".SS gradsweep hello", self.run_program("man"))
        self.assertIn("\nhello --help\n", self.run_program("completion", "bash"))
        self.assertIn("did you mean hello", subprocess.run([str(self.program), "helo"], capture_output=True,
                                                           text=True, check=False, timeout=60).stderr)

    def test_an_activation_is_asked_for_everywhere(self):
        edit(self.host / "device/types.h", r'(  X\(GS_SOFTPLUS, "softplus"\))', r'\1 X(GS_CUBE, "cube")')
        for name, where in (("theory/moments.c", "activation_f64.h"), ("device/cpu_rows_f32.c", "cpu_rows_f32.c"),
                            ("theory/atoms.c", "atoms.c")):
            self.assert_refused(name, where, "GS_CUBE", warnings="-Werror=switch")

    def test_a_parameter_a_model_a_command_and_a_statistic(self):
        self.add_parameter()
        self.add_model()
        self.add_command()
        self.program = self.copy.link()
        self.check_command()
        self.check_stale()
        self.check_parameter()
        self.check_model()
        self.check_statistic()

    def check_stale(self):
        """What is generated is stale until it is generated."""
        generate = self.copy.root / "tools" / "generate"
        done = self.run_script(generate, "--check")
        self.assertEqual((done.returncode, done.stdout.count("is stale")), (1, 3), done.stdout + done.stderr)
        self.assertEqual(self.run_script(generate).returncode, 0)
        self.assertEqual(self.run_script(generate, "--check").returncode, 0)
        for name in ("docs/PARAMETERS.md", "results/schema.json", "tools/plotting/parameter_table.py"):
            for word in ("heads", "twin"):
                self.assertIn(word, (self.copy.root / name).read_text())

    def check_parameter(self):
        for model in ("mlp", "rnn", "twin"):
            ids = [line.split() for line in self.run_program("run", model, "--heads", "1,2", "--list").splitlines()]
            self.assertEqual(len(ids), 2)
            self.assertNotEqual(ids[0][0], ids[1][0])
            self.assertEqual(ids[1][1], ids[0][1] + "/heads=2")
        done = self.run_script(self.copy.root / "tests" / "parameters.py",
                               "Walk.test_another_value_is_another_cell", "Walk.test_the_worker_has_it",
                               "Walk.test_help_page_and_schema_have_it")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def check_model(self):
        """It runs, and nothing that has no theory for it predicts it or raises an alarm."""
        shape = ["--seq-len=5", "--hidden=20", "--input=20", "--replicas=4", "--jacobian=true"]
        for model in ("twin", "rnn"):
            self.run_program("run", model, *shape, "--time-limit=0", "--backend=cpu", "--out", model)
        cells = {model: json.loads((self.copy.root / model / "results.json").read_text())["cells"][0]
                 for model in ("twin", "rnn")}
        self.assertEqual(cells["twin"]["weights_hash"], cells["rnn"]["weights_hash"])
        self.assertEqual(cells["twin"]["layers"], cells["rnn"]["layers"])
        self.assertEqual(cells["twin"]["cost"], cells["rnn"]["cost"])
        self.assertEqual(cells["twin"]["theory"]["validity"], "outside reach")
        self.assertEqual(cells["twin"]["theory"]["reasons"], ["no_theory"])
        self.assertEqual(cells["twin"]["agreement"]["verdict"], "outside reach")
        self.assertEqual(cells["twin"]["agreement"]["message"], WORDS)
        self.assertIn(f"no_theory: {WORDS}", self.run_program("theory", "twin", *shape))
        self.assertIn("step lost", self.run_program("run", "twin", *shape, "--time-limit=0", "--out", "other"))

    def measure(self, code):
        """A cell's record, and whether it is what the schema says."""
        out = self.copy.root / "statistic"
        self.run_program("run", "mlp", "--depth=3", "--width=9", "--time-limit=0", "--overwrite", "--out", str(out),
                         code=code)
        cell = json.loads((out / "results.json").read_text())["cells"][0]
        return cell, self.run_script(self.copy.root / "tests" / "validate_results.py", out / "results.json")

    def check_statistic(self):
        """A new column of the layers is believed once its shape is known, and is in the schema."""
        edit(self.host / "measure/layers.c", r'(    \{NULL, "dead_share", dead_of, dies\},\n)',
             r'\1    {NULL, "none_share", zero_of, NULL},\n')
        self.program = self.copy.link("measure/layers.c")
        cell, _ = self.measure(2)
        self.assertEqual(cell["status"], "crashed")
        self.assertIn("no record", cell["error"])
        edit(self.host / "sweep/record_shape.c", r'(MAY\("dead_share", shares\))',
             r'\1, HAS("none_share", shares)')
        self.program = self.copy.link("sweep/record_shape.c")
        cell, done = self.measure(0)
        self.assertEqual(cell["layers"]["delta"]["none_share"], cell["layers"]["delta"]["zero_share"])
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("none_share", done.stdout)
        edit(self.copy.root / "results/schema.json", r'("dead_share": \{"\$ref": "#/\$defs/shares"\},)',
             r'\1 "none_share": {"$ref": "#/$defs/shares"},')
        cell, done = self.measure(0)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
