# SPDX-License-Identifier: Apache-2.0
"""Processes under measurement: pinned, watched through /proc, always ended."""

import functools
import os
import resource
import select
import signal
import subprocess
import threading
import time

CLIENT_CPU = "0"
SERVER_CPU = "1"


class Trouble(Exception):
    """A run that did not work; the text is the reason that the report shows."""


def _descendants(pid):
    found = [pid]
    for parent in found:
        try:
            for task in os.listdir(f"/proc/{parent}/task"):
                with open(f"/proc/{parent}/task/{task}/children", encoding="ascii") as text:
                    found += [int(child) for child in text.read().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def _thread_seconds(pid):
    """CPU time of the living threads, to the nanosecond."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as text:
                total += int(text.read().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            continue  # A thread ended meanwhile: /proc/PID/stat still counts it.
    return total * 1e-9


def _stat_seconds(pid):
    """CPU time of all threads, ended ones too, to the clock tick."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as text:
        fields = text.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """CPU time of a process and its children so far; None when it is gone."""
    total, seen = 0.0, False
    for each in _descendants(pid):
        try:
            coarse = _stat_seconds(each)
            try:
                fine = _thread_seconds(each)
            except OSError:
                fine = 0.0
        except (FileNotFoundError, ProcessLookupError):
            continue
        # Threads that ended are missing in the fine figure; below two ticks they are equal.
        total += fine if abs(coarse - fine) < 0.021 else max(coarse, fine)
        seen = True
    return total if seen else None


def resident_bytes(pid):
    """Memory that a process and its children hold: RSS, kernel memory apart."""
    total = 0
    for each in _descendants(pid):
        try:
            with open(f"/proc/{each}/smaps_rollup", encoding="ascii", errors="replace") as text:
                for line in text:
                    if line.startswith("Rss:"):
                        total += int(line.split()[1]) * 1024
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total


@functools.lru_cache
def precedence(first):
    """What puts a program before all others on its processor, or behind them.

    As far as this user may: without the right to, a program that goes first just does not.
    """
    wanted = ["chrt", "--fifo", "1"] if first else ["chrt", "--idle", "0"]
    try:
        allowed = subprocess.run([*wanted, "true"], capture_output=True, timeout=5).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        allowed = False
    if allowed:
        return wanted
    return [] if first else ["nice", "-n", "19"]


class Process:
    """A program in a session of its own, pinned, with its output in a file."""

    def __init__(self, command, log, cpus=None, prefix=()):
        self.command = command
        self.log = log
        # Whatever becomes of the driver, nothing goes on without it.
        prefix = ["setpriv", "--pdeathsig", "KILL", *prefix]
        if cpus:
            prefix = ["taskset", "-c", cpus, *prefix]
        self.started = time.monotonic()
        with open(log, "w", encoding="utf-8") as out:
            self._process = subprocess.Popen(
                [*prefix, *command], stdout=out, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, start_new_session=True)
        self.pid = self._process.pid
        self._pidfd = os.pidfd_open(self.pid)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def wait(self, seconds):
        """The exit code, without looking again and again; None when it goes on."""
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        poll.poll(max(0, seconds) * 1000)
        return self._process.poll()

    def wait_for_line(self, pattern, seconds):
        """The match of a pattern in its output; Trouble when it does not come."""
        deadline = time.monotonic() + seconds
        while True:
            match = pattern.search(self.output())
            if match:
                return match
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise Trouble(f"{os.path.basename(self.command[0])} did not start: {self.tail()}")
            time.sleep(0.02)

    def output(self):
        with open(self.log, encoding="utf-8", errors="replace") as text:
            return text.read()

    def tail(self):
        lines = [line.strip() for line in self.output().splitlines() if line.strip()]
        return lines[-1][:200] if lines else "no output"

    def stop(self, patience=3):
        if self._process.poll() is None:
            self._signal(signal.SIGTERM)
            if self.wait(patience) is None:
                self._signal(signal.SIGKILL)
                self._process.wait()
        self._signal(signal.SIGKILL)  # What it may have left in its session.
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None

    def _signal(self, number):
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            pass


class Foreign:
    """Processors that programs of others, or other guests of the host, keep busy meanwhile."""

    def __init__(self):
        self._from = self._read()

    @staticmethod
    def _read():
        with open("/proc/stat", encoding="ascii") as text:
            fields = [int(field) for field in text.readline().split()[1:]]
        user, nice, system, steal = fields[0], fields[1], fields[2], fields[7]
        ticks = os.sysconf("SC_CLK_TCK")
        used = sum(sum(resource.getrusage(who)[:2])
                   for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return time.monotonic(), (user + nice + system + steal) / ticks - used

    def processors(self):
        """Since this was made; all processes that were started have ended."""
        (then, before), (now, after) = self._from, self._read()
        return max(0.0, after - before) / max(now - then, 1e-3)


class Sampler:
    """Notes the CPU time of processes every so often: {name: [(time, seconds)]}."""

    def __init__(self, pids, period):
        self.samples = {name: [] for name in pids}
        self._pids = pids
        self._period = period
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _run(self):
        while True:
            for name, pid in self._pids.items():
                used = cpu_seconds(pid)
                if used is not None:
                    self.samples[name].append((time.monotonic(), used))
            if self._stop.wait(self._period):
                return
