# SPDX-License-Identifier: Apache-2.0
"""Runs clang-tidy over the project's own sources of a build directory, one count a file."""

import concurrent.futures
import json
import os
import subprocess
import sys

import stages


def tidy(build_dir, source):
    done = subprocess.run(["clang-tidy-14", "-p", build_dir, "--quiet", source],
                          capture_output=True, text=True, check=False)
    return source, done.returncode == 0, done.stdout


def main():
    build_dir = sys.argv[1]
    with open(os.path.join(build_dir, "compile_commands.json"), encoding="utf-8") as text:
        commands = json.load(text)
    sources = sorted({os.path.relpath(os.path.join(c["directory"], c["file"])) for c in commands})
    sources = [s for s in sources if not s.startswith("build")]
    totals = stages.Totals()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for source, ok, output in pool.map(lambda s: tidy(build_dir, s), sources):
            totals.add(int(ok), int(not ok), 0, source)
            if not ok:
                print(output, flush=True)
    return totals.finish()


if __name__ == "__main__":
    sys.exit(main())
