# SPDX-License-Identifier: Apache-2.0
"""The scenarios that take more than one load against one server."""

import contextlib
import dataclasses
import time

import statistics_of_runs as stats
from contestants import Load, Setting
from measuring import read_report
from processes import (CLIENT_CPU, SERVER_CPU, Process, Sampler, Trouble, cpu_seconds, precedence,
                       resident_bytes)

BOTH_CPUS = f"{CLIENT_CPU},{SERVER_CPU}"
SETTLED_SECONDS = 0.4
SLOWEST = 0.05  # Of what a closed loop reaches: where the search for a rate begins.


def set_up(measuring, contestant, count, dialling, times=1):
    """Set-up times, and CPU per connection and side: of `count` less that of one.

    What a process spends to start is in both and cancels out; the sessions are then idle,
    and the CPU time stands still, before they are closed. The bare handshake is measured right
    beside it. Of several `times` each figure's median counts: the machine takes some of them
    its own way.
    """
    runs = [_set_up_once(measuring, contestant, count, dialling) for _ in range(times)]
    spreads = {figure: stats.spread(run[figure] for run in runs) for figure in runs[0]}
    return {figure: spread and spread.median for figure, spread in spreads.items()}


def _set_up_once(measuring, contestant, count, dialling):
    one = _cpu_until_open(measuring, contestant, 1, dialling)
    all_ = _cpu_until_open(measuring, contestant, count, dialling)
    setup = all_["report"]["connections"]["setup_ms"]
    each = {side: 1e6 * (all_[side] - one[side]) / (count - 1) for side in ("client", "server")}
    bare = measuring.plain_handshake() if contestant.kind == "millrace" else {}
    return {"setup_p50_ms": setup["p50"], "setup_p99_ms": setup["p99"],
            "client_times_bare": stats.ratio(each["client"], bare.get("client_us")),
            "server_times_bare": stats.ratio(each["server"], bare.get("server_us")),
            "client_us_per_connection": each["client"], "server_us_per_connection": each["server"],
            "connections": count}


def _cpu_until_open(measuring, contestant, count, dialling):
    load = Load("idle", connections=count, dialling=dialling, duration=1, warmup=0)
    with measuring.server(contestant, Setting()) as (server, target):
        before = cpu_seconds(server.pid)
        outcome = measuring.load_at(contestant, server, target, load, period=0.05)
    used = {"report": outcome.report}
    for side, samples in outcome.samples.items():
        # The last still stretch: a process may also stand still while it starts.
        late = [s for s in samples if s[0] >= outcome.end - 2.5] or samples
        at = stats.plateau(late, SETTLED_SECONDS)
        if at is None:
            raise Trouble("it was too short to see its CPU time")
        used[side] = stats.value_at(samples, at) - (before if side == "server" else 0)
    return used


def idle(measuring, contestant, count, seconds):
    """Memory per connection and CPU of a server whose connections say nothing."""
    setting = Setting(max_sessions=count + 100)
    with measuring.server(contestant, setting) as (server, target):
        # The first connection brings what is made once.
        warm = Load("idle", connections=1, duration=0.3, warmup=0)
        measuring.load_at(contestant, server, target, warm, setting, period=0)
        before = resident_bytes(server.pid)
        load = Load("idle", connections=count, duration=seconds, warmup=0)
        path = measuring.path(f"{contestant.name}-idle")
        memory = []
        command = contestant.load_command(target, load, path + ".json", setting)
        with Process(command, path + ".log", CLIENT_CPU) as client, \
                Sampler({"server": server.pid}, 0.5) as sampler:
            deadline = time.monotonic() + seconds + 60 + 0.03 * count
            while (code := client.wait(1)) is None:
                memory.append((time.monotonic(), resident_bytes(server.pid)))
                if time.monotonic() > deadline:
                    raise Trouble("it did not end in time")
            from_report = read_report(path + ".json", code, client)
    length = 0.8 * seconds
    begin = stats.plateau(sampler.samples["server"], length)
    if begin is None or not memory:
        raise Trouble("the connections did not stay idle for long enough")
    middle = stats.value_at(memory, begin + length / 2)
    used = stats.slope(sampler.samples["server"], begin, begin + length)
    return {"connections": from_report["connections"]["opened"],
            "kib_per_connection": (middle - before) / 1024 / count,
            "server_cpu_percent": None if used is None else 100 * used,
            "setup_p50_ms": from_report["connections"]["setup_ms"]["p50"]}


def impaired(measuring, contestant, load, delay_ms, loss_percent):
    with measuring.server(contestant, Setting()) as (server, target), \
            measuring.impaired(target, delay_ms, loss_percent) as through:
        report = measuring.load_at(contestant, server, through, load, period=0).report
    return {"goodput_mbps": report["goodput_mbps"], "setup_p50_ms": report["connections"]["setup_ms"]["p50"]}


def waited_figures(cpu):
    return {f"{side}_waited_ms": 1e3 * cpu[f"{side}_waited_seconds"] for side in ("client", "server")}


