"""gradsweep reproduce: every claim, what is printed, and exit codes."""
import json
import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "endtoend"))
from program import ProgramTest, main  # noqa: E402

NAMES = ["textbook", "he2015", "glorot2010", "saxe2014", "schoenholz2017", "nielsen", "hanin2020",
         "pascanu2013", "irnn2015", "zucchet2024", "lu2019", "roberts2022", "kaiming-normal",
         "keras-he-normal"]
FINDINGS = {"holds", "holds only when", "does not hold"}


class Claims(ProgramTest):
    def document(self, *names, code=0, **more):
        done = self.program("reproduce", *names, "--json", **more)
        self.assert_code(done, code)
        self.assertEqual(done.stderr, "")
        return json.loads(done.stdout, parse_constant=self.fail)["claims"]

    def test_list(self):
        done = self.program("reproduce", "--list")
        self.assert_code(done, 0)
        self.assertEqual([line.split()[0] for line in done.stdout.splitlines()], NAMES)

    def test_help(self):
        done = self.program("reproduce", "--help")
        self.assert_code(done, 0)
        self.assertTrue(done.stdout.startswith("Usage: gradsweep reproduce"))
        self.assertLessEqual(max(map(len, done.stdout.splitlines())), 100)

    def test_usage(self):
        for arguments, words in (
                ([], ["--list"]),
                (["he2016"], ['"he2016"', "did you mean he2015"]),
                (["nielsen", "textbok"], ["did you mean textbook"]),
                (["\x1b[2J"], ["unknown claim"]),
                (["nielsen", "--list"], ["--list"]),
                (["--list", "--json"], ["--list"]),
                (["nielsen", "--seed", "-1"], ["--seed"]),
                (["nielsen", "--seed=18446744073709551616"], ["--seed"]),
                (["nielsen", "--threads", "x"], ["--threads"]),
                (["nielsen", "--backend", "tpu"], ["--backend"]),
                (["nielsen", "--replicas=3"], ["--replicas=3"]),
                (["nielsen", "--seed"], ["--seed"])):
            done = self.program("reproduce", *arguments)
            self.assert_one_line(done, 64, *words)
            self.assertEqual(done.stdout, "")
        self.assert_one_line(self.program("reproduc"), 64, "did you mean reproduce")

    def test_device(self):
        self.assert_one_line(self.program("reproduce", "nielsen", fault="absent"), 69)
        self.assert_one_line(self.program("reproduce", "nielsen", "--backend=cuda"), 69)

    def test_every_claim(self):
        claims = self.document("all", "--backend", "cpu")
        self.assertEqual([claim["name"] for claim in claims], NAMES)
        for claim in claims:
            self.assertTrue(claim["passed"])
            self.assertTrue(claim["title"] and claim["source"] and claim["checks"])
            for check in claim["checks"]:
                self.assert_check(check)

    def assert_check(self, check):
        self.assertTrue(check["passed"], check)
        self.assertIn(check["finding"], FINDINGS)
        for key in ("sentence", "source", "setup", "quantity"):
            self.assertTrue(check[key], key)
        self.assertTrue(check["expected"]["from"])
        if check["finding"] == "holds only when":
            self.assertTrue(check["remark"])
        measured = check["measured"]
        self.assertLessEqual(measured["low"], measured["value"])
        self.assertGreaterEqual(measured["high"], measured["value"])
        # the rules of the help, once more
        reach, error = measured["reach"], measured["standard_error"]
        self.assertTrue(3.89 * error <= reach <= 8 * error)  # 8: Student's t of eight networks
        low, high = check["expected"]["low"], check["expected"]["high"]
        if check["expected"]["rule"] == "near":
            off = reach + check["expected"]["allowance"]
            self.assertTrue(low - off <= measured["value"] <= high + off)
            self.assertLessEqual(reach, check["expected"]["resolution"])
        else:  # null: no end
            self.assertTrue(low is None or low <= measured["value"] - reach)
            self.assertTrue(high is None or measured["value"] + reach <= high)

    def test_set_ups_can_be_typed(self):
        """A check's set-up, given to gradsweep run, measures the same number."""
        checks = [c for claim in self.document("he2015", "pascanu2013", "zucchet2024", "lu2019",
                                               "roberts2022") for c in claim["checks"]]
        for setup in {check["setup"] for check in checks}:
            self.assert_code(self.program("run", *setup.split(), "--list"), 0)
        check = next(c for c in checks if c["quantity"] == "decades of delta, mean over networks")
        self.assert_code(self.program("run", *check["setup"].split(), "--time-limit=0",
                                      "--out", self.out), 0)
        decades = self.results()["cells"][0]["summary"]["decades"]
        self.assertAlmostEqual(decades["mean"], check["measured"]["value"], delta=1e-12)

    def test_threads_and_seeds(self):
        one = self.document("nielsen", "--threads=1")
        self.assertEqual(one, self.document("nielsen", "--threads=2"))
        self.assertNotEqual(one, self.document("nielsen", "--seed=2"))

    def test_text(self):
        done = self.program("reproduce", "nielsen")
        self.assert_code(done, 0)
        self.assertNotIn("\x1b", done.stdout)
        for words in ("nielsen: ", "set-up", "expected", "measured", "  pass\n", "so it     holds",
                      "nielsen: 3 of 3 checks pass", "1 claim: 1 reproduced, 0 not"):
            self.assertIn(words, done.stdout)
        self.assertIsNone(re.search(r"[ \t]$", done.stdout, re.M))

    def test_a_claim_can_fail(self):
        done = self.program("reproduce", "nielsen", fault="falsify")
        self.assert_code(done, 1)
        self.assertIn("  FAIL\n", done.stdout)
        self.assertIn("1 claim: 0 reproduced, 1 not", done.stdout)
        claim, = self.document("nielsen", code=1, fault="falsify")
        self.assertFalse(claim["passed"])
        self.assertEqual({c["finding"] for c in claim["checks"]}, {"does not hold"})

    def test_each_check_can_fail(self):
        for claim in self.document("zucchet2024", "lu2019", "roberts2022", code=1,
                                   fault="falsify"):
            self.assertFalse(claim["passed"])
            self.assertEqual({c["passed"] for c in claim["checks"]}, {False})

    def test_output_that_cannot_be_written(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = self.program("reproduce", "nielsen", stdout=full)
        self.assert_code(done, 74)


if __name__ == "__main__":
    main()
