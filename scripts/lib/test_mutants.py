# SPDX-License-Identifier: Apache-2.0
import os
import subprocess
import tempfile
import textwrap
import unittest

import mutants


def found_in(code, path="sctp/thing.cc"):
    return mutants.find(path, textwrap.dedent(code))


class Finding(unittest.TestCase):
    def assert_found(self, code, *conditions):
        self.assertEqual([mutant.text for mutant in found_in(code)], list(conditions))

    def test_conditions_under_a_comment_with_a_tag(self):
        self.assert_found("""\
            void Thing::take(int size) {
              // RFC 9260 §6.2: all of them.
              if (size == 0) return;
              const bool late = size > 3;
              use(late ? 1 : 2);

              if (size == 9) return;
            }
            """, "size == 0", "size > 3", "late")

    def test_the_function_a_comment_stands_before(self):
        code = """\
            // RFC 9260 §6.2.
            bool Thing::is_due(int size) {
              if (size == 0) return false;
              return size > last_;
            }
            """
        self.assert_found(code, "size == 0", "size > last_")
        self.assertEqual([mutant.tags for mutant in found_in(code)], [[("9260", "6.2")]] * 2)

    def test_nothing_without_a_tag(self):
        self.assert_found("""\
            // Of no standard.
            bool Thing::is_due(int size) {
              return size > last_;
            }
            """)

    def test_a_default_argument_is_no_condition_and_ends_with_its_bracket(self):
        self.assert_found("""\
            void Thing::take() {
              // RFC 9260 §6.2.
              const auto mark = [this](bool on = true) { on_ = on; };
              if (on_) mark();
            }
            """, "on_")
        self.assert_found("""\
            void Thing::take() {
              // RFC 9260 §6.2.
              const auto mark = [this](bool on = kOn && kMarks) { on_ = on; };
            }
            """, "kOn && kMarks")

    def test_a_declaration_in_a_condition_is_left_alone(self):
        self.assert_found("""\
            void Thing::take() {
              // RFC 9260 §6.2.
              if (const auto* chunk = next()) use(*chunk);
            }
            """)


class Wrapping(unittest.TestCase):
    CODE = """\
        #include <cstdio>
        // RFC 9260 §6.2.
        bool is_due(int size, bool on = true) {
          if (size == 0) return false;
          return on && size > 3;
        }
        int main() { std::printf("%d%d%d", is_due(0), is_due(2), is_due(4)); }
        """

    def test_each_number_inverts_one_condition(self):
        code = textwrap.dedent(self.CODE)
        found = mutants.find("sctp/thing.cc", code)
        self.assertEqual([mutant.text for mutant in found], ["size == 0", "on && size > 3"])
        for number, mutant in enumerate(found, 1):
            mutant.id = number
        with tempfile.TemporaryDirectory() as scratch:
            for name, text in (("thing.cc", mutants.wrap(code, found)), ("mutant.h", mutants.HEADER)):
                with open(os.path.join(scratch, name), "w", encoding="utf-8") as out:
                    out.write(text)
            subprocess.run(["c++", "-std=c++20", "thing.cc", "-o", "thing"], cwd=scratch, check=True)
            said = [subprocess.check_output(["./thing"], cwd=scratch, text=True,
                                            env={**os.environ, "MILLRACE_MUTANT": str(number)})
                    for number in range(3)]
        self.assertEqual(said, ["001", "000", "010"])


if __name__ == "__main__":
    unittest.main()
