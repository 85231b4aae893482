# SPDX-License-Identifier: Apache-2.0
"""Measures millrace, the raw reference and its peers in one run. Started by scripts/compare."""

import argparse
import dataclasses
import json
import os
import platform
import re
import resource
import signal
import sys
import time

import report_html
import report_markdown
import scenarios
from contestants import PEERS, Millrace, find_peers
from measuring import Measuring
from processes import Foreign, Trouble
from results import REFERENCE, Results
from verdicts import BBR, KERNEL, LARGE, RAW_UDP, Table, disturbances, number, peer_faults

HERE = os.path.dirname(os.path.abspath(__file__))
EXIT_OK, EXIT_ERROR, EXIT_NOT_MET, EXIT_INVALID, EXIT_STOPPED = 0, 1, 3, 4, 130
# Others may keep so many processors busy beside a run; with more it is made again, so often.
DISTURBED = 0.15
TRIES = 3
RETRY_SECONDS = 2
# The reference's greatest figure by its least, above which a report says that speed varied.
DRIFT = 1.3
# What an MTU of 9000 bytes leaves of a packet after IPv4 and UDP.
LARGE_DATAGRAM = 8972
# What a progress line shows of a run: the first that it has.
HEADLINES = (("goodput_mbps", "Mbit/s"), ("kib_per_connection", "KiB each"),
             ("highest_per_second", "messages/s"), ("p50_us", "us p50"),
             ("setup_p50_ms", "ms set-up"), ("both_us", "us of CPU"))


class Reference:
    kind = "reference"

    def __init__(self, name=REFERENCE, io=""):
        """`io`: another than the comparison's."""
        self.name = name
        self.io = io


@dataclasses.dataclass(frozen=True)
class Plan:
    """Who takes part in what, and how often. Contestants are tuples."""
    quick: bool
    rounds: int
    reference: tuple
    millrace: tuple
    large_datagrams: tuple
    peers: tuple
    bbr: tuple = ()
    paced: tuple = ()  # The reference where it can send by the clock.

    @property
    def everyone(self):
        return self.millrace + self.peers


@dataclasses.dataclass
class Comparison:
    """All that the reports say."""
    results: Results
    machine: dict
    options: dict
    skipped: dict
    stopped: bool = False  # Before all was measured.
    lines: list = dataclasses.field(default_factory=list)
    faults: list = dataclasses.field(default_factory=list)

    def conclude(self, expected, ran):
        table = Table(self.results)
        self.lines = list(table.lines_over_dpdk() if self.options["io"] == "dpdk" else table.lines())
        self.faults = disturbances(self.results, DISTURBED) + peer_faults(self.results, expected, ran)
        if self.stopped:
            self.faults.insert(0, "it was stopped before all was measured")

    def machine_line(self):
        raw = self.results.reference_goodput()
        what = "bare frames over a memif" if self.options["io"] == "dpdk" else "raw GSO/GRO reference"
        speed = f"; {what} {number(raw.median)} Mbit/s" if raw else ""
        if raw and raw.high > DRIFT * raw.low:
            speed += (f" (from {number(raw.low)} to {number(raw.high)}: the machine's speed varied, "
                      "trust ratios alone)")
        return (f"{self.machine['cpu']}, {self.machine['cpus']} processors, "
                f"{self.machine['kernel']}, {self.machine['time']}{speed}")

    def method_line(self):
        way = "over a memif" if self.options["io"] == "dpdk" else "on loopback"
        return (f"Two processes {way}, the client on processor 0, the server on processor 1; "
                f"{self.options['rounds']} rounds, contestants in turn; medians, least and greatest "
                f"in brackets. millrace: I/O {self.options['io']}, defaults"
                + (", shorter windows (--quick)." if self.options["quick"] else "."))

    def as_json(self):
        return {"schema": 1, "machine": self.machine, "options": self.options,
                "valid": not self.faults, "stopped": self.stopped, "faults": self.faults, "skipped": self.skipped,
                "verdicts": [line.as_json() for line in self.lines],
                "summary": self.results.summary(), "runs": self.results.runs}


