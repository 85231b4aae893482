#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs foreign WebRTC stacks against millrace: each as client of `millrace serve`, each as server
that a millrace client dials, in the four modes. `--cross` runs the stacks against each other and
against a server with faults, which proves the suite itself. The last line of output is
`N passed, N failed[, N skipped]`."""

import argparse
import glob
import json
import os
import sys
import time

import bypass
import peers
from processes import Server, Trouble, millrace_server, run_client, run_load

MODES = ("reliable-ordered", "reliable-unordered", "unreliable-ordered", "unreliable-unordered")
FAULTS = {  # What the faulty server does -> a mode in which to look, and where the verdict shows it.
    "damage": ("unreliable-unordered", "damaged"),
    "drop": ("unreliable-unordered", "missing"),
    "duplicate": ("reliable-unordered", "duplicated"),
    "retype": ("unreliable-unordered", "damaged"),
    "swap": ("reliable-ordered", "out_of_order"),
}


class Report:
    """Prints a line per case and counts. In CI a skip is a failure: nothing may be missing there."""

    def __init__(self):
        self.results = []
        self._strict = os.environ.get("CI") == "true"

    def add(self, status, peer, role, mode, detail, seconds=0.0):
        if status == "skip" and self._strict:
            status = "FAIL"
        self.results.append({"status": status, "peer": peer, "role": role, "mode": mode,
                             "detail": detail, "seconds": round(seconds, 3)})
        print(f"{status} {peer} {role} {mode} {detail}", flush=True)

    def case(self, peer, role, mode, action):
        """Runs `action`; what it returns, or the Trouble that it raises, is the detail."""
        start = time.monotonic()
        try:
            status, detail = "ok", action()
        except Trouble as trouble:
            status, detail = "FAIL", str(trouble)
        self.add(status, peer, role, mode, detail, time.monotonic() - start)

    def count(self, status):
        return sum(result["status"] == status for result in self.results)

    def finish(self):
        """Prints the closing line and returns the exit code."""
        line = f"{self.count('ok')} passed, {self.count('FAIL')} failed"
        skipped = self.count("skip")
        print(line + (f", {skipped} skipped" if skipped else ""), flush=True)
        return 1 if self.count("FAIL") or not self.count("ok") else 0


def client_arguments(url, mode, max_size, empties, messages=1000):
    arguments = ["--target", url, "--label", "echo", "--messages", str(messages),
                 "--outstanding", "8", "--max-size", str(max_size), "--mode", mode, "--seed", "1",
                 "--json"]
    return arguments if empties else [*arguments, "--no-empty"]


class Lossy(Trouble):
    """Unreliable messages are missing, a few in a hundred, and nothing else is wrong."""


def judge(verdict):
    """The verdict in words; raises Trouble when it is bad."""
    sent, received = verdict["sent"], verdict["received"]
    words = (f"{received['messages']} of {sent['messages']} messages, {received['bytes']} bytes, "
             f"largest {verdict.get('max_size', '?')}, {verdict.get('seconds', 0):.1f} s")
    if verdict["ok"]:
        return words
    faults = [f"{key} {verdict[key]}" for key in ("missing", "damaged", "duplicated", "out_of_order")
              if verdict.get(key)]
    trouble = ", ".join([verdict.get("error") or "bad", *faults, words])
    missing = verdict.get("missing", 0)
    only_missing = len(faults) == 1 and missing and not verdict.get("error")
    few = missing <= 0.05 * sent["messages"]
    if verdict.get("mode", "").startswith("unreliable") and only_missing and few:
        raise Lossy(trouble)
    raise Trouble(trouble)


def echo_case(command, url, mode, max_size, empties):
    return judge(run_client([*command, *client_arguments(url, mode, max_size, empties)],
                            peers.environment()))


def retried_case(known, *arguments, may_overflow=False):
    """As `echo_case`, but once more where nothing was sent for a reason in which `known` occurs, or
    where the client's socket, which is small, may have overflowed beside others at work."""
    try:
        return echo_case(*arguments)
    except Lossy as lossy:
        if not may_overflow:
            raise
        return f"{echo_case(*arguments)}, after: {lossy}"
    except Trouble as trouble:
        if "0 of 0 messages" not in str(trouble) or known not in str(trouble):
            raise
        return f"{echo_case(*arguments)}, after: {trouble}"


class Suite:
    """The cases of each peer against millrace."""

    def __init__(self, report, millrace, millrace_peer):
        self._report = report
        self._millrace = millrace
        self._millrace_peer = millrace_peer
        self._env = peers.environment()

    def run(self, peer):
        self._as_client(peer)
        self._as_server(peer)

    def _as_client(self, peer):
        server = millrace_server(self._millrace, self._env)
        try:
            with server:
                for mode in MODES:
                    self._report.case(peer.name, "client", mode, lambda mode=mode: retried_case(
                        peer.known_fault, peer.command("client"), server.url, mode,
                        peer.max_size, peer.empties, may_overflow=peer.small_sockets))
        except Trouble as trouble:
            self._report.add("FAIL", peer.name, "client", "-", str(trouble))
            return
        status = "ok" if server.exit_code == 0 else "FAIL"
        self._report.add(status, peer.name, "client", "-",
                         f"millrace serve exits {server.exit_code} on SIGTERM")

    def _as_server(self, peer):
        try:
            with Server(peer.command("server"), self._env) as server:
                for mode in MODES:
                    command = [self._millrace_peer]
                    if not peer.early_order:
                        command.append("--first-alone")
                    self._report.case(
                        peer.name, "server", mode, lambda mode=mode, command=command: echo_case(
                            command, server.url, mode, peer.max_size, peer.empties))
                for pattern in ("echo", "upload", "download"):
                    self._report.case(peer.name, "server", f"load-{pattern}",
                                      lambda pattern=pattern: run_load(
                                          self._millrace, server.url, pattern, self._env))
        except (Trouble, OSError) as trouble:
            self._report.add("FAIL", peer.name, "server", "-", str(trouble))


