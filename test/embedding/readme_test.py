# SPDX-License-Identifier: Apache-2.0
"""README's embedding example is the file that is built, line for line."""

import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
readme = (root / "README.md").read_text(encoding="utf-8")
source = (root / "test/embedding/echo_server.cc").read_text(encoding="utf-8")
blocks = re.findall(r"```cpp\n(.*?)```", readme, re.DOTALL)
body = source.split("\n", 1)[1]  # Without the licence line.
if body.strip() not in [block.strip() for block in blocks]:
    sys.exit("README.md: no ```cpp block equals test/embedding/echo_server.cc")
for path in re.findall(r"\]\(([^)#:]+)\)", readme):
    if not (root / path).exists():
        sys.exit(f"README.md: links to {path}, which does not exist")
