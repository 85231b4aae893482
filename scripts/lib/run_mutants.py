# SPDX-License-Identifier: Apache-2.0
"""Builds sctp/ and its tests once with every mutant in it (mutants.py), then runs the tests once
for each: scripts/mutate."""

import argparse
import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import time
import tomllib

import conformance
import mutants
import unity

BUILD = "build-mutants"
SOURCE = os.path.join(BUILD, "tree")
OUT = os.path.join(BUILD, "out")
SURVIVORS = "test/conformance/survivors.toml"
LEAST_SHARE = 0.95
MOST_BYTES = 4 << 30
SLOW = 1.0  # Seconds: of the tests that do not bear the tag only quicker ones run.
# What runs when no test that bears the tag fails; the quick first.
FALLBACK = ["conformance", "association", "packet", "rx", "tx", "tx_path", "dcep", "end_to_end",
            "association_sim"]


def is_mutable(path):
    return path.startswith("sctp/") and not path.endswith("_test.cc") and "/testing/" not in path \
        and "test_support" not in path and "fixture" not in path


def find_mutants():
    found = []
    for path in conformance.tracked("sctp/*.cc", "sctp/*.h"):
        if is_mutable(path):
            with open(path, encoding="utf-8") as text:
                found += mutants.find(path, text.read())
    for number, mutant in enumerate(found, 1):
        mutant.id = number
    return found


def write_if_changed(path, text):
    if os.path.exists(path):
        with open(path, encoding="utf-8") as old:
            if old.read() == text:
                return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


def write_tree(found):
    """The tracked tree with the mutants in it; unchanged files keep their time."""
    by_path = {}
    for mutant in found:
        by_path.setdefault(mutant.path, []).append(mutant)
    wanted = set(conformance.tracked("*"))
    for path in sorted(wanted):
        target = os.path.join(SOURCE, path)
        if path in by_path:
            with open(path, encoding="utf-8") as text:
                write_if_changed(target, mutants.wrap(text.read(), by_path[path]))
        elif os.path.islink(path) or not os.path.isfile(path):
            continue
        elif not os.path.exists(target) or open(path, "rb").read() != open(target, "rb").read():
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copyfile(path, target)
            shutil.copymode(path, target)
    write_if_changed(os.path.join(SOURCE, "mutant.h"), mutants.HEADER)


def build():
    if not os.path.exists(os.path.join(OUT, "build.ninja")):
        subprocess.run(["meson", "setup", OUT, SOURCE, "-Dtests=enabled", "-Dbenchmarks=disabled",
                        "-Dbuildtype=custom", "-Ddebug=false", "-Doptimization=1", "-Dwerror=false"],
                       check=True, stdout=subprocess.DEVNULL)
    done = subprocess.run(["ninja", "-C", OUT, "sctp_test"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stdout[-4000:] + "\nscripts/mutate: the mutants do not build")


def binary(area):
    return os.path.join(OUT, "sctp", f"sctp_{area}_test")


def areas_of_files():
    """Test file to the area whose binary holds it."""
    targets = json.loads(subprocess.check_output(["meson", "introspect", "--targets", OUT]))
    areas = {}
    root = os.path.realpath(SOURCE)
    for target in targets:
        if not (target["name"].startswith("sctp_") and target["name"].endswith("_test")):
            continue
        area = target["name"].removeprefix("sctp_").removesuffix("_test")
        for group in target["target_sources"]:
            for unit in [*group.get("sources", []), *group.get("generated_sources", [])]:
                for source in unity.sources_of(unit):
                    areas[os.path.relpath(source, root)] = area
    return areas


def tagged_tests(areas):
    """(rfc, section) to the tests that bear it, by area."""
    by_tag = {}
    for tests in conformance.all_tests().values():
        for test in tests:
            for tag in test.tags if test.path in areas else ():
                by_tag.setdefault(tag, {}).setdefault(areas[test.path], set()).add(test.name)
    return by_tag


def environment(mutant_id):
    return {**os.environ, "MILLRACE_MUTANT": str(mutant_id), "MILLRACE_SIM_SEEDS": "15"}


def test_command(area):
    """Runs the tests of an area; a mutant that never stops growing dies by itself."""
    return ["prlimit", f"--as={MOST_BYTES}", binary(area), "--gtest_brief=1"]


def measure(area):
    """How long an area's tests take without a mutant, and which of them are slow."""
    report_path = os.path.join(BUILD, area + ".json")
    done = subprocess.run([*test_command(area), "--gtest_output=json:" + report_path],
                          stdin=subprocess.DEVNULL, capture_output=True, env=environment(0), check=False)
    if done.returncode != 0:
        sys.exit(f"scripts/mutate: the tests of {area} fail without any mutant\n"
                 + done.stdout.decode(errors="replace")[-2000:])
    with open(report_path, encoding="utf-8") as text:
        data = json.load(text)
    slow = [f"{suite['name']}.{case['name']}" for suite in data["testsuites"]
            for case in suite["testsuite"] if float(case["time"].rstrip("s")) > SLOW]
    return float(data["time"].rstrip("s")), slow


class Runner:
    def __init__(self, by_tag, verbose=False):
        self.by_tag, self.verbose = by_tag, verbose
        self.baseline = {area: measure(area) for area in FALLBACK}

    def fails(self, mutant, area, names=None):
        command = [*test_command(area), "--gtest_fail_fast"]
        seconds, slow = self.baseline[area]
        if names:
            command.append("--gtest_filter=" + ":".join(f"{n}:*/{n}/*" for n in sorted(names)))
        elif slow:
            command.append("--gtest_filter=-" + ":".join(slow))
        try:
            # A mutant that makes its tests hang is dead.
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True,
                                  env=environment(mutant.id), timeout=20 + 5 * seconds, check=False)
        except subprocess.TimeoutExpired:
            return True
        if self.verbose:
            print(area, done.returncode, done.stdout.decode(errors="replace")[-3000:])
        return done.returncode != 0

    def run(self, mutant):
        """Who killed it: "tag", the name of an area, or nothing."""
        by_area = {}
        for tag in mutant.tags:
            for area, names in self.by_tag.get(tag, {}).items():
                by_area.setdefault(area, set()).update(names)
        for area in FALLBACK:
            if area in by_area and self.fails(mutant, area, by_area[area]):
                return mutant, "tag"
        for area in FALLBACK:
            if self.fails(mutant, area):
                return mutant, area
        return mutant, None


