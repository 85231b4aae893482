// SPDX-License-Identifier: Apache-2.0
//! The messages of one run: a pure function of seed and index, so that any damage shows. README.md,
//! "The messages", is the definition that all the peers follow.

use std::time::Instant;

/// Messages of this size or more begin with their index.
pub const TAGGED: usize = 8;

/// A prime: fragments that swap places never match by chance.
const BLOCK: usize = 65521;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

pub struct Message {
    pub index: usize,
    pub text: bool,
    pub data: Vec<u8>,
    pub at: Instant,
}

pub struct Traffic {
    seed: u32,
    max_size: usize,
    binary: Vec<u8>,
    text: Vec<u8>,
}

fn mix(x: u32) -> u32 {
    let x = (x ^ (x >> 16)).wrapping_mul(0x7feb352d);
    let x = (x ^ (x >> 15)).wrapping_mul(0x846ca68b);
    x ^ (x >> 16)
}

impl Traffic {
    pub fn new(seed: u32, max_size: usize) -> Self {
        let mut state = mix(seed) | 1;
        let mut step = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state >> 24) as u8
        };
        let binary: Vec<u8> = (0..BLOCK).map(|_| step()).collect();
        let text = binary.iter().map(|byte| ALPHABET[usize::from(byte & 63)]).collect();
        Self { seed, max_size, binary, text }
    }

    fn random(&self, index: usize) -> usize {
        mix(self.seed ^ mix(index as u32 + 1)) as usize
    }

    /// The size of a message. None is empty: webrtc-rs takes an empty message for the channel's end.
    pub fn size(&self, index: usize) -> usize {
        let random = self.random(index);
        match index % 100 {
            25 | 26 | 40 | 41 => return 1,
            50 | 51 => return self.max_size,
            _ => {}
        }
        if index % 40 == 3 {
            return 1 + random % self.max_size;
        }
        let power = 1 << (random % 14);
        (power + (random >> 8) % power).min(self.max_size)
    }

    /// Even indices are strings, odd ones binary.
    pub fn message(&self, index: usize) -> Message {
        let text = index % 2 == 0;
        let size = self.size(index);
        let block = if text { &self.text } else { &self.binary };
        let offset = self.random(index) % BLOCK;
        let mut data: Vec<u8> = block.iter().cycle().skip(offset).take(size).copied().collect();
        if size >= TAGGED {
            if text {
                data[..8].copy_from_slice(format!("{index:08x}").as_bytes());
            } else {
                data[..4].copy_from_slice(&(index as u32).to_be_bytes());
            }
        }
        if text && size >= 32 {
            // Lengths in characters and in bytes must not be confused.
            data[8..17].copy_from_slice("é√😀".as_bytes());
        }
        Message { index, text, data, at: Instant::now() }
    }
}

/// The index that a received message claims.
pub fn tag_of(text: bool, data: &[u8]) -> Option<usize> {
    if data.len() < TAGGED {
        return None;
    }
    if text {
        let digits = std::str::from_utf8(&data[..8]).ok()?;
        return usize::from_str_radix(digits, 16).ok();
    }
    Some(u32::from_be_bytes([data[0], data[1], data[2], data[3]]) as usize)
}
