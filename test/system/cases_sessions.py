# SPDX-License-Identifier: Apache-2.0
"""Sessions: the four modes, the three patterns, shards, ends of sessions of every kind."""

import os
import re
import tempfile
import time

from program import expect

MODES = {"reliable ordered": (), "reliable unordered": ("--unordered",),
         "unreliable ordered": ("--max-retransmits", "0"),
         "unreliable unordered": ("--unordered", "--max-packet-life-time", "200")}


def check_schema(report):
    expect(report["schema"] == 1, report["schema"])
    for key, inner in {"target": None, "config": None,
                       "environment": ("cpu", "kernel", "back_end", "version"),
                       "connections": ("requested", "opened", "failed", "setup_ms"),
                       "sent": ("messages", "bytes"), "delivered": ("messages", "bytes"),
                       "goodput_mbps": None, "messages_per_second": None,
                       "latency_us": ("count", "p50", "p90", "p99", "p99.9", "p99.99", "max"),
                       "cpu": ("client_seconds", "server_seconds", "client_waited_seconds",
                               "server_waited_seconds")}.items():
        expect(key in report, f"no {key}")
        for name in inner or ():
            expect(name in report[key], f"no {key}.{name}")
    expect(set(report["connections"]["setup_ms"]) == {"p50", "p99", "max"}, report["connections"])


def case_load_in_the_four_modes(millrace):
    with millrace.serve() as server:
        for mode, flags in MODES.items():
            for pattern in ("echo", "upload", "download"):
                report = millrace.load(server.url, "--pattern", pattern, "--duration", "0.5",
                                       "--size", "3000", "--rate", "500", *flags)
                check_schema(report)
                expect(report["delivered"]["messages"] > 150, (mode, pattern, report["delivered"]))
                expect(report["faults"]["damaged"] == 0, (mode, pattern, report["faults"]))
                expect(report["cpu"]["server_seconds"] is not None, (mode, pattern))
        # What each session takes is given back.
        server.wait_for("empty", lambda stats: stats["sessions"] == 0, 10)


def case_load_at_full_rate(millrace):
    figures = []
    with millrace.serve() as server:
        for pattern in ("echo", "upload", "download"):
            report = millrace.load(server.url, "--pattern", pattern, "--duration", "1", "--size",
                                   "16384")
            expect(report["delivered"]["messages"] > 0, report)
            figures.append(f"{pattern} {report['goodput_mbps']:.0f} Mbit/s")
    return ", ".join(figures)


def case_messages_of_every_size(millrace):
    with millrace.serve() as server:
        for size in (0, 1, 3, 15, 16, 17, 1100, 1200, 1201, 65536, 262144):
            report = millrace.load(server.url, "--duration", "0.2", "--rate", "100", "--size", size)
            expect(report["latency_us"]["count"] > 0, (size, report["latency_us"]))


def case_a_message_above_the_limit_is_told(millrace):
    with millrace.serve("--max-message-size", "10000") as server:
        report = millrace.load(server.url, "--duration", "0.2", "--size", "10001", code=3)
        expect(any("10000" in error for error in report["errors"]), report["errors"])


def case_messages_of_64_mib_in_less_memory_than_one(millrace):
    figures = []
    with millrace.serve("--max-message-size", "64M") as server:
        for pattern in ("echo", "upload", "download"):
            report, load_mib = millrace.load_and_memory(
                server.url, "--pattern", pattern, "--duration", "2", "--size", "64M", "--patience",
                "60000")
            expect(report["config"]["size"] == 64 << 20, report["config"])
            expect(report["delivered"]["messages"] > 0, (pattern, report["delivered"]))
            expect(not any(report["faults"].values()), (pattern, report["faults"]))
            expect(load_mib < 64, f"{pattern}: load took {load_mib} MiB")
            expect(server.peak_mib() < 64, f"{pattern}: serve took {server.peak_mib()} MiB")
            figures.append(f"{pattern} {report['goodput_mbps']:.0f} Mbit/s")
        figures.append(f"load {load_mib} MiB, serve {server.peak_mib()} MiB")
    return ", ".join(figures)


def case_a_message_of_1_gib_the_most_there_is(millrace):
    with millrace.serve("--max-message-size", "1G") as server:
        report, load_mib = millrace.load_and_memory(
            server.url, "--pattern", "echo", "--duration", "0.1", "--warmup", "0", "--size", "1G",
            "--outstanding", "1", "--patience", "120000")
        expect(report["latency_us"]["count"] > 0, report["latency_us"])
        expect(not any(report["faults"].values()), report["faults"])
        expect(load_mib < 64, f"load took {load_mib} MiB")
        serve_mib = server.peak_mib()
        expect(serve_mib < 64, f"serve took {serve_mib} MiB")
    seconds = report["latency_us"]["max"] / 1e6
    return f"there and back in {seconds:.1f} s, load {load_mib} MiB, serve {serve_mib} MiB"


