# SPDX-License-Identifier: Apache-2.0
import asyncio
import json
import resource
import signal
import time
import urllib.parse

from aiortc import RTCSessionDescription

import stack

MAX_OFFER = 65536
LOW_WATER = 1 << 20  # A source keeps at most so many bytes in the stack.


def _echo(channel) -> None:
    channel.on("message", lambda message: channel.send(message))


def _sink(channel) -> None:
    count = {"messages": 0, "bytes": 0}
    start = 0.0

    def take(message) -> None:
        nonlocal start
        if message == "report":
            usage = resource.getrusage(resource.RUSAGE_SELF)
            seconds = time.monotonic() - start if start else 0.0
            cpu = usage.ru_utime + usage.ru_stime
            channel.send(json.dumps({**count, "seconds": seconds, "cpu_seconds": cpu}))
            return
        start = start or time.monotonic()
        count["messages"] += 1
        count["bytes"] += len(stack.to_wire(message)[1])

    channel.on("message", take)


async def _source(channel) -> None:
    """A count of 0 is endless, a rate of 0 as fast as the stack takes messages."""
    query = dict(urllib.parse.parse_qsl(channel.protocol))
    message = bytes(min(int(query.get("size", 1000)), stack.MAX_SIZE))
    count = int(query.get("count", 0))
    rate = 0.0 if query.get("rate") == "max" else float(query.get("rate", 0))
    start = time.monotonic()
    sent = 0
    while channel.readyState == "open" and (count == 0 or sent < count):
        late = rate > 0 and sent > (time.monotonic() - start) * rate
        if late or channel.bufferedAmount > LOW_WATER:
            await asyncio.sleep(0.001)
            continue
        channel.send(message)
        sent += 1
        if sent % 16 == 0:
            await asyncio.sleep(0)


class Server:
    """The sessions of one listening endpoint, and as much of HTTP as they need."""

    def __init__(self):
        self._sessions = {}
        self._tasks = set()
        self._serial = 0

    async def handle(self, reader, writer) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            request, *lines = head.split("\r\n")
            headers = {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
            length = int(headers.get("content-length", 0))
            if length > MAX_OFFER:
                status, extra, body = "413 Content Too Large", "", ""
            else:
                method, path, _ = request.split(" ")
                status, extra, body = await self._respond(method, path, (await reader.readexactly(length)).decode())
            data = body.encode()
            writer.write(
                f"HTTP/1.1 {status}\r\n{extra}Content-Length: {len(data)}\r\nConnection: close\r\n\r\n".encode() + data
            )
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ValueError):
            pass
        finally:
            writer.close()

    async def stop(self) -> None:
        await asyncio.gather(*(connection.close() for connection in self._sessions.values()))

    async def _respond(self, method: str, path: str, body: str):
        if method == "POST" and path == "/offer":
            return await self._post(body)
        connection = self._sessions.pop(path, None) if method == "DELETE" else None
        if connection is None:
            return "404 Not Found", "", ""
        await connection.close()
        return "204 No Content", "", ""

    async def _post(self, offer: str):
        connection = stack.new_connection()
        connection.on("datachannel", self._serve)
        try:
            await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
            await connection.setLocalDescription(await connection.createAnswer())
        except Exception as error:  # aiortc raises whatever its parsers meet.
            await connection.close()
            return "400 Bad Request", "", repr(error)
        self._serial += 1
        path = f"/offer/{self._serial}"
        self._sessions[path] = connection
        return "201 Created", f"Content-Type: application/sdp\r\nLocation: {path}\r\n", connection.localDescription.sdp

    def _serve(self, channel) -> None:
        if channel.label.startswith("echo"):
            _echo(channel)
        elif channel.label.startswith("sink"):
            _sink(channel)
        elif channel.label.startswith("source"):
            task = asyncio.ensure_future(_source(channel))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


async def run_server(options) -> int:
    """Serves until SIGTERM."""
    server = Server()
    listener = await asyncio.start_server(server.handle, "127.0.0.1", options.port)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print(f"READY http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/offer", flush=True)
    await stop.wait()
    listener.close()
    await server.stop()
    return 0
