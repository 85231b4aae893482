# SPDX-License-Identifier: Apache-2.0
"""One run of one contestant: start, load, read, end. Everything here ends in time."""

import contextlib
import dataclasses
import itertools
import json
import os
import re
import socket
import time
import urllib.parse
import urllib.request

import statistics_of_runs as stats
from contestants import Setting, free_port, memif, new_memif_socket
from processes import CLIENT_CPU, SERVER_CPU, Process, Sampler, Trouble

# Dialling, and waiting at the end for what is missing: patience of `millrace load` and more.
ALLOWANCE_SECONDS = 30


@dataclasses.dataclass
class Outcome:
    """What a load generator reported, and the CPU time of both ends while it ran."""
    report: dict
    start: float
    end: float
    samples: dict
    server_stats: dict = dataclasses.field(default_factory=dict)  # Of millrace alone.

    def cores(self, side):
        """Cores that a side kept busy within the measured time, from /proc."""
        config = self.report["config"]
        window = stats.certain_window(self.start, self.end, config["warmup"], config["duration"])
        used = stats.slope(self.samples.get(side, []), *window) if window else None
        if used is None:
            seconds = self.report.get("cpu", {}).get(f"{side}_seconds")
            used = seconds / config["duration"] if seconds is not None else None
        return used

    def both_cores(self):
        sides = [self.cores("client"), self.cores("server")]
        return None if None in sides else sum(sides)


class Measuring:
    """Runs contestants; keeps their reports and logs under `out`/runs."""

    def __init__(self, programs, out, io="auto"):
        self._io = io
        self._programs = programs  # {"reference": path, "impair": path, "handshake": path}
        self._dir = os.path.join(out, "runs")
        self._count = itertools.count(1)
        os.makedirs(self._dir, exist_ok=True)

    def program(self, name):
        if name not in self._programs:
            raise Trouble(f"millrace-{name} is not built")
        return self._programs[name]

    def path(self, name):
        return os.path.join(self._dir, f"{next(self._count):04}-{name}")

    @contextlib.contextmanager
    def server(self, contestant, setting):
        process, target = contestant.serve(self.path(f"{contestant.name}-serve.log"), setting)
        with process:
            yield process, target

    def load(self, contestant, load, setting=Setting(), period=0.1):
        """A server and a load generator of one contestant, from start to end."""
        with self.server(contestant, setting) as (server, target):
            return self.load_at(contestant, server, target, load, setting, period)

    def load_at(self, contestant, server, target, load, setting=Setting(), period=0.1, prefix=()):
        path = self.path(f"{contestant.name}-load")
        command = contestant.load_command(target, load, path + ".json", setting)
        with Process(command, path + ".log", CLIENT_CPU, prefix) as client:
            pids = {"client": client.pid, "server": server.pid} if period else {}
            sampler = Sampler(pids, period)
            with sampler if period else contextlib.nullcontext():
                code = client.wait(load.warmup + load.duration + ALLOWANCE_SECONDS
                                   + 0.05 * load.connections)
            end = time.monotonic()
            if code is None:
                raise Trouble("it did not end in time")
            if server.wait(0) is not None:
                raise Trouble(f"the server ended: {server.tail()}")
            report = read_report(path + ".json", code, client)
        stats_of_server = read_stats(target) if contestant.kind == "millrace" else {}
        return Outcome(report, client.started, end, sampler.samples, stats_of_server)

    def reference(self, contestant, receiver, sender, arguments, receiver_arguments=(), prefix=()):
        """Two roles of millrace-reference; returns the reports of both.

        `prefix` starts the sender.
        """
        if (contestant.io or self._io) == "dpdk":
            return self._frames(receiver, sender, arguments)
        address = f"127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
        program = self.program("reference")
        paths = [self.path(f"reference-{role}") for role in (receiver, sender)]
        first = [program, receiver, "--listen", address, "--cpu", SERVER_CPU, "--json",
                 paths[0] + ".json", *receiver_arguments]
        second = [program, sender, "--to", address, "--cpu", CLIENT_CPU, "--json",
                  paths[1] + ".json", *arguments]
        with Process(first, paths[0] + ".log", SERVER_CPU) as listening:
            wait_for_udp(address, listening)
            with Process(second, paths[1] + ".log", CLIENT_CPU, prefix) as sending:
                for process in (sending, listening):
                    if process.wait(30) != 0:
                        raise Trouble(f"{receiver}/{sender}: {process.tail()}")
        return [read_json(path + ".json") for path in paths]

    def _frames(self, receiver, sender, arguments):
        """The same with bare frames over a memif, both ends spinning: there is nothing to wait by."""
        program, name = self.program("reference"), new_memif_socket()
        paths = [self.path(f"reference-{role}") for role in (receiver, sender)]
        device = ["--io", "dpdk", "--dpdk-device"]
        first = [program, receiver, *device, memif("server", name), "--cpu", SERVER_CPU, "--json",
                 paths[0] + ".json"]
        second = [program, sender, *device, memif("client", name), "--cpu", CLIENT_CPU, "--json",
                  paths[1] + ".json", *arguments]
        with Process(first, paths[0] + ".log", SERVER_CPU) as listening, \
                Process(second, paths[1] + ".log", CLIENT_CPU) as sending:
            for process in (sending, listening):
                if process.wait(30) != 0:
                    raise Trouble(f"{receiver}/{sender}: {process.tail()}")
        return [read_json(path + ".json") for path in paths]

    @contextlib.contextmanager
    def impaired(self, target, delay_ms, loss_percent):
        """The URL of a path with delay and loss towards the server at `target`."""
        origin = urllib.parse.urlsplit(target)
        command = [self.program("impair"), "--http", "127.0.0.1:0",
                   "--target", f"{origin.scheme}://{origin.netloc}/offer",
                   "--listen", "127.0.0.1:0", "--delay", f"{delay_ms:g}",
                   "--loss", f"{loss_percent:g}"]
        with Process(command, self.path("impair.log"), f"{CLIENT_CPU},{SERVER_CPU}") as proxy:
            yield proxy.wait_for_line(re.compile(r"offers to (http://\S+)"), 10)[1]

    def plain_handshake(self):
        path = self.path("handshake")
        command = [self.program("handshake"), "--json", path + ".json"]
        with Process(command, path + ".log", CLIENT_CPU) as process:
            if process.wait(30) != 0:
                raise Trouble(process.tail())
        return read_json(path + ".json")


