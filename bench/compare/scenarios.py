# SPDX-License-Identifier: Apache-2.0
"""What is measured: cells, each a question that several contestants answer in turn."""

import dataclasses
from typing import Callable

import special_scenarios as special
import statistics_of_runs as stats
from contestants import Load, Setting

MODES = (
    ("reliable ordered", True, True),
    ("reliable unordered", True, False),
    ("unreliable ordered", False, True),
    ("unreliable unordered", False, False),
)
SIZES = (1024, 16384, 65536)
SIZE_NAMES = {1024: "1 KiB", 16384: "16 KiB", 65536: "64 KiB"}


@dataclasses.dataclass(frozen=True)
class Cell:
    """One column of figures. `run(measuring, contestant)` returns {figure: value}."""
    scenario: str
    key: str
    contestants: tuple
    run: Callable
    rounds: int


def bulk_figures(outcome):
    report = outcome.report
    config, faults = report["config"], report["faults"]
    # Lost is counted over the whole run, sent over the measured part of it.
    span = (config["warmup"] + config["duration"]) / config["duration"]
    delivered = report["delivered"]["messages"] * span
    cores = outcome.both_cores()
    return {
        "goodput_mbps": report["goodput_mbps"],
        "messages_per_second": report["messages_per_second"],
        "lost_messages": faults["lost"],
        "lost_percent": 100 * faults["lost"] / max(delivered + faults["lost"], 1),
        "client_cores": outcome.cores("client"),
        "server_cores": outcome.cores("server"),
        "gbit_per_cpu_second": stats.ratio(report["goodput_mbps"] / 1000, cores),
        # The client seals, the server opens.
        "records_per_seal_p50": report.get("records", {}).get("per_seal_p50"),
        "records_per_open_p50": outcome.server_stats.get("records_per_open_p50"),
    }


def latency_figures(outcome):
    latency = outcome.report["latency_us"]
    return {"p50_us": latency["p50"], "p99_us": latency["p99"], "p99.9_us": latency["p99.9"],
            "messages_per_second": outcome.report["messages_per_second"]}


def reference_bulk(measuring, contestant, seconds):
    received, sent = measuring.reference(
        contestant, "recv", "send", ["--duration", f"{min(seconds, 1.5):g}", "--warmup", "0.2"], [])
    cores = received["cpu_seconds"] / received["seconds"] + sent["cpu_seconds"] / sent["seconds"]
    return {"goodput_mbps": received["goodput_mbps"],
            "lost_percent": 100 * received["lost"] / max(received["datagrams"] + received["lost"], 1),
            "gbit_per_cpu_second": stats.ratio(received["goodput_mbps"] / 1000, cores)}


def reference_ping(measuring, contestant, seconds, wait):
    _, ping = measuring.reference(
        contestant, "pong", "ping",
        ["--duration", f"{seconds:g}", "--warmup", "0.3", "--size", "100", "--wait", wait],
        ["--wait", wait])
    return special.ping_figures(ping)


def beside_reliable_ordered(measuring, contestant, load, pairs):
    """Figures of one mode, each of whose runs has one of the first mode beside it, before it
    and behind it in turn.

    The median of the pairs' ratios is the mode's, and not what the machine did meanwhile.
    """
    plain = dataclasses.replace(load, reliable=True, ordered=True)
    modes, ratios = [], []
    for pair in range(pairs):
        both = (load, plain) if pair % 2 else (plain, load)
        runs = [bulk_figures(measuring.load(contestant, each)) for each in both]
        mode, other = runs if pair % 2 else reversed(runs)
        modes.append(mode)
        ratios.append(stats.ratio(mode["goodput_mbps"], other["goodput_mbps"]))
    spreads = {figure: stats.spread(mode[figure] for mode in modes) for figure in modes[0]}
    figures = {figure: found and found.median for figure, found in spreads.items()}
    for figure in ("lost_messages", "lost_percent"):  # Of all runs, the worst.
        figures[figure] = max(mode[figure] for mode in modes)
    return {**figures, "against_reliable_ordered": stats.median(ratios)}


def bulk(plan):
    """Goodput in four modes and three sizes; --quick: other sizes in the first mode and
    without peers."""
    seconds = 1 if plan.quick else 3
    for mode, reliable, ordered in MODES:
        for size in SIZES:
            first = reliable and ordered
            if plan.quick and size != 16384 and not first:
                continue
            load = Load("upload", size, duration=seconds, warmup=0.4 if plan.quick else 1,
                        reliable=reliable, ordered=ordered)
            judged = size == 16384 and not first

            def run(measuring, contestant, load=load, judged=judged):
                if contestant.kind == "reference":
                    return reference_bulk(measuring, contestant, seconds)
                if judged and contestant.kind == "millrace":
                    shorter = dataclasses.replace(load, duration=0.75 * seconds, warmup=0.4)
                    return beside_reliable_ordered(measuring, contestant, shorter, 2 if plan.quick else 4)
                return bulk_figures(measuring.load(contestant, load))

            large = plan.large_datagrams if first and size == 16384 else ()
            peers = () if plan.quick and size != 16384 else plan.peers
            who = plan.reference + plan.millrace + large + peers
            yield Cell("bulk", f"{mode}, {SIZE_NAMES[size]}", who, run, plan.rounds)


