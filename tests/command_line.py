"""One table of commands: what help lists, the parser takes, and man page and shells know."""
import os
import re
import subprocess
import sys
import pathlib
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "endtoend"))
from program import PROGRAM, ProgramTest, main  # noqa: E402

COMMANDS = ("run", "theory", "reproduce", "compare", "info", "parameters", "completion", "man")


class CommandLine(ProgramTest):
    def options_of(self, command):
        """name -> whether it takes a value, of the help's list of options."""
        text = self.program(command, "--help").stdout
        listed = re.search(r"(?s)\nOptions:\n(.*?)(\n\n|\Z)", text).group(1)
        return {name: bool(value) for name, value in re.findall(r"(?m)^  --([a-z-]+)(?: ([A-Z]+))?(?: |$)", listed)}

    def test_every_command_has_help(self):
        listed = re.findall(r"gradsweep ([a-z]+) ", self.program("--help").stdout)
        self.assertEqual(tuple(listed[:len(COMMANDS)]), COMMANDS)
        for command in COMMANDS:
            done = self.program(command, "--help")
            self.assert_code(done, 0)
            self.assertTrue(done.stdout.startswith(f"Usage: gradsweep {command} "))
            self.assertEqual(done.stdout, self.program("help", command).stdout)
            self.assertEqual(done.stdout, self.program(command, "-h").stdout)
            self.assertLessEqual(max(map(len, done.stdout.splitlines())), 105)
            self.assertIn("help", self.options_of(command))

    def test_the_parser_takes_what_the_help_lists(self):
        for command in COMMANDS:
            for name, takes in self.options_of(command).items():
                if name == "help":
                    continue
                if takes:
                    self.assert_one_line(self.program(command, f"--{name}"), 64, f"--{name}", "needs a value")
                else:
                    self.assert_one_line(self.program(command, f"--{name}=1"), 64, f"--{name}", "takes no value")

    def test_names(self):
        """Hyphens are underscores; nothing is abbreviated, whatever the environment says."""
        listed = self.program("run", "rnn", "--seq-len", "3", "--list").stdout
        for words in (["rnn", "--seq_len=3", "--list"], ["--list", "rnn", "--seq_len", "3"],
                      ["--list", "--seq-len=3", "--", "rnn"]):
            self.assertEqual(self.program("run", *words).stdout, listed)
        posix = subprocess.run([PROGRAM, "run", "rnn", "--list", "--seq-len=3"], capture_output=True, text=True,
                               env={**os.environ, "POSIXLY_CORRECT": "1"}, timeout=60)
        self.assertEqual(posix.stdout, listed)
        for words, meant in ((["run", "mlp", "--over"], ""), (["run", "mlp", "--seq"], ""),
                             (["run", "mlp", "--lits"], "--list"), (["theory", "mlp", "--jsno"], "--json"),
                             (["theory", "rnn", "--seq-lne=3"], "--seq-len"), (["info", "--devise=0"], "--device"),
                             (["reproduce", "nielsen", "-x"], "-x")):
            self.assert_one_line(self.program(*words), 64, "unknown option", meant)

    def test_words(self):
        """What is meant by a word that is none."""
        for words, meant in ((["run", "lstm"], "neither a model"), (["theory", "gru"], "neither a model"),
                             (["run", "mpl"], "mlp"), (["run", "mlp", "--activation=swish"], "silu"),
                             (["theory", "mlp", "--init", "kaiming_normal"], "he_normal"),
                             (["theory", "mlp", "--init", "glorot_uniform"], "xavier_uniform"),
                             (["thoery"], "theory"), (["help", "nothing"], "nothing"),
                             (["completion", "cmd"], "bash"), (["completion"], "bash"), (["man", "x"], "x")):
            self.assert_one_line(self.program(*words), 64, meant)
        self.assert_one_line(self.program("run", "missing.json"), 65, "missing.json")

    def test_man_page(self):
        page = self.program("man")
        self.assert_code(page, 0)
        text = page.stdout.replace("\\-", "-")
        for command in COMMANDS:
            self.assertIn(f".SS gradsweep {command}\n", text)
            for name in self.options_of(command):
                self.assertIn(f"--{name}\\fR" if name != "help" else "", text)
        for parameter in ("depth", "seq_len", "activation"):
            self.assertIn(f"--{parameter}\\fR", text)
        self.assertIsNone(re.search(r"(?m)^\.(?!TH|SH|SS|TP|PP|br|RS|RE|nf|fi)", text))

    def complete(self, *words):
        script = self.program("completion", "bash").stdout
        line = " ".join(f"'{word}'" for word in ("gradsweep", *words))
        done = subprocess.run(["bash", "--norc", "-c", script + f"COMP_WORDS=({line}); COMP_CWORD={len(words)}; "
                               '_gradsweep; printf "%s\\n" "${COMPREPLY[@]}"'],
                              capture_output=True, text=True, check=True, timeout=60)
        return done.stdout.split()

    def test_completion(self):
        self.assertEqual(sorted(self.complete("")), sorted(COMMANDS))
        self.assertEqual(self.complete("rep"), ["reproduce"])
        self.assertEqual(self.complete("run", "--seq"), ["--seq-len"])
        self.assertEqual(self.complete("run", "ml"), ["mlp"])
        self.assertEqual(self.complete("reproduce", "niel"), ["nielsen"])
        for command in COMMANDS:
            known = self.complete(command, "--")
            self.assertEqual(len(known), len(set(known)))
            for name in self.options_of(command):
                self.assertIn(f"--{name}", known)
        for shell in ("zsh", "fish"):
            done = self.program("completion", shell)
            self.assert_code(done, 0)
            self.assertIn("time-limit", done.stdout)


if __name__ == "__main__":
    main()
