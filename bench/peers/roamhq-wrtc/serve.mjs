// SPDX-License-Identifier: Apache-2.0
import { createServer } from 'node:http';
import { connect, cpuSeconds, described } from './stack.mjs';

const kMaxOffer = 65536;

function sink(channel) {
  let messages = 0;
  let bytes = 0;
  let start = 0;
  channel.onmessage = ({ data }) => {
    if (data === 'report') {
      const seconds = messages === 0 ? 0 : (performance.now() - start) / 1000;
      channel.send(JSON.stringify({ messages, bytes, seconds, cpu_seconds: cpuSeconds() }));
      return;
    }
    if (messages === 0) start = performance.now();
    messages++;
    bytes += typeof data === 'string' ? Buffer.byteLength(data) : data.byteLength;
  };
}

function serveChannel(channel) {
  channel.binaryType = 'arraybuffer';
  if (channel.label.startsWith('echo')) channel.onmessage = ({ data }) => channel.send(data);
  else if (channel.label.startsWith('sink')) sink(channel);
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

// serve answers offers until a signal ends the process.
export function serve({ address, host }) {
  const sessions = new Map();
  let serial = 0;

  async function post(request, response) {
    const offer = await bodyOf(request);
    if (offer === undefined) return response.writeHead(413).end();
    const connection = connect();
    const channels = new Set(); // A channel that nobody refers to is collected.
    connection.ondatachannel = ({ channel }) => {
      channels.add(channel);
      serveChannel(channel);
    };
    let answer;
    try {
      await connection.setRemoteDescription({ type: 'offer', sdp: offer });
      answer = await described(connection, host, await connection.createAnswer());
    } catch (error) {
      connection.close();
      return response.writeHead(400).end(String(error));
    }
    const path = `/session/${++serial}`;
    sessions.set(path, { connection, channels });
    const headers = { 'content-type': 'application/sdp', 'content-length': Buffer.byteLength(answer), location: path };
    return response.writeHead(201, headers).end(answer);
  }

  const server = createServer((request, response) => {
    const { method, url } = request;
    if (method === 'POST' && url === '/offer') return void post(request, response);
    const session = method === 'DELETE' && sessions.get(url);
    if (!session) return response.writeHead(404).end();
    sessions.delete(url);
    session.connection.close();
    return response.writeHead(200).end();
  });
  process.on('SIGTERM', () => process.exit(0));
  const [name, port] = address.split(':');
  server.listen(Number(port), name, () => process.stdout.write('ready\n'));
}
