# SPDX-License-Identifier: Apache-2.0
"""Kernel bypass against the kernel's own network: a pair of veths between two namespaces, one end
driven by DPDK (net_af_packet, net_af_xdp), the other the kernel's. Needs the right to make namespaces."""

import json
import os
import signal
import subprocess
import time

from cases_dpdk import has_dpdk
from namespaces import Program, served, two_ends
from program import Failed, expect
from wire import Capture


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


def interface(namespace):
    """What the kernel says of `fast`: what was asked of it, its address, who listens to all."""
    (link,) = json.loads(namespace.run("ip", "-d", "-json", "link", "show", "fast"))
    flags = {flag for flag in link["flags"] if flag in ("PROMISC", "ALLMULTI", "UP")}
    return {"flags": sorted(flags), "address": link["address"], "promiscuity": link["promiscuity"]}


def case_dpdk_leaves_the_kernels_interface_as_it_was(millrace):
    if not has_dpdk(millrace):
        return "this build has no DPDK"
    mac = ("--dpdk-mac", "02:00:00:00:00:77")
    for driver in ("net_af_packet0", *(("net_af_xdp0",) if os.getuid() == 0 else ())):
        for promiscuous in ("off", "on"):
            with two_ends() as (bypass, kernel):
                bypass.run("ip", "link", "set", "fast", "promisc", promiscuous)
                before = interface(bypass)
                with served(millrace, bypass, *mac, driver=driver) as server:
                    during = interface(bypass)
                    expect(during["flags"] == before["flags"], (driver, before, during))
                    report = Program(millrace.path, kernel).load(
                        server.url, "--local", "fd09::2", "--duration", "0.3", "--rate", 500)
                    expect(report["delivered"]["messages"] > 100, report["delivered"])
                expect(interface(bypass) == before, (driver, before, interface(bypass)))
                # After a crash only a MAC address of one's own stays.
                with served(millrace, bypass, driver=driver) as server:
                    expect(server.stop(signal.SIGKILL) == -signal.SIGKILL, server.log())
                    server.stop = lambda: 0  # It has ended already.
                expect(interface(bypass) == before, (driver, before, interface(bypass)))
    return ""


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
        kernel.finish_frames("tagged")
        with served(millrace, bypass, "--dpdk-vlan", 42, "--dpdk-gateway", "10.9.0.2") as server:
            report = Program(millrace.path, kernel).load(
                server.url, "--local", "10.9.0.2", "--duration", "0.5", "--rate", 500, "--size", 3000)
            expect(report["delivered"]["messages"] > 150, report["delivered"])
    return ""


def case_dpdk_tags_the_frames_of_its_vlan(millrace):
    if not has_dpdk(millrace):
        return "this build has no DPDK"
    with two_ends() as (bypass, kernel), served(millrace, bypass, "--dpdk-vlan", 42) as server:
        client = Program(millrace.path, kernel)

        def load(*arguments, **expected):
            return client.load(server.url, "--io", "dpdk", "--dpdk-device", "net_af_packet0,iface=slow",
                               "--duration", "0.4", "--rate", 500, *arguments, **expected)

        def drops():
            return server.stats()["device"]["drops"].get("rx_vlan", 0)

        for address in ("10.9.0.2/24", "fd09::2/64"):
            captures = Capture(bypass, "fast"), Capture(kernel, "slow")
            report = load("--dpdk-address", address, "--dpdk-vlan", 42, "--size", 3000)
            to_server, to_client = (capture.close() for capture in captures)
            expect(report["delivered"]["messages"] > 100, report["delivered"])
            udp, question, answer = (
                ("udp6", "group solicitation", "unicast advertisement") if ":" in address
                else ("udp4", "group arp request", "unicast arp reply"))
            for seen in (to_server, to_client):
                expect(seen[f"{udp} tag 42"] > 300 and not seen[udp], seen)
            expect(to_server[f"{question} tag 42"] > 0, to_server)
            expect(to_client[f"{answer} tag 42"] > 0, to_client)
        # Another VLAN's frames and untagged ones are counted, and go nowhere.
        for tag in (("--dpdk-vlan", 43), ()):
            before = drops()
            report = load("--dpdk-address", "10.9.0.2/24", *tag, "--handshake-timeout", 1500, code=3)
            expect(report["connections"]["opened"] == 0, report["connections"])
            expect(drops() > before, (tag, before, server.stats()["device"]["drops"]))
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
