# SPDX-License-Identifier: Apache-2.0
"""Installs a build into an empty folder, runs the program from there, and builds the
example with nothing but the installed headers, library and pkg-config file."""

import os
import subprocess
import sys
import tempfile


def output_of(*command, **more):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **more).stdout


def found(root, name):
    for folder, _, files in os.walk(root):
        if name in files:
            return os.path.join(folder, name)
    sys.exit(f"{name} was not installed")


def main():
    build, example, compiler = sys.argv[1:4]
    with tempfile.TemporaryDirectory() as root:
        output_of("meson", "install", "-C", build, "--no-rebuild", "--destdir", root)
        version = output_of(found(root, "millrace"), "--version").strip()
        package = found(root, "millrace.pc")
        environment = {**os.environ, "PKG_CONFIG_PATH": os.path.dirname(package)}
        prefix = output_of("pkg-config", "--variable=prefix", "millrace", env=environment).strip()
        flags = output_of("pkg-config", "--cflags", "--libs", "millrace", env=environment,
                          ).replace(prefix + "/", root + prefix + "/").split()
        program = os.path.join(root, "example")
        output_of(*compiler.split(), example, *flags, "-o", program)
        # An offer that is none: the answer is a reason, and the exit code 1.
        offer = os.path.join(root, "offer.sdp")
        with open(offer, "w", encoding="utf-8") as text:
            text.write("v=0\n")
        refused = subprocess.run([program, offer], stderr=subprocess.PIPE, text=True)
        if refused.returncode != 1 or not refused.stderr.strip():
            sys.exit(f"the example ended with {refused.returncode}: {refused.stderr!r}")
        print(f"installed: {version}; the example says: {refused.stderr.strip()}")


if __name__ == "__main__":
    main()
