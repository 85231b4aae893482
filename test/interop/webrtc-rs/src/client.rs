// SPDX-License-Identifier: Apache-2.0

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use webrtc::data_channel::data_channel_init::RTCDataChannelInit;
use webrtc::data_channel::data_channel_message::DataChannelMessage;
use webrtc::data_channel::RTCDataChannel;
use webrtc::peer_connection::sdp::session_description::RTCSessionDescription;
use webrtc::peer_connection::RTCPeerConnection;

use crate::ledger::{Ledger, Tally};
use crate::traffic::Traffic;
use crate::{http, new_api, new_connection, within, Failure, Options, MAX_SIZE};

const OPEN_SECONDS: u64 = 60;
const CLOSE_SECONDS: u64 = 60;
const IDLE: Duration = Duration::from_secs(60); // No echo for so long: the run has stalled.
const EXPIRY: Duration = Duration::from_secs(4); // An unreliable message that is this old is given up.
const LINGER: Duration = Duration::from_millis(300); // Time for a duplicate to show.
const UNRELIABLE_BYTES: usize = 327680; // Outstanding at once where an overflowing burst is lost.

/// It calls a channel closed before the other side's half is, and would use its id again.
const SETTLE: Duration = Duration::from_secs(1);

/// RFC 8841 §6.1: without the attribute 65536 bytes are allowed, and 0 means any size.
fn limit_of(sdp: &str) -> usize {
    let value = sdp.lines().find_map(|line| line.strip_prefix("a=max-message-size:"));
    match value.and_then(|value| value.trim().parse().ok()) {
        None => 65536,
        Some(0) => MAX_SIZE,
        Some(limit) => limit,
    }
}

pub async fn send(channel: &RTCDataChannel, text: bool, data: &[u8]) -> Result<(), Failure> {
    if text {
        channel.send_text(std::str::from_utf8(data)?).await?;
    } else {
        channel.send(&Bytes::copy_from_slice(data)).await?;
    }
    Ok(())
}

/// A channel of ours, with its life as Rust channels.
struct Channel {
    inner: Arc<RTCDataChannel>,
    opened: watch::Receiver<bool>,
    closed: watch::Receiver<bool>,
    arrivals: mpsc::UnboundedReceiver<DataChannelMessage>,
}

impl Channel {
    async fn new(connection: &RTCPeerConnection, options: &Options) -> Result<Self, Failure> {
        let init = RTCDataChannelInit {
            ordered: Some(options.ordered()),
            max_retransmits: (!options.reliable()).then_some(0),
            ..Default::default()
        };
        let inner = connection.create_data_channel(&options.label, Some(init)).await?;
        let (open, opened) = watch::channel(false);
        let (close, closed) = watch::channel(false);
        let (arrive, arrivals) = mpsc::unbounded_channel();
        inner.on_open(Box::new(move || {
            let _ = open.send(true);
            Box::pin(async {})
        }));
        inner.on_close(Box::new(move || {
            let _ = close.send(true);
            Box::pin(async {})
        }));
        inner.on_message(Box::new(move |message| {
            let _ = arrive.send(message);
            Box::pin(async {})
        }));
        Ok(Self { inner, opened, closed, arrivals })
    }

    async fn open(&mut self, what: &str) -> Result<(), Failure> {
        within(self.opened.wait_for(|&open| open), OPEN_SECONDS, what).await??;
        Ok(())
    }

    async fn close(&mut self) -> Result<(), Failure> {
        self.inner.close().await?;
        within(self.closed.wait_for(|&closed| closed), CLOSE_SECONDS, "the channel closing").await??;
        Ok(())
    }
}

/// One client's session with a server: dial, echo, close, open again, hang up.
struct Run {
    options: Options,
    ledger: Ledger,
    location: String,
    max_size: usize,
    closed: bool,
    reopened: bool,
}

impl Run {
    async fn session(&mut self, connection: &RTCPeerConnection) -> Result<(), Failure> {
        let mut channel = Channel::new(connection, &self.options).await?;
        self.dial(connection).await?;
        channel.open("the channel opening").await?;
        self.echo(&mut channel).await?;
        channel.close().await?;
        self.closed = true;
        sleep(SETTLE).await;
        self.reopen(connection).await?;
        self.reopened = true;
        let response = http::request("DELETE", &self.location, "").await?;
        if !response.first.contains(" 20") {
            return Err(format!("DELETE: {}", response.first).into());
        }
        Ok(())
    }

