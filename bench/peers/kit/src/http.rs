// SPDX-License-Identifier: Apache-2.0
//! As much of HTTP/1.1 as the offer endpoint needs: one request per connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::Failure;

const MAX_BODY: usize = 65536;
const LIMIT: Duration = Duration::from_secs(30);

/// One request or response: its first line and its body.
pub struct Exchange {
    pub first: String,
    pub body: String,
}

pub fn read(stream: &TcpStream) -> Result<Exchange, Failure> {
    stream.set_read_timeout(Some(LIMIT))?;
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some((key, value)) = line.split_once(':') {
            if key.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse()?;
            }
        }
    }
    if length > MAX_BODY {
        return Err("body too large".into());
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Exchange { first: first.trim().to_string(), body: String::from_utf8(body)? })
}

pub fn respond(mut stream: &TcpStream, status: &str, headers: &str, body: &str) -> Result<(), Failure> {
    let length = body.len();
    let text = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    Ok(stream.write_all(text.as_bytes())?)
}

/// POSTs an offer to `http://HOST:PORT/PATH`; returns the answer.
pub fn post(url: &str, offer: &str) -> Result<String, Failure> {
    let rest = url.strip_prefix("http://").ok_or("not an http URL")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(host)?;
    stream.set_nodelay(true)?;
    let length = offer.len();
    let text = format!(
        "POST /{path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/sdp\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{offer}"
    );
    stream.write_all(text.as_bytes())?;
    let answer = read(&stream)?;
    if answer.first.split(' ').nth(1) != Some("201") {
        return Err(format!("the offer was answered with {}: {}", answer.first, answer.body).into());
    }
    Ok(answer.body)
}