def case_many_connections_and_channels(millrace):
    with millrace.serve() as server:
        report = millrace.load(server.url, "--connections", 50, "--channels", 4, "--rate", 2000,
                               "--duration", "0.5", "--shards", 2)
        expect(report["connections"]["opened"] == 50, report["connections"])


def case_two_shards_share_200_sessions(millrace):
    with millrace.serve("--shards", 2) as server:
        load = millrace.start_load(server.url, "--connections", 200, "--rate", 2000, "--duration", 60)
        try:
            server.wait_for("200 sessions", lambda stats: stats["sessions"] == 200, 60)
            time.sleep(1)
            stats = server.stats()
        finally:
            load.kill()
            load.wait()
        shares = [shard["sessions"] for shard in stats["shards"]]
        expect(min(shares) >= 60, shares)
        expect(stats["datagrams_forwarded"] == 0, stats["datagrams_forwarded"])
    return f"{shares[0]} and {shares[1]}"


def case_a_vanished_peer_is_gone_within_the_consent_timeout(millrace):
    with millrace.serve("--consent-timeout", 7000) as server:
        load = millrace.start_load(server.url, "--connections", 20, "--rate", 100, "--duration", 60)
        server.wait_for("20 sessions", lambda stats: stats["sessions"] == 20, 30)
        load.kill()
        load.wait()
        waited = server.wait_for("empty", lambda stats: stats["sessions"] == 0, 20)
        stats = server.stats()
        expect(stats["closed"] == {"consent lost": 20} or sum(stats["closed"].values()) == 20, stats)
        expect(stats["sessions_pending"] == 0, stats)
        expect(server.offer().status == 201, "no room for new sessions")
    return f"after {waited:.1f} s"


def case_sigterm_closes_sessions_cleanly_and_a_restart_serves(millrace):
    with millrace.serve() as server:
        http, udp = server.http, server.udp
        load = millrace.start_load(server.url, "--rate", 100, "--duration", 30, "--patience", 500)
        server.wait_for("open", lambda stats: stats["sessions"] == 1, 20)
        expect(server.stop() == 0, server.log())
        server.stop = lambda: 0
        # Its peer was told, and says so.
        expect(load.wait(60) == 3, load.returncode)
    with millrace.serve(http=http, udp=udp) as server:
        millrace.load(server.url, "--duration", "0.3")


def case_deleting_ends_an_open_session(millrace):
    import meddler

    locations = []
    with millrace.serve() as server:
        offer = server.offer
        server.offer = lambda sdp: locations.append(offer(sdp)) or locations[-1]
        with meddler.SignallingProxy(server) as proxy:
            load = millrace.start_load(proxy.url, "--rate", 100, "--duration", 30, "--patience", 500)
            server.wait_for("open", lambda stats: stats["sessions"] == 1, 20)
            reply = server.request("DELETE", locations[0].headers["Location"])
            expect(reply.status == 200, reply.status)
            server.wait_for("closed", lambda stats: stats["sessions"] == 0, 10)
            expect(load.wait(60) == 3, load.returncode)


def case_a_server_that_is_not_there(millrace):
    report = millrace.load("http://127.0.0.1:9/offer", "--duration", "0.2", code=3)
    expect(report["connections"]["failed"] == 1 and report["errors"], report)
    return report["errors"][0]


def case_key_log_on_request(millrace):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "keys.log")
        with millrace.serve("--key-log", path) as server:
            millrace.load(server.url, "--duration", "0.2")
        with open(path, encoding="ascii") as text:
            lines = text.read().splitlines()
        expect(lines and all(line.split()[0].isupper() for line in lines), lines)


LIFE_OF_A_SESSION = (
    r"session [0-9a-f]{16}: open$",
    r'session [0-9a-f]{16}: channel "sink" open, stream \d+, ordered, reliable$',
    r'session [0-9a-f]{16}: channel "sink" closed$',
    r"session [0-9a-f]{16}: closed: \w+",
    r'"POST" "/offer" refused with 400: {"error":')


def case_the_life_of_a_session_in_the_log_on_request(millrace):
    for level in ("info", "debug"):
        with millrace.serve("--log-level", level) as server:
            millrace.load(server.url, "--duration", "0.2")
            expect(server.offer("x").status == 400, "taken")
            server.wait_for("closed", lambda stats: stats["sessions"] == 0, 20)
            log = server.log()
        for line in LIFE_OF_A_SESSION:
            found = re.search(line, log, re.MULTILINE) is not None
            expect(found == (level == "debug"), f"{level}, {line}: {log}")


def case_an_html_report_is_one_page(millrace):
    with tempfile.TemporaryDirectory() as folder, millrace.serve() as server:
        path = os.path.join(folder, "report.html")
        millrace.load(server.url, "--duration", "0.3", "--html", path)
        with open(path, encoding="utf-8") as text:
            page = text.read()
        expect('"schema": 1' in page and "</html>" in page, page[:200])
        expect("src=" not in page and "<link" not in page, "it needs other files")
