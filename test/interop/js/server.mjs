// SPDX-License-Identifier: Apache-2.0
import { createServer } from 'node:http';

const kMaxOffer = 65536;
const kLowWater = 1 << 20; // A source keeps at most so many bytes in the stack.

function echo(channel) {
  channel.onMessage = (text, bytes) => channel.send(text, bytes);
}

// What a faulty server does to every 32nd message of 8 bytes or more, to prove that clients see it.
const kFaults = {
  damage: ([text, bytes]) => [[text, Buffer.concat([bytes.subarray(0, -1), Buffer.from('!')])]],
  drop: () => [],
  duplicate: (message) => [message, message],
  retype: ([text, bytes]) => [[!text, bytes]],
  swap: (message, previous) => [message, previous],
};

// The faults touch no message before the 32nd, and a swap holds the one before.
function faultyEcho(channel, fault) {
  let count = 0;
  let held;
  channel.onMessage = (text, bytes) => {
    let replies = [[text, bytes]];
    if (bytes.length >= 8) count++;
    if (bytes.length >= 8 && count % 32 === 0) {
      replies = kFaults[fault](replies[0], held);
    } else if (bytes.length >= 8 && count % 32 === 31 && fault === 'swap') {
      held = replies[0];
      replies = [];
    }
    for (const reply of replies) channel.send(...reply);
  };
}

function sink(channel) {
  let messages = 0;
  let bytes = 0;
  let start = 0;
  channel.onMessage = (text, data) => {
    if (text && data.toString() === 'report') {
      const cpu = process.cpuUsage();
      const seconds = start === 0 ? 0 : (performance.now() - start) / 1000;
      const report = { messages, bytes, seconds, cpu_seconds: (cpu.user + cpu.system) / 1e6 };
      channel.send(true, Buffer.from(JSON.stringify(report)));
      return;
    }
    start ||= performance.now();
    messages++;
    bytes += data.length;
  };
}

// A count of 0 is endless, a rate of 0 as fast as the stack takes messages.
function source(channel) {
  const query = new URLSearchParams(channel.protocol);
  const size = Math.min(Number(query.get('size') ?? 1000), 262144);
  const count = Number(query.get('count') ?? 0) || Infinity;
  const rate = Number(query.get('rate')) || Infinity;
  const message = Buffer.alloc(size, 0x5a);
  const start = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    const due = Math.min(count, 1 + ((performance.now() - start) / 1000) * rate);
    for (let burst = 0; sent < due && burst < 64 && channel.buffered() < kLowWater; burst++, sent++) {
      channel.send(false, message);
    }
    if (sent >= count) clearInterval(timer);
  }, 1);
  channel.onClose = () => clearInterval(timer);
}

function serveChannel(channel, fault) {
  if (channel.label.startsWith('echo') && fault) faultyEcho(channel, fault);
  else if (channel.label.startsWith('echo')) echo(channel);
  else if (channel.label.startsWith('sink')) sink(channel);
  else if (channel.label.startsWith('source')) channel.opened(() => source(channel));
}

async function bodyOf(request) {
  const parts = [];
  let length = 0;
  for await (const part of request) {
    length += part.length;
    if (length > kMaxOffer) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

// runServer serves until SIGTERM.
export function runServer(stack, options) {
  const sessions = new Map();
  let serial = 0;

  async function post(request, response) {
    const offer = await bodyOf(request);
    if (offer === undefined) return response.writeHead(413).end();
    const peer = await stack.createPeer((channel) => serveChannel(channel, options.fault));
    let answer;
    try {
      answer = await peer.answer(offer);
    } catch (error) {
      peer.close();
      return response.writeHead(400).end(String(error));
    }
    const id = String(++serial);
    sessions.set(id, peer);
    const headers = {
      'content-type': 'application/sdp',
      'content-length': Buffer.byteLength(answer),
      location: `/offer/${id}`,
    };
    return response.writeHead(201, headers).end(answer);
  }

  function remove(id, response) {
    const peer = sessions.get(id);
    if (!peer) return response.writeHead(404).end();
    sessions.delete(id);
    peer.close();
    return response.writeHead(204).end();
  }

  const server = createServer((request, response) => {
    const { method, url } = request;
    if (method === 'POST' && url === '/offer') return void post(request, response);
    if (method === 'DELETE' && url.startsWith('/offer/')) return remove(url.slice(7), response);
    return response.writeHead(404).end();
  });
  process.on('SIGTERM', () => {
    for (const peer of sessions.values()) peer.close();
    server.close();
    setTimeout(() => process.exit(0), 200); // Native threads get a moment to say goodbye.
  });
  server.listen(options.port, '127.0.0.1', () => {
    process.stdout.write(`READY http://127.0.0.1:${server.address().port}/offer\n`);
  });
}
