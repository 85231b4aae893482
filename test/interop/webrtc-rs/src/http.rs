// SPDX-License-Identifier: Apache-2.0
//! As much of HTTP/1.1 as the offer endpoint needs: one request per connection.

use std::collections::HashMap;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::Failure;

const MAX_BODY: usize = 65536;

/// One request or response: its first line, its headers in lower case, its body.
pub struct Exchange {
    pub first: String,
    pub headers: HashMap<String, String>,
    pub body: String,
}

pub async fn read(stream: &mut TcpStream) -> Result<Exchange, Failure> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).await?;
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).await? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some((key, value)) = line.split_once(':') {
            headers.insert(key.to_ascii_lowercase(), value.trim().to_string());
        }
    }
    if headers.contains_key("transfer-encoding") {
        return Err("a body without Content-Length".into());
    }
    let length: usize = headers.get("content-length").map_or(Ok(0), |value| value.parse())?;
    if length > MAX_BODY {
        return Err("body too large".into());
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).await?;
    Ok(Exchange { first: first.trim().to_string(), headers, body: String::from_utf8(body)? })
}

/// Sends a request to `http://HOST:PORT/PATH`; returns the response.
pub async fn request(method: &str, url: &str, body: &str) -> Result<Exchange, Failure> {
    let rest = url.strip_prefix("http://").ok_or("not an http URL")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(host).await?;
    let head = format!(
        "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await?;
    read(&mut stream).await
}

pub async fn respond(stream: &mut TcpStream, status: &str, headers: &str, body: &str) -> Result<(), Failure> {
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).await?;
    Ok(stream.shutdown().await?)
}

/// Resolves a Location header against the URL that was asked.
pub fn resolve(base: &str, location: &str) -> String {
    if location.starts_with("http://") {
        return location.to_string();
    }
    let host = base.strip_prefix("http://").unwrap_or(base).split('/').next().unwrap_or_default();
    format!("http://{host}/{}", location.trim_start_matches('/'))
}
