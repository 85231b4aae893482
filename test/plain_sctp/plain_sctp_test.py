# SPDX-License-Identifier: Apache-2.0
"""millrace-plain-sctp: both roles against each other, captures, mistakes; or, where the path of
usrsctp_peer follows that of the program, each role against usrsctp."""

import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = os.path.abspath(sys.argv[1])
PEER = os.path.abspath(sys.argv[2]) if len(sys.argv) > 2 else None
LIMIT_SECONDS = 60
DATA, I_DATA, SHUTDOWN_COMPLETE, I_FORWARD_TSN = 0, 64, 14, 194


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Running:
    """A program that says lines and may be told some."""

    def __init__(self, test, *command):
        self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0)
        self.test = test
        self.heard = b""
        test.addCleanup(self.kill)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def tell(self, line):
        self.process.stdin.write(line.encode() + b"\n")

    def await_line(self, beginning):
        """The next line that begins so; those before it are forgotten."""
        end = time.monotonic() + LIMIT_SECONDS
        while time.monotonic() < end:
            while b"\n" in self.heard:
                line, self.heard = self.heard.split(b"\n", 1)
                if line.decode().startswith(beginning):
                    return line.decode()
            if select.select([self.process.stdout], [], [], 1)[0]:
                said = os.read(self.process.stdout.fileno(), 4096)
                if not said:
                    break
                self.heard += said
        return self.test.fail(f"waited for {beginning!r}")

    def end(self):
        """Waits for its end; returns the exit code."""
        return self.process.wait(LIMIT_SECONDS)


class Case(unittest.TestCase):
    def listen(self, *flags):
        port = free_port()
        running = Running(self, PROGRAM, "listen", "--udp", f"127.0.0.1:{port}", *flags)
        self.assertEqual(running.await_line("listening"), f"listening at 127.0.0.1:{port}")
        return running, port

    def run_program(self, *arguments):
        done = subprocess.run([PROGRAM, *map(str, arguments)], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=LIMIT_SECONDS, check=False)
        return done.returncode, done.stdout, done.stderr

    def connect(self, port, *flags, code=0):
        """Returns how many messages came back, of how many."""
        returned, out, err = self.run_program("connect", "--udp", f"127.0.0.1:{port}", *flags)
        self.assertEqual(returned, code, out + err)
        found = re.search(r"^(\d+) of (\d+) messages .* 0 damaged, 0 out of order", out, re.MULTILINE)
        self.assertTrue(found, out + err)
        return int(found.group(1)), int(found.group(2))


def chunks_of(path):
    """The types of chunks of each packet of a capture, by its blocks (pcapng, raw IPv4, UDP)."""
    with open(path, "rb") as file:
        blocks = file.read()
    at, packets = 0, []
    while at < len(blocks):
        kind, length = struct.unpack_from("<II", blocks, at)
        assert blocks[at + length - 4:at + length] == blocks[at + 4:at + 8], "a block's lengths"
        if kind == 6:
            (captured,) = struct.unpack_from("<I", blocks, at + 20)
            sctp = blocks[at + 28:at + 28 + captured][20 + 8:]
            types, chunk = set(), 12
            while chunk < len(sctp):
                types.add(sctp[chunk])
                chunk += (struct.unpack_from(">H", sctp, chunk + 2)[0] + 3) // 4 * 4
            packets.append(types)
        at += length
    return packets


