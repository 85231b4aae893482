# SPDX-License-Identifier: Apache-2.0
import json
import os
import tempfile
import unittest
from unittest import mock

import clang_tidy


class Units(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.root = os.path.realpath(scratch.name)
        self.build = os.path.join(self.root, "build")
        os.makedirs(os.path.join(self.build, "lib.p"))

    def command(self, file, flags="-O1"):
        return {"directory": self.build, "file": file,
                "command": f"c++ {flags} -MD -MQ x.o -MF x.d -o x.o -c {file}"}

    def units(self, *commands):
        return [[os.path.relpath(source, self.root) for source in sources]
                for _, _, sources in clang_tidy.units_of(commands)]

    def test_sources_of_equal_flags_go_together(self):
        self.assertEqual(self.units(self.command("../a.cc"), self.command("../b.cc", "-O2"),
                                    self.command("../c.cc")),
                         [["a.cc", "c.cc"], ["b.cc"]])

    def test_a_unit_has_so_many_sources_at_most(self):
        most = clang_tidy.UNIT_SOURCES
        names = [f"../s{i:02}.cc" for i in range(2 * most + 3)]
        self.assertEqual([len(u) for u in self.units(*map(self.command, names))], [most, most, 3])

    def test_tests_generated_and_repeated_sources_are_left_out(self):
        self.assertEqual(self.units(self.command("../a.cc"), self.command("../b.cc", clang_tidy.TEST),
                                    self.command("made.cc"), self.command("../a.cc", "-O2")),
                         [["a.cc"]])

    def test_a_unity_build_is_taken_apart(self):
        unity = os.path.join("lib.p", "lib-unity0.cpp")
        with open(os.path.join(self.build, unity), "w", encoding="ascii") as text:
            text.write(f"#include<{self.build}/../a.cc>\n#include<{self.root}/b.cc>\n"
                       f"#include<{self.build}/made.cc>\n")
        self.assertEqual(self.units(self.command(unity)), [["a.cc", "b.cc"]])

    def test_each_unit_and_source_has_a_command(self):
        for name in "ab":
            with open(f"{self.root}/{name}.cc", "w", encoding="ascii") as text:
                text.write(f"int {name};")
        units = clang_tidy.units_of([self.command("../a.cc"), self.command("../b.cc")])
        paths = clang_tidy.write_units(self.build, units)
        with open(os.path.join(self.build, "compile_commands.json"), encoding="utf-8") as text:
            commands = {c["file"]: c["command"] for c in json.load(text)}
        self.assertEqual(set(commands), {*paths, f"{self.root}/a.cc", f"{self.root}/b.cc"})
        self.assertEqual(commands[paths[0]], f"c++ -O1 -c {paths[0]}")
        with open(paths[0], encoding="utf-8") as text:
            self.assertEqual(text.read(), "int a;\nint b;\n")

    def verdicts(self, faulty):
        """What is said of a.cc and b.cc, and what clang-tidy was asked to read."""
        read = []

        def run(_, source):
            read.append(source)
            return source not in faulty, "said of " + source

        with mock.patch.object(clang_tidy, "clang_tidy", run):
            results = clang_tidy.tidy_unit("dir", "unit", ["a.cc", "b.cc"])
        return [(source, ok) for source, ok, _ in results], read

    def test_a_clean_unit_speaks_for_its_sources(self):
        self.assertEqual(self.verdicts([]), ([("a.cc", True), ("b.cc", True)], ["unit"]))

    def test_a_fault_is_that_of_its_source(self):
        self.assertEqual(self.verdicts(["unit", "b.cc"]),
                         ([("a.cc", True), ("b.cc", False)], ["unit", "a.cc", "b.cc"]))

    def test_sources_that_do_not_go_together_are_read_alone(self):
        self.assertEqual(self.verdicts(["unit"])[0], [("a.cc", True), ("b.cc", True)])


if __name__ == "__main__":
    unittest.main()
