// SPDX-License-Identifier: Apache-2.0
import { existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { browsers, open, overDpdk, variants } from './browsers.mjs';
import { bypass, DpdkServer, hasDpdk } from './dpdk.mjs';
import * as inPage from './in_page.mjs';
import * as pageCases from './page_cases.mjs';
import { Report } from './report.mjs';
import { Server } from './server.mjs';

// The program lies where meson puts it; DIR may also be an installation.
function find(build) {
  const places = ['engine/cli/millrace', 'engine/millrace', 'millrace', 'bin/millrace'].map((place) => join(build, place));
  const found = places.find((place) => existsSync(place));
  if (!found) throw new Error(`there is no millrace in ${build}: build it first`);
  return found;
}

// Case after case over one page, as a person would go on; seconds each may take.
const kCases = [
  ['opens', pageCases.opens],
  ['echoes what is typed', pageCases.typing],
  ['echoes text', inPage.echoText],
  ['echoes binary', inPage.echoBinary],
  ['echoes empty messages', inPage.echoEmpty],
  ['echoes 256 KiB', inPage.echoLargest],
  ['has 50 channels at once', inPage.manyChannels],
  ['closes and re-opens channels', inPage.reopen],
  ['echoes in all four modes', inPage.allModes, 120],
  ['reaches sink and source', inPage.sinkAndSource],
  ['relays', inPage.relay],
  ['echoes a file', pageCases.file, 120],
  ['pings with a live chart', pageCases.ping],
  ['measures throughput in all four modes', pageCases.throughput, 120],
  ['shows facts of the connection', pageCases.facts],
  ['is photographed', pageCases.screenshot],
  ['fits a phone', pageCases.phone],
  ['works by keyboard', pageCases.keyboard],
  ['disconnects and connects again', pageCases.disconnects],
  ['comes back when the server restarts', (context) => pageCases.restart(context, 'SIGTERM'), 150],
  ['comes back when the server is killed', (context) => pageCases.restart(context, 'SIGKILL'), 150],
  ['says that the server is away', pageCases.errors, 90],
  ['logs no error, asks no other host, and leaves', pageCases.leaves],
];
const kTransportCases = ['opens', 'echoes text', 'echoes binary', 'echoes empty messages', 'echoes 256 KiB',
  'closes and re-opens channels', 'echoes in all four modes', 'logs no error, asks no other host, and leaves'];

// explain adds to a failure what both ends say of the session.
async function explain(error, { page, server }) {
  const state = await page.$eval('#state', (element) => element.textContent).catch(() => 'nothing');
  const closed = await server.stats().then((stats) => JSON.stringify(stats.closed), () => 'nothing');
  throw new Error(`${error.message.split('\n')[0]}; the page says "${state}", the server closed ${closed}`);
}

async function run(browser, cases, { report, server, build }) {
  const screenshots = join(build, 'screenshots');
  mkdirSync(screenshots, { recursive: true });
  let opened;
  try {
    if (!await report.run(`${browser.name}: starts`, async () => {
      await server.start();
      opened = await open(browser, server.url);
    })) return;
    const context = { ...opened, server, url: server.url, build, screenshots, browser: browser.name };
    const inside = new Set(Object.values(inPage));
    for (const [name, action, seconds] of cases) {
      const perform = () => (!inside.has(action) ? action(context)
        : opened.page.evaluate(inPage.prepare).then(() => opened.page.evaluate(action)))
        .catch((error) => explain(error, context));
      if (!await report.run(`${browser.name}: ${name}`, perform, seconds) && name === 'opens') return;
    }
  } finally {
    await opened?.close();
    await server.stop('SIGTERM');
  }
}

const { values } = parseArgs({
  options: { build: { type: 'string', default: 'build' }, only: { type: 'string' }, dpdk: { type: 'boolean' } },
});
const report = new Report();
const build = resolve(values.build);
const program = find(build);
const chosen = ({ name }) => !values.only || name.includes(values.only);
const transportCases = kCases.filter(([name]) => kTransportCases.includes(name));
if (values.dpdk) { // In the namespaces that `bypass` has made.
  const cases = [...transportCases.slice(0, -1), ['goes past the kernel', pageCases.bypassed], transportCases.at(-1)];
  for (const browser of overDpdk.filter(chosen)) {
    await run(browser, cases, { report, build, server: new DpdkServer(program, browser.addresses) });
  }
  process.exit(report.finish());
}
for (const browser of browsers.filter(chosen)) await run(browser, kCases, { report, build, server: await Server.create(program) });
for (const variant of variants.filter(chosen)) {
  await run(variant, transportCases, { report, build, server: await Server.create(program, variant) });
}
if (overDpdk.some(chosen) && hasDpdk(program)) await bypass(report, values);
process.exit(report.finish());
