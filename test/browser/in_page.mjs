// SPDX-License-Identifier: Apache-2.0

// Functions that run inside the page, over the session that the page itself uses. Each stands
// alone, since only its text is sent there. They throw what is wrong and return what to print.

// prepare defines in the page what several of them need.
export function prepare() {
  const tests = globalThis.tests = {};
  tests.session = () => globalThis.millrace.link.session;

  // Messages of a channel as they come, and a wait for the next that never hangs.
  tests.inbox = (channel) => {
    const queue = [];
    let wake = () => {};
    channel.addEventListener('message', ({ data }) => { queue.push(data); wake(); });
    channel.addEventListener('close', () => wake());
    return {
      queue,
      async next(ms = 30000) {
        const deadline = performance.now() + ms;
        while (queue.length === 0) {
          const left = deadline - performance.now();
          if (left <= 0) throw new Error(`nothing came over '${channel.label}' in ${ms} ms`);
          if (channel.readyState === 'closed') throw new Error(`'${channel.label}' was closed`);
          await new Promise((resolve) => { wake = resolve; setTimeout(resolve, left); });
        }
        return queue.shift();
      },
    };
  };

  tests.closed = (channel, ms = 20000) => new Promise((resolve, reject) => {
    if (channel.readyState === 'closed') return resolve();
    channel.addEventListener('close', () => resolve());
    setTimeout(() => reject(new Error(`no close event of '${channel.label}' (stream ${channel.id})`)), ms);
  });

  // Bytes that differ by seed and place.
  tests.bytes = (size, seed = 1) => {
    const bytes = new Uint8Array(size);
    let state = (seed * 2654435761) >>> 0 || 1;
    for (let at = 0; at < size; at++) {
      state ^= state << 13; state ^= state >>> 17; state ^= state << 5;
      bytes[at] = state;
    }
    return bytes;
  };

  tests.same = (a, b) => {
    if (typeof a === 'string' || typeof b === 'string') return a === b;
    const [x, y] = [new Uint8Array(a.buffer ?? a), new Uint8Array(b.buffer ?? b)];
    return x.length === y.length && x.every((byte, at) => byte === y[at]);
  };

  tests.echoes = async (messages) => {
    const channel = await tests.session().opened('echo-test');
    const inbox = tests.inbox(channel);
    for (const message of messages) {
      channel.send(message);
      const back = await inbox.next();
      const size = message.length ?? message.byteLength;
      if (typeof back !== typeof (typeof message === 'string' ? '' : {})) throw new Error(`${size}: came back as ${typeof back}`);
      if (!tests.same(message, back)) throw new Error(`a message of ${size} came back changed (${back.length ?? back.byteLength})`);
    }
    channel.close();
    await tests.closed(channel);
    return `${messages.length} messages`;
  };
}

export function echoText() {
  const texts = ['a', 'Grüße, 世界 🌊', '\u0000', 'line\r\nline\n', 'x'.repeat(1200), 'é'.repeat(9000), 'z'.repeat(65535)];
  return globalThis.tests.echoes(texts);
}

export function echoBinary() {
  const { bytes, echoes } = globalThis.tests;
  const sizes = [1, 2, 3, 4, 5, 1023, 1155, 1156, 1157, 1200, 4096, 16384, 65535, 65536, 100000];
  return echoes(sizes.map((size) => bytes(size, size)));
}

export function echoEmpty() {
  return globalThis.tests.echoes(['', new Uint8Array(0), '', 'after', new Uint8Array(0), new Uint8Array([0])]);
}

export function echoLargest() {
  const { bytes, echoes } = globalThis.tests;
  const size = 262144;
  return echoes([bytes(size, 7), 'm'.repeat(size), bytes(size - 1, 8), bytes(size, 9)]);
}

// Fifty channels of all modes, each with messages of its own, all at once.
export async function manyChannels() {
  const { bytes, closed, inbox, same, session } = globalThis.tests;
  const kModes = [{}, { ordered: false }, { maxRetransmits: 10 }, { ordered: false, maxPacketLifeTime: 20000 }];
  const one = async (at) => {
    const channel = await session().opened(`echo-${at}`, { ...kModes[at % 4], protocol: `p${at}` });
    const box = inbox(channel);
    for (let round = 0; round < 10; round++) {
      const message = round % 2 ? `channel ${at} round ${round}` : bytes(1 + ((at * 37 + round * 911) % 9000), at + round);
      channel.send(message);
      if (!same(message, await box.next())) throw new Error(`channel ${at} got another message`);
    }
    return channel;
  };
  const channels = await Promise.all(Array.from({ length: 50 }, (_, at) => one(at)));
  if (new Set(channels.map(({ id }) => id)).size !== 50) throw new Error('two channels share a stream');
  if (!channels.every(({ readyState }) => readyState === 'open')) throw new Error('not all fifty are open');
  channels.forEach((channel) => channel.close());
  await Promise.all(channels.map((channel) => closed(channel)));
  return '50 open, 500 messages';
}

