"""tools/install-dependencies and what begins with it, on machines that lack something:
one clear line and an exit code, and nothing is done by halves."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[1]
TOOL = SOURCE / "tools" / "install-dependencies"
# All that the scripts call, but for what each test makes up.
PLAIN = ("bash", "env", "dirname", "mktemp", "cat", "rm", "true", "false")


class Dependencies(unittest.TestCase):
    def setUp(self):
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="gradsweep_"))
        self.addCleanup(shutil.rmtree, self.scratch, True)
        self.path = self.scratch / "bin"
        self.path.mkdir()
        for name in PLAIN:
            (self.path / name).symlink_to(shutil.which(name))
        self.make("id", "echo 1000")
        self.make("dpkg-query", 'case "$4" in gcc | cmake) exit 1 ;; *) printf installed ;; esac')
        self.log = self.scratch / "log"
        self.log.touch()
        self.make("apt-get", f'echo "apt-get $1 $(umask)" >>{self.log}')
        self.make("sudo", f'echo "sudo $*" >>{self.log}; shift; "$@"')

    def make(self, name, body):
        program = self.path / name
        program.unlink(missing_ok=True)
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)

    def run_tool(self, *arguments, tool=TOOL):
        return subprocess.run([tool, *arguments], env={"PATH": str(self.path)}, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False, timeout=60)

    def assert_one_line(self, done, code, *fragments):
        self.assertEqual((done.returncode, done.stdout), (code, ""), done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        for fragment in fragments:
            self.assertIn(fragment, done.stderr)

    def test_nothing_missing(self):
        self.make("dpkg-query", "printf installed")
        for arguments in ((), ("--ci",), ("--plot",)):
            done = self.run_tool(*arguments)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        self.assertEqual(self.log.read_text(), "")

    def test_command_line(self):
        for arguments in (("--cl",), ("--ci", "--plot"), ("ci",), ("--ci", ""), ("--plot", "--plot")):
            self.assert_one_line(self.run_tool(*arguments), 64, "usage: tools/install-dependencies [--ci | --plot]")
        done = self.run_tool("--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertTrue(done.stdout.startswith("usage: "))
        self.assertEqual(self.log.read_text(), "")

    def test_neither_root_nor_sudo(self):
        (self.path / "sudo").unlink()
        self.assert_one_line(self.run_tool(), 69, "gcc cmake", "neither root nor sudo")
        self.assertEqual(self.log.read_text(), "")

    def test_sudo_that_refuses(self):
        self.make("sudo", 'echo "sudo: a password is required" >&2; exit 1')
        self.assert_one_line(self.run_tool(), 69, "gcc cmake", "sudo refuses")
        self.assertEqual(self.log.read_text(), "")

    def test_what_begins_with_it_stops(self):
        (self.path / "sudo").unlink()
        for name in ("run", "test", "check"):
            self.assert_one_line(self.run_tool(tool=SOURCE / "tools" / name), 69, "gcc cmake")

    def test_packages_that_cannot_be_had(self):
        self.make("id", "echo 0")
        self.make("apt-get", 'echo "E: no such thing" >&2; exit 100')
        done = self.run_tool()
        self.assertEqual((done.returncode, done.stdout), (69, ""))
        self.assertIn("as root: apt-get install gcc cmake", done.stderr.splitlines()[-1])

    def test_no_debian(self):
        for name in ("apt-get", "dpkg-query"):
            (self.path / name).unlink()
            self.assert_one_line(self.run_tool(), 0, "Not a Debian system", "gcc g++ cmake")

    def test_installs_for_everybody(self):
        """Whatever the mask of who calls it."""
        self.addCleanup(os.umask, os.umask(0o077))
        for root, lines in (("0", []), ("1000", ["sudo -n true"])):
            self.make("id", f"echo {root}")
            self.log.write_text("")
            self.assert_one_line(self.run_tool(), 0, "Installing Debian packages: gcc cmake")
            said = [line for line in self.log.read_text().splitlines() if "env" not in line]
            self.assertEqual(said, [*lines, "apt-get update 0022", "apt-get install 0022"])


if __name__ == "__main__":
    unittest.main()
