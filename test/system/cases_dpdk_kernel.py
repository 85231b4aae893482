# SPDX-License-Identifier: Apache-2.0
"""Kernel bypass against the kernel's own network: a pair of veths between two namespaces, one end
driven by DPDK (net_af_packet, net_af_xdp), the other the kernel's. Needs the right to make namespaces."""

import array
import contextlib
import fcntl
import os
import socket
import struct
import subprocess
import sys
import time

from cases_dpdk import has_dpdk
from program import Failed, Millrace, Server, expect

# ETHTOOL_STXCSUM, ETHTOOL_SGSO, ETHTOOL_STSO: a veth's other end would see frames as they are
# before a card has finished them: without a checksum, and 64 KB long.
OFFLOADS = (0x17, 0x24, 0x1F)
SIOCETHTOOL = 0x8946


def plain_frames(interface):
    """Has the calling process's namespace send finished frames through `interface`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for command in OFFLOADS:
            value = array.array("B", struct.pack("II", command, 0))
            request = struct.pack("16sP16x", interface.encode(), value.buffer_info()[0])
            fcntl.ioctl(control, SIOCETHTOOL, request)


class Namespace:
    """A network namespace that lasts as long as a process in it."""

    def __init__(self, inside=()):
        own_user = os.getuid() != 0 and not inside
        self._enter_user = ("-U", "--preserve-credentials") if os.getuid() != 0 else ()
        command = [*inside, "unshare", *(("-U", "-r") if own_user else ()), "--net", "sleep", "3600"]
        self._holder = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        ours = os.readlink("/proc/self/ns/net")
        deadline = time.monotonic() + 10
        while os.readlink(f"/proc/{self._holder.pid}/ns/net") == ours:
            expect(self._holder.poll() is None and time.monotonic() < deadline, "no namespace")
            time.sleep(0.01)
        self.run("ip", "link", "set", "lo", "up")

    @property
    def pid(self):
        return self._holder.pid

    @property
    def enter(self):
        return ("nsenter", "-t", str(self.pid), *self._enter_user, "-n")

    def run(self, *command):
        done = subprocess.run([*self.enter, *command], capture_output=True, text=True, timeout=30)
        expect(done.returncode == 0, (command, done.stderr))

    def close(self):
        self._holder.kill()
        self._holder.wait()


class Program(Millrace):
    """The program, run in a namespace."""

    def __init__(self, path, namespace):
        super().__init__(path)
        self._namespace = namespace

    def command(self, *arguments):
        return [*self._namespace.enter, self.path, *map(str, arguments)]


@contextlib.contextmanager
def two_ends():
    """A namespace for DPDK with the veth `fast`, one for the kernel with `slow`, and a second pair
    of veths for signalling: 10.8.0.1 and .2."""
    bypass = Namespace()
    kernel = None
    try:
        kernel = Namespace(bypass.enter if os.getuid() != 0 else ())
        for ours, theirs in (("fast", "slow"), ("sig0", "sig1")):
            bypass.run("ip", "link", "add", ours, "type", "veth", "peer", "name", theirs, "netns",
                       str(kernel.pid))
            bypass.run("ip", "link", "set", ours, "up")
            kernel.run("ip", "link", "set", theirs, "up")
        bypass.run("ip", "addr", "add", "10.8.0.1/24", "dev", "sig0")
        kernel.run("ip", "addr", "add", "10.8.0.2/24", "dev", "sig1")
        kernel.run("ip", "addr", "add", "10.9.0.2/24", "dev", "slow")
        kernel.run("ip", "addr", "add", "fd09::2/64", "dev", "slow", "nodad")
        kernel.run(sys.executable, __file__, "slow")
        yield bypass, kernel
    finally:
        bypass.close()
        if kernel:
            kernel.close()


@contextlib.contextmanager
def served(millrace, bypass, *arguments, driver="net_af_packet0"):
    server = Server(Program(millrace.path, bypass).command(
        "serve", "--http", "10.8.0.1:0", "--udp", "[::]:0", "--io", "dpdk", "--dpdk-device",
        f"{driver},iface=fast", "--dpdk-address", "10.9.0.1/24", "--dpdk-address", "fd09::1/64",
        *arguments))
    try:
        yield server
        code = server.stop()
        expect(code == 0, f"serve ended with {code}: {server.log()[-500:]}")
    finally:
        server.kill()


def case_dpdk_and_the_kernel_understand_each_other(millrace):
    if not has_dpdk(millrace):
        return "this build has no DPDK"
    # AF_XDP loads a program into the kernel, which root alone may.
    for driver in ("net_af_packet0", *(("net_af_xdp0",) if os.getuid() == 0 else ())):
        carry_both_ways(millrace, driver)
    return ""


def carry_both_ways(millrace, driver):
    with two_ends() as (bypass, kernel), served(millrace, bypass, driver=driver) as server:
        client = Program(millrace.path, kernel)
        for io in ("uring", "sockets"):
            for local in ("10.9.0.2", "fd09::2"):
                for pattern in ("echo", "upload", "download"):
                    report = client.load(server.url, "--io", io, "--local", local, "--pattern",
                                         pattern, "--duration", "0.5", "--size", "65536", "--rate", 100)
                    expect(report["delivered"]["messages"] > 30, (io, local, pattern, report))
                    expect(report["faults"]["damaged"] == 0, (io, local, pattern, report["faults"]))


def case_dpdk_and_the_kernel_share_a_vlan(millrace):
    if not has_dpdk(millrace):
        return "this build has no DPDK"
    with two_ends() as (bypass, kernel):
        kernel.run("ip", "addr", "flush", "dev", "slow")
        try:
            kernel.run("ip", "link", "add", "link", "slow", "name", "tagged", "type", "vlan", "id", "42")
        except Failed as trouble:
            if "Unknown device type" in str(trouble):
                return "this kernel has no VLANs"
            raise
        kernel.run("ip", "link", "set", "tagged", "up")
        kernel.run("ip", "addr", "add", "10.9.0.2/24", "dev", "tagged")
        kernel.run(sys.executable, __file__, "tagged")
        with served(millrace, bypass, "--dpdk-vlan", 42, "--dpdk-gateway", "10.9.0.2") as server:
            report = Program(millrace.path, kernel).load(
                server.url, "--local", "10.9.0.2", "--duration", "0.5", "--rate", 500, "--size", 3000)
            expect(report["delivered"]["messages"] > 150, report["delivered"])
    return ""


def case_dpdk_loses_nothing_when_its_link_goes_down_and_up(millrace):
    if not has_dpdk(millrace):
        return "this build has no DPDK"
    with two_ends() as (bypass, kernel), served(millrace, bypass) as server:
        client = Program(millrace.path, kernel)
        load = subprocess.Popen(client.command(
            "load", "--target", server.url, "--local", "10.9.0.2", "--duration", 5, "--rate", 1000,
            "--size", 1000, "--warmup", 0), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)
        try:
            time.sleep(1.5)  # Its HTTP is out of reach from here.
            for _ in range(2):
                bypass.run("ip", "link", "set", "fast", "down")
                time.sleep(0.4)
                bypass.run("ip", "link", "set", "fast", "up")
                time.sleep(0.6)
            out, _ = load.communicate(timeout=60)
        finally:
            load.kill()
            load.wait()
        # Its exit code says whether anything reliable was lost.
        expect(load.returncode == 0, out[-600:])
    return ""


def case_dpdk_names_the_gateway_that_does_not_answer(millrace):
    if not has_dpdk(millrace):
        return "this build has no DPDK"
    with two_ends() as (bypass, _):
        code, _, err = Program(millrace.path, bypass).run(
            "serve", "--http", "10.8.0.1:0", "--io", "dpdk", "--dpdk-device",
            "net_af_packet0,iface=fast", "--dpdk-address", "10.9.0.1/24", "--dpdk-gateway", "10.9.0.77",
            "--dpdk-gateway-wait", 500)
        expect(code == 1, (code, err))
        expect(err.endswith("dpdk: net_af_packet0: gateway 10.9.0.77 does not answer\n"), err)
    return ""


if __name__ == "__main__":
    plain_frames(sys.argv[1])