export async function reopen() {
  const { closed, inbox, session } = globalThis.tests;
  const ids = new Set();
  const [rounds, width] = [6, 10];
  for (let round = 0; round < rounds; round++) {
    const channels = await Promise.all(Array.from({ length: width }, (_, at) => session().opened(`echo-${round}-${at}`)));
    for (const channel of channels) {
      const box = inbox(channel);
      channel.send(channel.label);
      if (await box.next() !== channel.label) throw new Error(`${channel.label} got another message`);
      ids.add(channel.id);
    }
    channels.forEach((channel) => channel.close());
    await Promise.all(channels.map((channel) => closed(channel)));
  }
  if (ids.size > 2 * width) throw new Error(`${rounds * width} channels took ${ids.size} streams: none was used again`);
  return `${rounds * width} channels over ${ids.size} streams`;
}

// 400 numbered messages, 8 at once, in each mode; unreliable ones may lose one in a hundred.
export async function allModes() {
  const { bytes, closed, session } = globalThis.tests;
  const count = 400;
  const one = async (name, init) => {
    const channel = await session().opened(`echo-${name}`, init);
    const got = [];
    let wrong = 0;
    let wake = () => {};
    channel.addEventListener('message', ({ data }) => {
      const serial = new DataView(data).getUint32(0);
      const sent = bytes(4 + ((serial * 769) % 20000), serial + 1);
      new DataView(sent.buffer).setUint32(0, serial);
      if (!globalThis.tests.same(sent, data)) wrong++;
      got.push(serial);
      wake();
    });
    for (let serial = 0; serial < count; serial++) {
      const message = bytes(4 + ((serial * 769) % 20000), serial + 1);
      new DataView(message.buffer).setUint32(0, serial);
      channel.send(message);
      for (const end = performance.now() + 4000; serial + 1 - got.length >= 8 && performance.now() < end;) {
        await new Promise((resolve) => { wake = resolve; setTimeout(resolve, 100); });
      }
    }
    for (const end = performance.now() + 4000; got.length < count && performance.now() < end;) {
      await new Promise((resolve) => { wake = resolve; setTimeout(resolve, 100); });
    }
    if (wrong) throw new Error(`${name}: ${wrong} damaged`);
    if (new Set(got).size !== got.length) throw new Error(`${name}: some came twice`);
    if (init.ordered !== false && got.some((serial, at) => at > 0 && got[at - 1] > serial)) throw new Error(`${name}: out of order`);
    if (got.length < (init.maxRetransmits === 0 ? count * 0.99 : count)) throw new Error(`${name}: ${got.length} of ${count}`);
    channel.close();
    await closed(channel);
    return got.length;
  };
  const totals = [
    await one('reliable-ordered', {}),
    await one('reliable-unordered', { ordered: false }),
    await one('unreliable-ordered', { maxRetransmits: 0 }),
    await one('unreliable-unordered', { ordered: false, maxRetransmits: 0 }),
  ];
  return `${totals.join(', ')} of ${count}`;
}

export async function sinkAndSource() {
  const { bytes, closed, inbox, session } = globalThis.tests;
  const sink = await session().opened('sink');
  for (let at = 0; at < 100; at++) sink.send(bytes(1000, at));
  const answers = inbox(sink);
  sink.send('report');
  const report = JSON.parse(await answers.next());
  if (report.messages !== 100 || report.bytes !== 100000) throw new Error(`the sink reports ${JSON.stringify(report)}`);
  const sizes = [];
  const source = await session().opened('source', { protocol: 'size=2000&rate=0&count=500' },
    ({ data }) => sizes.push(data.byteLength));
  for (let wait = 0; sizes.length < 500 && wait < 200; wait++) await new Promise((resolve) => setTimeout(resolve, 100));
  await new Promise((resolve) => setTimeout(resolve, 200));
  if (sizes.length !== 500) throw new Error(`the source sent ${sizes.length} of 500`);
  if (sizes.some((size) => size !== 2000)) throw new Error(`the source sent ${sizes.find((size) => size !== 2000)} bytes`);
  [sink, source].forEach((channel) => channel.close());
  await Promise.all([closed(sink), closed(source)]);
}

export async function relay() {
  const { closed, inbox, session } = globalThis.tests;
  const channels = await Promise.all([1, 2, 3].map(() => session().opened('relay:room')));
  const boxes = channels.map((channel) => inbox(channel));
  await new Promise((resolve) => setTimeout(resolve, 300)); // All three have joined.
  channels[0].send('to all others');
  for (const box of boxes.slice(1)) {
    if (await box.next() !== 'to all others') throw new Error('another message was relayed');
  }
  if (boxes[0].queue.length) throw new Error('the sender got its own message');
  channels.forEach((channel) => channel.close());
  await Promise.all(channels.map((channel) => closed(channel)));
}