def accepted_survivors():
    with open(SURVIVORS, "rb") as file:
        return {(s["file"], s["condition"]): s["reason"] for s in tomllib.load(file)["survivor"]}


def report(results, accepted, whole):
    dead = [r for r in results if r[1]]
    faults = 0
    for mutant, _ in sorted((r for r in results if not r[1]), key=lambda r: r[0].id):
        reason = accepted.get((mutant.path, mutant.text))
        faults += reason is None
        print(f"survived: #{mutant.id} {mutant.where()}" + (f" ({reason})" if reason else ""))
    alive = {(m.path, m.text) for m, killer in results if not killer}
    if whole:
        for path, text in sorted(set(accepted) - alive):
            print(f"{SURVIVORS}: {path}: {text!r} does not survive any more, or is not there")
            faults += 1
    by_tag = sum(killer == "tag" for _, killer in results)
    share = len(dead) / max(len(results), 1)
    print(f"{len(results)} mutants, {len(dead)} killed ({share:.1%}), {by_tag} of them by a test "
          f"that bears their tag; {len(results) - len(dead)} survived, {faults} without a reason")
    return 1 if faults or (whole and share < LEAST_SHARE) else 0


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"{self.prog}: {message} (--help shows all)\n")


def main():
    parser = Parser(prog="scripts/mutate", allow_abbrev=False)
    parser.add_argument("--only", default="")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--id", type=int)
    options = parser.parse_args()
    found = find_mutants()
    chosen = [m for m in found if options.only in m.path and options.id in (None, m.id)]
    if not chosen:  # Of nothing everything would hold.
        parser.error(f"--only: no mutant in '{options.only}'" if options.id is None else
                     f"--id: no mutant {options.id}" + (f" in '{options.only}'" if options.only else
                                                        f", there are 1 to {len(found)}"))
    if options.list:
        for mutant in chosen:
            tags = ", ".join(f"RFC {rfc} §{section}" for rfc, section in mutant.tags)
            print(f"#{mutant.id} {mutant.where()} [{tags}]")
        return 0
    started = time.monotonic()
    write_tree(found)
    build()
    print(f"built in {time.monotonic() - started:.0f} s", flush=True)
    runner = Runner(tagged_tests(areas_of_files()), verbose=options.id is not None)
    results = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for result in pool.map(runner.run, chosen):
            results.append(result)
            if not result[1]:
                print(f"  alive: #{result[0].id} {result[0].where()}", flush=True)
    print(f"ran in {time.monotonic() - started:.0f} s")
    return report(results, accepted_survivors(), not options.only and options.id is None)


if __name__ == "__main__":
    sys.exit(main())
