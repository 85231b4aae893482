# SPDX-License-Identifier: Apache-2.0
"""Kernel bypass without special hardware: two processes over memif (shared memory), in ordinary
memory. A build without DPDK has to say so; then there is no more to see."""

import contextlib
import itertools
import json
import json
import os
import re
import tempfile
import time

from cases_sessions import MODES
from memif_link import memif_link
from program import expect

CONFIGS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "configs")
_numbers = itertools.count()


def has_dpdk(millrace):
    code, _, err = millrace.run("load", "--io", "dpdk", "--target", "http://127.0.0.1:9/offer")
    expect(code == 1, (code, err))
    expect(err.count("\n") == 1 and ("no DPDK" in err or "dpdk: no device is stated" in err), err)
    has = "no DPDK" not in err
    # A note is a pass: where everything is to be tested, that must not hide that nothing was.
    expect(has or os.environ.get("CI") != "true", "CI tests DPDK, and this build has none")
    return has


class Pair:
    """Two ends of a memif, and their flags."""

    def __init__(self, link=None):
        socket = f"millrace-system-{os.getpid()}-{next(_numbers)}"
        served = dialled = f"socket={socket}"
        if link is not None:
            served, dialled = (f"socket-abstract=no,socket={path}" for path in (link.far, link.near))
        self.server = self.flags(f"net_memif0,role=server,id=0,{served}", "198.18.0.1/24",
                                 "fd00:6d72::1/64")
        self.client = self.flags(f"net_memif0,role=client,id=0,{dialled}", "198.18.0.2/24",
                                 "fd00:6d72::2/64")

    @staticmethod
    def flags(device, *addresses):
        out = ["--io", "dpdk", "--dpdk-device", device]
        for address in addresses:
            out += ["--dpdk-address", address]
        return out


@contextlib.contextmanager
def served(millrace, *arguments, preexec=None, link=None):
    pair = Pair(link)
    with millrace.serve(*pair.server, *arguments, udp="[::]:0", preexec=preexec) as server:
        expect(server.io == "dpdk", server.io)
        yield server, pair


def case_dpdk_carries_the_four_modes_between_two_processes(millrace):
    if not has_dpdk(millrace):
        return "this build has no DPDK"
    with served(millrace) as (server, pair):
        for mode, flags in MODES.items():
            for pattern in ("echo", "upload", "download"):
                report = millrace.load(server.url, *pair.client, "--pattern", pattern, "--duration",
                                       "0.5", "--size", "65536", "--rate", "100", *flags)
                expect(report["environment"]["back_end"] == "dpdk", report["environment"])
                expect(report["delivered"]["messages"] > 30, (mode, pattern, report["delivered"]))
                expect(report["faults"]["damaged"] == 0, (mode, pattern, report["faults"]))
        server.wait_for("empty", lambda stats: stats["sessions"] == 0, 10)
        stats = server.stats()
        expect(stats["payload_copied_in_order"] == 0, stats)
    return ""


def case_dpdk_tells_of_the_device(millrace):
    if not has_dpdk(millrace):
        return "this build has no DPDK"
    with served(millrace) as (server, pair):
        load = millrace.start_load(server.url, *pair.client, "--duration", 60, "--rate", 2000)
        try:
            server.wait_for("traffic", lambda stats: stats["messages_received"] > 1000, 20)
            device = server.stats()["device"]
            text = server.request("GET", "/metrics").body.decode()
        finally:
            load.kill()
            load.wait()
    expect(device["link_up"] and device["counters"]["rx_good_packets"] > 500, device)
    expect(device["rx_buffers_free"] > 4000 and device["tx_buffers_free"] > 2000, device)
    expect(device["frames_handed_over"] == 0, device)
    for bad in ("rx_ip_checksum", "rx_udp_checksum", "rx_truncated", "tx_too_big"):
        expect(bad not in device["drops"], device["drops"])
    for line in ("millrace_device_link_up 1", 'millrace_device_buffers_free{direction="rx"} ',
                 'millrace_device_counter_total{counter="rx_good_packets"} '):
        expect(f"\n{line}" in text, line)
    return ""


def case_dpdk_carries_ipv6_and_jumbo_frames(millrace):
    if not has_dpdk(millrace):
        return "this build has no DPDK"
    with served(millrace, "--dpdk-mtu", 9000) as (server, pair):
        report = millrace.load(server.url, *pair.client, "--dpdk-mtu", 9000, "--local",
                               "fd00:6d72::2", "--datagram-size", 8900, "--duration", "0.5",
                               "--size", 65536, "--rate", 200)
        expect(report["delivered"]["messages"] > 60, report["delivered"])
    return ""


