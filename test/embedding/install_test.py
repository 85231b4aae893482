# SPDX-License-Identifier: Apache-2.0
"""Installs a build into an empty folder, runs the program from there, and builds the
example with nothing but the installed headers, library and pkg-config file; the one over DPDK,
too, where the build has that. SCTP without DTLS is in none of it."""

import json
import os
import re
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


# What tests have and nobody else: SCTP over plain UDP, without DTLS (test/plain_sctp).
PLAIN_SCTP = re.compile(rb"UdpEndpoint|plain[-_]sctp", re.IGNORECASE)


def files_of(root):
    for folder, _, files in os.walk(root):
        yield from (os.path.join(folder, name) for name in files)


def check_that_nothing_offers_plain_sctp(root):
    """No file that is installed has it or its name, and no command takes it for a flag."""
    count = 0
    for path in files_of(root):
        with open(path, "rb") as file:
            if PLAIN_SCTP.search(path[len(root):].encode() + b"\n" + file.read()):
                sys.exit(f"{path} offers SCTP without DTLS")
        count += 1
    for command in ("serve", "load", "loop", "bench"):
        refused = subprocess.run([found(root, "millrace"), command, "--plain-sctp"],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                 env=with_libraries(root))
        if refused.returncode != 2 or "not expected: --plain-sctp" not in refused.stderr:
            sys.exit(f"{command} --plain-sctp ended with {refused.returncode}: {refused.stderr!r}")
    return count


def check_that_plain_sctp_needs_tests(build, compiler):
    """A build without tests does not even know how to make it."""
    options = json.loads(output_of("meson", "introspect", "--buildoptions", build))
    boringssl = next(option["value"] for option in options if option["name"] == "boringssl")
    source = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    with tempfile.TemporaryDirectory() as bare:
        output_of("meson", "setup", bare, source, "-Dtests=disabled", "-Dbenchmarks=disabled",
                  "-Ddpdk=disabled", f"-Dboringssl={boringssl}",
                  env={**os.environ, "CXX": compiler})
        names = [{target["name"] for target in json.loads(output_of("meson", "introspect",
                                                                    "--targets", where))}
                 for where in (build, bare)]
    if "millrace-plain-sctp" not in names[0] or "millrace" not in names[1]:
        sys.exit("the targets have other names")
    if any("plain-sctp" in name or "udp_endpoint" in name for name in names[1]):
        sys.exit("a build without tests makes SCTP without DTLS")


def main():
    build, compiler, echo_server = sys.argv[1:4]
    with tempfile.TemporaryDirectory() as root:
        output_of("meson", "install", "-C", build, "--no-rebuild", "--destdir", root)
        print(f"none of {check_that_nothing_offers_plain_sctp(root)} files has SCTP without DTLS")
        check_that_plain_sctp_needs_tests(build, compiler)
        version = output_of(found(root, "millrace"), "--version", env=with_libraries(root)).strip()
        program = os.path.join(root, "example")
        build_example(root, "millrace", compiler, echo_server, program)
        print(f"installed: {version}; the example says: {run_echo_server(root, program)}")
        for dpdk_pair in sys.argv[4:]:
            build_example(root, "millrace-dpdk", compiler, dpdk_pair, program)
            print(f"over DPDK it says: {run_dpdk_pair(root, program)}")


if __name__ == "__main__":
    main()
