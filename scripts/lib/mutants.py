# SPDX-License-Identifier: Apache-2.0
"""Finds the branches of a C++ file that a comment with an RFC tag governs, and writes the file
with each of them wrapped, so that one build serves all mutants: a run-time number says which
of the conditions is inverted."""

import re

import conformance

HEADER = """// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdlib>
#include <type_traits>
namespace millrace {
inline const int selected_mutant = std::getenv("MILLRACE_MUTANT") != nullptr
                                       ? std::atoi(std::getenv("MILLRACE_MUTANT"))
                                       : 0;
constexpr bool is_mutant(int id) {
  if (std::is_constant_evaluated()) return false;
  return id == selected_mutant;
}
}  // namespace millrace
"""
# `if (const auto x = ...)`: what it declares may not be used where it is empty.
DECLARATION = re.compile(r"^(const\s+)?[\w:<>,*&\s]+\s=[^=]")
ASSIGNED_BOOL = re.compile(r"\bbool\s+\w+\s*=(?!=)\s*")
MAX_LINES = 12  # What a comment within a function governs at most.


class Mutant:
    def __init__(self, path, line, begin, end, text, tags):
        self.path, self.line, self.begin, self.end = path, line, begin, end
        self.text = re.sub(r"\s+", " ", text.strip())
        self.tags = tags
        self.id = 0

    def where(self):
        return f"{self.path}:{self.line}: {self.text}"