def case_dpdk_asks_for_as_much_memory_as_its_shards_need(millrace):
    if not has_dpdk(millrace):
        return "this build has no DPDK"
    for shards in (1, 4):
        with tempfile.TemporaryDirectory() as folder:
            at = os.path.join(folder, "report.json")
            code, _, err = millrace.run("loop", "--io", "dpdk", "--shards", shards, "--connections", 4,
                                        "--rate", 100, "--warmup", "0.1", "--duration", "0.2", "--json",
                                        at)
            expect(code == 0, (shards, err))
            with open(at) as file:
                report = json.load(file)
        expect(report["connections"]["opened"] == 4, report)
    return ""


def case_dpdk_keeps_to_its_vlan(millrace):
    if not has_dpdk(millrace):
        return "this build has no DPDK"
    with served(millrace, "--dpdk-vlan", 42) as (server, pair):
        report = millrace.load(server.url, *pair.client, "--dpdk-vlan", 42, "--duration", "0.3", "--rate",
                               100)
        expect(report["delivered"]["messages"] > 10, report["delivered"])
        report = millrace.load(server.url, *pair.client, "--dpdk-vlan", 43, "--duration", "0.3",
                               "--handshake-timeout", 1500, code=3)
        expect(report["connections"]["opened"] == 0, report["connections"])
    return ""


def case_dpdk_reads_its_table_of_a_file(millrace):
    if not has_dpdk(millrace):
        return "this build has no DPDK"
    pair = Pair()
    with millrace.serve(*pair.server, udp="[::]:0") as server, tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "load.toml")
        with open(path, "w", encoding="utf-8") as text:
            text.write('io = "dpdk"\nduration = 0.3\n[dpdk]\n'
                       f'device = "{pair.client[3]}"\naddress = ["198.18.0.2/24"]\n')
        report = millrace.load(server.url, "--config", path)
        expect(report["delivered"]["messages"] > 0, report["delivered"])
        with open(path, "a", encoding="utf-8") as text:
            text.write('adress = "x"\n')
        code, _, err = millrace.run("load", "--target", server.url, "--config", path)
        expect(code == 2 and ":6: unknown key 'adress'" in err and "address" in err, err)
    return ""


def case_dpdk_example_configurations_load(millrace):
    if not has_dpdk(millrace):
        return "this build has no DPDK"
    path = lambda name: os.path.join(CONFIGS, name)  # noqa: E731
    pair = Pair()  # A socket of its own, for others may run the tests as well.
    with millrace.serve("--config", path("serve-memif.toml"), *pair.server[2:4], "--wait", "block", "--cpu",
                        0, udp="[::]:0") as server:
        report = millrace.load(server.url, "--config", path("load-memif.toml"), *pair.client[2:4],
                               "--wait", "block", "--duration", "0.3", "--rate", 100)
        expect(report["environment"]["back_end"] == "dpdk", report["environment"])
    for name in sorted(os.listdir(CONFIGS)):  # Keys that are commented out are keys, too.
        with open(path(name), encoding="utf-8") as text:
            head, table, device = text.read().partition("[dpdk]")
        if not table:
            continue
        _, out, _ = millrace.run(name.split("-")[0], "--help")
        for prefix, part in (("", head), ("dpdk-", device)):
            for key in re.findall(r"^(?:# )?([a-z-]+) = ", part, re.MULTILINE):
                expect(f"--{prefix}{key} " in out, f"{name} has {prefix}{key}")
    return ""


def case_dpdk_mistakes_are_one_line(millrace):
    if not has_dpdk(millrace):
        return "this build has no DPDK"
    device = Pair().client
    for flags, words in (
            (["--io", "dpdk", "--dpdk-device", "net_nothing0", "--dpdk-address", "198.18.0.1/24"],
             "dpdk: net_nothing0: "),
            (["--io", "dpdk", "--dpdk-device", "0000:ff:1f.7", "--dpdk-address", "198.18.0.1/24"],
             "no such device, or not bound"),
            ([*device[:4]], "address"),
            ([*device[:4], "--dpdk-address", "198.18.0.300/24"], "'198.18.0.300/24' is not"),
            ([*device, "--dpdk-gateway", "198.18.0.9", "--dpdk-gateway-wait", "200"],
             "gateway 198.18.0.9 does not answer, for the link is down"),
            ([*device, "--dpdk-mtu", "100"], "MTU 100"),
            ([*device, "--dpdk-neighbour", "198.18.0.1"], "'198.18.0.1' is not ADDRESS=MAC"),
            ([*device, "--dpdk-from-interface", "nowhere"], "there is no 'nowhere'"),
            ([*device, "--dpdk-eal=--nonsense"], "unrecognized option '--nonsense'"),
            ([*device, "--dpdk-memory", "2"], "dpdk: ")):
        code, out, err = millrace.run("load", "--target", "http://127.0.0.1:9/offer", *flags)
        expect(code == 1, (flags, code, out, err))
        expect(words in err and err.count("\n") == 1, (flags, err))


def case_dpdk_brings_no_openssl(millrace):
    if not has_dpdk(millrace):
        return "this build has no DPDK"
    with served(millrace) as (server, _):
        with open(f"/proc/{server.pid}/maps", encoding="utf-8") as maps:
            text = maps.read()
        for library in ("libcrypto.so.3", "libssl.so.3", "librte_"):
            expect(library not in text, library)
    return ""


