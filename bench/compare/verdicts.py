# SPDX-License-Identifier: Apache-2.0
"""The table of what must come out, and whether the comparison is valid at all."""

import dataclasses

from results import MILLRACE, REFERENCE

RELIABLE_ORDERED = "reliable ordered, 16 KiB"
OTHER_MODES = ("reliable unordered, 16 KiB", "unreliable ordered, 16 KiB",
               "unreliable unordered, 16 KiB")
LARGE = "millrace, MTU 9000"
BBR = "millrace, BBR"
KERNEL = "millrace, kernel"
RAW_UDP = "raw UDP"  # Beside bare frames.
PEER_FLOOR = 0.8


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of the table. `must` and `aim` are bounds in the unit of `value`."""
    figure: str
    value: float = None
    unit: str = ""
    must: float = None
    aim: float = None
    at_least: bool = True  # False: at most.
    note: str = ""

    def _holds(self, bound):
        # What is compared is what is shown.
        value = float(number(self.value).replace(",", ""))
        return value >= bound if self.at_least else value <= bound

    @property
    def verdict(self):
        if self.value is None:
            return "not measured" if not self.note.startswith("failed") else "failed"
        if self.must is None:
            return "reported"
        if not self._holds(self.must):
            return "not met"
        return "aim reached" if self.aim is not None and self._holds(self.aim) else "met"

    @property
    def is_fault(self):
        return self.verdict in ("not met", "failed")

    def bound(self, which):
        value = getattr(self, which)
        if value is None:
            return "report" if which == "must" and self.must is None else ""
        return f"{'≥' if self.at_least else '≤'} {value:,.10g}{self.unit}"

    def shown(self):
        return "–" if self.value is None else number(self.value) + self.unit

    def as_json(self):
        return {**dataclasses.asdict(self), "verdict": self.verdict}


def number(value):
    """Three digits that count, with thousands set apart."""
    if value is None:
        return "–"
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.2g}"


def rounds(spread):
    """What the rounds of a figure say, where they were several."""
    if len(spread.values) < 2:
        return "one round"
    return f"{number(spread.low)} to {number(spread.high)} in {len(spread.values)} rounds"


class Table:
    """Makes the lines out of Results."""

    def __init__(self, results):
        self._results = results

    def lines(self):
        return [*self._bulk(), *self._ping_pong(), *self._open_loop(), *self._set_up(),
                *self._idle(), *self._distance(), *self._many(), *self._records()]

    def lines_over_dpdk(self):
        """What must come out with --io dpdk: against bare frames, and against the kernel's path."""
        results = self._results
        where = ("bulk", RELIABLE_ORDERED)
        for name, found, must, aim in (
                ("bare frames", results.against_reference(*where, "goodput_mbps"), 0.12, 0.20),
                ("the engine over the kernel",
                 results.ratios("bulk", (RELIABLE_ORDERED, MILLRACE), (RELIABLE_ORDERED, KERNEL),
                                "goodput_mbps"), 1.2, None)):
            note = f"{number(self._get(*where, 'goodput_mbps'))} Mbit/s, {rounds(found)}" if found else ""
            if found and aim is None:
                note += self._frames_against_udp(where)
            yield self._line(f"reliable ordered, 16 KiB, goodput against {name}", found and found.median,
                             " ×", must, aim, True, where, note)
        for figure, name in (("p50_us", "p50"), ("p99.9_us", "p99.9")):
            found = results.against_reference("ping-pong", "spin", figure)
            note = (f"{number(self._get('ping-pong', 'spin', figure))} against "
                    f"{number(self._get('ping-pong', 'spin', figure, REFERENCE))} µs") if found else ""
            yield self._line(f"ping-pong 100 B, spin: {name} against bare frames", found and found.median,
                             " ×", 3, None, False, ("ping-pong", "spin"), note)
        yield self._loss()

    def _frames_against_udp(self, where):
        """What the device itself has ahead of the kernel: the engine costs the same over both."""
        found = self._results.ratios("bulk", (where[1], REFERENCE), (where[1], RAW_UDP), "goodput_mbps")
        return f"; bare frames are {number(found.median)} × raw UDP" if found else ""

    def _get(self, scenario, cell, figure, who=MILLRACE):
        return self._results.median(scenario, cell, who, figure)

    def _line(self, figure, value, unit, must, aim, at_least, where, note=""):
        """A line whose note is the failure of its run where it has no value."""
        if value is None:
            for who in (MILLRACE, REFERENCE):
                reason = self._results.failure(*where, who)
                if reason:
                    return Line(figure, None, unit, must, aim, at_least, f"failed: {who}: {reason}")
        return Line(figure, value, unit, must, aim, at_least, note)

    def _bulk(self):
        results = self._results
        where = ("bulk", RELIABLE_ORDERED)
        ours = self._get(*where, "goodput_mbps")
        found = results.against_reference(*where, "goodput_mbps")
        note = ""
        if found:
            raw = self._get(*where, "goodput_mbps", REFERENCE)
            note = f"{number(ours)} of {number(raw)} Mbit/s, {rounds(found)}"
        yield self._line("reliable ordered, 16 KiB, goodput against the raw reference",
                         found and found.median, " ×", 0.30, 0.45, True, where, note)
        best = results.against_best_peer(*where, "goodput_mbps")
        note = "no peer has a figure"
        if best:
            theirs = self._get(*where, "goodput_mbps", best[0])
            note = f"{best[0]}: {number(theirs)} Mbit/s, {rounds(best[1])}"
        yield self._line("same against the best peer", best and best[1].median, " ×", 15, 25, True,
                         where, note)
        modes = {mode: self._get("bulk", mode, "against_reliable_ordered") for mode in OTHER_MODES}
        worst = min(modes, key=lambda mode: modes[mode] or 0)  # One without a figure, if there is.
        note = ", ".join(f"{mode.split(',')[0]} {number(modes[mode])}" for mode in modes
                         if modes[mode] is not None)
        yield self._line("the least of the other three modes against reliable ordered",
                         modes[worst], " ×", 1.0, None, True, ("bulk", worst), note)
        yield self._line("payload Gbit per CPU second, both ends added",
                         self._get(*where, "gbit_per_cpu_second"), "", 5, 8, True, where)
        large = self._get(*where, "goodput_mbps", LARGE)
        note = f"{number(large)} Mbit/s" if large else ""
        yield Line("same with 9000-byte datagrams", self._get(*where, "gbit_per_cpu_second", LARGE),
                   note=note)
        small = ("messages", "100 B, reliable ordered")
        yield self._line("100-byte messages a second, reliable ordered",
                         self._get(*small, "messages_per_second"), "", 3e6, 6e6, True, small)
        yield self._loss()

    def _loss(self):
        """Every run counts, not the median: a clean loopback loses nothing."""
        cells = [cell for cell in self._results.cells("bulk") if cell.startswith("unreliable")]
        lost = {}
        for cell in cells:
            if self._results.failure("bulk", cell, MILLRACE):
                return self._line("loss on a clean loopback in unreliable modes", None, " messages",
                                  0, None, False, ("bulk", cell))
            for run in self._results.of("bulk", cell, MILLRACE):
                lost[cell] = max(lost.get(cell, 0), run["figures"].get("lost_messages", 0))
        note = ", ".join(f"{cell}: {number(count)}" for cell, count in lost.items() if count)
        return Line("loss on a clean loopback in unreliable modes",
                    max(lost.values()) if lost else None, " messages", 0, None, False, note)

    def _ping_pong(self):
        def against_raw(wait, figure):
            found = self._results.against_reference("ping-pong", wait, figure)
            return found and found.median

        def note(wait, figure):
            found = self._results.against_reference("ping-pong", wait, figure)
            ours = self._get("ping-pong", wait, figure)
            raw = self._get("ping-pong", wait, figure, REFERENCE)
            return f"{number(ours)} against {number(raw)} µs, {rounds(found)}" if found else ""

        for figure, must, aim in (("p50_us", 2, 1.5), ("p99_us", 2.5, None)):
            yield self._line(f"ping-pong 100 B, spin: {figure[:3]} against raw spin",
                             against_raw("spin", figure), " ×", must, aim, False,
                             ("ping-pong", "spin"), note("spin", figure))
        yield self._line("ping-pong 100 B, spin: p99.9", self._get("ping-pong", "spin", "p99.9_us"),
                         " µs", 100, None, False, ("ping-pong", "spin"))
        yield self._line("ping-pong 100 B, block: p50 against raw blocking",
                         against_raw("block", "p50_us"), " ×", 1.3, 1.1, False,
                         ("ping-pong", "block"), note("block", "p50_us"))

    def _open_loop(self):
        where = ("open loop", "1,000/s, 100 B")
        sides = [self._get(*where, f"{side}_cpu_percent") for side in ("client", "server")]
        raw = [self._get(*where, f"{side}_cpu_percent", REFERENCE) for side in ("client", "server")]
        known = None not in sides
        note = f"client {number(sides[0])} %, server {number(sides[1])} %" if known else ""
        if known and None not in raw:
            note += f"; plain sockets alone {number(raw[0])} % and {number(raw[1])} %"
        yield self._line("1,000 messages a second, block: CPU of one core, the greater side",
                         max(sides) if known else None, " %", 5, 3, False, where,
                         note)

    def _set_up(self):
        cells = ("sequential", "64 in flight")
        failed = next((cell for cell in cells if self._results.failure("set-up", cell, MILLRACE)), None)
        worst, notes = None, []
        # Where one cell failed, the other's figure says nothing of the greatest.
        for cell in () if failed else cells:
            for side in ("client", "server"):
                used = self._get("set-up", cell, f"{side}_us_per_connection")
                each = self._get("set-up", cell, f"{side}_times_bare")
                if used is None or each is None:
                    continue
                worst = each if worst is None else max(worst, each)
                notes.append(f"{cell} {side} {number(used)} µs ({number(each)} ×)")
        yield self._line("set-up: CPU per connection against BoringSSL alone, the greatest", worst,
                         " ×", 2, 1.3, False, ("set-up", failed or cells[-1]), ", ".join(notes))
        where = ("set-up", "sequential")
        yield self._line("set-up, sequential, p50", self._get(*where, "setup_p50_ms"), " ms", 2.5,
                         1.5, False, where)

    def _idle(self):
        where = ("idle", "idle connections")
        count = self._get(*where, "connections")
        note = f"{number(count)} connections" if count else ""
        yield self._line("memory per idle connection at the server",
                         self._get(*where, "kib_per_connection"), " KiB", 16, 8, False, where, note)
        yield self._line("CPU of the server for 10,000 idle connections",
                         self._get(*where, "server_cpu_percent"), " %", 10, 3, False, where, note)

    def _distance(self):
        for loss, must in ((0, 900), (1, 300)):
            where = ("20 ms RTT", f"{loss} % loss")
            best = self._results.against_best_peer(*where, "goodput_mbps")
            note = ""
            if best:
                note = f"{best[0]}: {number(self._get(*where, 'goodput_mbps', best[0]))} Mbit/s"
            reason = self._results.failure(*where, BBR)
            yield Line(f"20 ms RTT, {loss} % loss, BBR: goodput", self._get(*where, "goodput_mbps", BBR),
                       " Mbit/s", must, note=f"failed: {reason}" if reason else note)

    def _many(self):
        where = ("handshake storm", "echo at 1,000/s, 300 handshakes a second")
        p999 = self._get(*where, "p99.9_us")
        floor = self._get(*where, "p99.9_us", REFERENCE)
        note = f"plain sockets without a handshake: {number(floor / 1000)} ms" if floor else ""
        yield self._line("spin: p99.9 of an echo while 300 handshakes a second arrive",
                         p999 and p999 / 1000, " ms", 1, 0.3, False, where, note)
        where = ("1,000 connections", "echo 100 B through one shard")
        p99, rate = self._get(*where, "p99_us"), self._get(*where, "highest_per_second")
        sides = [self._get(*where, f"closed_loop_{side}_cores") for side in ("client", "server")]
        note = ""
        if rate and None not in sides:
            near = min(sides) > 0.95 * max(sides)
            bound = "both cores" if near else f"the {('client', 'server')[sides[1] > sides[0]]}'s core"
            note = (f"highest rate {number(rate)}/s, bound by {bound} (client "
                    f"{number(100 * sides[0])} %, server {number(100 * sides[1])} % in closed loop)")
        waited = [self._get(*where, f"{side}_waited_ms") for side in ("client", "server")]
        if note and None not in waited:
            note += (f"; in the {number(self._get(*where, 'seconds'))} s measured other programs had "
                     f"the client's core for {number(waited[0])} ms, the server's for "
                     f"{number(waited[1])} ms")
        yield self._line("spin: 1,000 connections, p99 at 80 % of the highest rate",
                         p99 and p99 / 1000, " ms", 1, None, False, where, note)

    def _records(self):
        where = ("bulk", RELIABLE_ORDERED)
        both = [self._get(*where, f"records_per_{call}_p50") for call in ("seal", "open")]
        known = None not in both
        yield self._line("records per seal call and per open call in bulk, the lesser median",
                         min(both) if known else None, "", 16, None, True, where,
                         f"seal {number(both[0])}, open {number(both[1])}" if known else "")


