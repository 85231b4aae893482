# SPDX-License-Identifier: Apache-2.0
"""Signalling over HTTP: answers, errors, limits, figures for machines."""

import re
import socket

from program import OFFER, expect


def raw(server, data):
    """Sends bytes as they are; returns what comes back until the server closes."""
    host, port = server.http.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(data)
        try:
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # The server has answered and closed already.
        received = b""
        while piece := connection.recv(65536):
            received += piece
    return received.decode(errors="replace")


def case_an_offer_is_answered_and_deleted(millrace):
    with millrace.serve() as server:
        reply = server.offer()
        expect(reply.status == 201, reply.body)
        expect(reply.headers["Content-Type"] == "application/sdp", reply.headers["Content-Type"])
        answer, location = reply.body.decode(), reply.headers["Location"]
        expect(re.fullmatch(r"/session/[0-9a-f]{16}", location), location)
        for line in ("a=ice-lite", "a=fingerprint:sha-256 ", "a=setup:passive", "a=candidate:",
                     f" {server.udp_address[1]} typ host"):
            expect(line in answer, f"no {line} in {answer}")
        expect(server.stats()["sessions_pending"] == 1, server.stats())
        reply = server.request("DELETE", location)
        expect(reply.status == 200, reply.status)
        server.request("DELETE", location).error(404)
        expect(server.stats()["sessions_pending"] == 0, server.stats())


def case_unknown_sessions_are_404(millrace):
    with millrace.serve() as server:
        for path in ("/session/0123456789abcdef", "/session/", "/session/xyz", "/session/0",
                     "/session/0123456789abcdef0", "/nothing"):
            server.request("DELETE", path).error(404)


def case_malformed_offers_are_400(millrace):
    lines = OFFER.split("\r\n")
    without = lambda word: "\r\n".join(line for line in lines if word not in line)  # noqa: E731
    bad = {"empty": "", "no SDP": "hello", "binary": bytes(range(256)), "JSON": '{"type": "offer"}',
           "no fingerprint": without("a=fingerprint"), "no ufrag": without("a=ice-ufrag"),
           "no password": without("a=ice-pwd"), "no media": without("m="),
           "bad fingerprint": OFFER.replace("00:01", "00:0G"),
           "bad port": OFFER.replace("a=sctp-port:5000", "a=sctp-port:70000")}
    with millrace.serve() as server:
        for name, sdp in bad.items():
            reason = server.offer(sdp).error(400)
            expect(reason, name)
        expect(server.stats()["sessions_pending"] == 0, server.stats())


def case_truncated_offers_never_harm(millrace):
    with millrace.serve() as server:
        for length in range(0, len(OFFER), 7):
            reply = server.offer(OFFER[:length])
            expect(reply.status in (201, 400), f"{length}: {reply.status} {reply.body}")
            if reply.status == 400:
                reply.error(400)
            else:
                # Complete but for what has a default (RFC 8842 §5.2, RFC 8841 §5.2).
                expect(length >= OFFER.index("a=setup") - 2, f"{length} bytes were taken for an offer")
        server.offer(OFFER[: len(OFFER) // 2]).error(400)


def case_oversized_offers_are_413(millrace):
    with millrace.serve() as server:
        server.offer(OFFER + "a=x:" + "y" * (64 << 10) + "\r\n").error(413)
        # A length that is only claimed is refused before the bytes come.
        answer = raw(server, b"POST /offer HTTP/1.1\r\nHost: x\r\nContent-Type: application/sdp\r\n"
                             b"Content-Length: 99999999\r\n\r\nv=0")
        expect(answer.startswith("HTTP/1.1 413"), answer[:100])


def case_wrong_types_methods_and_paths(millrace):
    with millrace.serve() as server:
        server.request("POST", "/offer", OFFER, {"Content-Type": "text/plain"}).error(415)
        server.request("POST", "/offer", OFFER).error(415)
        good = server.request("POST", "/offer", OFFER,
                              {"Content-Type": "Application/SDP; charset=utf-8"})
        expect(good.status == 201, good.status)
        for method, path in (("GET", "/offer"), ("PUT", "/stats"), ("POST", "/"),
                             ("GET", "/session/0123456789abcdef")):
            reply = server.request(method, path)
            reply.error(405)
            expect(reply.headers["Allow"], path)
        server.request("GET", "/../../etc/passwd").error(404)


def case_what_is_not_http_is_400(millrace):
    with millrace.serve() as server:
        for data in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET\r\n\r\n",
                     b"GET / HTTP/9.9\r\n\r\n", b"POST /offer HTTP/1.1\r\nContent-Length: x\r\n\r\n"):
            answer = raw(server, data)
            expect(answer.startswith("HTTP/1.1 400") and '"error"' in answer, (data, answer[:100]))
        answer = raw(server, b"GET / HTTP/1.1\r\nX: " + b"y" * 20_000 + b"\r\n\r\n")
        expect(answer.startswith("HTTP/1.1 431"), answer[:100])
        expect(raw(server, b"") == "", "an empty connection was answered")


def case_the_session_limit_is_503(millrace):
    with millrace.serve("--max-sessions", 3) as server:
        for _ in range(3):
            expect(server.offer().status == 201, "refused too early")
        reason = server.offer().error(503)
        expect("3" in reason, reason)
        return reason


def case_cors_is_a_setting(millrace):
    with millrace.serve() as server:
        reply = server.request("OPTIONS", "/offer")
        expect(reply.status == 204, reply.status)
        expect(reply.headers["Access-Control-Allow-Origin"] is None, reply.headers)
    with millrace.serve("--cors", "https://example.com") as server:
        for reply in (server.request("OPTIONS", "/offer"), server.offer(), server.offer("bad")):
            expect(reply.headers["Access-Control-Allow-Origin"] == "https://example.com",
                   reply.headers)
        expect("Location" in server.offer().headers["Access-Control-Expose-Headers"], "not exposed")


def case_figures_for_machines(millrace):
    with millrace.serve("--shards", 2) as server:
        millrace.load(server.url, "--duration", "0.3", "--rate", "1000")
        stats = server.stats()
        expect(stats["sessions_opened"] == 1 and len(stats["shards"]) == 2, stats)
        expect(stats["messages_received"] > 100 and stats["io"] == server.io, stats)
        reply = server.request("GET", "/metrics")
        expect(reply.headers["Content-Type"].startswith("text/plain; version=0.0.4"), reply.headers)
        sample = re.compile(r'millrace_[a-z0-9_]+(\{[a-z]+="[^"\n]*"(,[a-z]+="[^"\n]*")*\})? [0-9.e+]+')
        names = set()
        for line in reply.body.decode().splitlines():
            if line.startswith("# TYPE "):
                name = line.split()[2]
                expect(name not in names, f"{name} has two types")
                names.add(name)
            elif not line.startswith("# HELP "):
                expect(sample.fullmatch(line), line)
                expect(re.match(r"[a-z0-9_]+", line)[0] in names, line)
        page = server.request("GET", "/")
        expect(page.headers["Content-Type"].startswith("text/html") and b"<html" in page.body.lower(),
               page.body[:100])
        head = server.request("HEAD", "/")
        expect(head.status == 200 and head.body == b"", head.body[:100])
    return f"{len(names)} metrics"
