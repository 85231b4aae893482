# SPDX-License-Identifier: Apache-2.0
"""Stands between a dialling side and a server: rewrites descriptions, forwards datagrams and
does to them what an attacker would."""

import http.client
import http.server
import re
import socket
import threading


class SignallingProxy:
    """An HTTP proxy of `POST /offer`. `on_offer` and `on_answer` take and return SDP."""

    def __init__(self, server, on_offer=None, on_answer=None):
        self._server = server
        same = lambda sdp: sdp  # noqa: E731
        proxy = self
        self.on_offer, self.on_answer = on_offer or same, on_answer or same

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                sdp = self.rfile.read(int(self.headers["Content-Length"])).decode()
                reply = proxy._server.offer(proxy.on_offer(sdp))
                body = reply.body
                if reply.status == 201:
                    body = proxy.on_answer(body.decode()).encode()
                self.send_response(reply.status)
                for name in ("Content-Type", "Location"):
                    if reply.headers[name]:
                        self.send_header(name, reply.headers[name])
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/offer"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._http.shutdown()
        self._http.server_close()


def other_fingerprint(sdp):
    """The same description with one digit of each fingerprint changed."""
    return re.sub(r"(a=fingerprint:\S+ )([0-9A-Fa-f])",
                  lambda match: match[1] + ("0" if match[2] != "0" else "1"), sdp)


class Forwarder:
    """Forwards the datagrams of one session and keeps those that went to the server."""

    def __init__(self, server_address):
        self._server_address = server_address
        self._near = socket.socket(type=socket.SOCK_DGRAM)
        self._near.bind(("127.0.0.1", 0))
        self.far = socket.socket(type=socket.SOCK_DGRAM)
        self.far.bind(("127.0.0.1", 0))
        for each in (self._near, self.far):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            each.settimeout(0.2)
        self.kept = []
        self._client = None
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=run, daemon=True)
                         for run in (self._to_server, self._to_client)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._near.close()
        self.far.close()

    def through_here(self, answer):
        """The answer with this forwarder as the only candidate."""
        port = self._near.getsockname()[1]
        return re.sub(r"(a=candidate:\S+ 1 \S+ \d+ \S+ )\d+", lambda match: match[1] + str(port),
                      answer)

    def send(self, datagram):
        self.far.sendto(datagram, self._server_address)

    def _to_server(self):
        while not self._stop.is_set():
            try:
                datagram, self._client = self._near.recvfrom(65536)
            except OSError:
                continue
            if len(self.kept) < 5000:
                self.kept.append(datagram)
            self.send(datagram)

    def _to_client(self):
        while not self._stop.is_set():
            try:
                datagram = self.far.recv(65536)
            except OSError:
                continue
            if self._client:
                self._near.sendto(datagram, self._client)
