# SPDX-License-Identifier: Apache-2.0
"""Running the program: servers, loads, and HTTP requests to them."""

import contextlib
import glob
import http.client
import json
import os
import re
import signal
import subprocess
import tempfile
import time

START_SECONDS = 30
LIMIT_SECONDS = 120  # Of anything that should take seconds.

OFFER = "\r\n".join([
    "v=0", "o=- 4611731400430051336 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0",
    "a=extmap-allow-mixed", "a=msid-semantic: WMS",
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "c=IN IP4 0.0.0.0",
    "a=candidate:1467250027 1 udp 2122260223 127.0.0.1 9 typ host generation 0",
    "a=ice-ufrag:4ZcD", "a=ice-pwd:2/1muCWoOi3uLifh0NuRHlrk", "a=ice-options:trickle",
    "a=fingerprint:sha-256 " + ":".join(f"{i:02X}" for i in range(32)),
    "a=setup:actpass", "a=mid:0", "a=sctp-port:5000", "a=max-message-size:262144", ""])


class Failed(Exception):
    """A case is not as it should be; the text says what was seen."""


def expect(condition, seen):
    if not condition:
        raise Failed(str(seen))


def find_millrace(build_dir):
    for pattern in ("millrace", "*/millrace", "*/*/millrace"):
        for path in glob.glob(os.path.join(build_dir, pattern)):
            if os.path.isfile(path) and os.access(path, os.X_OK):
                return os.path.abspath(path)
    return None


def find_beside(millrace, name):
    """A program of the same build that is not installed; its path, or None."""
    build = os.path.dirname(os.path.dirname(os.path.dirname(millrace.path)))
    path = os.path.join(build, "bench", name.removeprefix("millrace-"), name)
    return path if os.access(path, os.X_OK) else None


class Reply:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def json(self):
        return json.loads(self.body)

    def error(self, status):
        """The reason of an error reply, which must be `status` and JSON."""
        expect(self.status == status, f"status {self.status}, {status} expected: {self.body[:200]}")
        expect(self.headers["Content-Type"] == "application/json", self.headers["Content-Type"])
        reason = self.json()["error"]
        expect(isinstance(reason, str) and reason, self.body)
        return reason


class Millrace:
    """The program at a path."""

    def __init__(self, path):
        self.path = path

    def command(self, *arguments):
        return [self.path, *map(str, arguments)]

    def run(self, *arguments, preexec=None):
        """Runs it to its end; returns (exit code, stdout, stderr)."""
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=LIMIT_SECONDS, preexec_fn=preexec)
        return done.returncode, done.stdout, done.stderr

    def load(self, url, *arguments, code=0):
        """Runs `load`; returns its JSON report."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "report.json")
            exit_code, out, err = self.run("load", "--target", url, "--json", path, "--warmup", "0.2",
                                           *arguments)
            expect(exit_code == code, f"load ended with {exit_code}: {out[-500:]} {err[-300:]}")
            with open(path, encoding="utf-8") as text:
                return json.load(text)

    def load_and_memory(self, url, *arguments):
        """Runs `load`; returns its JSON report and the MiB that it took at most."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "report.json")
            load = self.start_load(url, "--json", path, *arguments)
            _, status, usage = os.wait4(load.pid, 0)
            load.returncode = os.waitstatus_to_exitcode(status)
            expect(load.returncode == 0, f"load ended with {load.returncode}")
            with open(path, encoding="utf-8") as text:
                return json.load(text), usage.ru_maxrss >> 10

    def start_load(self, url, *arguments):
        return subprocess.Popen(self.command("load", "--target", url, *arguments),
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)

    @contextlib.contextmanager
    def serve(self, *arguments, http="127.0.0.1:0", udp="127.0.0.1:0", preexec=None):
        command = [self.path, "serve", "--http", http, "--udp", udp, *map(str, arguments)]
        with Server(command, preexec).ending_well() as server:
            yield server


class Server:
    def __init__(self, command, preexec=None):
        self._log = tempfile.TemporaryFile()
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self._log,
                                         stderr=self._log, preexec_fn=preexec)
        deadline = time.monotonic() + START_SECONDS
        match = None
        while match is None:
            match = re.search(r"serving http://(\S+)/ and udp (\S+) over (\w+)", self.log())
            if match is None and (self._process.poll() is not None or time.monotonic() > deadline):
                self.kill()
                raise Failed(f"serve did not start: {self.log()}")
            time.sleep(0.02)
        self.http, self.udp, self.io = match.groups()
        self.url = f"http://{self.http}/offer"
        self.udp_address = (self.udp.rsplit(":", 1)[0], int(self.udp.rsplit(":", 1)[1]))

    def log(self):
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    def request(self, method, path, body=None, headers=None):
        host, port = self.http.rsplit(":", 1)
        connection = http.client.HTTPConnection(host, int(port), timeout=20)
        try:
            connection.request(method, path, body, headers or {})
            return Reply(connection.getresponse())
        finally:
            connection.close()

    def offer(self, sdp=OFFER):
        return self.request("POST", "/offer", sdp, {"Content-Type": "application/sdp"})

    def stats(self):
        time.sleep(0.15)  # Counters are at most a tenth of a second old.
        return self.request("GET", "/stats").json()

    def wait_for(self, what, condition, limit):
        """Waits until `condition(stats)`; returns the seconds it took."""
        start = time.monotonic()
        while True:
            stats = self.stats()
            if condition(stats):
                return time.monotonic() - start
            expect(time.monotonic() - start < limit, f"not {what} after {limit} s: {stats}")

    @property
    def pid(self):
        return self._process.pid

    def peak_mib(self):
        """The most memory that it has had resident."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as text:
            return int(re.search(r"VmHWM:\s+(\d+) kB", text.read()).group(1)) >> 10

    def alive(self):
        return self._process.poll() is None

    @contextlib.contextmanager
    def ending_well(self):
        """Itself, which is to end with 0 where the body did not fail, and ends in any case."""
        try:
            yield self
            code = self.stop()
            expect(code == 0, f"serve ended with {code} on SIGTERM: {self.log()[-500:]}")
        finally:
            self.kill()

    def stop(self, how=signal.SIGTERM):
        expect(self.alive(), f"serve ended by itself: {self.log()[-500:]}")
        self._process.send_signal(how)
        return self._process.wait(30)

    def kill(self):
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
