# SPDX-License-Identifier: Apache-2.0
"""What the scripts say to arguments that make no sense: one line with the value, at once, and
exit code 2. And `--help`, which does nothing else."""

import os
import re
import subprocess
import tempfile
import unittest

SCRIPTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MILLRACE = os.path.dirname(SCRIPTS)


def run(script, *arguments, **env):
    return subprocess.run([os.path.join(SCRIPTS, script), *arguments], capture_output=True, text=True,
                          cwd=MILLRACE, stdin=subprocess.DEVNULL, timeout=60, check=False,
                          env={**os.environ, **env})


class Refusing(unittest.TestCase):
    def assert_refused(self, script, *arguments, value=None):
        done = run(script, *arguments)
        self.assertEqual((done.returncode, done.stdout), (2, ""), (script, arguments, done.stderr))
        said = done.stderr.splitlines()
        self.assertEqual(len(said), 1, said)
        self.assertTrue(said[0].startswith(f"scripts/{script}: "), said)
        self.assertIn(arguments[-1] if value is None else value, said[0])

    def test_compare_before_it_installs_or_builds(self):
        for flag, value in (("--only", "nosuch"), ("--peers", "nosuch"), ("--rounds", "0"),
                            ("--rounds", "x"), ("--io", "sim"), ("--nosuch", "1")):
            self.assert_refused("compare", flag, value, value="--nosuch" if value == "1" else value)

    def test_tidy(self):
        self.assert_refused("tidy", "nosuch")

    def test_conformance(self):
        self.assert_refused("conformance", "--rows")
        self.assert_refused("conformance", "--rows", "RFC 9999")
        self.assert_refused("conformance", "--rows", "9260", "more")

    def test_dpdk_setup_what_belongs_to_bind(self):
        self.assert_refused("dpdk-setup", "--driver", "nosuch")
        self.assert_refused("dpdk-setup", "--force")

    def test_regress_without_making_a_directory(self):
        with tempfile.TemporaryDirectory() as scratch:
            path = os.path.join(scratch, "build")
            self.assert_refused("regress", "--build", path)
            self.assertEqual(os.listdir(scratch), [])
        self.assert_refused("regress", "--nosuch")

    def test_mutate_before_it_builds(self):
        self.assert_refused("mutate", "--id", "999999")
        self.assert_refused("mutate", "--only", "nosuch")
        self.assert_refused("mutate", "--list", "nosuch")


class Helping(unittest.TestCase):
    def test_every_script_and_nothing_but_that(self):
        for script in ("check", "compare", "conformance", "dpdk-setup", "mutate", "quickstart", "regress",
                       "setup", "simulate", "test", "tidy"):
            done = run(script, "--help")
            self.assertEqual((done.returncode, done.stderr), (0, ""), script)
            self.assertGreater(len(done.stdout.splitlines()), 1, script)
            self.assertNotIn("usage:", done.stdout, script)

    def test_simulate_lists_the_programs_options_and_does_not_build(self):
        with tempfile.TemporaryDirectory() as scratch:
            done = run("simulate", "--seed", "1", "--help", BUILD=os.path.join(scratch, "build"))
            self.assertEqual((done.returncode, os.listdir(scratch)), (0, []))
        with open(os.path.join(MILLRACE, "test/sim/simulate.cc"), encoding="utf-8") as text:
            options = re.findall(r'^    "  (--\w+)', text.read(), re.MULTILINE)
        self.assertGreater(len(options), 5)
        for option in options:
            self.assertIn(f"  {option} ", done.stdout)


class Rows(unittest.TestCase):
    def test_a_section_is_found_as_it_is_cited(self):
        for text in ("RFC 9260 §6.1-1", "RFC 9260 6.1-1", "9260 6.1-1"):
            done = run("conformance", "--rows", text)
            self.assertEqual(done.returncode, 0, text)
            self.assertTrue(done.stdout.startswith("9260 6.1-1"), done.stdout)


if __name__ == "__main__":
    unittest.main()
