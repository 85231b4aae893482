# SPDX-License-Identifier: Apache-2.0
"""Instruments: `millrace bench`, the raw reference, the impairment proxy."""

import contextlib
import json
import re
import signal
import subprocess
import tempfile
import time

from cases_dpdk import has_dpdk
from program import Failed, expect, find_beside

RATES = ("goodput_mbps", "cpu_seconds_per_gbit", "p50_us", "p99_us", "p999_us")


# What a datagram over a device has instead of the kernel's two steps.
DEVICE_STEPS = {
    "sender": ("mbuf alloc", "Ethernet, IP, UDP header build", "tx_burst, memif"),
    "receiver": ("rx_burst, memif", "Ethernet, IP, UDP header parse", "mbuf free"),
    "apart": ("UDP send, GSO instead", "UDP receive, GRO instead"),
}
CHECKSUM_STEPS = {"sender": {"UDP checksum, in software"},
                  "receiver": {"UDP checksum, verified in software"}}


def bench(millrace, *arguments):
    """Runs `bench`; returns its report, whose figures agree with each other, and its steps by side."""
    code, out, err = millrace.run("bench", *arguments, "--json", "-")
    expect(code == 0, err)
    report = json.loads(out)
    expect(report["schema"] == 1 and {"cpu", "kernel", "back_ends"} <= set(report["machine"]), report)
    for who in ("reference", "engine"):
        for key in RATES:
            expect(report[who][key] > 0, (who, key, report[who]))
    steps = {"sender": {}, "receiver": {}, "apart": {}}
    for step in report["steps"]:
        expect(0 < step["ns"] < 1e6, step)
        expect(step["name"] not in steps[step["side"]], step)
        steps[step["side"]][step["name"]] = step["ns"]
    for side in ("sender", "receiver"):
        expect(abs(sum(steps[side].values()) - report[f"{side}_ns"]) < 1, (side, report))
    ceiling = report["payload_bytes_per_packet"] * 8e3 / max(report["sender_ns"], report["receiver_ns"])
    expect(abs(ceiling / report["ceiling_mbps"] - 1) < 0.01, report)
    for key, part in (("share_of_ceiling", report["ceiling_mbps"]),
                      ("share_of_reference", report["reference"]["goodput_mbps"])):
        expect(abs(report["engine"]["goodput_mbps"] / part / report[key] - 1) < 0.01, (key, report))
    return report, steps


def case_bench_reports_steps_reference_and_engine(millrace):
    report, steps = bench(millrace, "--duration", "0.2")
    expect(len(report["steps"]) >= 12, report["steps"])
    expect("UDP send, GSO" in steps["sender"] and "UDP receive, GRO" in steps["receiver"], steps)
    return f"{len(report['steps'])} steps"


def case_bench_over_dpdk_reports_what_a_frame_costs(millrace):
    if not has_dpdk(millrace):
        code, _, err = millrace.run("bench", "--io", "dpdk", "--duration", "0.1")
        expect(code == 1 and "millrace: io: this build has no DPDK" in err, (code, err))
        return "this build has no DPDK"
    kernel, kernel_steps = bench(millrace, "--duration", "0.2")
    report, steps = bench(millrace, "--io", "dpdk", "--duration", "0.5")
    expect(report["engine_io"] == "dpdk" and report["reference_io"] == "memif", report)
    expect("dpdk" in report["machine"]["back_ends"], report["machine"])
    for side, names in DEVICE_STEPS.items():
        for name in names:
            expect(name in steps[side], (side, name, steps))
    # All that is not packet I/O is the same.
    for side in ("sender", "receiver"):
        shared = set(kernel_steps[side]) - {"UDP send, GSO", "UDP receive, GRO"}
        expect(set(steps[side]) == shared | set(DEVICE_STEPS[side]), (side, steps))
    _, summed = bench(millrace, "--io", "dpdk", "--dpdk-udp-checksum", "on", "--duration", "0.2")
    for side, names in CHECKSUM_STEPS.items():
        expect(set(summed[side]) == set(steps[side]) | names, (side, summed))
    payload = kernel["payload_bytes_per_packet"]
    expect(abs(report["payload_bytes_per_packet"] / payload - 1) < 0.05, (payload, report))
    return f"{report['share_of_reference']:.2f} of bare frames"


