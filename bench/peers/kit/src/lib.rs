// SPDX-License-Identifier: Apache-2.0
//! What the Rust peers of the comparison have in common: the command line, the signalling, the load
//! and its report. A stack implements [`Stack`]; see ../../README.md for the contract.

mod account;
mod histogram;
mod http;
mod options;
mod report;
mod run;
mod serve;

use std::net::IpAddr;
use std::sync::Arc;

pub use account::LoadChannel;
pub use options::Reliability;
pub use serve::{Answer, Service};

pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The largest message.
pub const MAX_MESSAGE: usize = 262144;

/// A sender stops above the one and goes on below the other.
pub const HIGH_WATER: usize = 2 << 20;
pub const LOW_WATER: usize = 1 << 20;

/// An open data channel, to send by. Called on threads of the kit, never on the stack's own.
pub trait Link: Send + Sync {
    fn send(&self, data: &[u8]) -> Result<(), Failure>;
    fn send_text(&self, text: &str) -> Result<(), Failure>;
    fn buffered(&self) -> usize;
}

/// A WebRTC library. Dropping a connection closes it.
///
/// For each channel of the load the stack calls [`LoadChannel::opened`], then [`LoadChannel::take`] for
/// each message and sends as many as that says, [`LoadChannel::writable`] when the buffer has fallen to
/// [`LOW_WATER`], and at the end [`LoadChannel::closed`]. For each channel that the other side opens it
/// keeps a [`Service`].
pub trait Stack: Send + Sync + Sized + 'static {
    const NAME: &'static str;
    const VERSION: &'static str;
    type Connection: Send;

    /// `host` is the address of all candidates.
    fn new(host: IpAddr) -> Result<Self, Failure>;

    /// A connection with these channels, and its complete offer.
    fn offer(
        &self,
        label: &str,
        mode: Reliability,
        channels: &[Arc<LoadChannel>],
    ) -> Result<(Self::Connection, String), Failure>;

    fn accept(&self, connection: &Self::Connection, answer: &str) -> Result<(), Failure>;

    /// One more channel.
    fn open(
        &self,
        connection: &Self::Connection,
        label: &str,
        mode: Reliability,
        channel: &Arc<LoadChannel>,
    ) -> Result<(), Failure>;

    /// The complete answer to an offer.
    fn answer(&self, offer: &str) -> Result<(Self::Connection, String), Failure>;
}

/// User and system time of this process.
pub fn cpu_seconds() -> f64 {
    // SAFETY: a plain structure of numbers, which the call fills.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 * 1e-6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

/// The program of a peer.
pub fn main<S: Stack>() -> ! {
    let outcome = match options::parse(std::env::args().skip(1)) {
        Ok(options::Command::Serve { http, host }) => serve::run::<S>(&http, host).map(|()| true),
        Ok(options::Command::Load(options)) => run::run::<S>(options),
        Err(failure) => {
            eprintln!("{}: {failure}", S::NAME);
            std::process::exit(2);
        }
    };
    match outcome {
        Ok(good) => std::process::exit(if good { 0 } else { 3 }),
        Err(failure) => {
            eprintln!("{}: {failure}", S::NAME);
            std::process::exit(1);
        }
    }
}
