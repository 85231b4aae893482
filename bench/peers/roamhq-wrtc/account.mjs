// SPDX-License-Identifier: Apache-2.0
// What became of the messages of the load. Times are milliseconds of performance.now().

export const kStampBytes = 16; // A message begins with its sequence number and the time it was meant to leave.

const kPart = 128; // Buckets of an octave: each is less than 1 % wide.

// Histogram counts durations.
export class Histogram {
  constructor() {
    this.buckets = new Float64Array(64 * kPart);
    this.count = 0;
    this.largest = 0;
  }

  record(milliseconds) {
    const value = Math.max(Math.round(milliseconds * 1e6), 1); // Nanoseconds.
    const shift = Math.max(Math.floor(Math.log2(value)) - 7, 0);
    this.buckets[shift * kPart + Math.floor(value / 2 ** shift)]++;
    this.count++;
    this.largest = Math.max(this.largest, value);
  }

  // In microseconds; 0 when nothing was recorded.
  percentile(percent) {
    const rank = Math.max(Math.ceil((percent / 100) * this.count), 1);
    let sum = 0;
    const index = this.buckets.findIndex((count) => (sum += count) >= rank);
    if (index < 0) return 0;
    const shift = Math.max(Math.floor(index / kPart) - 1, 0);
    return Math.min((index - shift * kPart + 1) * 2 ** shift - 1, this.largest) / 1e3;
  }
}

// Measures are what a run has counted, over all channels.
export class Measures {
  constructor() {
    this.from = 0;
    this.to = 0;
    this.latency = new Histogram();
    this.sent = { messages: 0, bytes: 0 };
    this.delivered = { messages: 0, bytes: 0 };
    this.reordered = 0;
    this.damaged = 0;
  }

  within(at) {
    return at >= this.from && at < this.to;
  }
}

function add(tally, size) {
  tally.messages++;
  tally.bytes += size;
}

// LoadChannel is a channel of the load, and the account of its messages.
export class LoadChannel {
  constructor(channel, options, measures) {
    this.channel = channel;
    this.options = options;
    this.measures = measures;
    this.message = new DataView(new ArrayBuffer(options.size));
    for (let i = 0; i < options.size; i++) this.message.setUint8(i, (i * 73 + 41) & 255);
    this.sent = 0;
    this.received = 0;
    this.end = 0; // One past the highest number that came back.
    this.writtenOff = 0; // Unreliable: below this nothing is waited for.
    this.progress = 0;
    this.reports = [];
    this.endReport = 0; // The reports before this one tell of the beginning, the others of the end.
    this.askedAt = 0;
    this.closed = false;
    channel.binaryType = 'arraybuffer';
    channel.onclose = () => (this.closed = true);
    channel.onmessage = ({ data }) => this.#take(data);
  }

  get reliable() {
    return this.options.maxRetransmits === null;
  }

  send(intended) {
    this.message.setFloat64(0, this.sent);
    this.message.setFloat64(8, intended);
    this.channel.send(this.message.buffer);
    this.sent++;
    if (this.measures.within(intended)) add(this.measures.sent, this.options.size);
  }

  outstanding() {
    // What was overtaken on an unreliable channel may be lost: nobody waits for it.
    return this.sent - (this.reliable ? this.received : Math.max(this.end, this.writtenOff));
  }

  // Sends as much as the window takes.
  fill() {
    while (this.outstanding() < this.options.outstanding && performance.now() < this.measures.to) {
      this.send(performance.now());
    }
  }

  ask() {
    this.askedAt = performance.now();
    this.channel.send('report');
  }

  #take(data) {
    this.progress = performance.now();
    if (typeof data === 'string') this.reports.push(JSON.parse(data));
    else if (this.options.pattern === 'echo') this.#takeEcho(data, this.progress);
  }

  #takeEcho(data, at) {
    const { measures, options } = this;
    this.received++;
    const view = new DataView(data);
    const sequence = data.byteLength === options.size ? view.getFloat64(0) : Infinity;
    if (!(sequence < this.sent)) {
      measures.damaged++;
      return;
    }
    const intended = view.getFloat64(8);
    if (sequence < this.end) measures.reordered++;
    this.end = Math.max(this.end, sequence + 1);
    if (measures.within(options.rate > 0 ? intended : at)) {
      measures.latency.record(at - intended);
      add(measures.delivered, data.byteLength);
    }
    if (options.rate === 0) this.fill();
  }
}