def ping_figures(ping):
    return {"p50_us": ping["p50_us"], "p99_us": ping["p99_us"], "p99.9_us": ping["p999_us"],
            "messages_per_second": ping["round_trips"] / ping["seconds"]}


def paced_ping(measuring, contestant, seconds, answering, prefix=()):
    """Plain sockets at 1,000/s: the reports of who answers, which waits so, and of who asks."""
    return measuring.reference(
        contestant, "pong", "ping",
        ["--duration", f"{seconds:g}", "--warmup", "0.5", "--size", "100", "--rate", "1000",
         "--wait", "block"],
        ["--wait", answering], prefix)


def storm_floor(measuring, contestant, seconds):
    """Plain sockets that wait as storm's two ends do, with no handshake anywhere.

    What these lose at p99.9, the machine takes from everybody.
    """
    _, ping = paced_ping(measuring, contestant, seconds, "spin", precedence(first=True))
    return ping_figures(ping)


def storm(measuring, contestant, seconds):
    """Latency of an established echo while another process dials and closes, 300 a second.

    The server's shard spins on its processor; its handshake worker and the dialler run
    where they find room. The echoing client blocks, and goes before everybody else on its
    processor: it is the server that is measured, not who else runs beside the client.
    """
    setting = Setting(wait="spin", server_cpus=BOTH_CPUS)
    rate = 300
    dialled = Load("idle", connections=int(rate * (seconds + 2)), duration=0.1, warmup=0,
                   dialling=256)
    echo = Load("echo", 100, rate="1000", duration=seconds, warmup=0.5)
    with measuring.server(contestant, setting) as (server, target), contextlib.ExitStack() as stack:
        path = measuring.path("storm")
        command = contestant.load_command(target, dialled, path + ".json", Setting())
        command += ["--dial-rate", str(rate), "--hold", "200"]
        dialler = stack.enter_context(Process(command, path + ".log", CLIENT_CPU,
                                              precedence(first=False)))
        time.sleep(0.8)
        outcome = measuring.load_at(contestant, server, target, echo, Setting(wait="block"),
                                    period=0, prefix=precedence(first=True))
        code = dialler.wait(60)
        if code is None:
            raise Trouble("the dialler did not end in time")
        dialled_report = read_report(path + ".json", code, dialler)
    latency, cpu = outcome.report["latency_us"], outcome.report["cpu"]
    return {"p50_us": latency["p50"], "p99_us": latency["p99"], "p99.9_us": latency["p99.9"],
            "max_us": latency["max"], **waited_figures(cpu),
            "handshakes": dialled_report["connections"]["opened"],
            "setup_p50_ms": dialled_report["connections"]["setup_ms"]["p50"],
            "setup_p99_ms": dialled_report["connections"]["setup_ms"]["p99"]}


@dataclasses.dataclass(frozen=True)
class _Thousand:
    """Echoes over 1,000 connections and one shard, on one server after another."""
    measuring: object
    contestant: object

    def run(self, wait, period=0, **traffic):
        # As with ping-pong, nobody looks on where both processors spin: a look is a pause of
        # a millisecond, and ten of those a second are one message in a hundred.
        load = Load("echo", 100, connections=1000, warmup=0.7, dialling=64, **traffic)
        return self.measuring.load(self.contestant, load, Setting(wait=wait), period=period)

    def sustains(self, rate):
        try:
            report = self.run("spin", rate=f"{rate:.0f}", duration=1.5).report
        except Trouble:
            return False
        # Nothing piled up: all that was due was sent and came back, and without a queue.
        return report["messages_per_second"] >= 0.99 * rate and not report["faults"]["unsent"] \
            and report["latency_us"]["p99"] < 20_000


def thousand(measuring, contestant, steps, times):
    """The highest rate, then latency at 80 % of it: the median of several `times`, for a rate
    found in the machine's better moments may be all that it has in others."""
    each = _Thousand(measuring, contestant)
    closed = each.run("block", period=0.2, rate="max", outstanding=4, duration=2)
    ceiling = closed.report["messages_per_second"]
    highest = stats.highest_sustained(each.sustains, SLOWEST * ceiling, 1.3 * ceiling, steps)
    if not highest:
        raise Trouble(f"no rate above {SLOWEST * ceiling:.0f}/s is sustained")
    runs = [_at_rate(each, 0.8 * highest) for _ in range(times)]
    medians = {figure: stats.median(run[figure] for run in runs) for figure in runs[0]}
    return {"highest_per_second": highest, "closed_loop_per_second": ceiling,
            "closed_loop_client_cores": closed.cores("client"),
            "closed_loop_server_cores": closed.cores("server"), **medians}


def _at_rate(thousand_echoes, rate):
    report = thousand_echoes.run("spin", rate=f"{rate:.0f}", duration=3).report
    latency = report["latency_us"]
    return {"seconds": report["config"]["duration"], **waited_figures(report["cpu"]),
            "rate_at_80_percent": report["messages_per_second"],
            "p50_us": latency["p50"], "p99_us": latency["p99"], "p99.9_us": latency["p99.9"]}
