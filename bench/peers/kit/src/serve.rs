// SPDX-License-Identifier: Apache-2.0
//! The server: its endpoint, and what it does with channels.

use std::collections::HashMap;
use std::net::{IpAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::json;

use crate::{cpu_seconds, http, Failure, Stack};

enum Kind {
    Echo,
    Sink,
    Ignore,
}

/// What is to be sent back for a message.
pub enum Answer {
    Nothing,
    /// The message itself.
    Same,
    Text(String),
}

/// A channel of the server: it does what its label says.
pub struct Service {
    kind: Kind,
    messages: u64,
    bytes: u64,
    start: Option<Instant>,
}

impl Service {
    pub fn new(label: &str) -> Self {
        let kind = match label {
            _ if label.starts_with("echo") => Kind::Echo,
            _ if label.starts_with("sink") => Kind::Sink,
            _ => Kind::Ignore,
        };
        Self { kind, messages: 0, bytes: 0, start: None }
    }

    pub fn take(&mut self, text: bool, data: &[u8]) -> Answer {
        match self.kind {
            Kind::Echo => Answer::Same,
            Kind::Ignore => Answer::Nothing,
            Kind::Sink if text && data == b"report" => Answer::Text(self.report()),
            Kind::Sink => {
                self.start.get_or_insert_with(Instant::now);
                self.messages += 1;
                self.bytes += data.len() as u64;
                Answer::Nothing
            }
        }
    }

    fn report(&self) -> String {
        let seconds = self.start.map_or(0.0, |start| start.elapsed().as_secs_f64());
        json!({
            "messages": self.messages, "bytes": self.bytes, "seconds": seconds, "cpu_seconds": cpu_seconds(),
        })
        .to_string()
    }
}

/// The sessions of one listening endpoint.
struct Server<S: Stack> {
    stack: S,
    sessions: Mutex<(u64, HashMap<String, S::Connection>)>,
}

impl<S: Stack> Server<S> {
    fn post(&self, stream: &TcpStream, offer: &str) -> Result<(), Failure> {
        let (connection, answer) = match self.stack.answer(offer) {
            Ok(both) => both,
            Err(failure) => return http::respond(stream, "400 Bad Request", "", &failure.to_string()),
        };
        let path = {
            let mut sessions = self.sessions.lock().unwrap();
            sessions.0 += 1;
            let path = format!("/session/{}", sessions.0);
            sessions.1.insert(path.clone(), connection);
            path
        };
        let headers = format!("Content-Type: application/sdp\r\nLocation: {path}\r\n");
        http::respond(stream, "201 Created", &headers, &answer)
    }

    fn handle(&self, stream: &TcpStream) -> Result<(), Failure> {
        stream.set_nodelay(true)?;
        let request = http::read(stream)?;
        let mut words = request.first.split(' ');
        match (words.next(), words.next()) {
            (Some("POST"), Some("/offer")) => self.post(stream, &request.body),
            (Some("DELETE"), Some(path)) => {
                let gone = self.sessions.lock().unwrap().1.remove(path);
                http::respond(stream, if gone.is_some() { "200 OK" } else { "404 Not Found" }, "", "")
            }
            _ => http::respond(stream, "404 Not Found", "", ""),
        }
    }
}

/// Serves until a signal ends the process.
pub fn run<S: Stack>(address: &str, host: IpAddr) -> Result<(), Failure> {
    let server = Arc::new(Server { stack: S::new(host)?, sessions: Mutex::default() });
    let listener = TcpListener::bind(address)?;
    println!("ready");
    for stream in listener.incoming() {
        let stream = stream?;
        let server = server.clone();
        std::thread::spawn(move || {
            if let Err(failure) = server.handle(&stream) {
                eprintln!("{}: {failure}", S::NAME);
            }
        });
    }
    Ok(())
}
