#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the program as a person would and checks what it does: commands, settings, bad input,
shards, vanished peers. A line a case; the last line of output is `N passed, N failed[, N skipped]`."""

import argparse
import subprocess
import sys
import time

import cases_bench
import cases_commands
import cases_dpdk
import cases_dpdk_kernel
import cases_dpdk_neighbours
import cases_dpdk_path
import cases_hostile
import cases_http
import cases_sessions
from program import Failed, Millrace, find_millrace

MODULES = (cases_commands, cases_http, cases_sessions, cases_hostile, cases_bench, cases_dpdk,
           cases_dpdk_kernel, cases_dpdk_neighbours, cases_dpdk_path)


def cases_of(module):
    return [(name[len("case_"):].replace("_", " "), function)
            for name, function in vars(module).items() if name.startswith("case_")]


def run_case(name, function, millrace):
    start = time.monotonic()
    try:
        status, detail = "ok", function(millrace) or ""
    except (Failed, subprocess.TimeoutExpired, OSError, ValueError, KeyError) as trouble:
        status, detail = "FAIL", f"{type(trouble).__name__}: {trouble}"
    print(f"{status} {name} ({time.monotonic() - start:.1f} s) {detail}".rstrip(), flush=True)
    return status == "ok"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build", metavar="DIR", help="the build folder [build]")
    parser.add_argument("words", nargs="*", metavar="WORD", help="run only cases whose names have it")
    options = parser.parse_args()
    path = find_millrace(options.build)
    if path is None:
        print(f"there is no program millrace in {options.build}")
        print("0 passed, 1 failed")
        return 1
    passed = failed = 0
    for module in MODULES:
        for name, function in cases_of(module):
            if options.words and not any(word in name for word in options.words):
                continue
            if run_case(name, function, Millrace(path)):
                passed += 1
            else:
                failed += 1
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
