// SPDX-License-Identifier: Apache-2.0
const number = (value, digits = 3) => value.toLocaleString('en', { maximumSignificantDigits: digits, useGrouping: false });

function milliseconds(ms) {
  if (ms < 0.95) return `${number(ms * 1000, 2)} µs`;
  return ms < 999.5 ? `${number(ms)} ms` : `${number(ms / 1000)} s`;
}

function size(bytes) {
  if (bytes < 1024) return `${bytes} ${bytes === 1 ? 'byte' : 'bytes'}`;
  const steps = Math.min(3, Math.floor(Math.log2(bytes) / 10));
  return `${number(bytes / 1024 ** steps)} ${['', 'KiB', 'MiB', 'GiB'][steps]}`;
}

// In Mbit/s, as the head of the column says.
const bitrate = (bytes, ms) => number(ms > 0 ? (bytes * 8) / ms / 1000 : 0, bytes * 8 > ms * 1e6 ? 4 : 3);

function same(a, b) {
  if (typeof a === 'string' || typeof b === 'string') return a === b;
  if (a.byteLength !== b.byteLength) return false;
  const x = new Uint8Array(a);
  const y = new Uint8Array(b);
  return x.every((byte, at) => byte === y[at]);
}
