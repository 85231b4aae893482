# SPDX-License-Identifier: Apache-2.0
"""The foreign stacks: what each needs, how it is built, how it is started, what it can do."""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
EXTRA_PATHS = ("/usr/local/go/bin", os.path.expanduser("~/.cargo/bin"))


class Missing(Exception):
    """A toolchain is not here, or is too old."""


class BuildFailed(Exception):
    """A peer could not be built; the text names the log."""


def environment():
    """The environment of every tool and peer: toolchains outside PATH are found, none is fetched."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *EXTRA_PATHS])
    return {**os.environ, "PATH": path, "GOTOOLCHAIN": "local", "NO_COLOR": "1"}


def require(tool, least, *version_command):
    """Raises Missing unless `tool` is here in version `least` or later."""
    found = shutil.which(tool, path=environment()["PATH"])
    wanted = ".".join(map(str, least))
    if found is None:
        raise Missing(f"needs {tool} {wanted}, which is not installed")
    text = subprocess.run([found, *version_command], env=environment(), capture_output=True,
                          text=True, check=False).stdout
    match = re.search(r"(\d+)\.(\d+)", text)
    version = tuple(map(int, match.groups())) if match else (0, 0)
    if version < least:
        raise Missing(f"needs {tool} {wanted}, this is {'.'.join(map(str, version))}")
    return found


class Peer:
    """One foreign stack. `max_size` is the largest message that it takes; `empties` says whether
    empty messages survive it; `burst` is the largest message that it can be trusted not to lose
    when another peer, rather than millrace, sends unreliable ones at it."""

    name = ""
    max_size = 262144
    empties = True
    burst = 262144
    takes_addresses = False  # It can be told where to listen, and which address to announce.
    small_sockets = False  # Of 208 KiB, and nothing makes them larger.
    early_order = True  # It keeps the order of messages that come while its channel opens.
    known_fault = "\0"  # An error of its own, before any message, after which it may try again.

    def __init__(self, build_dir):
        self.build_dir = os.path.join(os.path.abspath(build_dir), "interop", self.name)

    def packages(self):
        """The Debian packages that would help and are not here."""
        return set()

    def check(self):
        """Raises Missing where the toolchain is not good enough."""

    def build(self):
        """Raises BuildFailed. What has not changed is not built again."""

    def command(self, role):
        raise NotImplementedError

    def run(self, *command, cwd=None, **env):
        log = os.path.join(self.build_dir, "build.log")
        with open(log, "a", encoding="utf-8") as out:
            done = subprocess.run(command, cwd=cwd, env={**environment(), **env}, stdout=out,
                                  stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            raise BuildFailed(f"{' '.join(command[:3])} ended with {done.returncode}: see {log}")

    def stale(self, pinned):
        """True when the pinned versions differ from those that `fresh` noted last."""
        stamp = os.path.join(self.build_dir, "stamp")
        with open(pinned, "rb") as text:
            self._digest = hashlib.sha256(text.read()).hexdigest()
        if not os.path.exists(stamp):
            return True
        with open(stamp, encoding="ascii") as text:
            return text.read() != self._digest

    def fresh(self):
        with open(os.path.join(self.build_dir, "stamp"), "w", encoding="ascii") as text:
            text.write(self._digest)


class NpmPeer(Peer):
    def packages(self):
        path = environment()["PATH"]
        needed = {"node": "nodejs", "npm": "npm"}
        return {package for command, package in needed.items() if not shutil.which(command, path=path)}

    def check(self):
        require("node", (18, 20), "--version")
        require("npm", (8, 12), "--version")

    def build(self):
        # Node resolves packages from where a file lies, so the sources go beside them.
        for folder in ("js", self.name):
            target = os.path.join(self.build_dir, folder)
            shutil.copytree(os.path.join(HERE, folder), target, dirs_exist_ok=True,
                            ignore=shutil.ignore_patterns("node_modules"))
        folder = os.path.join(self.build_dir, self.name)
        if self.stale(os.path.join(folder, "package-lock.json")):
            self.run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=folder)
            self.fresh()

    def command(self, role):
        return ["node", os.path.join(self.build_dir, self.name, "peer.mjs"), role]


class NodeDataChannel(NpmPeer):
    name = "node-datachannel"
    # It starts ICE before it has stored the description: on a busy machine DTLS comes too early.
    known_fault = "Got a remote candidate without ICE transport"


class RoamhqWrtc(NpmPeer):
    name = "roamhq-wrtc"
    # Another stack's slow start overflows them; millrace's now and then, where the peer has to wait
    # for a processor: 1 to 12 of 1,000 messages have been seen to go.
    small_sockets = True
    burst = 16384
    # Now and then its channel never opens, whoever answers: also with pion, node-datachannel and
    # aiortc as servers (README).
    known_fault = "time-out: the channel opening"
    early_order = False


class Werift(NpmPeer):
    name = "werift"
    empties = False  # It sends a DATA chunk without data instead of RFC 8831's empty message.


class Pion(Peer):
    name = "pion"
    takes_addresses = True

    def check(self):
        require("go", (1, 24), "version")

    def build(self):
        self.run("go", "build", "-trimpath", "-o", os.path.join(self.build_dir, "peer"), ".",
                 cwd=os.path.join(HERE, "pion"), GOFLAGS="-mod=readonly")

    def command(self, role):
        return [os.path.join(self.build_dir, "peer"), role]


class PionSnap(Pion):
    """pion with SCTP's INIT in the SDP."""

    name = "pion-snap"
    takes_addresses = False  # Below SCTP it is the same.

    def command(self, role):
        return [*super().command(role), "--snap"]


