# SPDX-License-Identifier: Apache-2.0
"""Runs clang-tidy over the project's own sources of a build directory, tests excepted; one
count a file.

Most of its time goes to the headers, so it reads sources that are compiled alike as one unit. A
unit with findings, or whose sources do not go together, is read once more file by file, and what
is said of each of those is what counts."""

import concurrent.futures
import json
import os
import re
import subprocess
import sys

import configure
import stages
import unity

UNIT_SOURCES = 30
TEST = "-DGTEST_HAS_PTHREAD"  # In the command of whatever includes GoogleTest.
# A unit may lie where clang-tidy would not find it.
CONFIG = os.path.join(configure.SOURCE, ".clang-tidy")


def clang_tidy(unit_dir, source):
    done = subprocess.run(["clang-tidy-14", f"--config-file={CONFIG}", "-p", unit_dir, "--quiet",
                           source], capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stdout


def flags_of(command):
    """A compile command without what differs from file to file."""
    return re.sub(r" (-M[QF]|-o|-c) \S+| -MD\b", "", command["command"])


def units_of(commands):
    """(flags, directory, sources) of each unit; every source is in one."""
    alike = {}
    seen = set()
    for command in commands:
        if TEST in command["command"]:
            continue
        build_root = os.path.realpath(command["directory"]) + os.sep
        for source in unity.sources_of(os.path.join(command["directory"], command["file"])):
            generated = source.startswith(build_root)
            if source in seen or generated:
                continue
            seen.add(source)
            alike.setdefault((flags_of(command), command["directory"]), []).append(source)
    return [(flags, directory, sources[i:i + UNIT_SOURCES])
            for (flags, directory), sources in sorted(alike.items())
            for i in range(0, len(sources), UNIT_SOURCES)]


def write_units(unit_dir, units):
    """Writes the units and the compile commands of them and of their sources. The units' paths."""
    os.makedirs(unit_dir, exist_ok=True)
    commands = []
    paths = []
    for number, (flags, directory, sources) in enumerate(units):
        path = os.path.join(os.path.realpath(unit_dir), f"unit{number}.cc")
        with open(path, "w", encoding="utf-8") as text:
            for source in sources:
                # Not included: some checks, the analyzer's too, pass over what is.
                with open(source, encoding="utf-8") as part:
                    text.write(part.read() + "\n")
        paths.append(path)
        for file in [path, *sources]:
            commands.append({"directory": directory, "file": file,
                             "command": f"{flags} -c {file}"})
    with open(os.path.join(unit_dir, "compile_commands.json"), "w", encoding="utf-8") as text:
        json.dump(commands, text)
    return paths


def tidy_unit(unit_dir, path, sources):
    """(source, ok, output) of each source."""
    if len(sources) > 1 and clang_tidy(unit_dir, path)[0]:
        return [(source, True, "") for source in sources]
    return [(source, *clang_tidy(unit_dir, source)) for source in sources]


def main():
    build_dir = sys.argv[1]
    with open(os.path.join(build_dir, "compile_commands.json"), encoding="utf-8") as text:
        units = units_of(json.load(text))
    unit_dir = os.path.join(build_dir, "tidy")
    paths = write_units(unit_dir, units)
    totals = stages.Totals()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        # The long ones first, lest one runs on alone at the end.
        todo = sorted(((path, sources) for path, (_, _, sources) in zip(paths, units)),
                      key=lambda unit: -len(unit[1]))
        runs = [pool.submit(tidy_unit, unit_dir, path, sources) for path, sources in todo]
        for run in runs:
            for source, ok, output in run.result():
                totals.add(int(ok), int(not ok), 0, os.path.relpath(source))
                if not ok:
                    print(output, flush=True)
    return totals.finish()


if __name__ == "__main__":
    sys.exit(main())
