// SPDX-License-Identifier: Apache-2.0
// The @roamhq/wrtc peer of the comparison (Google's libwebrtc): see ../README.md.
import { parseArgs } from 'node:util';
import { runLoad } from './load.mjs';
import { serve } from './serve.mjs';
import { kMaxMessage } from './stack.mjs';
import { kStampBytes } from './account.mjs';

const kPatterns = ['echo', 'upload', 'idle'];

function text(fallback) {
  return { type: 'string', default: fallback };
}

function parseServe(args) {
  const { values } = parseArgs({ args, options: { http: text('127.0.0.1:8080'), 'udp-host': text('127.0.0.1') } });
  return { address: values.http, host: values['udp-host'] };
}

function parseLoad(args) {
  const { values } = parseArgs({
    args,
    options: {
      target: text(''),
      connections: text('1'),
      channels: text('1'),
      pattern: text('echo'),
      size: text('1000'),
      rate: text('max'),
      outstanding: text('16'),
      duration: text('10'),
      warmup: text('1'),
      dialling: text('64'),
      unordered: { type: 'boolean', default: false },
      'max-retransmits': { type: 'string' },
      json: text('-'),
    },
  });
  const retransmits = values['max-retransmits'];
  const options = {
    target: values.target,
    connections: Number(values.connections),
    channels: Number(values.channels),
    pattern: values.pattern,
    size: Number(values.size),
    rate: values.rate === 'max' ? 0 : Number(values.rate),
    outstanding: Number(values.outstanding),
    duration: Number(values.duration),
    warmup: Number(values.warmup),
    dialling: Number(values.dialling),
    ordered: !values.unordered,
    maxRetransmits: retransmits === undefined ? null : Number(retransmits),
    json: values.json,
  };
  if (!options.target) throw new Error('--target is missing');
  if (!kPatterns.includes(options.pattern)) throw new Error(`--pattern: expected ${kPatterns.join(', ')}`);
  if (!(options.size >= kStampBytes && options.size <= kMaxMessage)) {
    throw new Error(`--size: expected ${kStampBytes} to ${kMaxMessage}`);
  }
  if (!(options.rate > 0) && values.rate !== 'max') throw new Error('--rate: expected max, or a number above 0');
  for (const name of ['connections', 'channels', 'outstanding', 'dialling']) {
    if (!(options[name] >= 1)) throw new Error(`--${name}: expected a number from 1 up`);
  }
  return options;
}

const [command, ...rest] = process.argv.slice(2);
try {
  if (command === 'serve') {
    serve(parseServe(rest));
  } else if (command === 'load') {
    const options = parseLoad(rest);
    runLoad(options).then(
      (good) => process.exit(good ? 0 : 3),
      (error) => {
        process.stderr.write(`roamhq-wrtc: ${error.stack}\n`);
        process.exit(1);
      },
    );
  } else {
    throw new Error('say serve or load');
  }
} catch (error) {
  process.stderr.write(`roamhq-wrtc: ${error.message}\n`);
  process.exit(2);
}
