# SPDX-License-Identifier: Apache-2.0
"""A path that is narrower than the device's link: a router between it and the kernel's end drops
what is too large, and says so (ICMP, ICMPv6). Three namespaces in a row."""

import contextlib
import os
import subprocess
import time

from cases_dpdk import has_dpdk
from namespaces import Namespace, Program, served, two_ends
from program import expect

PATH_MTU = 1300
# What IP, UDP and a DTLS record leave of that for SCTP, in whole words.
LARGEST = {"10.10.0.2": (PATH_MTU - 20 - 8 - 37) // 4 * 4, "fd10::2": (PATH_MTU - 40 - 8 - 37) // 4 * 4}
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


def found(server, largest):
    """Waits until the path's size is found; returns the association then."""
    deadline = time.monotonic() + 20
    while True:
        now = association(server)
        if now and now["mtu_hints"] > 0 and largest - 64 <= now["mtu"] <= largest:
            return now
        expect(time.monotonic() < deadline, now)
        time.sleep(0.1)


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
