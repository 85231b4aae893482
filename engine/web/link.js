// SPDX-License-Identifier: Apache-2.0
const kGatherMs = 1000;    // Candidates that take longer are left out of the offer.
const kOpenMs = 15000;
// "Disconnected" for so long counts as lost: longer than browsers take from one consent check to
// the next, which are 6 s apart at most in Firefox (RFC 7675 §5.1). An answered one ends it.
const kSilenceMs = 8000;
const kMaxRetries = 20;
const kQueueBytes = 1 << 20;
const kPieceBytes = 65536;
const kPingMs = 100;
const kPingLostMs = 2000;
const kPingsShown = 300;
const kSpeedMs = 2000;
const kGoodbyeMs = 1000;
const kLogRows = 100;

const $ = (id) => document.getElementById(id);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Trouble is an error whose message is meant for the person at the page.
class Trouble extends Error {}

// once resolves at the first of `types` on `target`, or after `ms`; true unless it was time.
function once(target, types, ms) {
  return new Promise((resolve) => {
    const stop = new AbortController();
    const end = (value) => { stop.abort(); clearTimeout(timer); resolve(value); };
    const timer = setTimeout(() => end(false), ms);
    for (const type of types) target.addEventListener(type, () => end(true), { signal: stop.signal });
  });
}

const statusWords = {
  400: 'The server could not read the offer',
  413: 'The offer is too large for the server',
  503: 'The server is full',
};

async function refusal(response) {
  const words = statusWords[response.status] ?? `The server answered ${response.status}`;
  const detail = await response.json().catch(() => ({}));
  const reason = detail.reason ?? detail.detail ?? detail.message ?? detail.error;
  return new Trouble(typeof reason === 'string' ? `${words}: ${reason}` : `${words}.`);
}

// Session is one peer connection with the server, from the offer to the DELETE. `ended` resolves
// with the reason, in words, when an open session ends by any hand but ours.
class Session {
  #closed = false;
  #location = null;
  #end;

  constructor() {
    this.pc = new RTCPeerConnection();
    this.echo = this.channel('echo');
    this.ended = new Promise((resolve) => { this.#end = resolve; });
  }

  channel(label, init = {}) {
    const channel = this.pc.createDataChannel(label, init);
    channel.binaryType = 'arraybuffer';
    return channel;
  }

  // opened resolves with an open channel of that label. Where the server speaks first, `listen` is
  // needed: Chromium may fire 'message' before 'open'.
  async opened(label, init, listen) {
    const channel = this.channel(label, init);
    if (listen) channel.addEventListener('message', listen);
    await this.#open(channel);
    return channel;
  }

  // open resolves when messages can flow.
  async open() {
    const { pc } = this;
    await pc.setLocalDescription();
    if (pc.iceGatheringState !== 'complete') await this.#gathered();
    const answer = await this.#offer(pc.localDescription.sdp);
    await pc.setRemoteDescription({ type: 'answer', sdp: answer });
    await this.#open(this.echo);
    this.#watch();
  }

  // close ends the session on both sides. The server hears it first: had the peer connection gone
  // before, it would know the session no more.
  async close() {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.race([this.#forget(), sleep(kGoodbyeMs)]);
    this.pc.close();
  }

  async #gathered() {
    const deadline = performance.now() + kGatherMs;
    while (this.pc.iceGatheringState !== 'complete') {
      if (!await once(this.pc, ['icegatheringstatechange'], deadline - performance.now())) return;
    }
  }

  async #offer(body) {
    let response;
    try {
      response = await fetch('offer', { method: 'POST', headers: { 'content-type': 'application/sdp' }, body });
    } catch {
      throw new Trouble('The server does not answer. Is it running?');
    }
    if (!response.ok) throw await refusal(response);
    const location = response.headers.get('location');
    if (location) this.#location = new URL(location, response.url);
    if (this.#closed) this.#forget();
    return response.text();
  }

  async #open(channel) {
    const failed = () => ['failed', 'closed'].includes(this.pc.connectionState);
    const watch = new AbortController();
    const state = new Promise((resolve) => {
      this.pc.addEventListener('connectionstatechange', () => failed() && resolve(true), { signal: watch.signal });
    });
    if (channel.readyState !== 'open') await Promise.race([once(channel, ['open', 'close'], kOpenMs), state]);
    watch.abort();
    if (channel.readyState === 'open') return;
    if (['connected', 'failed'].includes(this.pc.connectionState) && this.pc.iceConnectionState !== 'failed') {
      throw new Trouble('The server was reached, but no data channel opened.');
    }
    throw new Trouble('No UDP path to the server. A firewall may stand between.');
  }

  #watch() {
    this.echo.addEventListener('close', () => {
      this.#location = null; // The server has forgotten it already.
      this.#end('The server closed the connection.');
    });
    let silence;
    const look = () => {
      clearTimeout(silence);
      const state = this.pc.connectionState;
      if (state === 'failed' || state === 'closed') this.#end('The connection was lost.');
      if (state === 'disconnected') silence = setTimeout(() => this.#end('The server fell silent.'), kSilenceMs);
    };
    this.pc.addEventListener('connectionstatechange', look);
    look();
  }

  async #forget() {
    const location = this.#location;
    this.#location = null;
    if (location) await fetch(location, { method: 'DELETE', keepalive: true }).catch(() => {});
  }
}

// Link keeps a session for as long as the person wants one, and says how that goes. Listeners get
// 'open' and 'end' events; `session` is the open one or null.
class Link extends EventTarget {
  session = null;
  #attempt = null;
  #clicks = 0;               // What the person wants: a later click overrules what is under way.

