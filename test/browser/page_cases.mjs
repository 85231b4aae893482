// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from './report.mjs';

const kConnectMs = 30000;

// until polls `probe` inside the page; `words` says what did not come true.
export async function until(page, probe, words, ms = 20000, ...values) {
  for (const deadline = Date.now() + ms; ; await sleep(100)) {
    if (await page.evaluate(probe, ...values)) return;
    if (Date.now() > deadline) throw new Error(`${words}; the page says: ${await stateOf(page)}`);
  }
}

export const stateOf = (page) => page.$eval('#state', (element) => element.textContent);

export const connected = (page, ms = kConnectMs) => until(
  page, () => document.body.dataset.state === 'open' && globalThis.millrace.link.session !== null, 'not connected', ms);

export async function connect(page) {
  await page.click('#connect');
  await connected(page);
}

// A case that failed may have left the page as it should not be for the next.
async function reconnect({ page, server }) {
  if (!server.running) await server.start();
  if (await page.$eval('body', (body) => ['idle', 'failed'].includes(body.dataset.state))) await page.click('#connect');
  await connected(page);
}

const lastRow = (page) => page.evaluate(() => {
  const row = document.querySelector('#log li:last-child');
  return { text: row?.firstChild.textContent ?? '', outcome: row?.querySelector('span').textContent ?? '', good: !!row?.querySelector('.good') };
});

async function echoed(page, text, ms) {
  await until(page, (wanted) => {
    const row = document.querySelector('#log li:last-child');
    return row?.firstChild.textContent === wanted && row.querySelector('.good, .bad') !== null;
  }, `no outcome for '${text}'`, ms, text);
  const row = await lastRow(page);
  expect(row.good && row.outcome.includes('echoed unchanged'), `'${text}': ${row.outcome}`);
  return row.outcome;
}

export async function opens({ page, url }) {
  await page.goto(url);
  expect(await page.title() === 'millrace', 'the title is another');
  expect(await stateOf(page) === 'Not connected', await stateOf(page));
  expect(await page.$eval('#send', (button) => button.disabled), 'one can send before connecting');
  await connect(page);
  expect(await stateOf(page) === 'Connected', await stateOf(page));
}

export async function typing({ page }) {
  await page.type('#text', 'Grüße vom Mühlbach 🌊');
  await page.keyboard.press('Enter');
  await echoed(page, 'Grüße vom Mühlbach 🌊');
  await page.type('#text', '<b>markup</b>');
  await page.click('#send');
  await echoed(page, '<b>markup</b>');
  await page.click('#send');
  return echoed(page, 'An empty message');
}

export async function file({ page, build }) {
  const folder = join(build, 'browser');
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'three megabytes.bin');
  writeFileSync(path, Buffer.alloc(3_000_001, 'millrace '));
  await (await page.$('#file')).uploadFile(path);
  return echoed(page, 'three megabytes.bin', 110000); // 15 s were seen where three compilers had the processors.
}

export async function ping({ page }) {
  await page.click('#ping');
  await until(page, () => globalThis.millrace.ping.samples.filter(({ rtt }) => rtt > 0).length >= 15, 'no fifteen answers', 20000);
  const figures = await page.$$eval('#rtt-last, #rtt-p50, #rtt-p99, #rtt-lost', (list) => list.map(({ textContent }) => textContent));
  expect(figures.every((words) => /\d/.test(words)), `figures: ${figures}`);
  const label = await page.$eval('#chart', (canvas) => canvas.getAttribute('aria-label'));
  expect(/median \d/.test(label), `the chart is described as '${label}'`);
  const painted = await page.$eval('#chart', (canvas) => {
    const { data } = canvas.getContext('2d').getImageData(canvas.width / 2, 0, canvas.width / 2, canvas.height);
    const colours = new Set();
    for (let at = 0; at < data.length; at += 4) if (data[at + 3] === 255) colours.add(data.slice(at, at + 3).join());
    return colours.size;
  });
  expect(painted >= 2, 'the chart has no line'); // The grid's colour, and the line's.
  return `last ${figures[0]}, median ${figures[1]}, 99 % ${figures[2]}, lost ${figures[3]}`;
}

export async function throughput({ page }) {
  await page.click('#speed');
  await until(page, () => document.querySelector('#speed').textContent === 'Run', 'the test goes on and on', 90000);
  const note = await page.$eval('#speed-note', (element) => element.textContent);
  expect(/^Messages of 16 KiB/.test(note), note);
  const rows = await page.$$eval('#modes tr', (list) => list.map((row) => [...row.cells].map((cell) => cell.textContent)));
  expect(rows.length === 4, `${rows.length} modes`);
  for (const [mode, up, down, arrived] of rows) {
    expect(Number(up) > 0 && Number(down) > 0, `${mode}: ${up}, ${down}`);
    if (mode.startsWith('Reliable')) expect(/^100\s%$/.test(arrived), `${mode}: ${arrived} arrived`);
  }
  return `Mbit/s up, down, arrived: ${rows.map((row) => row.slice(1).join(', ')).join('; ')}`;
}

export async function facts({ page }) {
  await page.click('#details summary');
  await until(page, () => document.querySelectorAll('#facts dt').length >= 3, 'no facts are shown');
  const words = await page.$eval('#facts', (list) => [...list.children].map((item) => [...item.children].map(({ textContent }) => textContent).join(': ')).join('; '));
  expect(/Server: .*UDP port \d+/.test(words), words);
  if (/DTLS/.test(words)) expect(/DTLS 1\.[23]/.test(words), words);
  return words;
}

