// SPDX-License-Identifier: Apache-2.0
// The report, in the schema of `millrace load`.
import { readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';

function environment() {
  const folder = new URL('./node_modules/@roamhq/wrtc/package.json', import.meta.url);
  const { version } = JSON.parse(readFileSync(folder, 'utf8'));
  const cpus = os.cpus();
  const time = `${new Date().toISOString().slice(0, 19)}Z`;
  return { cpu: cpus[0].model, cpus: cpus.length, kernel: os.release(), back_end: 'roamhq-wrtc', version, time };
}

// Uploads count between a sink's first two reports, by its own clock.
function sum({ options, measures, channels }) {
  const seconds = options.duration;
  const upload = options.pattern === 'upload';
  const out = {
    delivered: { ...measures.delivered },
    messages: upload ? 0 : measures.delivered.messages / seconds,
    mbps: upload ? 0 : (measures.delivered.bytes * 8e-6) / seconds,
    lost: 0,
  };
  for (const { sent, received, reports, endReport } of channels) {
    const arrived = upload ? (reports.at(-1)?.messages ?? 0) : received;
    out.lost += Math.max(sent - arrived, 0);
    const [begin] = reports;
    const end = reports[endReport];
    if (!upload || !end) continue;
    const span = end.seconds - begin.seconds;
    out.delivered.messages += end.messages - begin.messages;
    out.delivered.bytes += end.bytes - begin.bytes;
    if (span <= 0) continue;
    out.messages += (end.messages - begin.messages) / span;
    out.mbps += ((end.bytes - begin.bytes) * 8e-6) / span;
  }
  return out;
}

function configOf(options) {
  const { target, json, maxRetransmits, rate, ...rest } = options;
  return { ...rest, rate: rate > 0 ? rate : 'max', max_retransmits: maxRetransmits };
}

export function reportOf(run) {
  const { options, measures, setup, connections } = run;
  const { delivered, messages, mbps, lost } = sum(run);
  const { latency, reordered, damaged } = measures;
  const opened = connections.length;
  const dropped = Math.max(run.dropped, run.channels.filter((channel) => channel.closed).length);
  const percentiles = [50, 90, 99, 99.9, 99.99].map((percent) => [`p${percent}`, latency.percentile(percent)]);
  const setupMs = (percent) => setup.percentile(percent) / 1e3;
  return {
    schema: 1,
    target: options.target,
    config: configOf(options),
    environment: environment(),
    connections: {
      requested: options.connections,
      opened,
      failed: options.connections - opened,
      dropped,
      setup_ms: { p50: setupMs(50), p99: setupMs(99), max: setupMs(100) },
    },
    sent: measures.sent,
    delivered,
    goodput_mbps: mbps,
    messages_per_second: messages,
    latency_us: { count: latency.count, ...Object.fromEntries(percentiles), max: latency.percentile(100) },
    cpu: { client_seconds: run.clientCpu, server_seconds: run.serverCpu },
    faults: { lost, reordered, damaged },
    good:
      opened === options.connections &&
      dropped === 0 &&
      damaged === 0 &&
      !(options.ordered && reordered > 0) &&
      !(options.maxRetransmits === null && lost > 0),
    errors: run.errors,
  };
}

export function writeReport(path, report) {
  const text = `${JSON.stringify(report, null, 1)}\n`;
  if (path === '-') process.stdout.write(text);
  else writeFileSync(path, text);
}
