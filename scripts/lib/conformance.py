# SPDX-License-Identifier: Apache-2.0
"""Joins what the RFCs require (test/conformance/), the code that cites them and the tests that
prove it: scripts/conformance.

A table is test/conformance/rfcNNNN.txt; its rows are `id | level | requirement | tests`, where
the id is the section and a running number, and `- reason` or `- @key` in the place of the tests
is an exception. It is a fault
  - when a row names a test that is not there, or has neither test nor exception;
  - when a test that a row names does not bear the row's section (`// RFC 9260 §6.1`);
  - when code or a test cites a section of those RFCs that has no row."""

import os
import re
import subprocess
import sys
import tomllib

TABLES = "test/conformance"
# Which sections of each RFC the tables cover.
COVERED = {
    "9260": ("5", "6", "7", "8", "9"),
    "3758": ("3",),
    "6525": ("3", "4", "5"),
    "7496": ("3", "4"),
    "8260": ("2", "3"),
    "8899": ("3", "4", "5", "6"),
    "9653": ("3", "4", "5", "6"),
}
LEVELS = {"MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "SHALL", "SHALL NOT", "REQUIRED", "RECOMMENDED",
          "NOT RECOMMENDED", "RULE"}  # RULE: binding, but stated without a key word.
MAX_WORDS = 20
TEST = re.compile(r"^TEST(?:_F|_P)?\((\w+),\s*(\w+)\)", re.MULTILINE)
CITATION = re.compile(r"RFC (\d{4})|§([A-Z\d]+(?:\.\d+)*)")


def tracked(*patterns):
    listed = subprocess.check_output(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns], text=True)
    return [path for path in sorted(set(listed.split("\n"))) if path and os.path.exists(path)]


def is_covered(rfc, section):
    return section.split(".")[0] in COVERED.get(rfc, ())


def citations(lines):
    """(line number, rfc, section) of each citation; a comment's later lines keep its RFC."""
    rfc = None
    for number, line in enumerate(lines, 1):
        comment = line.find("//")
        if comment < 0:
            rfc = None
            continue
        if line[:comment].strip():
            rfc = None
        for match in CITATION.finditer(line, comment):
            if match.group(1):
                rfc = match.group(1)
            elif rfc:
                yield number, rfc, match.group(2)


class Test:
    def __init__(self, name, path, line, tags):
        self.name, self.path, self.line, self.tags = name, path, line, tags


def read_tests(path):
    """The tests of a file, each with what is cited above it and in it."""
    with open(path, encoding="utf-8") as text:
        lines = text.read().splitlines()
    cited = list(citations(lines))
    for index, line in enumerate(lines):
        match = TEST.match(line)
        if not match:
            continue
        first = index
        while first > 0 and lines[first - 1].startswith("//"):
            first -= 1
        last = index
        while last + 1 < len(lines) and lines[last] != "}":
            last += 1
        tags = {(rfc, section) for number, rfc, section in cited if first < number <= last + 1}
        yield Test(f"{match.group(1)}.{match.group(2)}", path, index + 1, tags)


def all_tests():
    """Name to the tests of that name; a parameterised suite may have one in several files."""
    tests = {}
    for path in tracked("sctp/*_test.cc", "test/*_test.cc", "engine/*_test.cc", "crypto/*_test.cc",
                        "io/*_test.cc"):
        for test in read_tests(path):
            tests.setdefault(test.name, []).append(test)
    return tests


class Row:
    def __init__(self, rfc, path, number, cells):
        self.rfc, self.path, self.number = rfc, path, number
        self.id, self.level, self.text, proof = cells
        self.section = self.id.rsplit("-", 1)[0]
        self.exception = proof[1:].strip() if proof.startswith("-") else None
        self.tests = [] if self.exception is not None else [t for t in re.split(r",\s*", proof) if t]

    def where(self):
        return f"{self.path}:{self.number}: {self.id}"


