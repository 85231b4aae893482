# SPDX-License-Identifier: Apache-2.0
"""A path that is narrower than the device's link: a router between it and the kernel's end drops
what is too large, and says so (ICMP, ICMPv6). Three namespaces in a row."""

import contextlib
import os
import subprocess
import sys
import time

from cases_dpdk import has_dpdk
from namespaces import Namespace, Program, served, two_ends
from program import expect

PATH_MTU = 1300
# What IP, UDP and a DTLS record leave of that for SCTP, in whole words.
LARGEST = {"10.10.0.2": (PATH_MTU - 20 - 8 - 37) // 4 * 4, "fd10::2": (PATH_MTU - 40 - 8 - 37) // 4 * 4}
FORGER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "forger.py")
GATEWAYS = ("--dpdk-gateway", "10.9.0.2", "--dpdk-gateway", "fd09::2")


@contextlib.contextmanager
def far_end():
    """`two_ends`, with the kernel's one for a router, and a third namespace behind it."""
    with two_ends() as (bypass, router):
        far = Namespace(bypass.enter if os.getuid() != 0 else ())
        try:
            router.run("ip", "link", "add", "near", "type", "veth", "peer", "name", "far", "netns",
                       str(far.pid))
            for namespace, interface, n in ((router, "near", 1), (far, "far", 2)):
                namespace.run("ip", "link", "set", interface, "mtu", str(PATH_MTU), "up")
                namespace.run("ip", "addr", "add", f"10.10.0.{n}/24", "dev", interface)
                namespace.run("ip", "addr", "add", f"fd10::{n}/64", "dev", interface, "nodad")
                namespace.finish_frames(interface)
            router.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
            far.run("ip", "route", "add", "default", "via", "10.10.0.1")
            far.run("ip", "-6", "route", "add", "default", "via", "fd10::1")
            bypass.run("ip", "route", "add", "10.10.0.0/24", "via", "10.8.0.2")
            yield bypass, router, far
        finally:
            far.close()


def association(server):
    """What the server's end of its one session knows of SCTP, or None."""
    sessions = server.get("/stats?sessions=2")["sessions"]
    if len(sessions) != 1:
        return None
    return server.get(f"/stats?session={sessions[0]['session']}").get("association")


def peer_port(server):
    """The peer's UDP port of the one session."""
    session = server.get("/stats?sessions=2")["sessions"][0]
    return session["remote"].rsplit(":", 1)[1]


def settled(server):
    """Waits until path MTU discovery has found what Ethernet carries; returns that."""
    deadline = time.monotonic() + 20
    while True:
        now = association(server)
        if now and now["mtu"] >= 1400:
            return now["mtu"]
        expect(time.monotonic() < deadline, now)
        time.sleep(0.1)


def found(server, largest):
    """Waits until the path's size is found; returns the association then."""
    deadline = time.monotonic() + 20
    while True:
        now = association(server)
        if now and now["mtu_hints"] > 0 and largest - 64 <= now["mtu"] <= largest:
            return now
        expect(time.monotonic() < deadline, now)
        time.sleep(0.1)


def case_dpdk_is_not_deceived_by_forged_words_of_routers(millrace):
    if not has_dpdk(millrace):
        return "this build has no DPDK"
    with two_ends() as (bypass, kernel), served(millrace, bypass) as server:
        client = Program(millrace.path, kernel)
        for local, own in (("10.9.0.2", "10.9.0.1"), ("fd09::2", "fd09::1")):
            before = server.stats()["drops"].get("shard.unknown_too_big", 0)
            load = subprocess.Popen(client.command(
                "load", "--target", server.url, "--local", local, "--pattern", "download", "--duration",
                4, "--rate", 200, "--size", 16384, "--warmup", 0), stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            try:
                honest = settled(server)
                port = peer_port(server)
                kernel.run(sys.executable, FORGER, own, local, server.udp.rsplit(":", 1)[1], port)
                time.sleep(0.5)
                state = association(server)
                expect(state["mtu_hints"] == 0 and state["mtu"] == honest, (honest, state))
                drops = server.stats()["drops"]
                expect(drops.get("shard.unknown_too_big", 0) - before > 50, drops)
                out, _ = load.communicate(timeout=60)
                expect(load.returncode == 0, out[-600:])
            finally:
                load.kill()
                load.wait()
            server.wait_for("gone", lambda stats: stats["sessions"] == 0, 20)
        # Most of them did not get so far: 1,000 a second, and 8 a turn.
        drops = server.stats()["device"]["drops"]
        expect(drops.get("rx_path_mtu_limit", 0) > 500 and "rx_icmp_malformed" not in drops, drops)
    return ""


def case_dpdk_hears_a_router_that_says_what_is_too_large(millrace):
    if not has_dpdk(millrace):
        return "this build has no DPDK"
    words = []
    with far_end() as (bypass, _, far), served(millrace, bypass, *GATEWAYS) as server:
        client = Program(millrace.path, far)
        for local, largest in LARGEST.items():
            load = subprocess.Popen(client.command(
                "load", "--target", server.url, "--local", local, "--pattern", "download", "--duration",
                4, "--rate", 200, "--size", 16384, "--warmup", 0), stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            try:
                state = found(server, largest)
                # Nobody has waited for a probe that a router had dropped.
                expect(state["mtu_probes_lost"] == 0 and state["mtu_black_holes"] == 0, state)
                out, _ = load.communicate(timeout=60)
                expect(load.returncode == 0, out[-600:])
            finally:
                load.kill()
                load.wait()
            words.append(f"{local}: {state['mtu']} of {largest} after {state['mtu_hints']} hints")
            server.wait_for("gone", lambda stats: stats["sessions"] == 0, 20)
        drops = server.stats()["device"]["drops"]
        expect("rx_icmp_malformed" not in drops and "rx_path_mtu_limit" not in drops, drops)
    return ", ".join(words)
