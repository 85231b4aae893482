# SPDX-License-Identifier: Apache-2.0
"""Two network namespaces joined by veths: one end for DPDK (net_af_packet, net_af_xdp), the other
the kernel's own, and a second pair for signalling. Needs the right to make namespaces.

As a program, `namespaces.py get URL` prints what an HTTP server says to whoever runs it, and
`namespaces.py run COMMAND ...` makes them and runs a command in the kernel's one;
MILLRACE_BYPASS holds the words that come before a command to run it in the other."""

import array
import contextlib
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import time
import urllib.request

from program import Millrace, Server, expect

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
        return done.stdout

    def finish_frames(self, interface):
        self.run(sys.executable, __file__, "finish-frames", interface)

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


class Within(Server):
    """A server that only who is in its namespace can reach."""

    def __init__(self, command, namespace):
        self._namespace = namespace
        super().__init__(command)

    def get(self, path):
        url = f"http://{self.http}{path}"
        return json.loads(self._namespace.run(sys.executable, __file__, "get", url))

    def stats(self):
        time.sleep(0.15)  # As in Server.
        return self.get("/stats")


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
        kernel.finish_frames("slow")
        yield bypass, kernel
    finally:
        bypass.close()
        if kernel:
            kernel.close()


@contextlib.contextmanager
def served(millrace, bypass, *arguments, driver="net_af_packet0"):
    server = Within(Program(millrace.path, bypass).command(
        "serve", "--http", "10.8.0.1:0", "--udp", "[::]:0", "--io", "dpdk", "--dpdk-device",
        f"{driver},iface=fast", "--dpdk-address", "10.9.0.1/24", "--dpdk-address", "fd09::1/64",
        *arguments), bypass)
    with server.ending_well():
        yield server


def run_between(command):
    """Runs `command` in the kernel's namespace, which has default routes to the other end, and
    returns its exit code. Whoever looks for "the" local address finds that of `slow`."""
    with two_ends() as (bypass, kernel):
        kernel.run("ip", "route", "add", "default", "via", "10.9.0.1", "dev", "slow")
        kernel.run("ip", "-6", "route", "add", "default", "via", "fd09::1", "dev", "slow")
        # Who is in the kernel's namespace is in the right user namespace already.
        env = {**os.environ, "MILLRACE_BYPASS": f"nsenter -t {bypass.pid} -n"}
        return subprocess.run([*kernel.enter, *command], env=env).returncode


if __name__ == "__main__":
    if sys.argv[1] == "run":
        sys.exit(run_between(sys.argv[2:]))
    if sys.argv[1] == "get":
        with urllib.request.urlopen(sys.argv[2], timeout=20) as reply:
            sys.exit(print(reply.read().decode()))
    plain_frames(sys.argv[2])
