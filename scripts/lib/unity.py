# SPDX-License-Identifier: Apache-2.0
"""What a unity build has put together."""

import os
import re


def sources_of(path):
    """The real paths of the sources in a unit that meson made; the path's own where it is none."""
    if not re.search(r"-unity\d+\.cpp$", path):
        return [os.path.realpath(path)]
    with open(path, encoding="utf-8") as text:
        included = re.findall(r"^#include\s*<(.+)>$", text.read(), re.MULTILINE)
    return [os.path.realpath(name) for name in included]
