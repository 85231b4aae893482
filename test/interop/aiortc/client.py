# SPDX-License-Identifier: Apache-2.0
import asyncio
import json
import re
import time
import urllib.parse
import urllib.request

from aiortc import RTCSessionDescription

import stack
from ledger import Ledger
from traffic import Traffic

OPEN_SECONDS = 60
CLOSE_SECONDS = 60
IDLE_SECONDS = 60  # No echo for so long: the run has stalled.
EXPIRY_SECONDS = 4  # An unreliable message that is this old is given up.
UNRELIABLE_BYTES = 327680  # Outstanding at once where a burst that overflows a socket buffer is lost.
LINGER_SECONDS = 0.3  # After the last echo: time for a duplicate to show.


def limit_of(sdp: str) -> int:
    """RFC 8841 §6.1: without the attribute 65536 bytes are allowed, and 0 means any size."""
    match = re.search(r"^a=max-message-size:(\d+)", sdp, re.MULTILINE)
    return (int(match[1]) if match else 65536) or stack.MAX_SIZE


async def http(method: str, url: str, body: str = ""):
    """Returns (status, headers, body)."""

    def call():
        headers = {"Content-Type": "application/sdp"} if body else {}
        request = urllib.request.Request(url, body.encode() or None, headers, method=method)
        with urllib.request.urlopen(request, timeout=OPEN_SECONDS) as response:
            return response.status, response.headers, response.read().decode()

    return await asyncio.to_thread(call)


async def within(awaitable, seconds: float, what: str):
    try:
        return await asyncio.wait_for(awaitable, seconds)
    except asyncio.TimeoutError:
        raise RuntimeError(f"time-out: {what}") from None


class Channel:
    """A channel of ours, with its life as events."""

    def __init__(self, connection, options, on_message):
        lossy = {} if options.reliable else {"maxRetransmits": 0}
        self._channel = connection.createDataChannel(options.label, ordered=options.ordered, **lossy)
        self.opened = asyncio.Event()
        self.closed = asyncio.Event()
        self._channel.on("open", self.opened.set)
        self._channel.on("close", self.closed.set)
        self._channel.on("message", lambda message: on_message(*stack.to_wire(message)))

    async def open(self) -> None:
        await within(self.opened.wait(), OPEN_SECONDS, "the channel opening")

    def send(self, text: bool, data: bytes) -> None:
        stack.send(self._channel, text, data)

    async def close(self) -> None:
        self._channel.close()
        await within(self.closed.wait(), CLOSE_SECONDS, "the channel closing")


class Run:
    """One client's session with a server: dial, echo, close, open again, hang up."""

    def __init__(self, options):
        self._options = options
        self._connection = stack.new_connection()
        self._ledger = Ledger(options.ordered)
        self._arrived = asyncio.Event()
        self._location = ""
        self._max_size = 0
        self._closed = False
        self._reopened = False

    async def session(self) -> None:
        channel = Channel(self._connection, self._options, self._accept)
        await self._dial()
        await channel.open()
        await self._echo(channel)
        await channel.close()
        self._closed = True
        await self._reopen()
        self._reopened = True
        await http("DELETE", self._location)

    async def end(self) -> None:
        await self._connection.close()

    def verdict(self, error: str, seconds: float) -> dict:
        options, ledger = self._options, self._ledger
        missing = options.messages - ledger.received["messages"]
        allowed = 0 if options.reliable else options.messages // 100
        clean = ledger.damaged + ledger.duplicated + ledger.out_of_order == 0
        return {
            "peer": stack.NAME, "role": "client", "mode": options.mode, "label": options.label,
            "seed": options.seed, "max_size": self._max_size,
            "sent": ledger.sent, "received": ledger.received, "missing": missing,
            "damaged": ledger.damaged, "duplicated": ledger.duplicated,
            "out_of_order": ledger.out_of_order,
            "closed": self._closed, "reopened": self._reopened, "seconds": round(seconds, 3),
            "ok": not error and clean and missing <= allowed, "error": error,
        }

    def _accept(self, text: bool, data: bytes) -> None:
        self._ledger.accept(text, data)
        self._arrived.set()

    async def _dial(self) -> None:
        await self._connection.setLocalDescription(await self._connection.createOffer())
        offer = self._connection.localDescription.sdp
        status, headers, answer = await http("POST", self._options.target, offer)
        if status != 201 or not headers["Content-Type"].startswith("application/sdp"):
            raise RuntimeError(f"POST: {status} {headers['Content-Type']}")
        self._location = urllib.parse.urljoin(self._options.target, headers["Location"])
        self._max_size = min(self._options.max_size, stack.MAX_SIZE, limit_of(answer))
        await self._connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    def _pump(self, channel: Channel, traffic: Traffic) -> None:
        options, ledger = self._options, self._ledger
        while ledger.sent["messages"] < options.messages and len(ledger.outstanding) < options.outstanding:
            index = ledger.sent["messages"]
            size = ledger.outstanding_bytes() + traffic.size(index)
            if not options.reliable and size > UNRELIABLE_BYTES:
                return
            message = traffic.message(index)
            ledger.note(message)
            channel.send(message.text, message.data)

    async def _echo(self, channel: Channel) -> None:
        ledger = self._ledger
        traffic = Traffic(self._options.seed, self._max_size, not self._options.no_empty)
        progress = time.monotonic()
        while True:
            self._pump(channel, traffic)
            if ledger.sent["messages"] == self._options.messages and not ledger.outstanding:
                break
            try:
                await asyncio.wait_for(self._arrived.wait(), 0.1)
                progress = time.monotonic()
            except asyncio.TimeoutError:
                pass
            self._arrived.clear()
            if channel.closed.is_set():
                raise RuntimeError("the channel closed early")
            if time.monotonic() - progress > IDLE_SECONDS:
                raise RuntimeError("stalled")
            if not self._options.reliable:
                ledger.expire(EXPIRY_SECONDS)
        await asyncio.sleep(LINGER_SECONDS)

    async def _reopen(self) -> None:
        """A second channel after the first has gone: the close left the association whole."""
        replies: asyncio.Queue = asyncio.Queue()
        channel = Channel(self._connection, self._options, lambda text, data: replies.put_nowait(data))
        await channel.open()
        deadline = time.monotonic() + IDLE_SECONDS
        while True:
            channel.send(True, b"again")
            try:
                reply = await asyncio.wait_for(replies.get(), IDLE_SECONDS if self._options.reliable else 1)
                break
            except asyncio.TimeoutError:
                if time.monotonic() > deadline:
                    raise RuntimeError("time-out: an echo on the second channel") from None
        if reply != b"again":
            raise RuntimeError("the second channel damaged a message")
        await channel.close()


async def run_client(options) -> int:
    """Prints the verdict as one line of JSON; returns the exit code."""
    run = Run(options)
    start = time.monotonic()
    error = ""
    try:
        await run.session()
    except Exception as caught:  # Whatever it was, it is the verdict.
        error = str(caught) or repr(caught)
    verdict = run.verdict(error, time.monotonic() - start)
    print(json.dumps(verdict), flush=True)
    await run.end()
    return 0 if verdict["ok"] else 1
