# SPDX-License-Identifier: Apache-2.0
"""Servers that are started and stopped, and clients that are run to their verdict."""

import json
import os
import signal
import socket
import subprocess
import tempfile
import time

START_SECONDS = 60
STOP_SECONDS = 30
# A client gives up by itself after 60 s without progress, and one that hardly gets a processor may
# make progress for long: this is for a client that does not come to an end at all.
CASE_SECONDS = 1800
LOAD_SECONDS = (2, 8, 32, 128)
LOAD_MESSAGES = 100  # At 200 a second.


class Trouble(Exception):
    """A process did not do what it should; the text is for the report."""


def tail(file, lines=3):
    file.flush()
    file.seek(0)
    text = file.read().decode(errors="replace").strip().splitlines()
    return " | ".join(line.strip() for line in text[-lines:])


def free_port():
    """A port that TCP and UDP are both free on at this moment."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            try:
                udp.bind(tcp.getsockname())
            except OSError:
                continue
            return tcp.getsockname()[1]


class Server:
    """A server process, listening at `url` inside the `with` block. Leaving it sends SIGTERM;
    `exit_code` is what came of that, None when it had to be killed."""

    def __init__(self, command, env, url=None):
        self._command = command
        self._env = env
        self.url = url
        self.exit_code = None

    def __enter__(self):
        self._log = tempfile.TemporaryFile()
        self._out = tempfile.TemporaryFile()
        self._process = subprocess.Popen(self._command, env=self._env, stdin=subprocess.DEVNULL,
                                         stdout=self._out, stderr=self._log)
        try:
            self._wait_ready()
        except Trouble:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self.exit_code = self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def words(self):
        return tail(self._log)

    def _wait_ready(self):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise Trouble(f"the server ended with {self._process.returncode}: {self.words()}")
            if self._ready():
                return
            time.sleep(0.05)
        raise Trouble(f"the server was not ready after {START_SECONDS} s: {self.words()}")

    def _ready(self):
        if self.url is not None:  # A server that was told its port: it is ready when it accepts.
            host, port = self.url.split("/")[2].split(":")
            try:
                socket.create_connection((host, int(port)), timeout=1).close()
                return True
            except OSError:
                return False
        self._out.seek(0)
        for line in self._out.read().decode(errors="replace").splitlines():
            if line.startswith("READY "):
                self.url = line.split()[1]
        return self.url is not None


def millrace_server(program, env):
    http, udp = free_port(), free_port()
    command = [program, "serve", "--http", f"127.0.0.1:{http}", "--udp", f"127.0.0.1:{udp}",
               "--shards", "2"]
    return Server(command, env, f"http://127.0.0.1:{http}/offer")


def run_client(command, env):
    """Runs a client; returns its verdict, a dict."""
    with tempfile.TemporaryFile() as log:
        try:
            done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, stderr=log,
                                  stdout=subprocess.PIPE, timeout=CASE_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise Trouble(f"no verdict after {CASE_SECONDS} s: {tail(log)}") from None
        except OSError as error:
            raise Trouble(str(error)) from None
        lines = [line for line in done.stdout.decode(errors="replace").splitlines()
                 if line.startswith("{")]
        try:
            verdict = json.loads(lines[-1])
        except (IndexError, json.JSONDecodeError):
            raise Trouble(f"no verdict, exit code {done.returncode}: {tail(log)}") from None
        if verdict.get("ok") != (done.returncode == 0):
            raise Trouble(f"verdict {verdict.get('ok')} but exit code {done.returncode}: {tail(log)}")
        return verdict


def run_load(program, url, pattern, env, inside=(), more=()):
    """Runs `millrace load` until LOAD_MESSAGES have gone through in one run; raises Trouble unless
    each run is content. A report counts what came within the time measured: from a peer that hardly
    gets a processor that may be little, and then a longer run tells slow from stuck. `inside` comes before the command,
    `more` behind it."""
    for seconds in LOAD_SECONDS:
        messages = delivered_in([*inside, program], url, pattern, seconds, env, more)
        if messages >= LOAD_MESSAGES:
            return f"{messages} messages in {seconds} s"
    raise Trouble(f"load delivered {messages} messages in {seconds} s")


def delivered_in(program, url, pattern, seconds, env, more=()):
    """How many messages one run of `millrace load` delivered within its `seconds`."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as log:
        report = os.path.join(folder, "report.json")
        command = [*program, "load", "--target", url, "--pattern", pattern, "--size", "1000",
                   "--rate", "200", "--duration", str(seconds), "--connections", "1",
                   "--channels", "1", "--json", report, *more]
        try:
            done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, stdout=log,
                                  stderr=subprocess.STDOUT, timeout=CASE_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise Trouble(f"load did not end in {CASE_SECONDS} s: {tail(log)}") from None
        if done.returncode != 0:
            raise Trouble(f"load ended with {done.returncode}: {tail(log)}")
        with open(report, encoding="utf-8") as text:
            return json.load(text)["delivered"]["messages"]
