// SPDX-License-Identifier: Apache-2.0
// Chart draws round-trip times in milliseconds, oldest first; null is a lost ping.
class Chart {
  #canvas = $('chart');
  #values = [];
  #due = false;

  constructor() {
    new ResizeObserver(() => this.draw(this.#values)).observe(this.#canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.draw(this.#values));
  }

  draw(values) {
    this.#values = values;
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame(() => { this.#due = false; this.#paint(); });
  }

  #paint() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const scale = devicePixelRatio || 1;
    this.#canvas.width = width * scale;
    this.#canvas.height = height * scale;
    const pen = this.#canvas.getContext('2d');
    pen.scale(scale, scale);
    const style = getComputedStyle(document.body);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const box = { left: 3.6 * 16, top: 8, right: width - 4, bottom: height - 24 };
    const top = Chart.#ceiling(Math.max(...this.#values.filter((value) => value > 0), 0.1));
    pen.font = `13px ${style.fontFamily}`;
    this.#grid(pen, box, top, colour);
    const x = (at) => box.right - ((this.#values.length - 1 - at) / (kPingsShown - 1)) * (box.right - box.left);
    const y = (value) => box.bottom - (value / top) * (box.bottom - box.top);
    this.#line(pen, x, y, colour('accent'));
    pen.fillStyle = colour('bad');
    this.#values.forEach((value, at) => value === null && pen.fillRect(x(at) - 1, box.bottom - 10, 2, 10));
  }

  #grid(pen, box, top, colour) {
    pen.fillStyle = colour('soft');
    pen.strokeStyle = colour('line');
    pen.textAlign = 'right';
    pen.textBaseline = 'middle';
    for (let step = 0; step <= 4; step++) {
      const y = Math.round(box.bottom - (step / 4) * (box.bottom - box.top)) + 0.5;
      pen.beginPath();
      pen.moveTo(box.left, y);
      pen.lineTo(box.right, y);
      pen.stroke();
      if (step % 2 === 0) pen.fillText(step === 0 ? '0' : milliseconds((top * step) / 4), box.left - 8, y);
    }
    pen.textBaseline = 'top';
    pen.fillText('now', box.right, box.bottom + 6);
    pen.textAlign = 'left';
    pen.fillText(`${(kPingsShown * kPingMs) / 1000} s ago`, box.left, box.bottom + 6);
  }

  #line(pen, x, y, colour) {
    pen.strokeStyle = colour;
    pen.lineWidth = 1.75;
    pen.lineJoin = 'round';
    pen.beginPath();
    let down = false;
    this.#values.forEach((value, at) => {
      if (value === undefined || value === null) down = false;
      else if (down) pen.lineTo(x(at), y(value));
      else { pen.moveTo(x(at), y(value)); down = true; }
    });
    pen.stroke();
  }

  // The next of 1, 2, 4, 10, 20 … above `value`: quarters of it are round.
  static #ceiling(value) {
    const decade = 10 ** Math.floor(Math.log10(value));
    return [1, 2, 4, 10].find((step) => step * decade >= value * 0.999) * decade;
  }
}

// Ping sends ten small messages a second over an unreliable, unordered channel.
class Ping {
  samples = [];              // {start, rtt}: rtt is undefined while on its way, null when lost.
  #first = 0;                // The serial number of samples[0].
  #wanted = false;
  #channel = null;
  #timer = null;
  #chart = new Chart();
  #spoken = 0;

  async toggle() {
    this.#wanted = !this.#wanted;
    $('ping').textContent = this.#wanted ? 'Stop ping' : 'Start ping';
    $('ping').setAttribute('aria-pressed', this.#wanted);
    if (this.#wanted) await this.attach(link.session);
    else this.end();
  }

  // attach goes on pinging over a new session, if that was wanted.
  async attach(session) {
    if (!this.#wanted) return;
    const channel = this.#channel = session.channel('echo-ping', { ordered: false, maxRetransmits: 0 });
    if (channel.readyState !== 'open' && !await once(channel, ['open'], kOpenMs)) return;
    if (this.#channel !== channel) return;
    channel.addEventListener('message', ({ data }) => this.#echoed(new DataView(data).getFloat64(0)));
    this.#timer = setInterval(() => this.#send(), kPingMs);
  }

  end() {
    clearInterval(this.#timer);
    this.#channel?.close();
    this.#channel = null;
    this.#settle(Infinity);
  }

  #send() {
    if (this.#channel?.readyState !== 'open') return;
    const serial = this.#first + this.samples.length;
    const message = new DataView(new ArrayBuffer(8));
    message.setFloat64(0, serial);
    this.samples.push({ start: performance.now(), rtt: undefined });
    this.#channel.send(message.buffer);
    this.#settle(performance.now() - kPingLostMs);
    while (this.samples.length > kPingsShown) { this.samples.shift(); this.#first++; }
    this.#show();
  }

  #echoed(serial) {
    const sample = this.samples[serial - this.#first];
    if (sample?.rtt === undefined && sample) sample.rtt = performance.now() - sample.start;
  }

  #settle(before) {
    for (const sample of this.samples) if (sample.rtt === undefined && sample.start < before) sample.rtt = null;
  }

  #show() {
    this.#chart.draw(this.samples.map(({ rtt }) => rtt));
    const times = this.samples.map(({ rtt }) => rtt).filter((rtt) => typeof rtt === 'number');
    const lost = this.samples.filter(({ rtt }) => rtt === null).length;
    if (times.length === 0) return;
    const last = times.at(-1);
    const sorted = times.toSorted ? times.toSorted((a, b) => a - b) : [...times].sort((a, b) => a - b);
    const quantile = (part) => milliseconds(sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]);
    $('rtt-last').textContent = milliseconds(last);
    $('rtt-p50').textContent = quantile(0.5);
    $('rtt-p99').textContent = quantile(0.99);
    $('rtt-lost').textContent = `${lost} of ${this.samples.length}`;
    if (performance.now() - this.#spoken < 2000) return;
    this.#spoken = performance.now();
    $('chart').setAttribute('aria-label', `Round-trip times of the last ${times.length} pings: median ${quantile(0.5)}, 99th percentile ${quantile(0.99)}, ${lost} lost`);
  }
}

// clockStep is the finest step of this browser's clock in milliseconds.
function clockStep() {
  let step = Infinity;
  const end = performance.now() + 4;
  for (let last = performance.now(); last < end;) {
    const now = performance.now();
    if (now > last) step = Math.min(step, now - last);
    last = now;
  }
  return step;
}