def small_messages(plan):
    load = Load("upload", 100, duration=1.2 if plan.quick else 3, warmup=0.4 if plan.quick else 1)
    yield Cell("messages", "100 B, reliable ordered", plan.everyone,
               lambda measuring, who: bulk_figures(measuring.load(who, load)), plan.rounds)


def ping_pong(plan):
    seconds = 1.2 if plan.quick else 4
    load = Load("echo", 100, outstanding=1, duration=seconds, warmup=0.3)
    for wait in ("spin", "block"):
        def run(measuring, contestant, wait=wait):
            if contestant.kind == "reference":
                return reference_ping(measuring, contestant, seconds, wait)
            # Nobody looks on: that would cost the very processors that are measured.
            return latency_figures(measuring.load(contestant, load, Setting(wait=wait), period=0))

        peers = plan.peers if wait == "block" else ()
        yield Cell("ping-pong", wait, plan.reference + plan.millrace + peers, run, plan.rounds)


def reference_open_loop(measuring, contestant, seconds):
    pong, ping = special.paced_ping(measuring, contestant, seconds, "block")
    return {**special.ping_figures(ping),
            "client_cpu_percent": percent(ping["cpu_seconds"] / ping["seconds"]),
            "server_cpu_percent": percent(pong["cpu_seconds"] / pong["seconds"])}


def open_loop(plan):
    seconds = 2 if plan.quick else 5
    load = Load("echo", 100, rate="1000", duration=seconds, warmup=0.5)

    def run(measuring, contestant):
        if contestant.kind == "reference":
            return reference_open_loop(measuring, contestant, seconds)
        outcome = measuring.load(contestant, load, period=0.5)
        return {**latency_figures(outcome),
                "client_cpu_percent": percent(outcome.cores("client")),
                "server_cpu_percent": percent(outcome.cores("server"))}

    yield Cell("open loop", "1,000/s, 100 B", plan.paced + plan.everyone, run, plan.rounds)


def percent(cores):
    return None if cores is None else 100 * cores


def set_up(plan):
    once = 1 if plan.quick else plan.rounds
    yield Cell("set-up", "BoringSSL alone", plan.reference,
               lambda measuring, _who: measuring.plain_handshake(), plan.rounds)
    for key, dialling in (("sequential", 1), ("64 in flight", 64)):
        def run(measuring, contestant, dialling=dialling):
            if contestant.kind == "peer":  # Some take a second for one.
                count = (64 if plan.quick else 128) if dialling > 1 else (8 if plan.quick else 25)
                return special.set_up(measuring, contestant, count, dialling)
            return special.set_up(measuring, contestant, 256 if dialling > 1 else 150, dialling,
                                  times=3)

        yield Cell("set-up", key, plan.everyone, run, once)


def idle(plan):
    def run(measuring, contestant):
        count = 200 if contestant.kind == "peer" else 10_000
        if plan.quick and contestant.kind == "peer":
            count = 100
        seconds = 6 if plan.quick and contestant.kind == "peer" else 12
        return special.idle(measuring, contestant, count, seconds)

    yield Cell("idle", "idle connections", plan.everyone, run, 1)


def impaired(plan):
    load = Load("upload", 16384, duration=2 if plan.quick else 8, warmup=1 if plan.quick else 3)
    for loss in (0, 1):
        def run(measuring, contestant, loss=loss):
            return special.impaired(measuring, contestant, load, 10, loss)

        yield Cell("20 ms RTT", f"{loss} % loss", plan.everyone + plan.bbr, run,
                   1 if plan.quick else plan.rounds)


def storm(plan):
    seconds = 4 if plan.quick else 10

    def run(measuring, contestant):
        if contestant.kind == "reference":
            return special.storm_floor(measuring, contestant, seconds)
        return special.storm(measuring, contestant, seconds)

    yield Cell("handshake storm", "echo at 1,000/s, 300 handshakes a second",
               plan.paced + plan.millrace, run, 1 if plan.quick else plan.rounds)


def thousand(plan):
    yield Cell("1,000 connections", "echo 100 B through one shard", plan.millrace,
               lambda measuring, who: special.thousand(measuring, who, 5 if plan.quick else 7,
                                                       plan.rounds),
               1)


# Those that need no proxy of the kernel's between the ends.
OVER_DPDK = ("bulk", "messages", "ping-pong", "open-loop")

SCENARIOS = {
    "bulk": bulk,
    "messages": small_messages,
    "ping-pong": ping_pong,
    "open-loop": open_loop,
    "set-up": set_up,
    "idle": idle,
    "impaired": impaired,
    "storm": storm,
    "thousand": thousand,
}
