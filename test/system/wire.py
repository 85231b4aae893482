# SPDX-License-Identifier: Apache-2.0
"""What comes in over an interface, as seen by a packet socket (what DPDK sends there passes those
by). As a program, `wire.py IFACE` runs in a namespace, says `ready`, and at the end of its input
prints what it has counted, as JSON."""

import json
import os
import select
import socket
import struct
import subprocess
import sys
from collections import Counter

from program import expect

ETH_P_ALL = 3
SOL_PACKET = 263
PACKET_AUXDATA = 8
PACKET_OUTGOING = 4
# struct tpacket_auxdata: status, len, snaplen, mac, net, vlan_tci, vlan_tpid.
AUXDATA = struct.Struct("=IIIHHHH")
TP_STATUS_VLAN_VALID = 0x10
VLAN, ARP, IPV4, IPV6 = 0x8100, 0x0806, 0x0800, 0x86DD
UDP, ICMPV6 = 17, 58
NEIGHBOUR = {135: "solicitation", 136: "advertisement"}


def tag_of(ancillary):
    """The VLAN id that the kernel has taken out of a frame, or None."""
    for level, kind, data in ancillary:
        if level == SOL_PACKET and kind == PACKET_AUXDATA and len(data) >= AUXDATA.size:
            status, *_, tci, _ = AUXDATA.unpack_from(data)
            if status & TP_STATUS_VLAN_VALID:
                return tci & 0xFFF
    return None


def describe(frame, tag):
    """What a frame is, in words, and its VLAN id."""
    kind, at = int.from_bytes(frame[12:14], "big"), 14
    if kind == VLAN:
        tag = int.from_bytes(frame[14:16], "big") & 0xFFF
        kind, at = int.from_bytes(frame[16:18], "big"), 18
    to = "group" if frame[0] & 1 else "unicast"
    if kind == ARP:
        return f"{to} arp {'request' if frame[at + 7] == 1 else 'reply'}", tag
    if kind == IPV6 and frame[at + 6] == ICMPV6 and len(frame) > at + 40:
        return f"{to} {NEIGHBOUR.get(frame[at + 40], 'icmpv6')}", tag
    protocol_at = {IPV4: 9, IPV6: 6}.get(kind)
    if protocol_at is None or frame[at + protocol_at] != UDP:
        return "other", tag
    return ("udp4" if kind == IPV4 else "udp6"), tag


def count(interface):
    seen = Counter()
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as tap:
        tap.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        tap.bind((interface, ETH_P_ALL))
        print("ready", flush=True)
        while True:
            ready, _, _ = select.select([tap, sys.stdin], [], [])
            if tap not in ready:
                break
            frame, ancillary, _, address = tap.recvmsg(128, socket.CMSG_SPACE(AUXDATA.size))
            if address[2] == PACKET_OUTGOING:
                continue
            words, tag = describe(frame, tag_of(ancillary))
            seen[words + (f" tag {tag}" if tag is not None else "")] += 1
    print(json.dumps(seen), flush=True)


class Capture:
    """Counts the frames that come in over an interface of a namespace until `close`, by what they
    are: "udp4 tag 42", "group arp request"."""

    def __init__(self, namespace, interface):
        self._process = subprocess.Popen([*namespace.enter, sys.executable, os.path.abspath(__file__),
                                          interface], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         text=True)
        expect(self._process.stdout.readline() == "ready\n", "no capture")

    def close(self):
        out, _ = self._process.communicate(timeout=30)
        return Counter(json.loads(out))


if __name__ == "__main__":
    count(sys.argv[1])
