# SPDX-License-Identifier: Apache-2.0
"""Stages of tests: each runs something, counts what passed, failed and was skipped, and
says so as it goes. The sum is the last line that `scripts/test` and `.ci/run` print."""

import concurrent.futures
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

import configure

STARTED = time.monotonic()
TALLY = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$")


class Totals:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failures = []

    def add(self, passed, failed, skipped=0, what=""):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped
        if failed:
            self.failures.append(what)

    def finish(self):
        """Prints the closing line and returns the exit code. A skip fails where CI is set."""
        if os.environ.get("CI") == "true" and self.skipped:
            self.failed += self.skipped
            self.failures.append(f"{self.skipped} skipped, which counts as failed here")
            self.skipped = 0
        for failure in self.failures:
            print(f"failed: {failure}")
        line = f"{self.passed} passed, {self.failed} failed"
        print(line + (f", {self.skipped} skipped" if self.skipped else ""), flush=True)
        return 1 if self.failed or not self.passed else 0


def announce(text):
    """Says what comes now, and how many minutes the whole has run."""
    print(f"== {text} (minute {(time.monotonic() - STARTED) / 60:.0f})", flush=True)


def run_logged(command, log, env=None, timeout=None):
    """Runs a command with its output in a file; True when it exits 0 in time."""
    with open(log, "w", encoding="utf-8") as out:
        try:
            done = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, timeout=timeout,
                                  env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL)
            return done.returncode == 0
        except subprocess.TimeoutExpired:
            out.write(f"\ntimed out after {timeout} s\n")
            return False


def show_tail(log, lines=40):
    with open(log, encoding="utf-8", errors="replace") as text:
        for line in text.readlines()[-lines:]:
            print("    " + line.rstrip(), flush=True)


def build(build_dir, options, targets=(), env=None):
    """Configures as far as is due and builds; exits when that fails, for nothing else can run."""
    log = build_dir + ".log"
    due = configure.command(build_dir, options)
    if due is not None:
        if not run_logged(due, log, env):
            show_tail(log)
            sys.exit(f"{' '.join(due)} failed")
        configure.note_packages(build_dir)
    started = time.monotonic()
    if not run_logged(["ninja", "-C", build_dir, *targets], log, env):
        show_tail(log)
        sys.exit(f"building {build_dir} failed")
    print(f"  built {build_dir} in {time.monotonic() - started:.0f} s", flush=True)


def gtest_counts(report):
    with open(report, encoding="utf-8") as text:
        data = json.load(text)
    failed = data["failures"] + data.get("errors", 0)
    cases = [case for suite in data["testsuites"] for case in suite["testsuite"]]
    skipped = sum(case.get("result") == "SKIPPED" for case in cases)
    ran = sum(case.get("status") == "RUN" for case in cases)
    return ran - failed - skipped, failed, skipped


def failed_lines(log):
    with open(log, encoding="utf-8", errors="replace") as text:
        lines = [line.strip() for line in text]
    return [line for line in lines if line.startswith("[  FAILED  ]")][:5]


def run_one_test(test, out_dir, env):
    log = os.path.join(out_dir, test["name"].replace("/", "_") + ".log")
    report = log + ".json"
    command = list(test["cmd"])
    is_gtest = test["protocol"] == "gtest"
    if is_gtest:
        command.append(f"--gtest_output=json:{report}")
    ok = run_logged(command, log, {**test["env"], **env}, timeout=test["timeout"])
    if not is_gtest:
        return test["name"], log, (1, 0, 0) if ok else (0, 1, 0)
    if not os.path.exists(report):  # It crashed or hung before it could report.
        return test["name"], log, (0, 1, 0)
    passed, failed, skipped = gtest_counts(report)
    if not ok and not failed:
        failed = 1
    return test["name"], log, (passed, failed, skipped)


def meson_tests(totals, build_dir, env=None, only=None, jobs=2, timeout_scale=1):
    """Runs the tests that meson knows of, counting GoogleTest cases one by one."""
    text = subprocess.check_output(["meson", "introspect", "--tests", build_dir])
    tests = [t for t in json.loads(text) if only is None or t["name"] in only]
    if not tests or (only is not None and len(tests) < len(only)):
        totals.add(0, 1, 0, f"{build_dir}: {len(tests)} tests found, {len(only or []) or 'more'} wanted")
    for test in tests:
        test["timeout"] = (test["timeout"] or 600) * timeout_scale
    with tempfile.TemporaryDirectory() as out_dir, \
            concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        runs = [pool.submit(run_one_test, t, out_dir, env or {}) for t in tests]
        for run in concurrent.futures.as_completed(runs):
            name, log, (passed, failed, skipped) = run.result()
            totals.add(passed, failed, skipped,
                       "; ".join([f"{build_dir}: {name}", *failed_lines(log)]))
            print(f"  {name}: {passed} passed, {failed} failed"
                  + (f", {skipped} skipped" if skipped else ""), flush=True)
            if failed:
                show_tail(log)


def tally_command(totals, name, command, env=None, timeout=3600):
    """Runs a command whose last line is `N passed, N failed[, N skipped]`, showing its output.
    After `timeout` seconds it is killed with all that it has started, silent or not."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, stdin=subprocess.DEVNULL, start_new_session=True,
                               env={**os.environ, **(env or {})})
    timer = threading.Timer(timeout, os.killpg, (process.pid, signal.SIGKILL))
    timer.start()
    last = ""
    told = []  # Which cases failed, for the end of a long log.
    try:
        for line in process.stdout:
            print("  " + line.rstrip(), flush=True)
            last = line.strip() or last
            if re.match(r"(FAIL|failed)\b", line.strip()):
                told.append(line.strip())
        code = process.wait()
    except KeyboardInterrupt:  # It has a session of its own, and hears of no Ctrl-C.
        os.killpg(process.pid, signal.SIGTERM)
        raise
    finally:
        in_time = timer.is_alive()
        timer.cancel()
    match = TALLY.match(last)
    if not match:
        why = f"ended with {code} and no tally" if in_time else f"timed out after {timeout} s"
        totals.add(0, 1, 0, f"{name}: {why}")
        return
    passed, failed, skipped = (int(group or 0) for group in match.groups())
    if code != 0 and not failed and not (skipped and os.environ.get("CI") == "true"):
        failed = 1
    totals.add(passed, failed, skipped, "; ".join([name, *told]))


def check_command(totals, name, command, env=None, timeout=None):
    """Runs a command that passes by exiting 0."""
    with tempfile.NamedTemporaryFile(suffix=".log") as log:
        started = time.monotonic()
        ok = run_logged(command, log.name, env, timeout)
        totals.add(int(ok), int(not ok), 0, name)
        print(f"  {name}: {'ok' if ok else 'FAILED'} ({time.monotonic() - started:.0f} s)",
              flush=True)
        if not ok:
            show_tail(log.name)
