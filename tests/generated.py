"""What tools/generate writes is as the program's table of parameters says; and it would
notice if it were not."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[1]
GENERATE = SOURCE / "tools" / "generate"
FILES = ("docs/PARAMETERS.md", "results/schema.json", "tools/plotting/parameter_table.py")


def generate(*arguments):
    return subprocess.run([sys.executable, str(GENERATE), *arguments], capture_output=True, text=True,
                          timeout=60, check=False)


class Generated(unittest.TestCase):
    def setUp(self):
        self.assertIn("GRADSWEEP", os.environ)
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="gradsweep_"))
        self.addCleanup(shutil.rmtree, self.root, True)
        for name in FILES:
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(SOURCE / name, self.root / name)

    def check(self):
        done = generate("--check", "--root", str(self.root))
        self.assertEqual(done.stderr, "")
        return done.returncode, done.stdout

    def test_sources_are_as_generated(self):
        done = generate("--check")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_what_is_stale_is_found_and_mended(self):
        def forget_parameter(schema):
            del schema["$defs"]["mlp_params"]["properties"]["loss"]

        def forget_choice(schema):
            schema["$defs"]["activation"]["enum"].pop()

        def other_limit(schema):
            schema["$defs"]["rnn_params"]["properties"]["replicas"]["maximum"] += 1

        for change in (forget_parameter, forget_choice, other_limit):
            with self.subTest(change=change.__name__):
                path = self.root / "results/schema.json"
                schema = json.loads(path.read_text())
                change(schema)
                path.write_text(json.dumps(schema))
                code, words = self.check()
                self.assertEqual((code, words.count("stale")), (1, 1))
                self.assertIn("results/schema.json is stale", words)
                self.assertEqual(generate("--root", str(self.root)).returncode, 0)
                self.assertEqual(self.check(), (0, ""))
                self.assertEqual(path.read_text(), (SOURCE / "results/schema.json").read_text())
        for name, word in (("docs/PARAMETERS.md", "leaky_relu"),
                           ("tools/plotting/parameter_table.py", "seq_len")):
            with self.subTest(name=name):
                path = self.root / name
                path.write_text(path.read_text().replace(word, "other_word", 1))
                code, words = self.check()
                self.assertEqual(code, 1)
                self.assertIn(f"{name} is stale", words)
                path.unlink()
                self.assertEqual(self.check()[0], 1)
                self.assertEqual(generate("--root", str(self.root)).returncode, 0)
                self.assertEqual(self.check(), (0, ""))

    def test_other_parts_of_the_schema_are_left_alone(self):
        path = self.root / "results/schema.json"
        schema = json.loads(path.read_text())
        schema["$defs"]["cell"]["properties"]["fresh"] = {"type": "number"}
        path.write_text(json.dumps(schema))
        self.assertEqual(self.check(), (0, ""))


if __name__ == "__main__":
    unittest.main(verbosity=2)
