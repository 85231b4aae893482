# SPDX-License-Identifier: Apache-2.0
"""Instructions by workload and object file, from callgrind's dumps."""

import glob
import os
import re

NAME = re.compile(r"\((\d+)\)(?: (.*))?$")


def instructions_by_object(path):
    """Sums a dump's own costs by object; returns (name of the workload or None, sums)."""
    workload, names, sums = None, {}, {}
    current = None
    skip = False
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.startswith("desc: Trigger: Client Request: "):
                workload = line.rsplit(": ", 1)[1].strip()
            elif line.startswith(("ob=", "cob=")):
                number, name = NAME.search(line.split("=", 1)[1].strip()).groups()
                if name is not None:
                    names[number] = name
                if line.startswith("ob="):
                    current = names[number]
            elif line.startswith("calls="):
                skip = True  # The next line is the callee's cost, counted where it is.
            elif line[0] in "0123456789+-*" and current is not None:
                if skip:
                    skip = False
                else:
                    sums[current] = sums.get(current, 0) + int(line.split()[1])
    return workload, sums


def read_dumps(prefix, program):
    """Returns {workload: (instructions of `program` itself, of its shared libraries)}."""
    found = {}
    for path in glob.glob(glob.escape(prefix) + ".*"):
        workload, sums = instructions_by_object(path)
        if workload is not None:
            own = sum(n for name, n in sums.items() if os.path.realpath(name) == os.path.realpath(program))
            found[workload] = (own, sum(sums.values()) - own)
    return found