def wait_for_udp(address, process, seconds=10):
    """Returns once somebody is bound to the UDP port of `address`."""
    wanted = f":{int(address.rsplit(':', 1)[1]):04X}"
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.wait(0) is None:
        with open("/proc/net/udp", encoding="ascii") as text:
            if any(line.split()[1].endswith(wanted) for line in text):
                return
        time.sleep(0.02)
    raise Trouble(f"{os.path.basename(process.command[0])} did not start: {process.tail()}")


def read_stats(target):
    """GET /stats beside the offers' address; nothing when that does not answer."""
    try:
        with urllib.request.urlopen(urllib.parse.urljoin(target, "/stats"), timeout=2) as answer:
            return json.load(answer)
    except (OSError, ValueError):
        return {}


def read_json(path):
    try:
        with open(path, encoding="utf-8") as text:
            return json.load(text)
    except (OSError, ValueError) as error:
        raise Trouble(f"no report: {error}") from error


def read_report(path, code, client):
    """The report of a load generator; Trouble unless all in it is as it should be."""
    if not os.path.exists(path):
        raise Trouble(f"it ended with {code}: {client.tail()}")
    report = read_json(path)
    fault = fault_of(report)
    if fault:
        raise Trouble(fault)
    if code != 0:
        raise Trouble(f"it ended with {code}: {client.tail()}")
    return report


def fault_of(report):
    """Why a run does not count; None when it does."""
    connections, faults = report["connections"], report["faults"]
    errors = "; ".join(report.get("errors", []))
    if connections["opened"] != connections["requested"]:
        return f"{connections['opened']} of {connections['requested']} connections opened " + errors
    if connections.get("dropped"):
        return f"{connections['dropped']} connections ended early " + errors
    if not report["good"]:
        told = ", ".join(f"{count} {what}" for what, count in faults.items() if count)
        return (told or "not good") + (": " + errors if errors else "")
    pattern = report["config"]["pattern"]
    if pattern != "idle" and not report["delivered"]["messages"]:
        return "nothing was delivered " + errors
    return None
