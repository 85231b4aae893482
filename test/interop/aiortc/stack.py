# SPDX-License-Identifier: Apache-2.0
"""aiortc, set up for the loopback."""

import aioice.ice
import aioice.turn
from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection

NAME = "aiortc"
MAX_SIZE = 262144

# aioice leaves the loopback out of its candidates and has no setting for it.
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]
# It reads its sockets only as often as Python comes round: a burst must not overflow them.
aioice.turn.UDP_SOCKET_BUFFER_SIZE = 4 << 20


def new_connection() -> RTCPeerConnection:
    return RTCPeerConnection(RTCConfiguration(iceServers=[]))


def to_wire(message) -> tuple[bool, bytes]:
    """What arrived, as (is it a string?, its bytes)."""
    text = isinstance(message, str)
    return text, message.encode() if text else message


def send(channel: RTCDataChannel, text: bool, data: bytes) -> None:
    channel.send(data.decode() if text else data)