// A phone of 320 points: nothing is cut off, and what is touched is large enough for a thumb.
export async function phone({ page, screenshots, browser }) {
  for (const width of [320, 390]) {
    await page.setViewport({ width, height: 800 });
    await sleep(300);
    const wide = await page.evaluate(() => document.scrollingElement.scrollWidth - document.documentElement.clientWidth);
    expect(wide <= 0, `at ${width} points the page is ${wide} wider than the screen`);
    const small = await page.$$eval('button, select, .file, #text, summary', (list) => list
      .filter((element) => element.getBoundingClientRect().height < 43.5).map(({ id, className }) => id || className));
    expect(small.length === 0, `too small to touch: ${small}`);
  }
  await page.screenshot({ path: join(screenshots, `${browser}-phone.png`), fullPage: true });
  await page.setViewport({ width: 1200, height: 900 });
}

export async function screenshot({ page, screenshots, browser }) {
  await page.setViewport({ width: 1200, height: 1000 });
  await sleep(500);
  await page.screenshot({ path: join(screenshots, `${browser}.png`), fullPage: true });
  const dark = await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'dark' }]).then(() => true, () => false);
  if (!dark) return `${browser}.png`; // WebDriver BiDi cannot ask for it in Firefox.
  await sleep(500);
  await page.screenshot({ path: join(screenshots, `${browser}-dark.png`), fullPage: true });
  await page.emulateMediaFeatures([]);
  return `${browser}.png, ${browser}-dark.png`;
}

// Every control has a name and can be reached with the keyboard.
export async function keyboard({ page }) {
  const nameless = await page.$$eval('button, input, select, canvas, [role]', (list) => list.filter((element) => !(
    element.textContent.trim() || element.labels?.length || element.getAttribute('aria-label') || element.getAttribute('aria-labelledby')
  )).map(({ outerHTML }) => outerHTML.slice(0, 80)));
  expect(nameless.length === 0, `without a name: ${nameless}`);
  await page.evaluate(() => { document.activeElement?.blur(); getSelection().removeAllRanges(); });
  await page.focus('#connect');
  const reached = new Set();
  const wanted = ['connect', 'text', 'send', 'file', 'ping', 'size', 'speed'];
  for (let step = 0; step < 12 && !reached.has(wanted.at(-1)); step++) {
    reached.add(await page.evaluate(() => document.activeElement?.id || document.activeElement?.tagName));
    await page.keyboard.press('Tab');
  }
  for (const id of wanted) expect(reached.has(id), `Tab does not reach #${id}: ${[...reached]}`);
}

export async function disconnects({ page, account, server }) {
  await reconnect({ page, server });
  await page.focus('#connect');
  await page.keyboard.press('Enter');
  await until(page, () => document.body.dataset.state === 'idle', 'still connected');
  for (const deadline = Date.now() + 5000; account.deletes.length === 0 && Date.now() < deadline;) await sleep(50);
  expect(account.deletes.length > 0, 'no DELETE was sent');
  expect(account.deletes.every((status) => status >= 200 && status < 300), `DELETE was answered ${account.deletes}`);
  await connect(page);
  await page.type('#text', 'again');
  await page.keyboard.press('Enter');
  await echoed(page, 'again');
}

// The page comes back by itself, over the same ports, and goes on pinging.
export async function restart({ page, account, server }, signal) {
  await reconnect({ page, server });
  account.outage = true;
  const code = await server.stop(signal);
  if (signal === 'SIGTERM') expect(code === 0, `the server ended with ${code}: ${server.words}`);
  await server.start();
  const start = Date.now();
  await until(page, () => document.body.dataset.state !== 'open', 'the page did not notice', 60000);
  const noticed = Date.now() - start;
  await connected(page, 60000);
  await page.evaluate(() => { document.querySelector('#text').value = ''; });
  await page.type('#text', `after ${signal}`);
  await page.keyboard.press('Enter');
  await echoed(page, `after ${signal}`);
  account.outage = false;
  return `noticed within ${(noticed / 1000).toFixed(1)} s`;
}

export async function errors({ page, account, server }) {
  await reconnect({ page, server });
  account.outage = true;
  await page.click('#connect');
  await until(page, () => document.body.dataset.state === 'idle', 'still connected');
  await server.stop('SIGTERM');
  await page.click('#connect');
  await until(page, () => document.body.dataset.state === 'failed', 'no failure is shown');
  const words = await stateOf(page);
  expect(words === 'The server does not answer. Is it running?', words);
  await server.start();
  await connect(page);
  account.outage = false;
}

// The device carried what the page did, and the kernel's network no datagram.
export async function bypassed({ page, server }) {
  const { device } = await server.stats();
  const received = device.counters.rx_good_packets;
  expect(device.link_up && received > 500, `the device: ${JSON.stringify(device)}`);
  const facts = await page.evaluate(async () => {
    const stats = [...(await globalThis.millrace.link.session.pc.getStats()).values()];
    const pair = stats.find(({ type, state, nominated }) => type === 'candidate-pair' && state === 'succeeded' && nominated);
    return stats.find(({ id }) => id === pair?.remoteCandidateId)?.address ?? 'none';
  });
  expect(server.media.includes(facts), `the pair in use leads to ${facts}`);
  return `${received} packets from the browser to ${facts}`;
}

export async function leaves({ page, account, server }) {
  expect(account.problems.length === 0, account.problems.join('; '));
  expect(account.strangers.length === 0, `asked others: ${account.strangers.join(', ')}`);
  await page.goto('about:blank');
  const code = await server.stop('SIGTERM');
  expect(code === 0, `the server ended with ${code}: ${server.words}`);
}
