# SPDX-License-Identifier: Apache-2.0
import contextlib
import io
import os
import subprocess
import tempfile
import time
import unittest
from unittest import mock

import configure
import stages

PROJECT = "project('small')\n"
OPTIONS = "option('tests', type: 'feature', value: 'auto')\n"


def quietly(run, *arguments, **named):
    with contextlib.redirect_stdout(io.StringIO()):
        return run(*arguments, **named)


class Configuring(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        source = os.path.join(scratch.name, "source")
        os.mkdir(source)
        for name, text in (("meson.build", PROJECT), ("meson_options.txt", OPTIONS)):
            with open(os.path.join(source, name), "w", encoding="ascii") as out:
                out.write(text)
        self.build = os.path.join(scratch.name, "build")
        self.packages = os.path.join(scratch.name, "packages")
        os.mkdir(self.packages)
        for change in (mock.patch.object(configure, "SOURCE", source),
                       mock.patch.dict(os.environ, PKG_CONFIG_PATH=self.packages)):
            change.start()
            self.addCleanup(change.stop)

    def run_what_is_due(self, *options):
        """How meson was called: a new directory, an old one, or not at all."""
        due = configure.command(self.build, options)
        if due is None:
            return "nothing"
        subprocess.run(due, check=True, stdout=subprocess.DEVNULL)
        configure.note_packages(self.build)
        return "again" if "--reconfigure" in due else "new"

    def test_once_is_enough(self):
        self.assertEqual(self.run_what_is_due("-Dtests=enabled"), "new")
        self.assertEqual(self.run_what_is_due("-Dtests=enabled"), "nothing")
        self.assertEqual(self.run_what_is_due(), "nothing")

    def test_an_option_that_the_directory_has_otherwise_is_set(self):
        self.run_what_is_due("-Dtests=disabled")
        self.assertEqual(self.run_what_is_due("-Dtests=enabled"), "again")
        self.assertEqual(self.run_what_is_due("-Dtests=enabled"), "nothing")

    def test_a_package_that_has_come_is_looked_for_again(self):
        self.run_what_is_due("-Dtests=enabled")
        with open(os.path.join(self.packages, "new.pc"), "w", encoding="ascii") as out:
            out.write("Name: new\nDescription: new\nVersion: 1\n")
        self.assertEqual(self.run_what_is_due("-Dtests=enabled"), "again")
        self.assertEqual(self.run_what_is_due("-Dtests=enabled"), "nothing")

    def test_a_directory_that_somebody_else_configured_is_looked_at_once(self):
        subprocess.run(["meson", "setup", self.build, configure.SOURCE], check=True,
                       stdout=subprocess.DEVNULL)
        self.assertEqual(self.run_what_is_due(), "again")
        self.assertEqual(self.run_what_is_due(), "nothing")

    def test_a_build_without_tests_is_a_failure(self):
        self.run_what_is_due()
        for only in (None, {"base"}):
            totals = stages.Totals()
            quietly(stages.meson_tests, totals, self.build, only=only)
            self.assertEqual((totals.passed, totals.failed), (0, 1))


class Tallies(unittest.TestCase):
    def tally(self, script, timeout=60):
        totals = stages.Totals()
        began = time.monotonic()
        quietly(stages.tally_command, totals, "case", ["bash", "-c", script], timeout=timeout)
        self.assertLess(time.monotonic() - began, 30)
        return totals

    def test_the_last_line_counts(self):
        totals = self.tally("echo some text; echo '5 passed, 2 failed'; exit 1")
        self.assertEqual((totals.passed, totals.failed), (5, 2))

    def test_success_by_words_and_failure_by_code_is_failure(self):
        totals = self.tally("echo '5 passed, 0 failed'; exit 1")
        self.assertEqual((totals.passed, totals.failed), (5, 1))

    def test_no_tally_is_a_failure(self):
        self.assertEqual(self.tally("true").failures, ["case: ended with 0 and no tally"])

    def test_a_silent_command_ends_in_time_with_all_that_it_started(self):
        totals = self.tally("sleep 600 & sleep 600", timeout=0.5)
        self.assertEqual(totals.failures, ["case: timed out after 0.5 s"])