def disturbances(results, limit):
    """Says that the machine was not quiet; empty when it was."""
    disturbed = results.disturbed(limit)
    if not disturbed:
        return []
    most = max(run["foreign_processors"] for run in disturbed)
    return [f"{len(disturbed)} of {len(results.runs)} runs were disturbed, tried again or not: other "
            f"programs kept up to {number(most)} processors busy"]


def peer_faults(results, expected, ran):
    """Why the comparison is not valid: peers that fall short of what is known of them.

    `expected` is expected.json. Where this machine's raw reference is slower than that
    of the machine of the figures, so may be the peers.
    """
    raw = results.reference_goodput()
    scale = 1.0
    if raw is not None:
        scale = min(1.0, raw.median / expected["machine"]["reference_goodput_mbps"])
    faults = []
    for name, figures in expected["peers"].items():
        for wanted in figures:
            scenario, cell, figure = wanted["scenario"], wanted["cell"], wanted["figure"]
            if name not in ran or not results.of(scenario, cell, name):
                continue
            what = f"{name}, {scenario}, {cell}"
            reason = results.failure(scenario, cell, name)
            if reason:
                faults.append(f"{what}: failed: {reason}")
                continue
            got = results.median(scenario, cell, name, figure)
            if got is None:
                faults.append(f"{what}: no {figure}")
            elif wanted.get("less_is_better"):
                bound = wanted["value"] / (PEER_FLOOR * scale)
                if got > bound:
                    faults.append(f"{what}: {figure} {number(got)}, at most {number(bound)} "
                                  f"was to be expected")
            elif got < wanted["value"] * PEER_FLOOR * scale:
                faults.append(f"{what}: {figure} {number(got)}, at least "
                              f"{number(wanted['value'] * PEER_FLOOR * scale)} was to be expected")
    return faults
