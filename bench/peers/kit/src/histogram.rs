// SPDX-License-Identifier: Apache-2.0
//! Durations by frequency.

use std::time::Duration;

const PART: usize = 128; // Buckets of an octave: each is less than 1 % wide.

/// Counts durations in nanoseconds.
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    largest: u64,
}

impl Histogram {
    pub fn new() -> Self {
        Self { buckets: vec![0; 64 * PART], count: 0, largest: 0 }
    }

    pub fn record(&mut self, value: Duration) {
        let value = u64::try_from(value.as_nanos()).unwrap_or(u64::MAX);
        let shift = (u64::BITS - value.leading_zeros()).saturating_sub(8) as usize;
        self.buckets[shift * PART + (value >> shift) as usize] += 1;
        self.count += 1;
        self.largest = self.largest.max(value);
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    /// In microseconds; 0 when nothing was recorded.
    pub fn percentile(&self, percent: f64) -> f64 {
        if self.count == 0 {
            return 0.0;
        }
        let rank = ((percent / 100.0 * self.count as f64).ceil() as u64).max(1);
        let mut sum = 0;
        let within = |count: &u64| {
            sum += count;
            sum >= rank
        };
        let index = self.buckets.iter().position(within).unwrap_or(0);
        let shift = (index / PART).saturating_sub(1);
        let upper = (((index - shift * PART + 1) as u64) << shift) - 1;
        upper.min(self.largest) as f64 / 1e3
    }
}