def read_table(path, faults):
    rfc = re.search(r"rfc(\d+)\.txt$", path).group(1)
    reasons, rows, ids = {}, [], set()
    with open(path, encoding="utf-8") as text:
        for number, line in enumerate(text.read().splitlines(), 1):
            if not line or line.startswith("#"):
                continue
            cells = [cell.strip() for cell in line.split(" | ")]
            if line.startswith("@") and len(cells) == 2:
                reasons[cells[0]] = cells[1]
                continue
            if len(cells) != 4:
                faults.append(f"{path}:{number}: {len(cells)} cells, not id, level, requirement, tests")
                continue
            row = Row(rfc, path, number, cells)
            if row.id in ids:
                faults.append(f"{row.where()}: the id is there twice")
            ids.add(row.id)
            if row.exception is not None and row.exception.startswith("@"):
                row.exception = reasons.get(row.exception, "")
            rows.append(row)
    return rows


def read_checklist(path):
    """[[line]] with id, text and tests or an exception, as a table's rows without a section."""
    with open(path, "rb") as file:
        return tomllib.load(file)["line"]


def check_row(row, tests, faults):
    if row.level not in LEVELS:
        faults.append(f"{row.where()}: unknown level {row.level!r}")
    if not is_covered(row.rfc, row.section):
        faults.append(f"{row.where()}: the table of RFC {row.rfc} does not cover section {row.section}")
    if len(row.text.split()) > MAX_WORDS:
        faults.append(f"{row.where()}: {len(row.text.split())} words, {MAX_WORDS} at most")
    if not row.tests and not row.exception:
        faults.append(f"{row.where()}: neither a test nor an exception with its reason")
    for name in row.tests:
        if name not in tests:
            faults.append(f"{row.where()}: there is no test {name}")
        elif all((row.rfc, row.section) not in test.tags for test in tests[name]):
            test = tests[name][0]
            faults.append(f"{test.path}:{test.line}: {name} proves {row.id} and does not cite "
                          f"RFC {row.rfc} §{row.section}")


def check_checklist(path, ids, tests, faults):
    for line in read_checklist(path):
        where = f"{path}: {line['id']}"
        if line["id"] in ids:
            faults.append(f"{where}: the id is there twice")
        ids.add(line["id"])
        if not line.get("tests") and not line.get("exception"):
            faults.append(f"{where}: neither a test nor an exception with its reason")
        faults.extend(f"{where}: there is no test {name}"
                      for name in line.get("tests", []) if name not in tests)


def check_citations(paths, rows, faults):
    """Every section that code or a test cites has a row."""
    known = set()  # With a section those that contain it.
    for row in rows:
        parts = row.section.split(".")
        known |= {(row.rfc, ".".join(parts[:n])) for n in range(1, len(parts) + 1)}
    with_table = {row.rfc for row in rows}
    count = 0
    for path in paths:
        with open(path, encoding="utf-8") as text:
            for number, rfc, section in citations(text.read().splitlines()):
                count += 1
                if rfc in with_table and is_covered(rfc, section) and (rfc, section) not in known:
                    faults.append(f"{path}:{number}: RFC {rfc} §{section} is cited and has no row")
    return count


def print_rows(rows, text):
    """Those that mention `text`, where a section may be written as in a citation."""
    wanted, found = text.replace("§", ""), False
    for row in rows:
        line = f"{row.rfc} {row.id} {row.level} {row.text} {row.exception or ', '.join(row.tests)}"
        if wanted in f"RFC {line}".replace("§", ""):
            print(line)
            found = True
    if not found:
        print(f"scripts/conformance: --rows: no row mentions '{text}'", file=sys.stderr)
    return 0 if found else 2


def main():
    faults, rows, tests = [], [], all_tests()
    for path in tracked(f"{TABLES}/rfc*.txt"):
        rows += read_table(path, faults)
    if len(sys.argv) == 3 and sys.argv[1] == "--rows":
        return print_rows(rows, sys.argv[2])
    for row in rows:
        check_row(row, tests, faults)
    count = check_citations(tracked("sctp/*.cc", "sctp/*.h", "test/*.cc", "test/*.h"), rows, faults)
    behaviours = set()
    for path in tracked(f"{TABLES}/checklist/*.toml"):
        check_checklist(path, behaviours, tests, faults)
    # Of nothing everything holds.
    faults += [f"{TABLES}: no {what} found" for what, found in
               (("requirements", rows), ("behaviours", behaviours), ("citations", count)) if not found]
    print("\n".join(faults) if faults else
          f"conformance: {len(rows)} rows ({sum(bool(row.exception) for row in rows)} exceptions), "
          f"{len(behaviours)} behaviours, {len({name for row in rows for name in row.tests})} tests, "
          f"{count} citations, no faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