def cross(report, ready):
    """Every peer against every other, and against a server with faults that each must see."""
    env = peers.environment()
    for serving in ready:
        try:
            with Server(serving.command("server"), env) as server:
                for peer in ready:
                    size = min(peer.max_size, serving.max_size)
                    burst = min(size, peer.burst, serving.burst)
                    for mode in MODES:
                        limit = size if mode.startswith("reliable") else burst
                        report.case(peer.name, f"to:{serving.name}", mode,
                                    lambda peer=peer, mode=mode, limit=limit: retried_case(
                                        "", peer.command("client"), server.url, mode, limit,
                                        peer.empties and serving.empties))
        except Trouble as trouble:
            report.add("FAIL", serving.name, "server", "-", str(trouble))
            continue
        if server.exit_code != 0:
            report.add("FAIL", serving.name, "server", "-", f"exits {server.exit_code} on SIGTERM")
    faulty = next((peer for peer in ready if isinstance(peer, peers.NpmPeer)), None)
    for fault, (mode, field) in FAULTS.items() if faulty else ():
        with Server([*faulty.command("server"), "--fault", fault], env) as server:
            for peer in ready:
                report.case(peer.name, f"fault:{fault}", mode,
                            lambda peer=peer: fault_case(peer, server.url, mode, field))


def fault_case(peer, url, mode, field):
    arguments = client_arguments(url, mode, 4000, False, messages=160)
    for _ in range(2):  # They may fail to connect once, as in `cross`.
        verdict = run_client([*peer.command("client"), *arguments], peers.environment())
        if verdict["received"]["messages"]:
            break
    if verdict["ok"] or not verdict[field] or not verdict["received"]["messages"]:
        raise Trouble(f"the client did not see it: {json.dumps(verdict)}")
    return f"{field} {verdict[field]}"


def find_program(build_dir, name):
    """The path of a program in a build folder, wherever meson put it."""
    for pattern in (name, f"*/{name}", f"*/*/{name}"):
        for path in glob.glob(os.path.join(build_dir, pattern)):
            if os.path.isfile(path) and os.access(path, os.X_OK):
                return os.path.abspath(path)
    return None


def build(report, chosen):
    """Builds the chosen peers; returns those that can run."""
    ready = []
    for peer in chosen:
        os.makedirs(peer.build_dir, exist_ok=True)
        start = time.monotonic()
        try:
            peer.check()
            print(f"building {peer.name}", flush=True)
            peer.build()
        except peers.Missing as missing:
            report.add("skip", peer.name, "-", "-", str(missing))
        except peers.BuildFailed as failed:
            report.add("FAIL", peer.name, "-", "-", str(failed), time.monotonic() - start)
        else:
            ready.append(peer)
    return ready


def parse():
    names = [peer.name for peer in peers.ALL]
    parser = argparse.ArgumentParser(prog="scripts/interop", description=__doc__)
    parser.add_argument("peers", nargs="*", metavar="PEER", help=f"of {', '.join(names)}; all by default")
    parser.add_argument("--build", default="build", metavar="DIR", help="the build folder [build]")
    parser.add_argument("--install", action="store_true", help="install from Debian what peers need")
    parser.add_argument("--cross", action="store_true", help="test the suite: peers against peers")
    parser.add_argument("--list", action="store_true", help="list the peers and whether they can run")
    parser.add_argument("--json", metavar="FILE", help="write the results there too")
    options = parser.parse_args()
    unknown = set(options.peers) - set(names)
    if unknown:
        parser.error(f"no such peer: {', '.join(sorted(unknown))} (of {', '.join(names)})")
    return options


def show_list(chosen):
    for peer in chosen:
        try:
            peer.check()
            print(f"{peer.name}: ready")
        except peers.Missing as missing:
            print(f"{peer.name}: {missing}")
    return 0


def main():
    options = parse()
    wanted = options.peers or [peer.name for peer in peers.ALL]
    chosen = [peer(options.build) for peer in peers.ALL if peer.name in wanted]
    if options.list:
        return show_list(chosen)
    millrace = find_program(options.build, "millrace")
    if not options.cross and millrace is None:
        print(f"scripts/interop: no program millrace in {options.build}: "
              f"meson setup {options.build} && ninja -C {options.build}", file=sys.stderr)
        return 2
    if options.install:
        peers.install(chosen)
    report = Report()
    ready = build(report, chosen)
    if options.cross:
        cross(report, ready)
    else:
        own = os.path.join(os.path.abspath(options.build), "test", "interop", "millrace_peer")
        suite = Suite(report, millrace, own)
        over_dpdk = bypass.Suite(report, millrace, own, MODES, client_arguments, judge)
        for peer in ready:
            suite.run(peer)
            if peer.takes_addresses:
                over_dpdk.run(peer)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as out:
            json.dump(report.results, out, indent=1)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
