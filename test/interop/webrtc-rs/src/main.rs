// SPDX-License-Identifier: Apache-2.0
//! The webrtc-rs peer of the interoperability suite: see ../../README.md.

mod client;
mod http;
mod ledger;
mod server;
mod traffic;

use std::sync::Arc;
use std::time::Duration;

use webrtc::api::setting_engine::SettingEngine;
use webrtc::api::{APIBuilder, API};
use webrtc::ice::mdns::MulticastDnsMode;
use webrtc::ice::network_type::NetworkType;
use webrtc::peer_connection::configuration::RTCConfiguration;
use webrtc::peer_connection::RTCPeerConnection;

pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A longer message ends the channel: the read buffer has so many bytes.
pub const MAX_SIZE: usize = 65535;
pub const MODES: [&str; 4] = ["reliable-ordered", "reliable-unordered", "unreliable-ordered", "unreliable-unordered"];

pub fn new_api() -> API {
    let mut engine = SettingEngine::default();
    engine.set_include_loopback_candidate(true);
    engine.set_ip_filter(Box::new(|ip| ip.is_loopback()));
    engine.set_network_types(vec![NetworkType::Udp4]);
    engine.set_ice_multicast_dns_mode(MulticastDnsMode::Disabled);
    APIBuilder::new().with_setting_engine(engine).build()
}

pub async fn new_connection(api: &API) -> Result<Arc<RTCPeerConnection>, Failure> {
    Ok(Arc::new(api.new_peer_connection(RTCConfiguration::default()).await?))
}

/// Waits for `event`, but not for ever.
pub async fn within<F: std::future::Future>(event: F, seconds: u64, what: &str) -> Result<F::Output, Failure> {
    let limit = Duration::from_secs(seconds);
    tokio::time::timeout(limit, event).await.map_err(|_| format!("time-out: {what}").into())
}

#[derive(Clone)]
pub struct Options {
    pub target: String,
    pub label: String,
    pub mode: String,
    pub messages: usize,
    pub outstanding: usize,
    pub max_size: usize,
    pub seed: u32,
    pub port: u16,
}

impl Options {
    pub fn reliable(&self) -> bool {
        self.mode.starts_with("reliable")
    }

    pub fn ordered(&self) -> bool {
        self.mode.ends_with("-ordered")
    }

    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut options = Self {
            target: String::new(),
            label: "echo".into(),
            mode: MODES[0].into(),
            messages: 1000,
            outstanding: 8,
            max_size: 262144,
            seed: 1,
            port: 0,
        };
        while let Some(flag) = arguments.next() {
            if flag == "--json" || flag == "--no-empty" {
                continue; // The verdict is always JSON, and no message is empty.
            }
            let value = arguments.next().ok_or_else(|| format!("{flag} wants a value"))?;
            match flag.as_str() {
                "--target" => options.target = value,
                "--label" => options.label = value,
                "--mode" if MODES.contains(&value.as_str()) => options.mode = value,
                "--messages" => options.messages = value.parse()?,
                "--outstanding" => options.outstanding = value.parse()?,
                "--max-size" => options.max_size = value.parse()?,
                "--seed" => options.seed = value.parse()?,
                "--port" => options.port = value.parse()?,
                _ => return Err(format!("unknown argument {flag} {value}").into()),
            }
        }
        Ok(options)
    }
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let role = arguments.next().unwrap_or_default();
    let outcome = match (role.as_str(), Options::parse(arguments)) {
        ("server", Ok(options)) => server::run(options.port).await.map(|()| true),
        ("client", Ok(options)) => Ok(client::run(options).await),
        (_, Err(failure)) => Err(failure),
        _ => Err("say client or server".into()),
    };
    match outcome {
        Ok(good) => std::process::exit(i32::from(!good)),
        Err(failure) => {
            eprintln!("webrtc-rs: {failure}");
            std::process::exit(2);
        }
    }
}
