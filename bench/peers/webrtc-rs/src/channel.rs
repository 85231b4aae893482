// SPDX-License-Identifier: Apache-2.0
//! Detached data channels.

use std::sync::Arc;

use bench_kit::{Answer, Failure, Link, LoadChannel, Service, LOW_WATER, MAX_MESSAGE};
use bytes::Bytes;
use tokio::runtime::Handle;
use webrtc::data::data_channel::DataChannel;
use webrtc::data_channel::RTCDataChannel;

/// Sends from threads that are none of the runtime's.
struct Blocking {
    runtime: Handle,
    raw: Arc<DataChannel>,
}

impl Blocking {
    fn write(&self, data: &[u8], text: bool) -> Result<(), Failure> {
        let data = Bytes::copy_from_slice(data);
        self.runtime.block_on(self.raw.write_data_channel(&data, text))?;
        Ok(())
    }
}

impl Link for Blocking {
    fn send(&self, data: &[u8]) -> Result<(), Failure> {
        self.write(data, false)
    }

    fn send_text(&self, text: &str) -> Result<(), Failure> {
        self.write(text.as_bytes(), true)
    }

    fn buffered(&self) -> usize {
        self.raw.buffered_amount()
    }
}

/// Reads message by message. Of the buffer only what messages have touched is in memory.
struct Reader {
    raw: Arc<DataChannel>,
    buffer: Vec<u8>,
}

impl Reader {
    fn new(raw: Arc<DataChannel>) -> Self {
        Self { raw, buffer: vec![0; MAX_MESSAGE] }
    }

    async fn next(&mut self) -> Option<(bool, &[u8])> {
        match self.raw.read_data_channel(&mut self.buffer).await {
            Ok((0, _)) | Err(_) => None, // Nothing is the sign of the end.
            Ok((size, text)) => Some((text, &self.buffer[..size])),
        }
    }
}

async fn load(raw: Arc<DataChannel>, channel: Arc<LoadChannel>) -> Result<(), Failure> {
    let mut reader = Reader::new(raw.clone());
    let mut message = Vec::new();
    while let Some((text, data)) = reader.next().await {
        for _ in 0..channel.take(text, data) {
            channel.stamp(&mut message);
            raw.write(&Bytes::copy_from_slice(&message)).await?;
        }
    }
    Ok(())
}

/// Gives a channel to the load once it is open.
pub fn start_load(channel: &Arc<RTCDataChannel>, load_channel: Arc<LoadChannel>) {
    let weak = Arc::downgrade(channel);
    channel.on_open(Box::new(move || {
        Box::pin(async move {
            let Some(channel) = weak.upgrade() else { return };
            let Ok(raw) = channel.detach().await else { return };
            raw.set_buffered_amount_low_threshold(LOW_WATER);
            let low = load_channel.clone();
            raw.on_buffered_amount_low(Box::new(move || {
                low.writable();
                Box::pin(async {})
            }));
            load_channel.opened(Blocking { runtime: Handle::current(), raw: raw.clone() });
            tokio::spawn(async move {
                let _ = load(raw, load_channel.clone()).await;
                load_channel.closed();
            });
        })
    }));
}

async fn serve(raw: Arc<DataChannel>, mut service: Service) -> Result<(), Failure> {
    let mut reader = Reader::new(raw.clone());
    while let Some((text, data)) = reader.next().await {
        match service.take(text, data) {
            Answer::Nothing => {}
            Answer::Same => drop(raw.write_data_channel(&Bytes::copy_from_slice(data), text).await?),
            Answer::Text(answer) => drop(raw.write_data_channel(&Bytes::from(answer), true).await?),
        }
    }
    Ok(())
}

/// Serves a channel that the other side opens.
pub fn start_service(channel: &Arc<RTCDataChannel>) {
    let weak = Arc::downgrade(channel);
    channel.on_open(Box::new(move || {
        Box::pin(async move {
            let Some(channel) = weak.upgrade() else { return };
            let service = Service::new(channel.label());
            if let Ok(raw) = channel.detach().await {
                tokio::spawn(serve(raw, service));
            }
        })
    }));
}
