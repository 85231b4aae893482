#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a C++ file whose `millrace::web::page()` returns the bytes of an HTML file."""

import sys

PIECE = 8000  # Compilers bound the length of one literal.


def literal(data):
    return "".join(chr(b) if 32 <= b < 127 and b not in b'"\\?' else f"\\{b:03o}" for b in data)


def main():
    source, target = sys.argv[1:]
    with open(source, "rb") as page:
        data = page.read()
    pieces = [data[at:at + PIECE] for at in range(0, len(data), PIECE)]
    with open(target, "w", encoding="ascii") as out:
        out.write('#include "engine/web/page.h"\n\nnamespace millrace::web {\nnamespace {\n\n')
        out.write("constexpr char kPage[] =\n")
        out.write("\n".join(f'    "{literal(piece)}"' for piece in pieces) or '    ""')
        out.write(";\n\n}  // namespace\n\nstd::string_view page() "
                  "{ return {kPage, sizeof(kPage) - 1}; }\n\n}  // namespace millrace::web\n")


if __name__ == "__main__":
    main()
