# SPDX-License-Identifier: Apache-2.0
"""A peer on the kernel's network against millrace on DPDK: a veth pair between two namespaces, the
far end driven by net_af_packet, signalling on the kernel's network at both ends (a second pair)."""

import os
import sys

import peers
from processes import Server, Trouble, run_client, run_load

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))
from cases_dpdk import has_dpdk  # noqa: E402
from namespaces import served, two_ends  # noqa: E402
from program import Failed, Millrace  # noqa: E402

MESSAGE_BYTES = 65536
ENDS = (("IPv4", "10.9.0.2", "10.9.0.1/24"), ("IPv6", "fd09::2", "fd09::1/64"))


class Suite:
    """The cases of a peer that takes `--media` and `--listen`: 1,000 messages of 64 KiB in every
    mode, over both families, in both roles. `arguments` makes those of a client, `judge` reads its
    verdict."""

    def __init__(self, report, millrace, millrace_peer, modes, arguments, judge):
        self._report = report
        self._millrace = Millrace(millrace)
        self._millrace_peer = millrace_peer
        self._modes = modes
        self._arguments = arguments
        self._judge = judge
        self._env = peers.environment()

    def run(self, peer):
        try:
            if not has_dpdk(self._millrace):
                print(f"{peer.name}: no cases over DPDK, for this build has none", flush=True)
                return
            with two_ends() as (bypass, kernel):
                self._as_client(peer, bypass, kernel)
                self._as_server(peer, bypass, kernel)
        except (Trouble, Failed, OSError) as trouble:
            self._report.add("FAIL", peer.name, "dpdk", "-", str(trouble))

    def _echo(self, command, url, mode):
        arguments = self._arguments(url, mode, MESSAGE_BYTES, True)
        return self._judge(run_client([*command, *arguments, "--fixed"], self._env))

    def _as_client(self, peer, bypass, kernel):
        with served(self._millrace, bypass) as server:
            for family, media, _ in ENDS:
                command = [*kernel.enter, *peer.command("client"), "--media", media]
                for mode in self._modes:
                    self._report.case(peer.name, f"dpdk-client-{family}", mode,
                                      lambda command=command, mode=mode: self._echo(
                                          command, server.url, mode))

    def _as_server(self, peer, bypass, kernel):
        for family, media, own in ENDS:
            device = ("--dpdk-device", "net_af_packet0,iface=fast", "--dpdk-address", own)
            with Server([*kernel.enter, *peer.command("server"), "--listen", "10.8.0.2", "--media",
                         media], self._env) as server:
                command = [*bypass.enter, self._millrace_peer, *device]
                for mode in self._modes:
                    self._report.case(peer.name, f"dpdk-server-{family}", mode,
                                      lambda command=command, mode=mode: self._echo(
                                          command, server.url, mode))
                for pattern in ("echo", "upload", "download"):
                    self._report.case(peer.name, f"dpdk-server-{family}", f"load-{pattern}",
                                      lambda pattern=pattern: run_load(
                                          self._millrace.path, server.url, pattern, self._env,
                                          inside=bypass.enter, more=("--io", "dpdk", *device)))
