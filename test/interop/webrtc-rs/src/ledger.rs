// SPDX-License-Identifier: Apache-2.0

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::traffic::{tag_of, Message, TAGGED};

#[derive(Default, Clone, Copy)]
pub struct Tally {
    pub messages: usize,
    pub bytes: usize,
}

impl Tally {
    pub fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes;
    }
}

/// Ledger keeps what was sent until its echo comes, and counts every way in which an echo can be wrong.
#[derive(Default)]
pub struct Ledger {
    ordered: bool,
    pub outstanding: BTreeMap<usize, Message>,
    expired: BTreeMap<usize, Message>, // Given up; a late echo is still an arrival.
    next: usize,                       // One past the highest index that came.
    pub sent: Tally,
    pub received: Tally,
    pub damaged: usize,
    pub duplicated: usize,
    pub out_of_order: usize,
}

impl Ledger {
    pub fn new(ordered: bool) -> Self {
        Self { ordered, ..Self::default() }
    }

    pub fn outstanding_bytes(&self) -> usize {
        self.outstanding.values().map(|message| message.data.len()).sum()
    }

    pub fn note(&mut self, message: Message) {
        self.sent.add(message.data.len());
        self.outstanding.insert(message.index, message);
    }

    pub fn accept(&mut self, text: bool, data: &[u8]) {
        let found = if data.len() >= TAGGED { self.by_tag(text, data) } else { self.by_content(text, data) };
        let Some(index) = found else { return };
        self.outstanding.remove(&index);
        self.expired.remove(&index);
        self.received.add(data.len());
        if self.ordered && index < self.next {
            self.out_of_order += 1;
        }
        self.next = self.next.max(index + 1);
    }

    pub fn expire(&mut self, age: Duration) {
        let now = Instant::now();
        while let Some(entry) = self.outstanding.first_entry() {
            if now.duration_since(entry.get().at) <= age {
                break;
            }
            let (index, message) = entry.remove_entry();
            self.expired.insert(index, message);
        }
    }

    fn by_tag(&mut self, text: bool, data: &[u8]) -> Option<usize> {
        let tag = tag_of(text, data);
        let message = tag.and_then(|tag| self.outstanding.get(&tag).or_else(|| self.expired.get(&tag)));
        match message {
            Some(message) if message.text == text && message.data == data => return tag,
            None if tag.is_some_and(|tag| tag < self.sent.messages) => self.duplicated += 1,
            _ => self.damaged += 1,
        }
        None
    }

    /// Too short for a tag: the oldest message of the same content, preferably one that is in order.
    fn by_content(&mut self, text: bool, data: &[u8]) -> Option<usize> {
        let all = self.outstanding.values().chain(self.expired.values());
        let same: Vec<usize> = all.filter(|m| m.text == text && m.data == data).map(|m| m.index).collect();
        if same.is_empty() {
            self.damaged += 1;
        }
        let ahead = same.iter().find(|&&index| index >= self.next);
        ahead.or(same.first()).copied()
    }
}