class Aiortc(Peer):
    name = "aiortc"

    def packages(self):
        return {"python3-venv"} if importlib.util.find_spec("ensurepip") is None else set()

    def check(self):
        if sys.version_info < (3, 10):
            raise Missing("needs Python 3.10")
        if self.packages():
            raise Missing("needs python3-venv, which is not installed")

    def build(self):
        venv = os.path.join(self.build_dir, "venv")
        pinned = os.path.join(HERE, self.name, "requirements.txt")
        if self.stale(pinned):
            shutil.rmtree(venv, ignore_errors=True)
            self.run(sys.executable, "-m", "venv", venv)
            self.run(os.path.join(venv, "bin", "pip"), "install", "--quiet", "--only-binary=:all:",
                     "-r", pinned)
            self.fresh()

    def command(self, role):
        python = os.path.join(self.build_dir, "venv", "bin", "python")
        return [python, "-B", os.path.join(HERE, self.name, "peer.py"), role]


class WebrtcRs(Peer):
    name = "webrtc-rs"
    max_size = 65535  # Its read buffer; one more byte ends the channel.
    empties = False  # It takes an empty message for the end of the channel.

    def check(self):
        require("cargo", (1, 88), "--version")
        require("rustc", (1, 88), "--version")

    def build(self):
        self.run("cargo", "build", "--locked", "--quiet", cwd=os.path.join(HERE, self.name),
                 CARGO_TARGET_DIR=os.path.join(self.build_dir, "target"))

    def command(self, role):
        return [os.path.join(self.build_dir, "target", "debug", "webrtc-rs-peer"), role]


ALL = (Pion, PionSnap, NodeDataChannel, RoamhqWrtc, Werift, Aiortc, WebrtcRs)


def install(peers):
    """Installs from Debian what the peers need and is missing. What Debian 12 has too old (Go,
    Rust) is left alone: those peers are skipped by name."""
    wanted = set().union(*(peer.packages() for peer in peers))
    if not wanted:
        return
    print(f"installing {' '.join(sorted(wanted))}", flush=True)
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-qq"],
                    ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *sorted(wanted)]):
        subprocess.run([*sudo, *command], env=env, stdout=subprocess.DEVNULL, check=False)
