# SPDX-License-Identifier: Apache-2.0
"""The stages of scripts/test, in order: build, unit and simulation tests, the program's own
behaviour, browsers, foreign peers."""

import sys

import stages

BUILD = "build"
UNITTESTS = ["python3", "scripts/lib/run_unittests.py"]


def main():
    quick = "--quick" in sys.argv[1:]
    totals = stages.Totals()
    stages.announce("building (release)")
    stages.build(BUILD, ["-Dtests=enabled"])
    stages.announce("unit, vector and simulation tests")
    stages.meson_tests(totals, BUILD)
    stages.announce("the program: commands, bad input, shards, allocations")
    stages.tally_command(totals, "program", ["python3", "test/system/run.py", "--build", BUILD],
                         timeout=1200)
    stages.announce("the comparison: statistics, verdicts, reports")
    stages.tally_command(totals, "compare", [*UNITTESTS, "bench/compare"], timeout=120)
    stages.announce("the scripts: stages, configuring, dpdk-setup")
    stages.tally_command(totals, "scripts", [*UNITTESTS, "scripts/lib"], timeout=120)
    if not quick:
        stages.announce("browsers")
        stages.tally_command(totals, "browsers", ["test/browser/run", "--build", BUILD],
                             timeout=900)
        stages.announce("foreign peers")
        stages.tally_command(totals, "peers", ["scripts/interop", "--install", "--build", BUILD],
                             timeout=2400)
    return totals.finish()


if __name__ == "__main__":
    sys.exit(main())