def masked(text):
    """The text with comments and literals blanked, offsets kept."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    return re.sub(r'//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'', blank, text)


def closing(code, at):
    """Offset behind the bracket that closes the one at `at`."""
    depth = 0
    for i in range(at, len(code)):
        if code[i] in "([{":
            depth += 1
        elif code[i] in ")]}":
            depth -= 1
            if depth == 0:
                return i + 1
    return len(code)


class Source:
    def __init__(self, path, text):
        self.path, self.text, self.code = path, text, masked(text)
        self.lines = text.split("\n")
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line) + 1)

    def line_of(self, offset):
        low = 0
        while low + 1 < len(self.starts) and self.starts[low + 1] <= offset:
            low += 1
        return low + 1

    def statement_end(self, index):
        """The last line of the statement that begins in a line."""
        offset = self.starts[index]
        depth = 0
        for i in range(offset, len(self.code)):
            if self.code[i] in "([":
                depth += 1
            elif self.code[i] in ")]":
                depth -= 1
            elif self.code[i] in ";{" and depth == 0:
                return self.line_of(i) - 1
        return index

    def governed(self, index):
        """Lines [first, last] that the tagged comment in a line speaks of; None for a file's."""
        before_comment = self.lines[index].split("//")[0]
        if before_comment.strip():
            first = index
            while first > 0 and not re.search(r"[;{}]\s*$", self.code_line(first - 1)) \
                    and self.code_line(first - 1).strip():
                first -= 1
            return first, self.statement_end(index)
        first = index
        while first < len(self.lines) and self.lines[first].lstrip().startswith("//"):
            first += 1
        if first == len(self.lines) or not self.lines[first].strip() \
                or self.lines[first].startswith(("#", "namespace", "}")):
            return None
        indent = len(self.lines[first]) - len(self.lines[first].lstrip())
        if indent == 0 or (self.path.endswith(".h") and indent == 2):
            begin = self.code.find("{", self.starts[first])
            stop = self.code.find(";", self.starts[first])
            if begin < 0 or (0 <= stop < begin) or self.lines[first].lstrip().startswith(
                    ("class", "struct", "enum", "template <", "inline constexpr", "static constexpr")):
                return None
            return first, self.line_of(closing(self.code, begin) - 1) - 1
        last = first
        while last + 1 < len(self.lines) and last + 1 - first < MAX_LINES:
            line = self.lines[last + 1]
            if not line.strip() or line.lstrip().startswith("//") \
                    or len(line) - len(line.lstrip()) < indent:
                break
            last += 1
        return first, max(last, self.statement_end(first))

    def code_line(self, index):
        return self.code[self.starts[index]:self.starts[index + 1] - 1]

    def returns_bool(self, offset):
        """Whether the function around an offset returns bool."""
        for index in range(self.line_of(offset) - 1, -1, -1):
            line = self.lines[index]
            signature = re.match(r"^(?:  )?(?:\[\[[\w:]+\]\] )?"
                                 r"(?:static |inline |constexpr |virtual )*([\w:<>]+)[&*]? "
                                 r"[\w:~]+\(", line)
            if signature and not re.match(r"\s*(return|else|co_)", line):
                return signature.group(1) == "bool"
        return False

    def conditions(self, first, last):
        """(begin, end) of each condition in the lines."""
        begin, end = self.starts[first], self.starts[last + 1]
        for match in re.compile(r"\bif \(").finditer(self.code, begin, end):
            stop = closing(self.code, match.end() - 1) - 1
            inside = self.code[match.end():stop]
            if ";" not in inside and not DECLARATION.match(inside):
                yield match.end(), stop
        for match in ASSIGNED_BOOL.finditer(self.code, begin, end):
            stop = self.expression_end(match.end())
            if self.code[match.end():stop] not in ("true", "false"):
                yield match.end(), stop
        for match in re.compile(r"\breturn\b(?!;)\s*").finditer(self.code, begin, end):
            stop = self.expression_end(match.end())
            inside = self.code[match.end():stop]
            if self.returns_bool(match.start()) and inside.strip() not in ("true", "false") \
                    and "," not in re.sub(r"\([^()]*\)", "", inside) and "[" not in inside:
                yield match.end(), stop
        for match in re.compile(r" \? ").finditer(self.code, begin, end):
            yield self.ternary_begin(match.start()), match.start()

    def expression_end(self, at):
        depth = 0
        for i in range(at, len(self.code)):
            if self.code[i] in "([{":
                depth += 1
            elif self.code[i] in ")]}":
                depth -= 1
                if depth < 0:  # That of a default argument.
                    return i
            elif self.code[i] == ";" and depth == 0:
                return i
        return at

    def ternary_begin(self, at):
        depth = 0
        for i in range(at - 1, 0, -1):
            if self.code[i] in ")]}":
                depth += 1
            elif self.code[i] in "([{":
                depth -= 1
                if depth < 0:
                    return i + 1
            elif depth == 0 and (self.code[i] in ",;" or re.match(r"[^=!<>+*/|&-]=[^=]",
                                                                 self.code[i - 1:i + 2])):
                return i + 1
            elif depth == 0 and self.code[max(0, i - 6):i + 1] == "return ":
                return i + 1
        return at


def find(path, text):
    """The mutants of a file in order, each with the tags of all comments that govern it."""
    source = Source(path, text)
    tags_of_line = {}
    for number, rfc, section in conformance.citations(source.lines):
        tags_of_line.setdefault(number - 1, []).append((rfc, section))
    found = {}
    for index, tags in tags_of_line.items():
        lines = source.governed(index)
        if not lines:
            continue
        for begin, end in source.conditions(*lines):
            if text[begin:end].strip():
                found.setdefault((begin, end), []).extend(tags)
    return [Mutant(path, source.line_of(begin), begin, end, text[begin:end], sorted(set(tags)))
            for (begin, end), tags in sorted(found.items())]


def wrap(text, mutants):
    """The text with each mutant's condition made to depend on the number that runs."""
    edits = []
    for mutant in mutants:
        edits.append((mutant.begin, 1, -mutant.end,
                      f"(::millrace::is_mutant({mutant.id}) != static_cast<bool>("))
        edits.append((mutant.end, 0, -mutant.begin, "))"))
    for offset, _, _, inserted in sorted(edits, reverse=True):
        text = text[:offset] + inserted + text[offset:]
    return '#include "mutant.h"\n' + text