@unittest.skipIf(PEER, "against usrsctp alone")
class BothRoles(Case):
    def test_every_message_comes_back(self):
        for flags in ([], ["--i-data", "off"], ["--unordered", "--stream", 7],
                      ["--size", 4], ["--size", "1M", "--messages", 20],
                      ["--sctp-port", 5000, "--seed", 1]):
            with self.subTest(flags=flags):
                listener, port = self.listen()
                back, sent = self.connect(port, *flags)
                self.assertEqual(back, sent)
                self.assertIn(f"{sent} messages", listener.await_line("over (peer_shutdown)"))
                self.assertEqual(listener.end(), 0)

    def test_reliable_messages_come_back_through_loss(self):
        listener, port = self.listen()
        self.assertEqual(self.connect(port, "--loss", 3, "--messages", 500), (500, 500))
        listener.await_line("over")

    def test_messages_are_given_up(self):
        with tempfile.TemporaryDirectory() as folder:
            capture = os.path.join(folder, "given-up.pcapng")
            _, port = self.listen()
            back, sent = self.connect(port, "--loss", 20, "--max-retransmits", 0, "--messages", 300,
                                      "--pcap", capture)
            self.assertEqual(sent, 300)
            self.assertLess(back, 300)
            self.assertGreater(back, 30)
            self.assertTrue(any(I_FORWARD_TSN in types for types in chunks_of(capture)))

    def test_one_listener_takes_one_association_after_another(self):
        listener, port = self.listen("--again")
        for _ in range(3):
            self.assertEqual(self.connect(port), (100, 100))
            listener.await_line("over (peer_shutdown): 100 messages")
        listener.process.send_signal(signal.SIGTERM)
        self.assertEqual(listener.end(), 0)

    def test_a_capture_shows_what_was_negotiated(self):
        with tempfile.TemporaryDirectory() as folder:
            capture = os.path.join(folder, "plain.pcapng")
            for i_data, kind, other in (("on", I_DATA, DATA), ("off", DATA, I_DATA)):
                listener, port = self.listen("--pcap", capture, "--i-data", i_data)
                self.connect(port)
                self.assertEqual(listener.end(), 0)
                packets = chunks_of(capture)
                self.assertTrue(any(kind in types for types in packets))
                self.assertFalse(any(other in types for types in packets))
                self.assertEqual(packets[-1], {SHUTDOWN_COMPLETE})
            if shutil.which("tshark"):
                self.assert_dissected(capture, port, len(packets))

    def assert_dissected(self, capture, port, packets):
        """Wireshark takes each packet for SCTP and finds no fault with its checksum."""
        fields = subprocess.run(
            ["tshark", "-r", capture, "-d", f"udp.port=={port},sctp", "-o", "sctp.checksum:crc-32c",
             "-T", "fields", "-e", "sctp.checksum.status", "-e", "_ws.malformed"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout
        lines = [line.strip() for line in fields.splitlines()]
        self.assertEqual(lines, ["1"] * packets)

    def test_mistakes_are_told_in_one_line(self):
        for value, *arguments in (
                ["nowhere", "listen", "--udp", "nowhere"],
                ["1.2.3.4:0", "connect", "--udp", "1.2.3.4:0"],
                ["3", "connect", "--size", "3"], ["2M", "connect", "--size", "2M"],
                ["0", "connect", "--messages", "0"], ["65535", "connect", "--stream", "65535"],
                ["perhaps", "connect", "--i-data", "perhaps"],
                ["-1", "listen", "--max-retransmits=-1"], ["91", "listen", "--loss", "91"],
                ["--size", "listen", "--size", "100"], ["--dtls", "connect", "--dtls"]):
            with self.subTest(arguments=arguments):
                code, out, err = self.run_program(*arguments)
                self.assertEqual((code, out), (2, ""))
                self.assertEqual(err.count("\n"), 1, err)
                self.assertIn(value, err)

    def test_trouble_outside_is_told_in_one_line(self):
        listener, port = self.listen()
        for value, *arguments in (
                [f"127.0.0.1:{port}", "listen", "--udp", f"127.0.0.1:{port}"],
                ["/nowhere/at/all", "listen", "--udp", f"127.0.0.1:{free_port()}",
                 "--pcap", "/nowhere/at/all"],
                ["no answer", "connect", "--udp", f"127.0.0.1:{free_port()}", "--timeout", "0.3"],
                ["64 is not among the 64", "connect", "--udp", f"127.0.0.1:{port}", "--streams", 64,
                 "--stream", 64]):
            with self.subTest(arguments=arguments):
                code, _, err = self.run_program(*arguments)
                self.assertEqual(code, 1)
                self.assertEqual(err.count("\n"), 1, err)
                self.assertIn(value, err)
        listener.await_line("over (peer_aborted)")


@unittest.skipUnless(PEER, "without usrsctp")
class AgainstUsrsctp(Case):
    def peer(self, interleaving):
        port = free_port()
        return Running(self, PEER, port, *(["interleaving"] if interleaving else [])), port

    def test_usrsctp_sends_our_messages_back(self):
        for interleaving in (False, True):
            with self.subTest(interleaving=interleaving):
                peer, port = self.peer(interleaving)
                peer.tell("listen")
                peer.await_line("ready")
                peer.tell("echo")
                peer.await_line("echoing")
                self.assertEqual(self.connect(port, "--messages", 200, "--size", 3000), (200, 200))
                peer.await_line("up")

    def test_we_send_the_messages_of_usrsctp_back(self):
        for interleaving in (False, True):
            with self.subTest(interleaving=interleaving):
                listener, port = self.listen()
                peer, _ = self.peer(interleaving)
                peer.tell(f"connect {port}")
                peer.await_line("up")
                peer.tell("send 3 5000 100 ordered")
                peer.await_line("sent")
                self.assert_count(peer, "count 100 500000 0")
                peer.tell("shutdown")
                self.assertIn("100 messages of 500000 bytes", listener.await_line("over"))
                self.assertEqual(listener.end(), 0)

    def assert_count(self, peer, wanted):
        end = time.monotonic() + LIMIT_SECONDS
        counted = None
        while counted != wanted and time.monotonic() < end:
            peer.tell("count")
            counted = peer.await_line("count")
        self.assertEqual(counted, wanted)

    def test_echoes_that_do_not_come_are_missed(self):
        peer, port = self.peer(False)
        peer.tell("listen")
        peer.await_line("ready")
        self.assertEqual(self.connect(port, "--timeout", 0.5, code=3), (0, 100))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