def this_machine():
    with open("/proc/cpuinfo", encoding="utf-8") as text:
        model = re.search(r"^model name\s*: (.+)$", text.read(), re.MULTILINE)
    return {"cpu": model[1] if model else "unknown", "cpus": os.cpu_count(),
            "kernel": f"{platform.system()} {platform.release()}",
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


def headline(figures):
    for name, unit in HEADLINES:
        if figures.get(name) is not None:
            return f"{number(figures[name])} {unit}"
    return "done"


def run_cells(cells, measuring, results):
    """All contestants of all cells of a scenario in turn, round by round."""
    total = sum(cell.rounds * len(cell.contestants) for cell in cells)
    done, began = 0, time.monotonic()
    # On a machine that is never quiet it would take three times as long and help nothing.
    retries = Retries(max(4, total // 5))
    for scenario in dict.fromkeys(cell.scenario for cell in cells):
        group = [cell for cell in cells if cell.scenario == scenario]
        for round_ in range(1, max(cell.rounds for cell in group) + 1):
            for cell in group:
                if round_ > cell.rounds:
                    continue
                for contestant in cell.contestants:
                    done += 1
                    at = time.monotonic() - began
                    print(f"[{done:3}/{total} {at:5.0f} s] {scenario}: {cell.key}: "
                          f"{contestant.name}: ", end="", flush=True)
                    run_one(cell, contestant, round_, measuring, results, retries)


def attempt(cell, contestant, measuring):
    """(figures, failed, processors that others kept busy) of one run."""
    foreign = Foreign()
    try:
        figures, failed = cell.run(measuring, contestant), None
    except Trouble as trouble:
        figures, failed = {}, " ".join(str(trouble).split())[:300]
    return figures, failed, foreign.processors()


@dataclasses.dataclass
class Retries:
    left: int

    def take(self):
        self.left -= 1
        return self.left >= 0


def run_one(cell, contestant, round_, measuring, results, retries):
    """Tries again, after a while, when others kept the processors busy."""
    for tries_left in reversed(range(TRIES)):
        figures, failed, foreign = attempt(cell, contestant, measuring)
        if foreign <= DISTURBED or not tries_left or not retries.take():
            break
        print(f"disturbed ({number(foreign)} processors); again: ", end="", flush=True)
        time.sleep(RETRY_SECONDS)
    results.add(cell.scenario, cell.key, contestant.name, round_, figures, failed, foreign)
    print(f"failed: {failed}" if failed else headline(figures),
          "(disturbed)" if foreign > DISTURBED else "", flush=True)


def write(path, text):
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


def deliver(comparison, out):
    write(os.path.join(out, "compare.json"),
          json.dumps(comparison.as_json(), indent=1, ensure_ascii=False) + "\n")
    write(os.path.join(out, "compare.md"), report_markdown.to_markdown(comparison))
    write(os.path.join(out, "compare.html"), report_html.to_html(comparison))
    if comparison.faults:
        print("\nThis comparison is not valid:")
        for fault in comparison.faults:
            print(f"  {fault}")
    print()
    wide = max(len(line.figure) for line in comparison.lines)
    for line in comparison.lines:
        print(f"{line.figure.ljust(wide)}  {line.bound('must'):>16}  {line.shown():>14}  "
              f"{line.verdict}")
    print(f"\n{os.path.join(out, 'compare.html')}, compare.md, compare.json")


def exit_code(comparison):
    if comparison.stopped:
        return EXIT_STOPPED
    if comparison.faults:
        return EXIT_INVALID
    return EXIT_NOT_MET if any(line.is_fault for line in comparison.lines) else EXIT_OK


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"{self.prog}: {message} (--help shows all)\n")


def parse():
    parser = Parser(prog="scripts/compare", description=__doc__, allow_abbrev=False)
    parser.add_argument("--build", required=True, help="build directory")
    parser.add_argument("--peer-dir", required=True, help="where bench/peers/build put the peers")
    parser.add_argument("--out", required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--only", default="")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--io", choices=("auto", "uring", "sockets", "dpdk"), default="auto")
    parser.add_argument("--check-usage", action="store_true", help="do no more than that")
    options = parser.parse_args()
    options.peers = [p for p in options.peers.split(",") if p and p != "none"]
    options.only = [s for s in options.only.split(",") if s] or (
        list(scenarios.OVER_DPDK) if options.io == "dpdk" else list(scenarios.SCENARIOS))
    for given, known, flag in ((options.peers, PEERS, "--peers"),
                               (options.only, scenarios.SCENARIOS, "--only")):
        for name in given:
            if name not in known:
                parser.error(f"{flag}: unknown '{name}', expected some of {', '.join(known)}")
    if options.rounds is not None and not 1 <= options.rounds <= 100:
        parser.error(f"--rounds: {options.rounds}, expected 1 to 100")
    return options


def find_programs(build):
    programs = {"millrace": "engine/cli/millrace",
                "reference": "bench/reference/millrace-reference",
                "impair": "bench/impair/millrace-impair",
                "handshake": "bench/handshake/millrace-handshake"}
    return {name: os.path.join(build, path) for name, path in programs.items()
            if os.access(os.path.join(build, path), os.X_OK)}


def make_plan(options, programs, peers):
    program = programs["millrace"]
    if options.io == "dpdk":  # Beside the engine's own path through the kernel.
        both = (Millrace(program, "dpdk"), Millrace(program, "auto", KERNEL))
        return Plan(quick=options.quick, rounds=options.rounds or (2 if options.quick else 3),
                    reference=(Reference(), Reference(RAW_UDP, "sockets")), millrace=both,
                    large_datagrams=(), peers=tuple(peers))
    return Plan(quick=options.quick, rounds=options.rounds or (2 if options.quick else 3),
                reference=(Reference(),), millrace=(Millrace(program, options.io),),
                large_datagrams=(Millrace(program, options.io, LARGE, LARGE_DATAGRAM),), peers=tuple(peers),
                bbr=(Millrace(program, options.io, BBR, congestion="bbr"),), paced=(Reference(),))


def main():
    options = parse()
    if options.check_usage:
        return EXIT_OK
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if os.cpu_count() < 2:
        raise Trouble("two processors are needed")
    programs = find_programs(options.build)
    if "millrace" not in programs:
        raise Trouble(f"no engine/cli/millrace in {options.build}")
    # One socket for each connection that is dialled.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    peers, skipped = find_peers(options.peers, options.peer_dir)
    plan = make_plan(options, programs, peers)
    for name, why in skipped.items():
        print(f"{name} takes no part: {why}", flush=True)
    os.makedirs(options.out, exist_ok=True)
    measuring = Measuring(programs, options.out, options.io)
    comparison = Comparison(Results(), this_machine(),
                            {"quick": options.quick, "rounds": plan.rounds, "io": options.io,
                             "only": options.only}, skipped)
    cells = [cell for name in options.only for cell in scenarios.SCENARIOS[name](plan)]
    try:
        run_cells(cells, measuring, comparison.results)
    except KeyboardInterrupt:
        comparison.stopped = True
        print("\nstopped: the reports show what there is", flush=True)
    if not comparison.results.runs:
        raise Trouble("nothing was measured")
    with open(os.path.join(HERE, "expected.json"), encoding="utf-8") as text:
        comparison.conclude(json.load(text), [peer.name for peer in peers])
    deliver(comparison, options.out)
    return exit_code(comparison)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Trouble as trouble:
        print(f"scripts/compare: {trouble}", file=sys.stderr)
        sys.exit(EXIT_ERROR)
