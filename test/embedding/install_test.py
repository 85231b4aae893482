# SPDX-License-Identifier: Apache-2.0
"""Installs a build into an empty folder, runs the program from there, and builds the
example with nothing but the installed headers, library and pkg-config file; the one over DPDK,
too, where the build has that."""

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


def build_example(root, package, compiler, source, program):
    """Builds as an embedder would, who has no file but those under `root`."""
    folder = os.path.dirname(found(root, package + ".pc"))
    environment = {**os.environ, "PKG_CONFIG_PATH": folder}
    prefix = output_of("pkg-config", "--variable=prefix", package, env=environment).strip()
    flags = output_of("pkg-config", "--cflags", "--libs", package, env=environment,
                      ).replace(prefix + "/", root + prefix + "/").split()
    output_of(*compiler.split(), source, *flags, "-o", program)


def run_echo_server(root, program):
    # An offer that is none: the answer is a reason, and the exit code 1.
    offer = os.path.join(root, "offer.sdp")
    with open(offer, "w", encoding="utf-8") as text:
        text.write("v=0\n")
    refused = subprocess.run([program, offer], stderr=subprocess.PIPE, text=True,
                             env=with_libraries(root))
    if refused.returncode != 1 or not refused.stderr.strip():
        sys.exit(f"the example ended with {refused.returncode}: {refused.stderr!r}")
    return refused.stderr.strip()


def with_libraries(root):
    """Where they are shared, they are found where they were put."""
    folder = os.path.dirname(os.path.dirname(found(root, "millrace.pc")))
    return {**os.environ, "LD_LIBRARY_PATH": folder}


def run_dpdk_pair(root, program):
    told = subprocess.run([program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env=with_libraries(root))
    if told.returncode != 0:
        sys.exit(f"the example over DPDK ended with {told.returncode}: {told.stdout}{told.stderr}")
    # OpenSSL cannot live beside BoringSSL.
    if "libcrypto.so.3" in output_of("ldd", program, env=with_libraries(root)):
        sys.exit("the example over DPDK loads OpenSSL's libcrypto")
    return told.stdout.strip()


def main():
    build, compiler, echo_server = sys.argv[1:4]
    with tempfile.TemporaryDirectory() as root:
        output_of("meson", "install", "-C", build, "--no-rebuild", "--destdir", root)
        version = output_of(found(root, "millrace"), "--version", env=with_libraries(root)).strip()
        program = os.path.join(root, "example")
        build_example(root, "millrace", compiler, echo_server, program)
        print(f"installed: {version}; the example says: {run_echo_server(root, program)}")
        for dpdk_pair in sys.argv[4:]:
            build_example(root, "millrace-dpdk", compiler, dpdk_pair, program)
            print(f"over DPDK it says: {run_dpdk_pair(root, program)}")


if __name__ == "__main__":
    main()
