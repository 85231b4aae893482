# SPDX-License-Identifier: Apache-2.0
"""Configures a build directory, and does so again where it no longer fits what is asked of it.

    python3 scripts/lib/configure.py BUILD [meson option...]

A directory may come from somebody who asked for less, or from before a package was installed
that a feature looks for: ninja alone would go on without it, and without the tests it holds.
"""

import hashlib
import json
import os
import subprocess
import sys

STAMP = "millrace-packages"  # What pkg-config knew when the directory was configured.
SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def known_packages():
    """A digest of all packages that a feature may be found by."""
    listed = subprocess.run(["pkg-config", "--list-all"], capture_output=True, check=False).stdout
    return hashlib.sha256(b"\n".join(sorted(listed.splitlines()))).hexdigest()


def as_text(value):
    """A configured value as it is written behind an option."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, list) else str(value)


def differs(build_dir, options):
    """Whether any of `options` (-Dname=value) is not what the directory has."""
    known = json.loads(subprocess.check_output(["meson", "introspect", "--buildoptions", build_dir]))
    has = {option["name"]: as_text(option["value"]) for option in known}
    for option in options:
        name, _, value = option.removeprefix("-D").partition("=")
        if has.get(name) != value:
            return True
    return False


def command(build_dir, options):
    """The meson command that is due; none where the directory fits."""
    setup = ["meson", "setup", build_dir, SOURCE, *options]
    if not os.path.exists(os.path.join(build_dir, "build.ninja")):
        return setup
    try:
        with open(os.path.join(build_dir, STAMP), encoding="ascii") as text:
            same_packages = text.read() == known_packages()
    except FileNotFoundError:
        same_packages = False
    if same_packages and not differs(build_dir, options):
        return None
    return [*setup, "--reconfigure"]


def note_packages(build_dir):
    with open(os.path.join(build_dir, STAMP), "w", encoding="ascii") as out:
        out.write(known_packages())


def main():
    build_dir, *options = sys.argv[1:]
    due = command(build_dir, options)
    if due is None:
        return
    done = subprocess.run(due, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    if done.returncode != 0:
        sys.exit("\n".join(done.stdout.splitlines()[-20:]) + f"\n{' '.join(due)} failed")
    note_packages(build_dir)


if __name__ == "__main__":
    main()
