// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from 'node:timers/promises';
import { Ledger } from './ledger.mjs';
import { Traffic } from './traffic.mjs';

const kOpenMs = 60_000;
const kCloseMs = 60_000;
const kIdleMs = 60_000; // No echo for so long: the run has stalled.
const kExpiryMs = 4_000; // An unreliable message that is this old is given up.
const kUnreliableBytes = 327680; // Outstanding at once where a burst that overflows a socket buffer is lost.
const kLingerMs = 300; // After the last echo: time for a duplicate to show.

function within(promise, ms, what) {
  let timer;
  const timeout = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`time-out: ${what}`)), ms);
  });
  return Promise.race([promise, timeout]).finally(() => clearTimeout(timer));
}

// RFC 8841 §6.1: without the attribute 65536 bytes are allowed, and 0 means any size.
function limitOf(sdp) {
  const match = /^a=max-message-size:(\d+)/m.exec(sdp);
  const limit = match ? Number(match[1]) : 65536;
  return limit === 0 ? Infinity : limit;
}

// Run is one client's session with a server: dial, echo, close, open again, hang up.
class Run {
  constructor(stack, options) {
    this.stack = stack;
    this.options = options;
    this.ordered = options.mode.endsWith('-ordered');
    this.reliable = options.mode.startsWith('reliable');
    this.ledger = new Ledger(this.ordered);
    this.closed = false;
    this.reopened = false;
    this.maxSize = 0;
  }

  async dial() {
    this.peer = await this.stack.createPeer(() => {});
    const channel = this.open(this.options.label);
    const response = await fetch(this.options.target, {
      method: 'POST',
      headers: { 'content-type': 'application/sdp' },
      body: await within(this.peer.offer(), kOpenMs, 'gathering'),
    });
    const answer = await response.text();
    if (response.status !== 201) throw new Error(`POST: ${response.status} ${answer}`);
    if (!response.headers.get('content-type')?.startsWith('application/sdp')) throw new Error('POST: no SDP');
    this.location = new URL(response.headers.get('location'), this.options.target);
    this.maxSize = Math.min(this.options.maxSize, this.stack.maxSize, limitOf(answer));
    await this.peer.setAnswer(answer);
    await within(channel.open, kOpenMs, 'the channel opening');
    return channel;
  }

  open(label) {
    const channel = this.peer.createChannel(label, { ordered: this.ordered, reliable: this.reliable });
    channel.open = new Promise((resolve) => channel.opened(resolve));
    channel.closed = new Promise((resolve) => (channel.onClose = resolve));
    return channel;
  }

  async echo(channel, count) {
    const { ledger } = this;
    const traffic = new Traffic(this.options.seed, this.maxSize, this.options.empties && this.stack.empties);
    let lost = false;
    let progress = performance.now();
    const window = this.reliable ? Infinity : kUnreliableBytes;
    const pump = () => {
      while (ledger.sent.messages < count && ledger.outstanding.size < this.options.outstanding) {
        if (ledger.outstandingBytes + traffic.size(ledger.sent.messages) > window) break;
        const message = traffic.message(ledger.sent.messages);
        ledger.note(message);
        channel.send(message.text, message.bytes);
      }
    };
    channel.closed.then(() => (lost = true));
    channel.onMessage = (text, bytes) => {
      ledger.accept(text, bytes);
      progress = performance.now();
      pump();
    };
    pump();
    while (ledger.sent.messages < count || ledger.outstanding.size > 0) {
      await sleep(5);
      if (lost) throw new Error('the channel closed early');
      if (performance.now() - progress > kIdleMs) throw new Error('stalled');
      if (!this.reliable) {
        ledger.expire(kExpiryMs);
        pump();
      }
    }
    await sleep(kLingerMs);
  }

  async close(channel) {
    channel.close();
    await within(channel.closed, kCloseMs, 'the channel closing');
  }

  // A second channel after the first has gone: the close left the association whole.
  async reopen() {
    const channel = this.open(this.options.label);
    await within(channel.open, kOpenMs, 'the second channel opening');
    const echoed = new Promise((resolve) => (channel.onMessage = (text, bytes) => resolve(bytes.toString())));
    const again = setInterval(() => this.reliable || channel.send(true, Buffer.from('again')), 1000);
    channel.send(true, Buffer.from('again'));
    const reply = await within(echoed, kIdleMs, 'an echo on the second channel').finally(() => clearInterval(again));
    if (reply !== 'again') throw new Error('the second channel damaged a message');
    await this.close(channel);
  }

  async hangUp() {
    const response = await fetch(this.location, { method: 'DELETE' });
    if (!response.ok) throw new Error(`DELETE: ${response.status}`);
  }

  verdict(error, seconds) {
    const { ledger } = this;
    const { messages, mode, label, seed } = this.options;
    const missing = messages - ledger.received.messages;
    const allowed = this.reliable ? 0 : Math.floor(messages / 100);
    const clean = ledger.damaged + ledger.duplicated + ledger.outOfOrder === 0;
    return {
      peer: this.stack.name, role: 'client', mode, label, seed, max_size: this.maxSize,
      sent: ledger.sent, received: ledger.received, missing,
      damaged: ledger.damaged, duplicated: ledger.duplicated, out_of_order: ledger.outOfOrder,
      closed: this.closed, reopened: this.reopened, seconds: Number(seconds.toFixed(3)),
      ok: !error && clean && missing <= allowed, error: error ? String(error.message ?? error) : '',
    };
  }
}

// runClient prints the verdict as one line of JSON and returns the exit code.
export async function runClient(stack, options) {
  const run = new Run(stack, options);
  const start = performance.now();
  let error;
  try {
    const channel = await run.dial();
    await run.echo(channel, options.messages);
    await run.close(channel);
    run.closed = true;
    await sleep(stack.settleMs ?? 0);
    await run.reopen();
    run.reopened = true;
    await run.hangUp();
  } catch (caught) {
    error = caught;
  }
  const verdict = run.verdict(error, (performance.now() - start) / 1000);
  process.stdout.write(`${JSON.stringify(verdict)}\n`);
  run.peer?.close();
  return verdict.ok ? 0 : 1;
}
