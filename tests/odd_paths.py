"""Folders with odd names: what CMake and its tools can build in, they do; what they cannot
is said in one line when the build is configured."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[1]
CAN = "a b'c(d)&é%@,=+{e}~!^`f$g-"
CANNOT = ("a;b", 'a"b', "a|b", "a*b", "a?b", "a[b", "a]b", "a$(b)", "a${b}")
NOT_TO_BUILD_IN = (*CANNOT, "a#b", "a<b", "a>b")


class OddPaths(unittest.TestCase):
    def setUp(self):
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="gradsweep_"))
        self.addCleanup(shutil.rmtree, self.scratch, True)

    def configure(self, source, build, *flags):
        compilers = [f"-DCMAKE_{language}_COMPILER={os.environ[variable]}"
                     for language, variable in (("C", "CC"), ("CXX", "CXX")) if variable in os.environ]
        return subprocess.run(["cmake", "-S", source, "-B", build, "-G", "Ninja", *compilers, *flags],
                              capture_output=True, text=True, check=False, timeout=120)

    def assert_refused(self, done, folder, path):
        self.assertEqual(done.returncode, 1, done.stdout)
        lines = [line for line in done.stderr.splitlines() if "CMake cannot build where a path has" in line]
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertIn(f"{folder} {path}", done.stderr)
        self.assertLess(len(done.stderr.splitlines()), 10, done.stderr)

    def test_what_cannot_be(self):
        for name in CANNOT:
            with self.subTest(name):
                (self.scratch / name).symlink_to(SOURCE)
                self.assert_refused(self.configure(self.scratch / name, self.scratch / "build"), "the source folder",
                                    self.scratch / name)
        for name in NOT_TO_BUILD_IN:
            with self.subTest(build=name):
                self.assert_refused(self.configure(SOURCE, self.scratch / "odd" / name), "the build folder",
                                    self.scratch / "odd" / name)

    def test_what_can_be(self):
        """Some of it is built: all of it takes too long."""
        copied = self.scratch / CAN
        for path in ("CMakeLists.txt", "host", "kernels", "tests", "tools", "bench", "results"):
            (shutil.copytree if (SOURCE / path).is_dir() else shutil.copy)(SOURCE / path, self._made(copied) / path)
        build = copied / "build"
        done = self.configure(copied, build, "-DGRADSWEEP_CUDA=AUTO")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr, "")
        if "CUDA toolkit: not found" not in done.stdout:
            self.assertIn("CUDA toolkit: off: nvcc cannot compile where a path has ' in it", done.stdout)
        built = subprocess.run(["cmake", "--build", build, "--target", "fail_allocation", "gs_commit",
                                "CMakeFiles/gradsweep_core.dir/host/base/status.c.o",
                                "CMakeFiles/gradsweep_core.dir/host/sweep/build.c.o"],
                               capture_output=True, text=True, check=False, timeout=120)
        self.assertEqual(built.returncode, 0, built.stdout)
        self.assertTrue((build / "generated" / "sweep" / "commit.h").exists())

    @staticmethod
    def _made(folder):
        folder.mkdir(exist_ok=True)
        return folder


if __name__ == "__main__":
    unittest.main()
