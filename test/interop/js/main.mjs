// SPDX-License-Identifier: Apache-2.0
import { parseArgs } from 'node:util';
import { runClient } from './client.mjs';
import { runServer } from './server.mjs';

const kModes = ['reliable-ordered', 'reliable-unordered', 'unreliable-ordered', 'unreliable-unordered'];

function parse(argv) {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      target: { type: 'string' },
      label: { type: 'string', default: 'echo' },
      messages: { type: 'string', default: '1000' },
      outstanding: { type: 'string', default: '8' },
      'max-size': { type: 'string', default: '262144' },
      mode: { type: 'string', default: kModes[0] },
      seed: { type: 'string', default: '1' },
      'no-empty': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      port: { type: 'string', default: '0' },
      fault: { type: 'string' }, // Of the server: see server.mjs.
    },
  });
  if (!['client', 'server'].includes(positionals[0])) throw new Error('say client or server');
  if (!kModes.includes(values.mode)) throw new Error(`--mode is one of ${kModes.join(', ')}`);
  if (positionals[0] === 'client' && !values.target) throw new Error('--target is missing');
  return {
    ...values,
    role: positionals[0],
    messages: Number(values.messages),
    outstanding: Number(values.outstanding),
    maxSize: Number(values['max-size']),
    seed: Number(values.seed),
    port: Number(values.port),
    empties: !values['no-empty'],
  };
}

// main runs a stack in the role that the command line names.
//
// A stack is {name, maxSize, empties, createPeer(onChannel)}: the largest message that it takes, and
// whether it can send empty ones. A peer has createChannel(label, {ordered, reliable}), offer(),
// setAnswer(sdp), answer(sdp), close(); descriptions are complete, with candidates. A channel has
// label, protocol, opened(callback), send(text, bytes), buffered(), close() and calls
// onMessage(text, bytes) and onClose.
export async function main(stack) {
  let options;
  try {
    options = parse(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${stack.name}: ${error.message}\n`);
    process.exit(2);
  }
  if (options.role === 'server') return runServer(stack, options);
  const code = await runClient(stack, options);
  setTimeout(() => process.exit(code), 100);
}
