// SPDX-License-Identifier: Apache-2.0
//! The command line.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use crate::account::STAMP;
use crate::{Failure, MAX_MESSAGE};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    Echo,
    Upload,
    Idle,
}

/// How a channel delivers.
#[derive(Clone, Copy)]
pub struct Reliability {
    pub ordered: bool,
    pub max_retransmits: Option<u16>,
}

impl Reliability {
    pub const FULL: Self = Self { ordered: true, max_retransmits: None };

    pub fn reliable(self) -> bool {
        self.max_retransmits.is_none()
    }
}

/// The traffic that was asked for.
pub struct Options {
    pub target: String,
    pub connections: usize,
    /// Of each connection.
    pub channels: usize,
    pub pattern: Pattern,
    pub size: usize,
    /// Messages a second over all channels; none: as fast as possible.
    pub rate: Option<f64>,
    /// Echo at full rate: messages of a channel without their echo.
    pub outstanding: u64,
    pub duration: Duration,
    pub warmup: Duration,
    pub dialling: usize,
    pub mode: Reliability,
    pub json: String,
}

impl Options {
    pub fn pattern_name(&self) -> &'static str {
        match self.pattern {
            Pattern::Echo => "echo",
            Pattern::Upload => "upload",
            Pattern::Idle => "idle",
        }
    }

    pub fn label(&self) -> &'static str {
        if self.pattern == Pattern::Upload {
            "sink"
        } else {
            "echo"
        }
    }

    fn defaults() -> Self {
        Self {
            target: String::new(),
            connections: 1,
            channels: 1,
            pattern: Pattern::Echo,
            size: 1000,
            rate: None,
            outstanding: 16,
            duration: Duration::from_secs(10),
            warmup: Duration::from_secs(1),
            dialling: 64,
            mode: Reliability::FULL,
            json: "-".into(),
        }
    }

    fn check(&self) -> Result<(), Failure> {
        if self.target.is_empty() {
            return Err("--target is missing".into());
        }
        if !(STAMP..=MAX_MESSAGE).contains(&self.size) {
            return Err(format!("--size: expected {STAMP} to {MAX_MESSAGE}").into());
        }
        if self.connections == 0 || self.channels == 0 || self.outstanding == 0 || self.dialling == 0 {
            return Err("--connections, --channels, --outstanding and --dialling are at least 1".into());
        }
        Ok(())
    }
}

pub enum Command {
    Serve { http: String, host: IpAddr },
    Load(Options),
}

fn pattern(text: &str) -> Result<Pattern, Failure> {
    match text {
        "echo" => Ok(Pattern::Echo),
        "upload" => Ok(Pattern::Upload),
        "idle" => Ok(Pattern::Idle),
        _ => Err("--pattern: expected echo, upload or idle".into()),
    }
}

fn rate(text: &str) -> Result<Option<f64>, Failure> {
    match text.parse::<f64>() {
        _ if text == "max" => Ok(None),
        Ok(rate) if rate > 0.0 => Ok(Some(rate)),
        _ => Err("--rate: expected max, or a number above 0".into()),
    }
}

fn load(mut arguments: impl Iterator<Item = String>) -> Result<Options, Failure> {
    let mut options = Options::defaults();
    while let Some(flag) = arguments.next() {
        if flag == "--unordered" {
            options.mode.ordered = false;
            continue;
        }
        let value = arguments.next().ok_or_else(|| format!("{flag} wants a value"))?;
        match flag.as_str() {
            "--target" => options.target = value,
            "--connections" => options.connections = value.parse()?,
            "--channels" => options.channels = value.parse()?,
            "--pattern" => options.pattern = pattern(&value)?,
            "--size" => options.size = value.parse()?,
            "--rate" => options.rate = rate(&value)?,
            "--outstanding" => options.outstanding = value.parse()?,
            "--duration" => options.duration = Duration::try_from_secs_f64(value.parse()?)?,
            "--warmup" => options.warmup = Duration::try_from_secs_f64(value.parse()?)?,
            "--dialling" => options.dialling = value.parse()?,
            "--max-retransmits" => options.mode.max_retransmits = Some(value.parse()?),
            "--json" => options.json = value,
            _ => return Err(format!("unknown argument {flag} {value}").into()),
        }
    }
    options.check()?;
    Ok(options)
}

pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Command, Failure> {
    match arguments.next().as_deref() {
        Some("load") => Ok(Command::Load(load(arguments)?)),
        Some("serve") => {
            let mut http = String::from("127.0.0.1:8080");
            let mut host = IpAddr::V4(Ipv4Addr::LOCALHOST);
            while let Some(flag) = arguments.next() {
                let value = arguments.next().ok_or_else(|| format!("{flag} wants a value"))?;
                match flag.as_str() {
                    "--http" => http = value,
                    "--udp-host" => host = value.parse()?,
                    _ => return Err(format!("unknown argument {flag} {value}").into()),
                }
            }
            Ok(Command::Serve { http, host })
        }
        _ => Err("say serve or load".into()),
    }
}
