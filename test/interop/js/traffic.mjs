// SPDX-License-Identifier: Apache-2.0
// The messages of one run: a pure function of seed and index, so that any damage shows. README.md,
// "The messages", is the definition that all the peers follow.

export const kTagged = 8; // Messages of this size or more begin with their index.

const kBlock = 65521; // A prime: fragments that swap places never match by chance.
const kAlphabet = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_');

function mix(x) {
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

// Traffic makes message `index` of a run. Even indices are strings, odd ones binary.
export class Traffic {
  constructor(seed, maxSize, empties) {
    this.seed = seed >>> 0;
    this.maxSize = maxSize;
    this.empties = empties;
    this.binary = Buffer.alloc(kBlock);
    this.text = Buffer.alloc(kBlock);
    let state = (mix(this.seed) | 1) >>> 0;
    for (let i = 0; i < kBlock; i++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      this.binary[i] = state >>> 24;
      this.text[i] = kAlphabet[this.binary[i] & 63];
    }
  }

  random(index) {
    return mix((this.seed ^ mix(index + 1)) >>> 0);
  }

  size(index) {
    const random = this.random(index);
    switch (index % 100) {
      case 25:
      case 40:
        return this.empties ? 0 : 1;
      case 26:
      case 41:
        return 1;
      case 50:
      case 51:
        return this.maxSize;
    }
    if (index % 40 === 3) return 1 + (random % this.maxSize);
    const power = 1 << random % 14;
    return Math.min(power + ((random >>> 8) % power), this.maxSize);
  }

  // message returns {index, text, bytes, at}: `bytes` is UTF-8 when `text`.
  message(index) {
    const text = index % 2 === 0;
    const size = this.size(index);
    const bytes = Buffer.alloc(size);
    const block = text ? this.text : this.binary;
    let offset = this.random(index) % kBlock;
    for (let filled = 0; filled < size; offset = 0) {
      filled += block.copy(bytes, filled, offset, Math.min(kBlock, offset + size - filled));
    }
    if (size >= kTagged) {
      if (text) bytes.write(index.toString(16).padStart(8, '0'), 'latin1');
      else bytes.writeUInt32BE(index);
    }
    // Two, three and four bytes of UTF-8: lengths in characters and in bytes must not be confused.
    if (text && size >= 32) bytes.write('é√😀', 8, 'utf8');
    return { index, text, bytes, at: 0 };
  }
}

// tagOf returns the index that a received message claims, or -1.
export function tagOf(text, bytes) {
  if (bytes.length < kTagged) return -1;
  return text ? Number.parseInt(bytes.toString('latin1', 0, 8), 16) : bytes.readUInt32BE();
}
