#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""embed.py SOURCE TARGET HEADER FUNCTION writes a C++ file that defines the function which HEADER
declares, such as millrace::web::page, as returning the bytes of SOURCE. A line of SOURCE that is
`<!-- include NAME -->` stands for the file of that name beside it."""

import pathlib
import re
import sys

INCLUDE = re.compile(rb"^<!-- include (\S+) -->\n", re.MULTILINE)
PIECE = 8000  # Compilers bound the length of one literal.


def literal(data):
    return "".join(chr(b) if 32 <= b < 127 and b not in b'"\\?' else f"\\{b:03o}" for b in data)


def read(source):
    beside = pathlib.Path(source).parent
    return INCLUDE.sub(lambda line: (beside / line[1].decode()).read_bytes(),
                       pathlib.Path(source).read_bytes())


def main():
    source, target, header, function = sys.argv[1:]
    namespace, _, name = function.rpartition("::")
    data = read(source)
    pieces = [data[at:at + PIECE] for at in range(0, len(data), PIECE)]
    with open(target, "w", encoding="ascii") as out:
        out.write(f'#include "{header}"\n\nnamespace {namespace} {{\nnamespace {{\n\n')
        out.write("constexpr char kPage[] =\n")
        out.write("\n".join(f'    "{literal(piece)}"' for piece in pieces) or '    ""')
        out.write(f";\n\n}}  // namespace\n\nstd::string_view {name}() "
                  f"{{ return {{kPage, sizeof(kPage) - 1}}; }}\n\n}}  // namespace {namespace}\n")


if __name__ == "__main__":
    main()
