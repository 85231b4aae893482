// SPDX-License-Identifier: Apache-2.0

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{signal, SignalKind};
use tokio::time::{sleep, timeout};
use webrtc::api::API;
use webrtc::data_channel::RTCDataChannel;
use webrtc::peer_connection::sdp::session_description::RTCSessionDescription;
use webrtc::peer_connection::RTCPeerConnection;

use crate::client::send;
use crate::ledger::Tally;
use crate::{http, new_api, new_connection, within, Failure, MAX_SIZE};

const LOW_WATER: usize = 1 << 20; // A source keeps at most so many bytes in the stack.

fn echo(channel: &Arc<RTCDataChannel>) {
    let back = Arc::downgrade(channel);
    channel.on_message(Box::new(move |message| {
        let back = back.upgrade();
        Box::pin(async move {
            if let Some(channel) = back {
                let _ = send(&channel, message.is_string, &message.data).await;
            }
        })
    }));
}

/// User and system time of this process, from /proc/self/stat: fields 14 and 15, in hundredths of a second.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(") ").next().unwrap_or_default();
    let ticks = after_name.split(' ').skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

#[derive(Default)]
struct Count {
    tally: Tally,
    start: Option<Instant>,
}

fn sink(channel: &Arc<RTCDataChannel>) {
    let back = Arc::downgrade(channel);
    let mut count = Count::default();
    channel.on_message(Box::new(move |message| {
        let mut report = None;
        if message.is_string && message.data.as_ref() == b"report" {
            let seconds = count.start.map_or(0.0, |start| start.elapsed().as_secs_f64());
            report = Some(json!({
                "messages": count.tally.messages, "bytes": count.tally.bytes,
                "seconds": seconds, "cpu_seconds": cpu_seconds(),
            }));
        } else {
            count.start.get_or_insert_with(Instant::now);
            count.tally.add(message.data.len());
        }
        let back = back.upgrade();
        Box::pin(async move {
            if let (Some(channel), Some(report)) = (back, report) {
                let _ = channel.send_text(report.to_string()).await;
            }
        })
    }));
}

/// Sends as the query asks: a count of 0 is endless, a rate of 0 as fast as the stack takes messages.
async fn source(channel: Arc<RTCDataChannel>) -> Result<(), Failure> {
    let query: HashMap<&str, &str> = channel.protocol().split('&').filter_map(|pair| pair.split_once('=')).collect();
    let number = |key: &str, otherwise: f64| query.get(key).and_then(|v| v.parse().ok()).unwrap_or(otherwise);
    let (size, count, rate) = (number("size", 1000.0), number("count", 0.0), number("rate", 0.0));
    let message = Bytes::from(vec![0x5a; (size as usize).clamp(1, MAX_SIZE)]);
    let start = Instant::now();
    let mut sent = 0.0;
    while count == 0.0 || sent < count {
        let late = rate > 0.0 && sent > start.elapsed().as_secs_f64() * rate;
        if late || channel.buffered_amount().await > LOW_WATER {
            sleep(Duration::from_millis(1)).await;
            continue;
        }
        channel.send(&message).await?;
        sent += 1.0;
    }
    Ok(())
}

fn serve(channel: Arc<RTCDataChannel>) {
    let label = channel.label().to_string();
    if label.starts_with("echo") {
        echo(&channel);
    } else if label.starts_with("sink") {
        sink(&channel);
    } else if label.starts_with("source") {
        let outgoing = channel.clone();
        channel.on_open(Box::new(move || {
            tokio::spawn(source(outgoing));
            Box::pin(async {})
        }));
    }
}

/// The sessions of one listening endpoint.
struct Server {
    api: API,
    sessions: Mutex<HashMap<String, Arc<RTCPeerConnection>>>,
}

impl Server {
    async fn answer(&self, offer: String) -> Result<(Arc<RTCPeerConnection>, String), Failure> {
        let connection = new_connection(&self.api).await?;
        connection.on_data_channel(Box::new(|channel| {
            serve(channel);
            Box::pin(async {})
        }));
        connection.set_remote_description(RTCSessionDescription::offer(offer)?).await?;
        let answer = connection.create_answer(None).await?;
        let mut gathered = connection.gathering_complete_promise().await;
        connection.set_local_description(answer).await?;
        within(gathered.recv(), 60, "gathering").await?;
        let local = connection.local_description().await.ok_or("no local description")?;
        Ok((connection, local.sdp))
    }

    async fn post(&self, stream: &mut TcpStream, offer: String) -> Result<(), Failure> {
        match self.answer(offer).await {
            Ok((connection, sdp)) => {
                let path = {
                    let mut sessions = self.sessions.lock().unwrap();
                    let path = format!("/offer/{:p}", Arc::as_ptr(&connection));
                    sessions.insert(path.clone(), connection);
                    path
                };
                let headers = format!("Content-Type: application/sdp\r\nLocation: {path}\r\n");
                http::respond(stream, "201 Created", &headers, &sdp).await
            }
            Err(failure) => http::respond(stream, "400 Bad Request", "", &failure.to_string()).await,
        }
    }

    async fn handle(&self, mut stream: TcpStream) -> Result<(), Failure> {
        let request = http::read(&mut stream).await?;
        let mut words = request.first.split(' ');
        match (words.next(), words.next()) {
            (Some("POST"), Some("/offer")) => self.post(&mut stream, request.body).await,
            (Some("DELETE"), Some(path)) => {
                let gone = self.sessions.lock().unwrap().remove(path);
                let Some(connection) = gone else {
                    return http::respond(&mut stream, "404 Not Found", "", "").await;
                };
                http::respond(&mut stream, "204 No Content", "", "").await?;
                Ok(connection.close().await?)
            }
            _ => http::respond(&mut stream, "404 Not Found", "", "").await,
        }
    }
}

/// Serves until SIGTERM.
pub async fn run(port: u16) -> Result<(), Failure> {
    let server = Arc::new(Server { api: new_api(), sessions: Mutex::default() });
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let mut stop = signal(SignalKind::terminate())?;
    println!("READY http://{}/offer", listener.local_addr()?);
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                let server = server.clone();
                tokio::spawn(async move {
                    if let Err(failure) = server.handle(stream).await {
                        eprintln!("webrtc-rs: {failure}");
                    }
                });
            }
            _ = stop.recv() => break,
        }
    }
    let sessions: Vec<_> = server.sessions.lock().unwrap().drain().collect();
    for (_, connection) in sessions {
        let _ = timeout(Duration::from_secs(2), connection.close()).await;
    }
    Ok(())
}
