// SPDX-License-Identifier: Apache-2.0
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Server } from './server.mjs';

// What both namespaces are made by, with the addresses named below.
const kNamespaces = fileURLToPath(new URL('../system/namespaces.py', import.meta.url));
const kMain = fileURLToPath(new URL('main.mjs', import.meta.url));
const kHost = '10.8.0.1'; // Signalling goes over the kernel's network.

// hasDpdk is false where the program was built without; in CI that is no excuse.
export function hasDpdk(program) {
  const { stderr } = spawnSync(program, ['load', '--io', 'dpdk', '--target', 'http://127.0.0.1:9/offer'], { encoding: 'utf8' });
  return !stderr.includes('no DPDK') || process.env.CI === 'true';
}

// bypass runs the cases over DPDK in namespaces of their own and adds them to the report.
export async function bypass(report, { build, only }) {
  const words = ['run', process.execPath, kMain, '--dpdk', '--build', build, ...(only ? ['--only', only] : [])];
  const child = spawn('python3', [kNamespaces, ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (data) => { text += data; });
  await once(child, 'close');
  const lines = text.trim().split('\n');
  const tally = /^(\d+) passed, (\d+) failed$/.exec(lines.at(-1));
  console.log((tally ? lines.slice(0, -1) : lines).join('\n'));
  if (tally) report.add(Number(tally[1]), Number(tally[2]));
  else await report.run('DPDK: namespaces are made', () => { throw new Error('there were no cases'); });
}

// DpdkServer is `millrace serve` in the other namespace, with its media on the veth there.
export class DpdkServer extends Server {
  constructor(program, addresses) {
    super(program, kHost, [8080, 5000]);
    this.media = addresses.map((address) => address.split('/')[0]);
    const [enter, ...words] = process.env.MILLRACE_BYPASS.split(' ');
    this.program = enter;
    this.arguments = [...words, program, 'serve', '--http', `${kHost}:8080`, '--udp', '[::]:5000', '--io', 'dpdk',
      '--dpdk-device', 'net_af_packet0,iface=fast', ...addresses.flatMap((address) => ['--dpdk-address', address])];
  }
}