def case_dpdk_finds_the_other_end_again_whichever_starts_first(millrace):
    if not has_dpdk(millrace):
        return "this build has no DPDK"
    # The end that dials has the memif that waits; the server is the one that comes and goes.
    pair = Pair()
    pair.server, pair.client = pair.client, pair.server
    with millrace.serve(*pair.server, "--consent-timeout", 1000, udp="[::]:0") as server:
        for _ in range(3):
            report = millrace.load(server.url, *pair.client, "--duration", "0.3", "--rate", 100)
            expect(report["connections"]["opened"] == 1, report["connections"])
    return ""


def case_dpdk_is_held_up_by_nobody_who_is_frozen(millrace):
    if not has_dpdk(millrace):
        return "this build has no DPDK"
    with memif_link(frozen=True) as link:
        # The server is the end that looks for the other; it has its process to itself all the while.
        pair = Pair(link)
        with millrace.serve(*pair.client, udp="[::]:0") as server:
            for _ in range(5):
                turns = server.stats()["turns"]
                time.sleep(0.8)
                expect(server.stats()["turns"] > turns, "the shard stands still")
            link.thaw()
            report = millrace.load(server.url, *pair.server, "--duration", "0.3", "--rate", 100)
            expect(report["connections"]["opened"] == 1, report["connections"])
    return ""


def free_buffers(stats):
    return stats["device"]["rx_buffers_free"], stats["device"]["tx_buffers_free"]


def case_dpdk_loses_nothing_reliable_while_a_memif_goes_down_and_up(millrace):
    if not has_dpdk(millrace):
        return "this build has no DPDK"
    with memif_link() as link, served(millrace, link=link) as (server, pair), \
            tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "report.json")
        load = millrace.start_load(server.url, *pair.client, "--channels", 8, "--size", 3000, "--rate", 2000,
                                   "--warmup", 0, "--duration", 12, "--json", path)
        try:
            for _ in range(3):
                known = server.stats()["messages_received"]
                server.wait_for("traffic", lambda stats: stats["messages_received"] > known + 500, 20)
                link.cut()
                server.wait_for("down", lambda stats: not stats["device"]["link_up"], 5)
                server.wait_for("up", lambda stats: stats["device"]["link_up"], 10)
            expect(load.wait(60) == 0, f"load ended with {load.returncode}")
        finally:
            load.kill()
            load.wait()
        with open(path, encoding="utf-8") as text:
            report = json.load(text)
        connections = report["connections"]
        expect(connections["opened"] == 1 and connections["dropped"] == 0, connections)
        # All of 12 s came, which is what was sent on time and what waited for the link.
        expect(not any(report["faults"].values()), report["faults"])
        expect(report["delivered"]["messages"] > 23000, report["delivered"])
        server.wait_for("empty", lambda stats: stats["sessions"] == 0, 20)
    return ""


def case_dpdk_survives_the_death_of_the_other_end(millrace):
    if not has_dpdk(millrace):
        return "this build has no DPDK"
    # On one processor, where the driver's thread may push a shard aside in the middle of a burst.
    with served(millrace, "--consent-timeout", 1000,
                preexec=lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})) as (
                    server, pair):
        given = free_buffers(server.stats())
        for _ in range(4):
            load = millrace.start_load(server.url, *pair.client, "--duration", 60, "--size", 16384)
            try:
                server.wait_for("a session", lambda stats: stats["sessions"] == 1, 20)
            finally:
                load.kill()
                load.wait()
            # And all that the dead had of it is back.
            server.wait_for("gone", lambda stats: stats["sessions"] == 0 and stats["channels"] == 0 and
                            free_buffers(stats) == given, 20)
        report = millrace.load(server.url, *pair.client, "--duration", "0.3", "--rate", 100)
        expect(report["connections"]["opened"] == 1, report["connections"])
    return ""


def case_dpdk_runs_as_an_ordinary_user(millrace):
    if not has_dpdk(millrace):
        return "this build has no DPDK"

    def drop_root():
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)

    code, out, err = millrace.run("loop", "--io", "dpdk", "--duration", "0.3", "--warmup", "0.1",
                                  preexec=drop_root)
    expect(code == 0 and "delivered" in out, (code, out[-300:], err[-300:]))
    return ""


def case_dpdk_carries_a_thousand_channels(millrace):
    if not has_dpdk(millrace):
        return "this build has no DPDK"
    with served(millrace) as (server, pair):
        report = millrace.load(server.url, *pair.client, "--connections", 10, "--channels", 100,
                               "--rate", 5000, "--duration", "1")
        expect(report["connections"]["opened"] == 10, report["connections"])
        expect(report["delivered"]["messages"] > 4000, report["delivered"])
        expect(not any(report["faults"].values()), report["faults"])
    return ""
