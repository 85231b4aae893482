// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import puppeteer from 'puppeteer-core';

const kChromiumFlags = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage',
];

// Firefox takes no path over loopback without these.
const kLoopback = {
  'media.peerconnection.ice.loopback': true,
  'permissions.default.microphone': 1,
  'permissions.default.camera': 1,
};

// What a fresh profile would say to its maker.
const kQuiet = {
  'app.update.disabledForTesting': true,
  'browser.aboutwelcome.enabled': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'extensions.getAddons.cache.enabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'services.settings.server': 'data:,',
};

function chromium(name, flags = []) {
  return {
    name,
    options: { browser: 'chrome', executablePath: '/usr/bin/chromium', args: [...kChromiumFlags, ...flags] },
  };
}

function firefox(name, prefs = {}) {
  return {
    name,
    options: {
      browser: 'firefox',
      executablePath: '/usr/bin/firefox-esr',
      extraPrefsFirefox: { ...kQuiet, ...kLoopback, ...prefs },
    },
  };
}

// Those that every case runs in.
export const browsers = [chromium('chromium'), firefox('firefox')];

// Those whose transport differs: they connect and echo. With SCTP in SDP a server of one shard
// begins DTLS itself (decision 0013).
export const variants = [
  chromium('chromium with SCTP in SDP', ['--enable-features=WebRtcSctpSnap']),
  { ...chromium('chromium with SCTP in SDP, one shard', ['--enable-features=WebRtcSctpSnap']), shards: 1 },
  chromium('chromium with interleaving', ['--force-fieldtrials=WebRTC-DataChannelMessageInterleaving/Enabled/']),
  chromium('chromium with DTLS in STUN', ['--force-fieldtrials=WebRTC-IceHandshakeDtls/Enabled/']),
  chromium('chromium without ML-KEM', ['--disable-features=WebRtcPqcForDtls']),
  firefox('firefox held to DTLS 1.2', { 'media.peerconnection.dtls.version.max': 771 }),
  firefox('firefox with usrsctp', { 'media.peerconnection.sctp.use_dcsctp': false }),
];

// Those in a namespace of their own, with a server on DPDK: `addresses` are the server's.
const v4 = ['10.9.0.1/24'];
const v6 = ['fd09::1/64'];
export const overDpdk = [
  { ...chromium('chromium over DPDK and IPv4'), addresses: v4 },
  { ...chromium('chromium over DPDK and IPv6'), addresses: v6 },
  { ...firefox('firefox over DPDK and IPv4'), addresses: v4 },
  { ...firefox('firefox over DPDK and IPv6'), addresses: v6 },
];

// open starts the browser with a page that keeps account of itself: `problems` are errors of the
// console or the script, `strangers` requests to another host than `origin`. While `page.outage` is
// set, failed requests are no problem.
export async function open({ options }, origin) {
  const profile = mkdtempSync(join(tmpdir(), 'millrace-browser-'));
  const browser = await puppeteer.launch({ ...options, headless: true, userDataDir: profile, protocolTimeout: 120000 });
  const page = await browser.newPage();
  const account = { problems: [], strangers: [], deletes: [], outage: false };
  page.on('pageerror', (error) => account.problems.push(`script: ${error.message}`));
  page.on('console', (message) => {
    if (!['error', 'warn', 'warning'].includes(message.type())) return;
    if (account.outage && /Failed to load|NetworkError|ERR_CONNECTION/.test(message.text())) return;
    account.problems.push(`console: ${message.text()}`);
  });
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (url.protocol.startsWith('http') && url.origin !== new URL(origin).origin) account.strangers.push(url.href);
  });
  page.on('response', (response) => {
    if (response.request().method() === 'DELETE') account.deletes.push(response.status());
  });
  const close = async () => {
    await browser.close().catch(() => browser.process()?.kill('SIGKILL'));
    rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  };
  return { page, account, close };
}
