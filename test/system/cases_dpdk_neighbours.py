# SPDX-License-Identifier: Apache-2.0
"""ARP and neighbour discovery against the kernel's, over a pair of veths: answers that have
expired, entries that are flushed, MAC addresses that change, while messages go back and forth."""

import subprocess
import time

from cases_dpdk import has_dpdk
from namespaces import Program, served, two_ends
from program import expect
from wire import Capture

SHORT_MS = 300
NEW_MAC = "02:00:00:00:99:02"
FAMILIES = {  # Local address: question, answer and their forms by which captures count.
    "10.9.0.2": ("arp request", "arp reply"),
    "fd09::2": ("solicitation", "advertisement"),
}


def hasten(kernel):
    """Has the kernel doubt its neighbours after some SHORT_MS, and ask them at once."""
    for family in ("ipv4", "ipv6"):
        for name, value in (("base_reachable_time_ms", SHORT_MS), ("delay_first_probe_time", 0),
                            ("retrans_time_ms", 200), ("gc_stale_time", 1)):
            kernel.run("sysctl", "-qw", f"net.{family}.neigh.slow.{name}={value}")


def start_load(client, url, local, seconds):
    return subprocess.Popen(client.command(
        "load", "--target", url, "--local", local, "--duration", seconds, "--rate", 500, "--size",
        1000, "--warmup", 0), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True)


def carry_while(client, url, disturb, seconds=6):
    """Echoes over both families at once for the time that `disturb` takes, at least."""
    loads = [start_load(client, url, local, seconds) for local in FAMILIES]
    try:
        disturb()
        for load in loads:
            out, _ = load.communicate(timeout=60)
            # Its exit code says whether anything reliable was lost.
            expect(load.returncode == 0, out[-600:])
    finally:
        for load in loads:
            load.kill()
            load.wait()


def case_dpdk_and_the_kernel_ask_each_other_again(millrace):
    if not has_dpdk(millrace):
        return "this build has no DPDK"
    with two_ends() as (bypass, kernel), served(
            millrace, bypass, "--dpdk-reachable-time", SHORT_MS) as server:
        hasten(kernel)
        captures = Capture(bypass, "fast"), Capture(kernel, "slow")

        def disturb():
            time.sleep(3)
            for _ in range(4):
                kernel.run("ip", "neigh", "flush", "dev", "slow")
                time.sleep(0.4)

        carry_while(Program(millrace.path, kernel), server.url, disturb)
        from_kernel, from_dpdk = (capture.close() for capture in captures)
    for question, answer in FAMILIES.values():
        # Each has probed the other by unicast, and the other has answered.
        for asks, answers in ((from_kernel, from_dpdk), (from_dpdk, from_kernel)):
            expect(asks[f"unicast {question}"] >= 3, (asks, answers))
            expect(answers[f"unicast {answer}"] >= 3, (asks, answers))
        # The kernel has forgotten its neighbour four times, and asked all for it.
        expect(from_kernel[f"group {question}"] >= 4, from_kernel)
    return ""


def case_dpdk_learns_the_new_mac_address_of_a_neighbour(millrace):
    if not has_dpdk(millrace):
        return "this build has no DPDK"
    with two_ends() as (bypass, kernel), served(millrace, bypass) as server:

        def disturb():
            time.sleep(2)
            kernel.run("ip", "link", "set", "slow", "address", NEW_MAC)

        carry_while(Program(millrace.path, kernel), server.url, disturb)
    return ""


def case_dpdk_tells_its_new_mac_address(millrace):
    if not has_dpdk(millrace):
        return "this build has no DPDK"
    with two_ends() as (bypass, kernel):
        client = Program(millrace.path, kernel)
        for mac in ("02:00:00:00:99:11", "02:00:00:00:99:12", "02:00:00:00:99:13"):
            with served(millrace, bypass, "--dpdk-mac", mac) as server:
                carry_while(client, server.url, lambda: None, seconds=1)
                for address in ("10.9.0.1", "fd09::1"):
                    entry = kernel.run("ip", "neigh", "show", address, "dev", "slow")
                    expect(mac in entry, (mac, entry))
    return ""
