// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const kStartMs = 20000;
const kStopMs = 20000;

async function freePorts(host) {
  const tcp = createServer().listen(0, host);
  await once(tcp, 'listening');
  const udp = createSocket(host.includes(':') ? 'udp6' : 'udp4').bind(0, host);
  await once(udp, 'listening');
  const ports = [tcp.address().port, udp.address().port];
  tcp.close();
  udp.close();
  return ports;
}

// Server is `millrace serve` as a process. The ports stay the same over restarts.
export class Server {
  #child = null;
  #log = '';

  static async create(program, { host = '127.0.0.1', shards = 2 } = {}) {
    return new Server(program, host, await freePorts(host), shards);
  }

  constructor(program, host, [http, udp], shards = 2) {
    this.program = program;
    this.arguments = ['serve', '--http', `${host}:${http}`, '--udp', `${host}:${udp}`, '--shards', `${shards}`];
    this.url = `http://${host}:${http}/`;
  }

  get words() {
    return this.#log.trim().split('\n').slice(-4).join(' | ');
  }

  get running() {
    return this.#child !== null && (this.#child.exitCode ?? this.#child.signalCode) === null;
  }

  async start() {
    const child = this.#child = spawn(this.program, this.arguments, { stdio: ['ignore', 'pipe', 'pipe'] });
    let failure = null;
    child.on('error', (error) => { failure = error.message; });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (data) => { this.#log = (this.#log + data).slice(-65536); });
    }
    for (const deadline = Date.now() + kStartMs; Date.now() < deadline; await sleep(50)) {
      if (failure ?? child.exitCode ?? child.signalCode) break;
      if (await fetch(this.url).then((response) => response.ok, () => false)) return;
    }
    throw new Error(`the server did not start: ${failure ?? this.words}`);
  }

  // stop resolves to the exit code, or the signal that ended the process.
  async stop(signal = 'SIGTERM') {
    const child = this.#child;
    if (!this.running) return child?.exitCode ?? child?.signalCode;
    const exit = once(child, 'exit');
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), kStopMs);
    const [code, by] = await exit;
    clearTimeout(timer);
    return code ?? by;
  }

  async stats() {
    return (await fetch(new URL('stats', this.url))).json();
  }
}