    async fn dial(&mut self, connection: &RTCPeerConnection) -> Result<(), Failure> {
        let offer = connection.create_offer(None).await?;
        let mut gathered = connection.gathering_complete_promise().await;
        connection.set_local_description(offer).await?;
        within(gathered.recv(), OPEN_SECONDS, "gathering").await?;
        let local = connection.local_description().await.ok_or("no local description")?;
        let response = http::request("POST", &self.options.target, &local.sdp).await?;
        let kind = response.headers.get("content-type").map_or("", String::as_str);
        if !response.first.contains(" 201") || !kind.starts_with("application/sdp") {
            return Err(format!("POST: {} {kind} {}", response.first, response.body).into());
        }
        let location = response.headers.get("location").ok_or("POST: no Location")?;
        self.location = http::resolve(&self.options.target, location);
        self.max_size = self.options.max_size.min(MAX_SIZE).min(limit_of(&response.body));
        connection.set_remote_description(RTCSessionDescription::answer(response.body)?).await?;
        Ok(())
    }

    async fn pump(&mut self, channel: &Channel, traffic: &Traffic) -> Result<(), Failure> {
        while self.ledger.sent.messages < self.options.messages
            && self.ledger.outstanding.len() < self.options.outstanding
        {
            let index = self.ledger.sent.messages;
            let bytes = self.ledger.outstanding_bytes() + traffic.size(index);
            if !self.options.reliable() && bytes > UNRELIABLE_BYTES {
                break;
            }
            let message = traffic.message(index);
            let (text, data) = (message.text, message.data.clone());
            self.ledger.note(message);
            send(&channel.inner, text, &data).await?;
        }
        Ok(())
    }

    async fn echo(&mut self, channel: &mut Channel) -> Result<(), Failure> {
        let traffic = Traffic::new(self.options.seed, self.max_size);
        let mut progress = Instant::now();
        loop {
            self.pump(channel, &traffic).await?;
            if self.ledger.sent.messages == self.options.messages && self.ledger.outstanding.is_empty() {
                break;
            }
            if let Ok(Some(message)) = timeout(Duration::from_millis(100), channel.arrivals.recv()).await {
                self.ledger.accept(message.is_string, &message.data);
                progress = Instant::now();
            }
            if *channel.closed.borrow() {
                return Err("the channel closed early".into());
            }
            if progress.elapsed() > IDLE {
                return Err("stalled".into());
            }
            if !self.options.reliable() {
                self.ledger.expire(EXPIRY);
            }
        }
        let end = tokio::time::Instant::now() + LINGER;
        while let Ok(Some(message)) = tokio::time::timeout_at(end, channel.arrivals.recv()).await {
            self.ledger.accept(message.is_string, &message.data);
        }
        Ok(())
    }

    /// A second channel after the first has gone: the close left the association whole.
    async fn reopen(&self, connection: &RTCPeerConnection) -> Result<(), Failure> {
        let mut channel = Channel::new(connection, &self.options).await?;
        channel.open("the second channel opening").await?;
        let patience = if self.options.reliable() { IDLE } else { Duration::from_secs(1) };
        let start = Instant::now();
        loop {
            send(&channel.inner, true, b"again").await?;
            match timeout(patience, channel.arrivals.recv()).await {
                Ok(Some(message)) if message.data.as_ref() == b"again" => break,
                Ok(_) => return Err("the second channel damaged a message".into()),
                Err(_) if start.elapsed() > IDLE => return Err("time-out: an echo on the second channel".into()),
                Err(_) => {}
            }
        }
        channel.close().await
    }
}

fn tally(tally: Tally) -> serde_json::Value {
    json!({ "messages": tally.messages, "bytes": tally.bytes })
}

/// Prints the verdict as one line of JSON and says whether all was well.
pub async fn run(options: Options) -> bool {
    let start = Instant::now();
    let ledger = Ledger::new(options.ordered());
    let mut run = Run { options, ledger, location: String::new(), max_size: 0, closed: false, reopened: false };
    let outcome = match new_connection(&new_api()).await {
        Ok(connection) => {
            let outcome = run.session(&connection).await;
            let _ = timeout(Duration::from_secs(5), connection.close()).await;
            outcome
        }
        Err(failure) => Err(failure),
    };
    let (options, ledger) = (&run.options, &run.ledger);
    let missing = options.messages - ledger.received.messages;
    let allowed = if options.reliable() { 0 } else { options.messages / 100 };
    let clean = ledger.damaged + ledger.duplicated + ledger.out_of_order == 0;
    let good = outcome.is_ok() && clean && missing <= allowed;
    let verdict = json!({
        "peer": "webrtc-rs", "role": "client", "mode": options.mode, "label": options.label,
        "seed": options.seed, "max_size": run.max_size,
        "sent": tally(ledger.sent), "received": tally(ledger.received), "missing": missing,
        "damaged": ledger.damaged, "duplicated": ledger.duplicated, "out_of_order": ledger.out_of_order,
        "closed": run.closed, "reopened": run.reopened, "seconds": start.elapsed().as_secs_f64(),
        "ok": good, "error": outcome.err().map_or(String::new(), |failure| failure.to_string()),
    });
    println!("{verdict}");
    good
}
