// SPDX-License-Identifier: Apache-2.0
const kModes = [
  ['Reliable, ordered', {}],
  ['Reliable, unordered', { ordered: false }],
  ['Unreliable, ordered', { maxRetransmits: 0 }],
  ['Unreliable, unordered', { ordered: false, maxRetransmits: 0 }],
];

// Speed measures each mode for a while, up and down.
class Speed {
  results = [];
  #running = null;
  #rows = kModes.map(([name]) => Speed.#row(name));

  async toggle() {
    if (this.#running) return this.#running.abort();
    const stop = this.#running = new AbortController();
    $('speed').textContent = 'Stop';
    $('size').disabled = true;
    this.results = [];
    this.#rows.forEach((row) => Speed.#clear(row));
    try {
      await this.#run(link.session, Number($('size').value), stop.signal);
    } catch (error) {
      if (!(error instanceof Trouble)) console.warn(error);
      $('speed-note').textContent = error.message;
    }
    this.#running = null;
    $('speed').textContent = 'Run';
    $('size').disabled = link.session === null;
    this.#rows.forEach((row) => row.item.removeAttribute('aria-current'));
  }

  end() { this.#running?.abort(); }

  async #run(session, bytes, signal) {
    const most = session.pc.sctp?.maxMessageSize || Infinity;
    if (bytes > most) throw new Trouble(`The server takes at most ${size(most)} a message.`);
    for (const [at, [name, init]] of kModes.entries()) {
      const row = this.#rows[at];
      row.item.setAttribute('aria-current', 'true');
      $('speed-note').textContent = `${name}: uploading…`;
      const up = await upload(session, init, bytes, signal, (now) => this.#figure(row.up, now));
      this.#figure(row.up, up);
      row.arrived.textContent = `${number((100 * up.arrived) / up.sent, 3)}\u00a0%`;
      $('speed-note').textContent = `${name}: downloading…`;
      const down = await download(session, init, bytes, signal, (now) => this.#figure(row.down, now));
      this.#figure(row.down, down);
      this.results.push({ name, up, down });
      row.item.removeAttribute('aria-current');
    }
    $('speed-note').textContent = `Messages of ${size(bytes)}, ${kSpeedMs / 1000} seconds each way.`;
  }

  #figure(cell, { bytes, ms }) {
    cell.words.textContent = bitrate(bytes, ms);
    cell.rate = ms > 0 ? bytes / ms : 0;
    const cells = this.#rows.flatMap(({ up, down }) => [up, down]);
    const most = Math.max(...cells.map(({ rate }) => rate), 1);
    for (const { bar, rate } of cells) bar.style.setProperty('--part', rate / most);
  }

  static #row(name) {
    const item = $('modes').insertRow();
    const title = document.createElement('th');
    title.scope = 'row';
    title.textContent = name;
    item.append(title);
    const cell = () => {
      const words = document.createElement('span');
      const bar = document.createElement('span');
      bar.className = 'bar';
      item.insertCell().append(words, bar);
      return { words, bar, rate: 0 };
    };
    const row = { item, up: cell(), down: cell(), arrived: item.insertCell() };
    Speed.#clear(row);
    return row;
  }

  static #clear({ up, down, arrived }) {
    for (const cell of [up, down]) {
      cell.words.textContent = '–';
      cell.rate = 0;
      cell.bar.style.setProperty('--part', 0);
    }
    arrived.textContent = '–';
  }
}

// whileOpen throws when a measurement cannot go on.
function whileOpen(channel, signal) {
  if (signal.aborted) throw new Trouble('Stopped.');
  if (channel.readyState !== 'open') throw new Trouble('Stopped: the channel was closed.');
}

// closed resolves when the other side has closed too, so that the next measurement starts clean.
async function closed(channel) {
  if (channel.readyState === 'closed') return;
  channel.close();
  await once(channel, ['close'], 3000);
}

// report asks a sink what it has counted. Question or answer may be lost in the unreliable modes.
async function report(channel, signal) {
  let answer = null;
  const listen = ({ data }) => { answer = JSON.parse(data); };
  channel.addEventListener('message', listen, { once: true });
  for (const deadline = performance.now() + 10000; !answer && performance.now() < deadline;) {
    whileOpen(channel, signal);
    channel.send('report');
    await once(channel, ['message', 'close'], 500);
  }
  channel.removeEventListener('message', listen);
  if (!answer) throw new Trouble('The server did not report what it received.');
  return answer;
}

// upload fills a sink; the figures are the sink's, the time runs until it has told them.
async function upload(session, init, bytes, signal, tell) {
  const channel = await session.opened('sink', init);
  channel.bufferedAmountLowThreshold = kQueueBytes / 2;
  const message = new Uint8Array(bytes);
  const start = performance.now();
  const elapsed = () => performance.now() - start;
  let sent = 0;
  let told = 0;
  try {
    while (elapsed() < kSpeedMs) {
      whileOpen(channel, signal);
      while (channel.bufferedAmount + bytes <= kQueueBytes && elapsed() < kSpeedMs) {
        channel.send(message);
        sent++;
      }
      await once(channel, ['bufferedamountlow', 'close'], 100);
      if (elapsed() - told < 200) continue;
      told = elapsed();
      tell({ bytes: sent * bytes - channel.bufferedAmount, ms: told });
    }
    channel.bufferedAmountLowThreshold = 0;
    while (channel.bufferedAmount > 0) {
      whileOpen(channel, signal);
      await once(channel, ['bufferedamountlow', 'close'], 100);
    }
    let counted = await report(channel, signal);
    const ms = elapsed();
    // An unordered report may overtake messages: ask until nothing more comes.
    for (let before = -1; counted.messages < sent && counted.messages !== before;) {
      before = counted.messages;
      await sleep(100);
      counted = await report(channel, signal);
    }
    return { sent, arrived: counted.messages, bytes: counted.bytes, ms };
  } finally {
    await closed(channel);
  }
}

// download counts what a source sends as fast as it may.
async function download(session, init, bytes, signal, tell) {
  let start = 0;
  let last = 0;
  let [received, messages] = [0, 0];
  const protocol = `size=${bytes}&rate=0&count=0`;
  const channel = await session.opened('source', { ...init, protocol }, ({ data }) => {
    last = performance.now();
    if (start === 0) start = last;   // The first message starts the clock and is not counted.
    else received += data.byteLength;
    messages++;
  });
  try {
    for (const deadline = performance.now() + kSpeedMs; performance.now() < deadline;) {
      whileOpen(channel, signal);
      await sleep(100);
      tell({ bytes: received, ms: last - start });
    }
    if (messages < 2) throw new Trouble('The server sent nothing to download.');
    return { messages, bytes: received, ms: last - start };
  } finally {
    await closed(channel);
  }
}
