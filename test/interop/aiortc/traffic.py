# SPDX-License-Identifier: Apache-2.0
"""The messages of one run: a pure function of seed and index, so that any damage shows.

README.md, "The messages", is the definition that all the peers follow.
"""

from dataclasses import dataclass

TAGGED = 8  # Messages of this size or more begin with their index.

_BLOCK = 65521  # A prime: fragments that swap places never match by chance.
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_MASK = 0xFFFFFFFF


@dataclass
class Message:
    index: int
    text: bool
    data: bytes
    at: float = 0.0


def _mix(x: int) -> int:
    x = ((x ^ x >> 16) * 0x7FEB352D) & _MASK
    x = ((x ^ x >> 15) * 0x846CA68B) & _MASK
    return x ^ x >> 16


class Traffic:
    """Makes message `index` of a run. Even indices are strings, odd ones binary."""

    def __init__(self, seed: int, max_size: int, empties: bool):
        self._seed = seed & _MASK
        self._max_size = max_size
        self._empties = empties
        block = bytearray(_BLOCK)
        state = _mix(self._seed) | 1
        for i in range(_BLOCK):
            state ^= state << 13 & _MASK
            state ^= state >> 17
            state ^= state << 5 & _MASK
            block[i] = state >> 24
        text = bytes(_ALPHABET[byte & 63] for byte in block)
        self._blocks = {False: bytes(block), True: text}

    def _random(self, index: int) -> int:
        return _mix(self._seed ^ _mix(index + 1))

    def size(self, index: int) -> int:
        random = self._random(index)
        place = index % 100
        if place in (25, 40):
            return 0 if self._empties else 1
        if place in (26, 41):
            return 1
        if place in (50, 51):
            return self._max_size
        if index % 40 == 3:
            return 1 + random % self._max_size
        power = 1 << random % 14
        return min(power + (random >> 8) % power, self._max_size)

    def message(self, index: int) -> Message:
        text = index % 2 == 0
        size = self.size(index)
        offset = self._random(index) % _BLOCK
        block = self._blocks[text]
        data = bytearray((block[offset:] + block * (1 + size // _BLOCK))[:size])
        if size >= TAGGED:
            tag = b"%08x" % index if text else index.to_bytes(4, "big")
            data[: len(tag)] = tag
        if text and size >= 32:
            # Lengths in characters and in bytes must not be confused.
            data[8:17] = "é√😀".encode()
        return Message(index, text, bytes(data))


def tag_of(text: bool, data: bytes) -> int:
    """The index that a received message claims, or -1."""
    if len(data) < TAGGED:
        return -1
    if not text:
        return int.from_bytes(data[:4], "big")
    try:
        return int(data[:8], 16)
    except ValueError:
        return -1
