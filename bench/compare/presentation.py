# SPDX-License-Identifier: Apache-2.0
"""Which figures of a scenario are shown, in which order and words. Markdown and HTML share it."""

import dataclasses

from results import MILLRACE, REFERENCE
from verdicts import number


@dataclasses.dataclass(frozen=True)
class Column:
    figure: str
    title: str
    unit: str = ""
    chart: bool = False
    less_is_better: bool = False


GOODPUT = Column("goodput_mbps", "goodput", "Mbit/s", chart=True)
PER_CPU = Column("gbit_per_cpu_second", "Gbit per CPU second")
P50 = Column("p50_us", "p50", "µs", chart=True, less_is_better=True)
P99 = Column("p99_us", "p99", "µs", less_is_better=True)
P999 = Column("p99.9_us", "p99.9", "µs", less_is_better=True)
WAITED = (Column("client_waited_ms", "client waited", "ms", less_is_better=True),
          Column("server_waited_ms", "server waited", "ms", less_is_better=True))

SHOWN = {
    "bulk": ("Bulk transfer", (
        GOODPUT, dataclasses.replace(PER_CPU, chart=True), Column("lost_percent", "lost", "%"))),
    "messages": ("100-byte messages", (
        Column("messages_per_second", "messages a second", "", chart=True), PER_CPU)),
    "ping-pong": ("Ping-pong, 100 B", (P50, P99, P999)),
    "open loop": ("Open loop, 1,000 messages a second", (
        P50, P99, P999,
        Column("client_cpu_percent", "CPU client", "%", less_is_better=True),
        Column("server_cpu_percent", "CPU server", "%", chart=True, less_is_better=True))),
    "set-up": ("Connection set-up", (
        Column("setup_p50_ms", "p50", "ms", chart=True, less_is_better=True),
        Column("setup_p99_ms", "p99", "ms", less_is_better=True),
        Column("client_us_per_connection", "CPU client", "µs", less_is_better=True),
        Column("server_us_per_connection", "CPU server", "µs", chart=True, less_is_better=True),
        Column("client_times_bare", "client against bare", "×", less_is_better=True),
        Column("server_times_bare", "server against bare", "×", less_is_better=True),
        Column("client_us", "bare client", "µs"), Column("server_us", "bare server", "µs"))),
    "idle": ("Idle connections", (
        Column("connections", "connections"),
        Column("kib_per_connection", "memory each", "KiB", chart=True, less_is_better=True),
        Column("server_cpu_percent", "CPU server", "%", less_is_better=True))),
    "20 ms RTT": ("20 ms round trip, 16 KiB messages", (GOODPUT,)),
    "handshake storm": ("Echo during a handshake storm", (
        P50, P99, P999, Column("handshakes", "handshakes"),
        Column("setup_p50_ms", "their p50", "ms"), *WAITED)),
    "1,000 connections": ("1,000 connections through one shard", (
        Column("highest_per_second", "highest rate", "/s"),
        Column("closed_loop_per_second", "closed loop", "/s"),
        dataclasses.replace(P50, chart=False), P99, P999, *WAITED)),
}

REMARKS = {
    "bulk": "Lost: of all messages sent, over a clean loopback. CPU of both ends added.",
    "ping-pong": "One message on its way. Peers wait as they do; millrace and the reference as told.",
    "set-up": "Set-up from the offer to the open channel. CPU per connection and side, the start of "
              "the process taken off; the bare handshake is BoringSSL over memory.",
    "idle": "Growth of the server's RSS; kernel memory apart. millrace holds 10,000 connections, a "
            "peer 100 or 200: their CPU is for so many.",
    "20 ms RTT": "Through millrace-impair, which takes a part of both processors.",
    "handshake storm": "The server's shard spins; the echoing client blocks and goes before the "
                       "dialler, with which it shares a processor. The reference's two ends wait "
                       "likewise, with no handshake anywhere: what the machine takes from everybody. "
                       "Most of what the server waited is its handshake workers, behind the shard.",
    "1,000 connections": "Spin policy. The highest rate is sustained for 1.5 s with nothing unsent "
                         "and p99 under 20 ms; latency is taken at 80 % of it, medians of "
                         "as many runs as there are rounds. Waited: while that was taken, ready "
                         "to run and something else had the processor.",
}


def columns_of(results, scenario, cell=None):
    """The columns of a scenario for which somebody has a figure."""
    _, columns = SHOWN[scenario]
    cells = [cell] if cell else results.cells(scenario)
    return [c for c in columns
            if any(results.spread(scenario, each, who, c.figure) is not None
                   for each in cells for who in results.contestants(scenario, each))]


def heading(column):
    return f"{column.title}, {column.unit}" if column.unit else column.title


def shown(spread):
    if spread is None:
        return "–"
    if len(spread.values) < 2 or number(spread.low) == number(spread.high):
        return number(spread.median)
    return f"{number(spread.median)} ({number(spread.low)}–{number(spread.high)})"


def leading(columns):
    """The figure by which contestants are set against each other: the first that a chart shows.
    What else may come first is what they were told to do."""
    return next((c for c in columns if c.chart), columns[0] if columns else None)


def against(results, scenario, cell, who, columns):
    """How millrace stands to the reference and to the best peer, in words; empty: no such."""
    column = leading(columns)
    if column is None or not who.startswith(MILLRACE):
        return ""
    told = []
    raw = results.ratios(scenario, (cell, who), (cell, REFERENCE), column.figure)
    if raw:
        told.append(f"{number(raw.median)} × raw")
    best = results.against_best_peer(scenario, cell, column.figure, column.less_is_better, who)
    if best:
        times = 1 / best[1].median if column.less_is_better else best[1].median
        told.append(f"{number(times)} × {best[0]}")
    return ", ".join(told)