def case_bench_over_dpdk_prints_a_table_of_80_columns(millrace):
    if not has_dpdk(millrace):
        return "this build has no DPDK"
    code, out, err = millrace.run("bench", "--io", "dpdk", "--duration", "0.1")
    expect(code == 0 and "reached" in out and "raw frames over memif" in out, err)
    expect(max(map(len, out.splitlines())) <= 80, out)


def case_bench_prints_a_table_of_80_columns(millrace):
    code, out, err = millrace.run("bench", "--duration", "0.1")
    expect(code == 0 and "reached" in out, err)
    expect(max(map(len, out.splitlines())) <= 80, out)


def case_reference_measures_raw_datagrams(millrace):
    path = find_beside(millrace, "millrace-reference")
    expect(path, "millrace-reference is not built")
    seen = []
    for io in ("sockets", "uring"):
        for listen, begin, key in (("recv", "send", "goodput_mbps"), ("pong", "ping", "p50_us")):
            at = "127.0.0.1:47411"
            first = subprocess.Popen([path, listen, "--listen", at, "--io", io, "--wait", "block",
                                      "--json", "-"], stdout=subprocess.PIPE, text=True)
            second = subprocess.run([path, begin, "--to", at, "--io", io, "--wait", "block",
                                     "--warmup", "0.1", "--duration", "0.3", "--json", "-"],
                                    capture_output=True, text=True, timeout=60)
            out, _ = first.communicate(timeout=30)
            expect(first.returncode == 0 and second.returncode == 0, second.stderr)
            figures = {**json.loads(second.stdout), **json.loads(out)}
            expect(figures[key] > 0, figures)
            seen.append(f"{io} {begin} {figures[key]:.0f}")
    return ", ".join(seen)


def case_reference_without_a_peer_fails_in_one_line(millrace):
    path = find_beside(millrace, "millrace-reference")
    expect(path, "millrace-reference is not built")
    done = subprocess.run([path, "ping", "--to", "127.0.0.1:47412", "--timeout", "0.3"],
                          capture_output=True, text=True, timeout=30)
    expect(done.returncode == 1 and done.stderr.startswith("millrace-reference: "), done)


@contextlib.contextmanager
def impaired(path, url, *flags):
    """Yields the URL of a path to the server at `url`, and a list for the counters at the end."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen([path, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0",
                                    "--target", url, *map(str, flags)],
                                   stdout=subprocess.PIPE, stderr=log, text=True)
        counters = []
        try:
            deadline = time.monotonic() + 20
            while True:
                log.seek(0)
                match = re.search(r"offers to (http://\S+)", log.read().decode())
                if match:
                    break
                if process.poll() is not None or time.monotonic() > deadline:
                    raise Failed("millrace-impair did not start")
                time.sleep(0.02)
            yield match.group(1), counters
            process.send_signal(signal.SIGTERM)
            out, _ = process.communicate(timeout=20)
            expect(process.returncode == 0, process.returncode)
            counters.append(json.loads(out))
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def case_sessions_through_20_ms_and_a_loss_of_1_percent(millrace):
    path = find_beside(millrace, "millrace-impair")
    expect(path, "millrace-impair is not built")
    with millrace.serve() as server:
        with impaired(path, server.url, "--delay", 10, "--loss", 1) as (url, counters):
            report = millrace.load(url, "--duration", "2", "--rate", "500", "--size", "1000",
                                   "--connections", "2")
            expect(report["delivered"]["messages"] > 500, report["delivered"])
            # No echo is faster than the path; the median is close to it.
            expect(report["latency_us"]["p50"] >= 20_000, report["latency_us"])
    seen = counters[0]
    for way in ("to_server", "to_client"):
        path_counts = seen[way]
        expect(path_counts["arrived"] > 500 and path_counts["overflowed"] == 0, seen)
        expect(0 < path_counts["lost"] < 0.05 * path_counts["arrived"], seen)
    expect(seen["flows"] == 2 and seen["unsent"] == 0, seen)
    return f"p50 {report['latency_us']['p50']:.0f} us, {seen['to_server']['lost']} lost on the way there"
