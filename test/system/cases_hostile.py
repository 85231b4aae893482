# SPDX-License-Identifier: Apache-2.0
"""Hostile peers and networks: nothing they do reaches the application or disturbs others."""

import os
import random
import socket
import threading
import time

import meddler
from program import expect

FLOOD_SECONDS = 2


def wrong_fingerprint(millrace, **changes):
    with millrace.serve() as server, meddler.SignallingProxy(server, **changes) as proxy:
        report = millrace.load(proxy.url, "--duration", "0.2", "--handshake-timeout", "5000", code=3)
        expect(report["connections"]["opened"] == 0, report["connections"])
        stats = server.stats()
        expect(stats["messages_received"] == 0 and stats["channels"] == 0, stats)
        server.wait_for("empty", lambda now: now["sessions"] == 0, 10)
        expect(server.stats()["sessions_opened"] == 0, stats)
        millrace.load(server.url, "--duration", "0.2")  # Others are served.
        return report["errors"][0]


def case_wrong_fingerprint_of_the_server(millrace):
    return wrong_fingerprint(millrace, on_answer=meddler.other_fingerprint)


def case_wrong_fingerprint_of_the_client(millrace):
    return wrong_fingerprint(millrace, on_offer=meddler.other_fingerprint)


def random_datagrams(source):
    """What an attacker who knows formats would send: first bytes of STUN, DTLS and nothing."""
    first = (0, 1, 2, 3, 20, 21, 22, 23, 25, 63, 64, 128, 255)
    while True:
        size = source.choice((0, 1, 2, 12, 13, 19, 20, 21, 28, 100, 1200, 1472, 9000))
        data = bytearray(source.randbytes(size))
        if data:
            data[0] = source.choice(first)
        if size >= 20 and source.random() < 0.3:
            data[4:8] = bytes((0x21, 0x12, 0xA4, 0x42))
        yield bytes(data)


def flood(make, send):
    """Sends at full rate for a while; returns how many went."""
    stop = time.monotonic() + FLOOD_SECONDS
    sent = 0
    for datagram in make:
        if time.monotonic() > stop:
            return sent
        try:
            send(datagram)
            sent += 1
        except OSError:  # No room in a socket's buffer.
            pass
    return sent


def under_attack(millrace, server, url, attack):
    """Runs `attack` beside an established session, which must go on; returns the drops."""
    before = server.stats()
    outcome = {}

    def run():
        outcome["report"] = millrace.load(url, "--rate", 200, "--duration", FLOOD_SECONDS + 2,
                                          "--patience", 20000)

    thread = threading.Thread(target=lambda: run_into(outcome, run))
    thread.start()
    server.wait_for("open", lambda now: now["sessions"] == before["sessions"] + 1, 20)
    time.sleep(0.5)
    sent = attack()
    thread.join()
    expect("error" not in outcome, outcome.get("error"))
    expect(outcome["report"]["faults"]["lost"] == 0, outcome["report"]["faults"])
    stats = server.stats()
    expect(server.alive(), server.log())
    expect(sum(stats["drops"].values()) > 0, stats)
    return sent, stats["drops"]


def run_into(outcome, run):
    try:
        run()
    except Exception as trouble:  # Handed to the thread that waits.
        outcome["error"] = trouble


def case_random_datagrams_are_counted_and_harm_nobody(millrace):
    source = random.Random(1)
    with millrace.serve() as server, socket.socket(type=socket.SOCK_DGRAM) as udp:
        sent, drops = under_attack(
            millrace, server, server.url,
            lambda: flood(random_datagrams(source), lambda d: udp.sendto(d, server.udp_address)))
    return f"{sent} sent, dropped as {', '.join(sorted(drops))}"


def case_replayed_and_truncated_datagrams_of_a_session_are_counted(millrace):
    source = random.Random(2)
    with millrace.serve() as server, meddler.Forwarder(server.udp_address) as path, \
            meddler.SignallingProxy(server, on_answer=path.through_here) as proxy:

        def altered():
            while True:
                datagram = source.choice(path.kept)
                kind = source.randrange(3)
                if kind == 1:
                    datagram = datagram[:source.randrange(len(datagram) + 1)]
                elif kind == 2 and datagram:
                    data = bytearray(datagram)
                    data[source.randrange(len(data))] ^= 1 << source.randrange(8)
                    datagram = bytes(data)
                yield datagram

        # From the session's own address, as only somebody on the path could.
        sent, drops = under_attack(millrace, server, proxy.url, lambda: flood(altered(), path.send))
    return f"{sent} sent, dropped as {', '.join(sorted(drops))}"


def case_offers_at_full_rate_are_bounded(millrace):
    with millrace.serve("--max-sessions", 100, "--handshake-timeout", 2000) as server:
        answers = [server.offer().status for _ in range(300)]
        expect(answers.count(201) == 100 and answers.count(503) == 200, set(answers))
        server.wait_for("empty", lambda stats: stats["sessions_pending"] == 0, 15)
        expect(server.offer().status == 201, "no room after the time-out")


def case_memory_is_given_back(millrace):
    with millrace.serve() as server:
        def resident():
            with open(f"/proc/{server._process.pid}/statm", encoding="ascii") as text:
                return int(text.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20

        sizes = []
        for _ in range(4):
            millrace.load(server.url, "--connections", 100, "--rate", 1000, "--duration", "0.2")
            server.wait_for("empty", lambda stats: stats["sessions"] == 0, 20)
            sizes.append(resident())
        expect(sizes[3] <= sizes[1] + 16, f"resident MiB: {sizes}")
        return f"resident MiB after each of four rounds: {sizes}"
