# SPDX-License-Identifier: Apache-2.0
"""Who takes part, and how each is started. All peers share one contract (bench/peers)."""

import dataclasses
import itertools
import os
import re
import socket

from processes import CLIENT_CPU, SERVER_CPU, Process, Trouble

START_SECONDS = 20
PEERS = ("pion", "libdatachannel", "webrtc-rs", "roamhq-wrtc")


@dataclasses.dataclass(frozen=True)
class Load:
    """What a load generator is asked for."""
    pattern: str = "upload"
    size: int = 16384
    rate: str = "max"
    outstanding: int = 16
    connections: int = 1
    channels: int = 1
    dialling: int = 64
    duration: float = 3
    warmup: float = 1
    ordered: bool = True
    reliable: bool = True

    def arguments(self):
        out = ["--pattern", self.pattern, "--size", str(self.size), "--rate", str(self.rate),
               "--outstanding", str(self.outstanding), "--connections", str(self.connections),
               "--channels", str(self.channels), "--dialling", str(self.dialling),
               "--duration", f"{self.duration:g}", "--warmup", f"{self.warmup:g}"]
        if not self.ordered:
            out.append("--unordered")
        if not self.reliable:
            out += ["--max-retransmits", "0"]
        return out


@dataclasses.dataclass(frozen=True)
class Setting:
    """What of a run is no matter of the traffic. Peers have but their own way to wait."""
    wait: str = "block"
    max_sessions: int = 0
    server_cpus: str = SERVER_CPU


def free_port(kind=socket.SOCK_STREAM):
    """A port of TCP, or of UDP with SOCK_DGRAM, that nobody uses at the moment."""
    with socket.socket(type=kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


_memif_numbers = itertools.count()


def new_memif_socket():
    return f"millrace-compare-{os.getpid()}-{next(_memif_numbers)}"


def memif(role, socket_name):
    return f"net_memif0,role={role},id=0,socket={socket_name}"


class Millrace:
    kind = "millrace"

    def __init__(self, program, io="auto", name="millrace", datagram=1200, congestion=""):
        """`datagram`: UDP payload, as large as others' whatever path MTU discovery would find;
        0: what it finds. `congestion`: algorithm; empty: what ships."""
        self.name = name
        self.program = program
        self._io = io
        self._socket = ""  # Of the memif between the two ends of a run, with --io dpdk.
        self._datagram = datagram
        self._congestion = congestion

    def _common(self, setting):
        out = ["--io", self._io, "--wait", setting.wait]
        out += ["--datagram-size", str(self._datagram)] if self._datagram else []
        return out + (["--congestion", self._congestion] if self._congestion else [])

    def _device(self, role):
        if self._io != "dpdk":
            return []
        host = 1 if role == "server" else 2
        return ["--dpdk-device", memif(role, self._socket), "--dpdk-address", f"198.18.0.{host}/24"]

    def serve(self, log, setting):
        """A running server and the URL that takes its offers."""
        self._socket = new_memif_socket()
        udp = "198.18.0.1:0" if self._io == "dpdk" else "127.0.0.1:0"
        command = [self.program, "serve", "--http", "127.0.0.1:0", "--udp", udp,
                   "--cpu", SERVER_CPU, *self._common(setting), *self._device("server")]
        if setting.max_sessions:
            command += ["--max-sessions", str(setting.max_sessions)]
        server = Process(command, log, setting.server_cpus)
        return _started(server, re.compile(r"serving (http://\S+/)"))

    def load_command(self, target, load, json_path, setting):
        return [self.program, "load", "--target", target, "--cpu", CLIENT_CPU,
                *self._common(setting), *self._device("client"), *load.arguments(),
                "--json", json_path]


class Peer:
    kind = "peer"

    def __init__(self, name, program):
        self.name = name
        self.program = program

    def serve(self, log, setting):
        address = f"127.0.0.1:{free_port()}"
        server = Process([self.program, "serve", "--http", address], log, setting.server_cpus)
        _started(server, re.compile(r"^ready\b", re.MULTILINE))
        return server, f"http://{address}/offer"

    def load_command(self, target, load, json_path, _setting):
        return [self.program, "load", "--target", target, *load.arguments(), "--json", json_path]


def _started(server, pattern):
    try:
        match = server.wait_for_line(pattern, START_SECONDS)
    except Trouble:
        server.stop()
        raise
    return server, (match[1] + "offer" if match.groups() else "")


def why_missing(name, directory):
    """What bench/peers/build said of a peer, as scripts/compare noted it down."""
    try:
        with open(os.path.join(directory, "build.log"), encoding="utf-8") as text:
            said = re.findall(rf"\b{re.escape(name)}: (?:left out|failed): (.+)", text.read())
    except OSError:
        said = []
    return said[-1] if said else f"not built by bench/peers/build into {directory}"


def find_peers(wanted, directory):
    """The peers that were built, and {name: why} of those that were not."""
    found, missing = [], {}
    for name in wanted:
        program = os.path.join(directory, name)
        for path in (program, os.path.join(program, name)):
            if os.path.isfile(path) and os.access(path, os.X_OK):
                found.append(Peer(name, path))
                break
        else:
            missing[name] = why_missing(name, directory)
    return found, missing
