// SPDX-License-Identifier: Apache-2.0
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { Histogram, LoadChannel, Measures } from './account.mjs';
import { reportOf, writeReport } from './report.mjs';
import { connect, cpuSeconds, described, kHighWater, kLowWater, opened } from './stack.mjs';

const kHost = '127.0.0.1';
const kOpenMs = 30_000;
const kPatienceMs = 10_000; // How long to wait at the end for what is missing.
const kAskAgainMs = 500;
const kStalledMs = 1000; // An unreliable channel that is silent for so long has lost its window.
const kCheckMs = 5;
const kBurst = 16; // Messages that are sent before the loop gets a turn.

async function within(promise, what) {
  const timeout = sleep(kOpenMs, undefined, { ref: false }).then(() => {
    throw new Error(`time-out: ${what}`);
  });
  timeout.catch(() => {}); // After the race nobody else looks.
  return Promise.race([promise, timeout]);
}

// Run is one run of the load.
class Run {
  constructor(options) {
    this.options = options;
    this.measures = new Measures();
    this.setup = new Histogram();
    this.connections = [];
    this.channels = [];
    this.errors = [];
    this.dropped = 0;
    this.clientCpu = 0;
    this.serverCpu = null;
  }

  get label() {
    return this.options.pattern === 'upload' ? 'sink' : 'echo';
  }

  async dial() {
    const { options } = this;
    const connection = connect();
    const { ordered } = options;
    const init = options.maxRetransmits === null ? { ordered } : { ordered, maxRetransmits: options.maxRetransmits };
    const made = Array.from({ length: options.channels }, () => connection.createDataChannel(this.label, init));
    const channels = made.map((channel) => new LoadChannel(channel, options, this.measures));
    const offer = await described(connection, kHost, await connection.createOffer());
    const start = performance.now();
    const headers = { 'content-type': 'application/sdp' };
    const response = await fetch(options.target, { method: 'POST', headers, body: offer });
    const answer = await response.text();
    if (response.status !== 201) throw new Error(`the offer was answered with ${response.status}: ${answer}`);
    await connection.setRemoteDescription({ type: 'answer', sdp: answer });
    await within(Promise.all(made.map(opened)), 'a channel opening');
    this.setup.record(performance.now() - start);
    connection.onconnectionstatechange = () => {
      if (['failed', 'closed'].includes(connection.connectionState)) this.dropped++;
    };
    this.connections.push(connection);
    this.channels.push(...channels);
  }

  async dialAll() {
    let next = 0;
    const dialler = async () => {
      while (next++ < this.options.connections) {
        await this.dial().catch((error) => this.errors.length < 8 && this.errors.push(String(error.message)));
      }
    };
    await Promise.all(Array.from({ length: this.options.dialling }, dialler));
  }

  // The channel on which the server is asked for its CPU time.
  async openControl() {
    if (this.connections.length === 0) return;
    const channel = this.connections[0].createDataChannel('sink');
    this.control = new LoadChannel(channel, this.options, this.measures);
    await within(opened(channel), 'the control channel opening');
  }

  // Sends as fast as the buffer empties.
  async upload(loadChannel, to) {
    const { channel } = loadChannel;
    channel.bufferedAmountLowThreshold = kLowWater;
    while (performance.now() < to && !loadChannel.closed) {
      for (let sent = 0; sent < kBurst && channel.bufferedAmount < kHighWater; sent++) {
        loadChannel.send(performance.now());
      }
      if (channel.bufferedAmount < kHighWater) await setImmediate();
      else await Promise.race([new Promise((resolve) => (channel.onbufferedamountlow = resolve)), sleep(10)]);
    }
  }

  // Sends at the rate, whether or not echoes come.
  pace(start, to) {
    const { rate } = this.options;
    const epoch = performance.timeOrigin;
    const workerData = { rate, start: epoch + start, to: epoch + to };
    const clock = new Worker(new URL('clock.mjs', import.meta.url), { workerData });
    clock.on('message', (index) => {
      this.channels[index % this.channels.length].send(start + (index * 1000) / rate);
    });
  }

  start(start, to) {
    const { pattern, rate } = this.options;
    if (pattern === 'upload') for (const channel of this.channels) void this.upload(channel, to);
    if (pattern === 'echo' && rate > 0) this.pace(start, to);
    if (pattern === 'echo' && rate === 0) {
      for (const channel of this.channels) {
        channel.progress = start;
        channel.fill();
      }
    }
  }

  // Gives up what an unreliable channel that has gone silent still waits for.
  revive() {
    const { pattern, rate, maxRetransmits } = this.options;
    if (pattern !== 'echo' || rate > 0 || maxRetransmits === null) return;
    for (const channel of this.channels) {
      if (performance.now() - channel.progress < kStalledMs) continue;
      channel.writtenOff = channel.sent;
      channel.progress = performance.now();
      channel.fill();
    }
  }

  // Asks for the beginning again where the question, or its answer, may have been lost.
  askAgain() {
    if (this.options.pattern !== 'upload' || this.options.maxRetransmits === null) return;
    for (const channel of this.channels) if (channel.reports.length === 0) channel.ask();
  }

  async waitUntil(at, measured) {
    for (let left = at - performance.now(); left > 0; left = at - performance.now()) {
      await sleep(Math.min(left, kStalledMs / 4));
      this.revive();
      if (measured) this.askAgain();
    }
  }

  askAll() {
    this.control?.ask();
    if (this.options.pattern === 'upload') for (const channel of this.channels) channel.ask();
  }

  // Whether the end of a channel's traffic is still waited for. A question that may have been lost, or have
  // overtaken data, is asked again.
  missing(channel) {
    const { pattern, ordered } = this.options;
    if (channel.closed || pattern === 'idle') return false;
    if (pattern === 'echo') return channel.reliable && channel.received < channel.sent;
    const complete = channel.reports.at(-1)?.messages >= channel.sent;
    if (channel.reports.length > channel.endReport && (!channel.reliable || complete)) return false;
    if (!(ordered && channel.reliable) && performance.now() - channel.askedAt > kAskAgainMs) channel.ask();
    return true;
  }

  async settle() {
    const deadline = performance.now() + kPatienceMs;
    const told = () => !this.control || this.control.reports.length >= 2;
    while (performance.now() < deadline && (this.channels.filter((c) => this.missing(c)).length > 0 || !told())) {
      await sleep(kCheckMs);
    }
    if (this.options.pattern === 'echo' && this.options.maxRetransmits !== null) await sleep(kAskAgainMs);
  }

  async carry() {
    const { measures, options } = this;
    const start = performance.now();
    measures.from = start + options.warmup * 1000;
    measures.to = measures.from + options.duration * 1000;
    this.start(start, measures.to);
    await this.waitUntil(measures.from, false);
    const cpu = cpuSeconds();
    this.askAll();
    await this.waitUntil(measures.to, true);
    for (const channel of this.channels) channel.endReport = Math.max(channel.reports.length, 1);
    this.clientCpu = cpuSeconds() - cpu;
    this.askAll();
    await this.settle();
    const [first, second] = this.control?.reports ?? [];
    if (second) this.serverCpu = second.cpu_seconds - first.cpu_seconds;
  }
}

// runLoad resolves to true when all connections opened and nothing was lost that must not be.
export async function runLoad(options) {
  const run = new Run(options);
  await run.dialAll();
  await run.openControl().catch((error) => run.errors.push(error.message));
  if (run.channels.length > 0) await run.carry();
  for (const error of run.errors) process.stderr.write(`roamhq-wrtc: ${error}\n`);
  const report = reportOf(run);
  writeReport(options.json, report);
  return report.good;
}