  get wanted() { return this.#attempt !== null; }

  // connect resolves to whether it opened. A first failure is final, a lost session is renewed.
  connect() {
    this.#clicks++;
    return this.#try();
  }

  disconnect() {
    this.#clicks++;
    this.#drop(this.#attempt);
    this.#show('idle', 'Not connected');
  }

  async #try() {
    this.#show('connecting', 'Connecting…');
    const attempt = this.#attempt = new Session();
    try {
      await attempt.open();
    } catch (error) {
      attempt.close();
      if (this.#attempt === attempt) this.#fail(error);
      return false;
    }
    if (this.#attempt !== attempt) return false;
    this.session = attempt;
    this.#show('open', 'Connected');
    this.dispatchEvent(new Event('open'));
    attempt.ended.then((reason) => this.#lost(attempt, reason));
    return true;
  }

  #drop(session) {
    const open = this.session !== null;
    this.#attempt = this.session = null;
    session?.close?.();
    if (open) this.dispatchEvent(new Event('end'));
  }

  #fail(error) {
    this.#attempt = null;
    if (!(error instanceof Trouble)) console.warn(error);
    this.#show('failed', error instanceof Trouble ? error.message : `This browser could not connect: ${error.message}`);
  }

  async #lost(session, reason) {
    if (this.session !== session) return;
    this.#drop(session);
    const clicks = this.#clicks;
    for (let retry = 0; retry < kMaxRetries; retry++) {
      this.#attempt = {};    // Wanted, though none is under way.
      const seconds = Math.min(2 ** retry, 8);
      this.#show('waiting', `${reason} Trying again in ${seconds} s.`);
      await sleep(seconds * 1000);
      if (this.#clicks !== clicks) return;
      if (await this.#try() || this.#clicks !== clicks) return;
    }
  }

  #show(state, words) {
    document.body.dataset.state = state;
    $('state').textContent = words;
    $('connect').textContent = { idle: 'Connect', failed: 'Connect', open: 'Disconnect' }[state] ?? 'Cancel';
    for (const id of ['text', 'send', 'file', 'ping', 'speed', 'size']) $(id).disabled = state !== 'open';
  }
}

const link = new Link();
