// SPDX-License-Identifier: Apache-2.0
import { kTagged, tagOf } from './traffic.mjs';

// Ledger keeps what was sent until its echo comes, and counts every way in which an echo can be wrong.
export class Ledger {
  constructor(ordered) {
    this.ordered = ordered;
    this.outstanding = new Map(); // index -> message, in the order of sending.
    this.expired = new Map(); // Given up; a late echo is still an arrival.
    this.outstandingBytes = 0;
    this.last = -1;
    this.sent = { messages: 0, bytes: 0 };
    this.received = { messages: 0, bytes: 0 };
    this.damaged = 0;
    this.duplicated = 0;
    this.outOfOrder = 0;
  }

  note(message) {
    message.at = performance.now();
    this.outstanding.set(message.index, message);
    this.outstandingBytes += message.bytes.length;
    this.sent.messages++;
    this.sent.bytes += message.bytes.length;
  }

  accept(text, bytes) {
    const message = bytes.length >= kTagged ? this.#byTag(text, bytes) : this.#byContent(text, bytes);
    if (!message) return;
    if (this.outstanding.delete(message.index)) this.outstandingBytes -= bytes.length;
    else this.expired.delete(message.index);
    this.received.messages++;
    this.received.bytes += bytes.length;
    if (this.ordered && message.index < this.last) this.outOfOrder++;
    this.last = Math.max(this.last, message.index);
  }

  expire(ageMs) {
    const before = performance.now() - ageMs;
    for (const message of this.outstanding.values()) {
      if (message.at > before) break;
      this.outstanding.delete(message.index);
      this.outstandingBytes -= message.bytes.length;
      this.expired.set(message.index, message);
    }
  }

  missing() {
    return this.outstanding.size + this.expired.size;
  }

  #byTag(text, bytes) {
    const tag = tagOf(text, bytes);
    const message = this.outstanding.get(tag) ?? this.expired.get(tag);
    if (message && message.text === text && message.bytes.equals(bytes)) return message;
    if (!message && tag >= 0 && tag < this.sent.messages) this.duplicated++;
    else this.damaged++;
    return undefined;
  }

  // Too short for a tag: the oldest message of the same content, preferably one that is in order.
  #byContent(text, bytes) {
    let late;
    for (const pending of [this.outstanding, this.expired]) {
      for (const message of pending.values()) {
        if (message.text !== text || !message.bytes.equals(bytes)) continue;
        if (message.index > this.last) return message;
        late ??= message;
      }
    }
    if (!late) this.damaged++;
    return late;
  }
}
