"""Which commit a build is of: looked up when it is built, and empty where there is none."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[1]
SCRIPT = SOURCE / "tools" / "commit.cmake"


class Commit(unittest.TestCase):
    def setUp(self):
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="gradsweep_"))
        self.addCleanup(shutil.rmtree, self.scratch, True)
        self.tree = self.scratch / "a tree"
        (self.tree / "host").mkdir(parents=True)
        (self.tree / "file").write_text("1")
        self.header = self.scratch / "commit.h"

    def git(self, *arguments):
        who = ["-c", "user.name=A", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
        return subprocess.run(["git", *who, "-C", self.tree, *arguments], check=True, capture_output=True,
                              text=True).stdout.strip()

    def commit(self):
        self.git("add", "file")
        self.git("commit", "-qm", "a change", "--no-verify")
        return self.git("rev-parse", "HEAD")

    def written(self, source=None, **variables):
        subprocess.run(["cmake", "-D", f"SOURCE={source or self.tree}", "-D", f"OUTPUT={self.header}", "-P", SCRIPT],
                       check=True, env=dict(os.environ, **variables))
        return self.header.read_text()

    @staticmethod
    def of(commit, dirty):
        return f'#define GRADSWEEP_COMMIT "{commit}"\n#define GRADSWEEP_DIRTY {dirty}\n'

    def test_a_repository(self):
        self.git("init", "-q")
        self.assertEqual(self.written(), self.of("", "false"))  # no commit yet
        first = self.commit()
        self.assertEqual(self.written(), self.of(first, "false"))
        before = self.header.stat().st_mtime_ns
        self.assertEqual(self.written(GIT_DIR=str(SOURCE / ".git")), self.of(first, "false"))
        self.assertEqual(self.header.stat().st_mtime_ns, before)  # nothing is built anew for nothing
        (self.tree / "notes").write_text("nothing that is built")
        self.assertEqual(self.written(), self.of(first, "false"))
        (self.tree / "host" / "new.c").write_text("")
        self.assertEqual(self.written(), self.of(first, "true"))
        (self.tree / "host" / "new.c").unlink()
        (self.tree / "file").write_text("2")
        self.assertEqual(self.written(), self.of(first, "true"))
        second = self.commit()
        self.assertNotEqual(first, second)
        self.assertEqual(self.written(), self.of(second, "false"))

    def test_no_repository(self):
        self.assertEqual(self.written(), self.of("", "false"))
        self.git("init", "-q")
        self.commit()
        inner = self.tree / "unpacked"  # in somebody else's repository
        inner.mkdir()
        self.assertEqual(self.written(inner), self.of("", "false"))


if __name__ == "__main__":
    if not all(map(shutil.which, ("cmake", "git"))):
        print("skipped: cmake or git is not installed")
        sys.exit(77)
    unittest.main()
