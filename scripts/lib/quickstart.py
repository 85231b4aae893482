# SPDX-License-Identifier: Apache-2.0
"""Measures millrace over loopback in the four modes and sets the figures beside documented ones."""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TEMPLATE = os.path.join(ROOT, "engine", "report", "report.html")
SECONDS = 3
RATE = 1000  # Messages a second of the latency runs: what documented CPU figures count by.
SIZE = 1000
BULK_SIZE = 16384

# Mode, its flags, and pion's documented figures: latency p50 and p99 in ms, Mbit/s, and per
# cent of a core for each 1000 messages a second.
MODES = [
    ("reliable ordered", [], (2.1, 8.3, 45, 12)),
    ("reliable unordered", ["--unordered"], (1.8, 7.1, 52, 10)),
    ("unreliable ordered", ["--max-retransmits", "0"], (1.5, 5.6, 68, 8)),
    ("unreliable unordered", ["--unordered", "--max-retransmits", "0"], (1.2, 4.2, 85, 6)),
]
LIBDATACHANNEL_MBPS = 150


class Trouble(Exception):
    """Something did not work; the text is for the person at the terminal."""


class Server:
    """`millrace serve` on ports of the kernel's choice."""

    def __init__(self, millrace, log):
        self._log = log
        with open(log, "w", encoding="utf-8") as out:
            self._process = subprocess.Popen(
                [millrace, "serve", "--http", "127.0.0.1:0", "--udp", "127.0.0.1:0"],
                stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        self.address = self._wait_for_address()

    def _wait_for_address(self):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with open(self._log, encoding="utf-8") as text:
                match = re.search(r"serving (http://\S+/)", text.read())
            if match:
                return match[1]
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        with open(self._log, encoding="utf-8") as text:
            raise Trouble(f"millrace serve did not start: {text.read().strip()}")

    def wait(self):
        return self._process.wait()

    def stop(self):
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        return self._process.wait()


def load(millrace, address, out, name, flags):
    """Runs `millrace load`; its live lines go to the terminal. Returns the report."""
    path = os.path.join(out, name.replace(" ", "-").replace(",", "") + ".json")
    print(f"-- {name}", flush=True)
    command = [millrace, "load", "--target", address + "offer", "--duration", str(SECONDS),
               "--warmup", "1", "--json", path, *flags]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    if done.returncode not in (0, 3) or not os.path.exists(path):
        raise Trouble(f"millrace load ended with {done.returncode}: {' '.join(command)}")
    with open(path, encoding="utf-8") as text:
        report = json.load(text)
    report["name"] = name
    if done.returncode == 3:
        print(f"   not as it should be: {report['faults']} {report['errors']}", flush=True)
    return report


def cpu_percent(report):
    """Per cent of a core at the server for each 1000 messages a second."""
    seconds = report["cpu"]["server_seconds"]
    thousands = report["messages_per_second"] / 1000
    if seconds is None or not thousands:
        return None
    return 100 * seconds / report["config"]["duration"] / thousands


def ratio(better, worse):
    return better / worse if worse else 0.0


def compare(mode, documented, echo, bulk):
    """Rows of the report's comparison: how many times better each figure is."""
    p50, p99, mbps, cpu = documented
    rows = []

    def add(against, what, theirs, ours, times):
        rows.append({"run": mode, "against": against, "what": what, "documented": theirs,
                     "here": ours, "ratio": times})

    for name, theirs in (("p50", p50), ("p99", p99)):
        ours = echo["latency_us"][name] / 1000
        add("pion", f"latency {name}", f"{theirs} ms", f"{ours:.3f} ms (round trip)",
            ratio(theirs, ours))
    goodput = bulk["goodput_mbps"]
    add("pion", "goodput", f"{mbps} Mbit/s", f"{goodput:.0f} Mbit/s", ratio(goodput, mbps))
    add("libdatachannel", "goodput", f"{LIBDATACHANNEL_MBPS} Mbit/s", f"{goodput:.0f} Mbit/s",
        ratio(goodput, LIBDATACHANNEL_MBPS))
    used = cpu_percent(echo)
    if used is not None:
        add("pion", "CPU per 1000 messages/s", f"{cpu} %", f"{used:.1f} %", ratio(cpu, used))
    return rows


def times(row):
    return f"{row['ratio']:.0f}x" if row["ratio"] >= 10 else f"{row['ratio']:.1f}x"


def print_table(results):
    headings = ("mode", "round trip p50/p99/p99.9", "pion p50/p99", "goodput Mbit/s", "pion",
                "libdatachannel", "CPU/1000 msg/s", "pion")
    lines = [headings]
    for mode, documented, echo, bulk, rows in results:
        by = {(row["against"], row["what"]): row for row in rows}
        ms = [echo["latency_us"][name] / 1000 for name in ("p50", "p99", "p99.9")]
        used = cpu_percent(echo)
        cpu_row = by.get(("pion", "CPU per 1000 messages/s"))
        lines.append((
            mode, "/".join(f"{value:.2f}" for value in ms) + " ms",
            f"{documented[0]}/{documented[1]} ms ({times(by['pion', 'latency p50'])}/"
            f"{times(by['pion', 'latency p99'])})",
            f"{bulk['goodput_mbps']:.0f}", f"{documented[2]} ({times(by['pion', 'goodput'])})",
            f"{LIBDATACHANNEL_MBPS} ({times(by['libdatachannel', 'goodput'])})",
            "-" if used is None else f"{used:.1f} %",
            f"{documented[3]} %" + (f" ({times(cpu_row)})" if cpu_row else "")))
    widths = [max(len(line[i]) for line in lines) for i in range(len(headings))]
    print()
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
    print(f"\nRound trips of {SIZE} bytes at {RATE} messages a second, uploads of {BULK_SIZE} bytes at"
          " full rate, server\nand load generator sharing this machine. pion and libdatachannel: their"
          " documented figures, not measured here.")


def write_html(path, runs):
    with open(TEMPLATE, encoding="utf-8") as text:
        page = text.read()
    place = 'id="runs">[]'
    data = json.dumps(runs).replace("<", "\\u003c")
    with open(path, "w", encoding="utf-8") as out:
        out.write(page.replace(place, place[:-2] + data, 1))


def measure(millrace, address, out):
    results, runs = [], []
    for mode, flags, documented in MODES:
        echo = load(millrace, address, out, f"echo, {mode}",
                    ["--pattern", "echo", "--size", str(SIZE), "--rate", str(RATE), *flags])
        bulk = load(millrace, address, out, f"upload, {mode}",
                    ["--pattern", "upload", "--size", str(BULK_SIZE), *flags])
        rows = compare(mode, documented, echo, bulk)
        echo["comparison"] = rows
        results.append((mode, documented, echo, bulk, rows))
        runs += [echo, bulk]
    return results, runs


def main():
    parser = argparse.ArgumentParser(prog="scripts/quickstart")
    parser.add_argument("--millrace", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--serve", action="store_true")
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    server = Server(options.millrace, os.path.join(options.out, "serve.log"))
    try:
        results, runs = measure(options.millrace, server.address, options.out)
        report = os.path.abspath(os.path.join(options.out, "report.html"))
        write_html(report, runs)
        print_table(results)
        print(f"\nreport with charts: {report}")
        if options.serve:
            print(f"page to try in a browser: {server.address} (Ctrl-C ends it)", flush=True)
            server.wait()
        else:
            print("to try it in a browser: scripts/quickstart --serve")
    finally:
        code = server.stop()
    good = all(run["good"] for run in runs)
    return 0 if good and code == 0 else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Trouble as trouble:
        sys.exit(f"scripts/quickstart: {trouble}")
    except KeyboardInterrupt:
        sys.exit(0)
