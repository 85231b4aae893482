// SPDX-License-Identifier: Apache-2.0
//! What became of the messages of the load.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::histogram::Histogram;
use crate::options::{Options, Pattern};
use crate::{Failure, Link};

/// A message begins with its sequence number and the time that it was meant to leave.
pub const STAMP: usize = 16;

#[derive(Default, Clone, Copy)]
pub struct Tally {
    pub messages: u64,
    pub bytes: u64,
}

impl Tally {
    fn add(&mut self, size: usize) {
        self.messages += 1;
        self.bytes += size as u64;
    }
}

/// What a run has counted, over all channels. Times count from `Plan::origin`.
pub struct Measures {
    pub from: Duration,
    pub to: Duration,
    pub latency: Histogram,
    pub sent: Tally,
    pub delivered: Tally,
    pub reordered: u64,
    pub damaged: u64,
}

impl Measures {
    pub fn new() -> Self {
        Self {
            from: Duration::ZERO,
            to: Duration::ZERO,
            latency: Histogram::new(),
            sent: Tally::default(),
            delivered: Tally::default(),
            reordered: 0,
            damaged: 0,
        }
    }

    fn within(&self, at: Duration) -> bool {
        (self.from..self.to).contains(&at)
    }
}

/// What all channels of a run share.
pub struct Plan {
    pub options: Options,
    pub origin: Instant,
    pub measures: Mutex<Measures>,
}

impl Plan {
    pub fn now(&self) -> Duration {
        self.origin.elapsed()
    }
}

/// What a sink says.
#[derive(Clone, Copy)]
pub struct SinkReport {
    pub messages: u64,
    pub bytes: u64,
    pub seconds: f64,
    pub cpu_seconds: f64,
}

impl SinkReport {
    fn parse(data: &[u8]) -> Option<Self> {
        let json: Value = serde_json::from_slice(data).ok()?;
        Some(Self {
            messages: json["messages"].as_u64()?,
            bytes: json["bytes"].as_u64()?,
            seconds: json["seconds"].as_f64()?,
            cpu_seconds: json["cpu_seconds"].as_f64()?,
        })
    }
}

#[derive(Default)]
pub struct Account {
    pub sent: u64,
    pub received: u64,
    /// One past the highest number that came back.
    end: u64,
    /// Unreliable: below this nothing is waited for.
    pub written_off: u64,
    pub progress: Duration,
    pub reports: Vec<SinkReport>,
    /// The reports before this one tell of the beginning, the others of the end.
    pub end_report: usize,
    pub asked_at: Duration,
    pub closed: bool,
    writable: bool,
}

/// A channel of the load. Its messages are stamped and sent by one thread at a time: the pacer's, the
/// uploader's, or, where a window is kept, the one that takes the echoes.
pub struct LoadChannel {
    plan: Arc<Plan>,
    link: OnceLock<Box<dyn Link>>,
    account: Mutex<Account>,
    changed: Condvar,
}

impl LoadChannel {
    pub fn new(plan: Arc<Plan>) -> Arc<Self> {
        let (link, account, changed) = Default::default();
        Arc::new(Self { plan, link, account, changed })
    }

    /// The stack says that the channel is open, once.
    pub fn opened(&self, link: impl Link + 'static) {
        let _account = self.account();
        let _ = self.link.set(Box::new(link));
        self.changed.notify_all();
    }

    /// The stack says that the channel has ended.
    pub fn closed(&self) {
        self.account().closed = true;
        self.changed.notify_all();
    }

    /// The stack says that the buffer has run low.
    pub fn writable(&self) {
        self.account().writable = true;
        self.changed.notify_all();
    }

    /// A message has come. So many messages, each from `stamp`, are to be sent now.
    pub fn take(&self, text: bool, data: &[u8]) -> u64 {
        if text {
            let mut account = self.account();
            account.reports.extend(SinkReport::parse(data));
            account.progress = self.plan.now();
            return 0;
        }
        if self.plan.options.pattern != Pattern::Echo {
            return 0;
        }
        self.take_echo(data)
    }

    /// Writes the next message of a window.
    pub fn stamp(&self, message: &mut Vec<u8>) {
        self.stamp_for(message, self.plan.now());
    }

    pub fn stamp_for(&self, message: &mut Vec<u8>, intended: Duration) {
        let size = self.plan.options.size;
        if message.len() != size {
            *message = (0..size).map(|i| (i * 73 + 41) as u8).collect();
        }
        let mut account = self.account();
        message[..8].copy_from_slice(&account.sent.to_le_bytes());
        message[8..STAMP].copy_from_slice(&(intended.as_nanos() as u64).to_le_bytes());
        account.sent += 1;
        let mut measures = self.plan.measures.lock().unwrap();
        if measures.within(intended) {
            measures.sent.add(size);
        }
    }

    fn take_echo(&self, data: &[u8]) -> u64 {
        let at = self.plan.now();
        let options = &self.plan.options;
        let mut account = self.account();
        account.received += 1;
        account.progress = at;
        let mut measures = self.plan.measures.lock().unwrap();
        let number = |from: usize| data.get(from..from + 8).map(|part| u64::from_le_bytes(part.try_into().unwrap()));
        let (Some(sequence), Some(intended)) = (number(0), number(8)) else {
            measures.damaged += 1;
            return 0;
        };
        if data.len() != options.size || sequence >= account.sent {
            measures.damaged += 1;
            return 0;
        }
        let intended = Duration::from_nanos(intended);
        measures.reordered += u64::from(sequence < account.end);
        account.end = account.end.max(sequence + 1);
        if measures.within(if options.rate.is_some() { intended } else { at }) {
            measures.latency.record(at.saturating_sub(intended));
            measures.delivered.add(data.len());
        }
        if options.rate.is_some() || at >= measures.to {
            return 0;
        }
        options.outstanding.saturating_sub(self.outstanding(&account))
    }

    /// Messages that are still waited for. What was overtaken on an unreliable channel may be lost.
    fn outstanding(&self, account: &Account) -> u64 {
        let overtaken = account.end.max(account.written_off);
        let settled = if self.plan.options.mode.reliable() { account.received } else { overtaken };
        account.sent.saturating_sub(settled)
    }

    pub fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap()
    }

    pub fn wait_open(&self, limit: Duration) -> Result<(), Failure> {
        let deadline = Instant::now() + limit;
        let mut account = self.account();
        while self.link.get().is_none() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || account.closed {
                return Err("a channel did not open".into());
            }
            account = self.changed.wait_timeout(account, left).unwrap().0;
        }
        Ok(())
    }

    pub fn link(&self) -> Result<&dyn Link, Failure> {
        Ok(self.link.get().ok_or("the channel is not open")?.as_ref())
    }

    /// Waits until the buffer has run low, or for some milliseconds.
    pub fn wait_writable(&self) {
        let mut account = self.account();
        if !account.writable {
            account = self.changed.wait_timeout(account, Duration::from_millis(10)).unwrap().0;
        }
        account.writable = false;
    }

    pub fn ask(&self) {
        self.account().asked_at = self.plan.now();
        let _ = self.link().and_then(|link| link.send_text("report"));
    }
}
