# SPDX-License-Identifier: Apache-2.0
import time
from typing import Optional

from traffic import TAGGED, Message, tag_of


class Ledger:
    """Keeps what was sent until its echo comes, and counts every way in which an echo can be wrong."""

    def __init__(self, ordered: bool):
        self._ordered = ordered
        self.outstanding: dict[int, Message] = {}  # In the order of sending.
        self.expired: dict[int, Message] = {}  # Given up; a late echo is still an arrival.
        self._last = -1
        self.sent = {"messages": 0, "bytes": 0}
        self.received = {"messages": 0, "bytes": 0}
        self.damaged = 0
        self.duplicated = 0
        self.out_of_order = 0

    def outstanding_bytes(self) -> int:
        return sum(len(message.data) for message in self.outstanding.values())

    def note(self, message: Message) -> None:
        message.at = time.monotonic()
        self.outstanding[message.index] = message
        self.sent["messages"] += 1
        self.sent["bytes"] += len(message.data)

    def accept(self, text: bool, data: bytes) -> None:
        find = self._by_tag if len(data) >= TAGGED else self._by_content
        message = find(text, data)
        if message is None:
            return
        self.outstanding.pop(message.index, None)
        self.expired.pop(message.index, None)
        self.received["messages"] += 1
        self.received["bytes"] += len(data)
        if self._ordered and message.index < self._last:
            self.out_of_order += 1
        self._last = max(self._last, message.index)

    def expire(self, age: float) -> None:
        before = time.monotonic() - age
        for message in list(self.outstanding.values()):
            if message.at > before:
                break
            self.expired[message.index] = self.outstanding.pop(message.index)

    def _by_tag(self, text: bool, data: bytes) -> Optional[Message]:
        tag = tag_of(text, data)
        message = self.outstanding.get(tag) or self.expired.get(tag)
        if message and message.text == text and message.data == data:
            return message
        if message is None and 0 <= tag < self.sent["messages"]:
            self.duplicated += 1
        else:
            self.damaged += 1
        return None

    def _by_content(self, text: bool, data: bytes) -> Optional[Message]:
        """Too short for a tag: the oldest message of the same content, preferably one in order."""
        same = [
            message
            for pending in (self.outstanding, self.expired)
            for message in pending.values()
            if message.text == text and message.data == data
        ]
        if not same:
            self.damaged += 1
            return None
        return next((message for message in same if message.index > self._last), same[0])
