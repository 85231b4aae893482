// SPDX-License-Identifier: Apache-2.0
//! The report, in the schema of `millrace load`.

use std::fs;

use serde_json::{json, Value};

use crate::account::{Measures, Plan, Tally};
use crate::options::{Options, Pattern};
use crate::run::{Cpu, Opened};
use crate::{Failure, Stack};

/// What the channels add up to.
#[derive(Default)]
struct Sum {
    delivered: Tally,
    messages_per_second: f64,
    goodput_mbps: f64,
    lost: u64,
    dropped: usize,
}

/// Uploads count between a sink's first two reports, by its own clock.
fn sum<C>(options: &Options, measures: &Measures, opened: &Opened<C>) -> Sum {
    let mut sum = Sum { delivered: measures.delivered, ..Sum::default() };
    let upload = options.pattern == Pattern::Upload;
    for channel in &opened.channels {
        let account = channel.account();
        let last = account.reports.last().map_or(0, |report| report.messages);
        sum.lost += account.sent.saturating_sub(if upload { last } else { account.received });
        sum.dropped += usize::from(account.closed);
        let (Some(begin), Some(end)) = (account.reports.first(), account.reports.get(account.end_report)) else {
            continue;
        };
        let (messages, bytes) = (end.messages - begin.messages, end.bytes - begin.bytes);
        let seconds = end.seconds - begin.seconds;
        sum.delivered.messages += messages;
        sum.delivered.bytes += bytes;
        if seconds > 0.0 {
            sum.messages_per_second += messages as f64 / seconds;
            sum.goodput_mbps += bytes as f64 * 8e-6 / seconds;
        }
    }
    if !upload {
        let seconds = options.duration.as_secs_f64();
        sum.messages_per_second = measures.delivered.messages as f64 / seconds;
        sum.goodput_mbps = measures.delivered.bytes as f64 * 8e-6 / seconds;
    }
    sum
}

fn config(options: &Options) -> Value {
    json!({
        "pattern": options.pattern_name(), "connections": options.connections, "channels": options.channels,
        "size": options.size, "rate": options.rate.map_or(json!("max"), |rate| json!(rate)),
        "duration": options.duration.as_secs_f64(), "warmup": options.warmup.as_secs_f64(),
        "ordered": options.mode.ordered, "max_retransmits": options.mode.max_retransmits,
        "outstanding": options.outstanding, "dialling": options.dialling,
    })
}

/// UTC, ISO 8601.
fn time_of_day() -> String {
    let mut text = [0u8; 32];
    // SAFETY: `text` is as long as said; the structures are plain numbers that the calls fill.
    let length = unsafe {
        let mut parts: libc::tm = std::mem::zeroed();
        let now = libc::time(std::ptr::null_mut());
        libc::gmtime_r(&now, &mut parts);
        libc::strftime(text.as_mut_ptr().cast(), text.len(), c"%Y-%m-%dT%H:%M:%SZ".as_ptr(), &parts)
    };
    String::from_utf8_lossy(&text[..length]).into_owned()
}

fn environment<S: Stack>() -> Value {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    json!({
        "cpu": model, "cpus": cpus.matches("\nprocessor").count() + 1, "kernel": kernel.trim(),
        "back_end": S::NAME, "version": S::VERSION, "time": time_of_day(),
    })
}

/// The report, and whether all went well.
pub fn of<S: Stack>(plan: &Plan, opened: &Opened<S::Connection>, cpu: &Cpu) -> (Value, bool) {
    let options = &plan.options;
    let measures = plan.measures.lock().unwrap();
    let sum = sum(options, &measures, opened);
    let open = opened.connections.len();
    let good = open == options.connections
        && sum.dropped == 0
        && measures.damaged == 0
        && !(options.mode.ordered && measures.reordered > 0)
        && !(options.mode.reliable() && sum.lost > 0);
    let tally = |tally: Tally| json!({ "messages": tally.messages, "bytes": tally.bytes });
    let setup = |percent| opened.setup.percentile(percent) / 1e3;
    let latency = |percent| measures.latency.percentile(percent);
    let report = json!({
        "schema": 1,
        "target": options.target,
        "config": config(options),
        "environment": environment::<S>(),
        "connections": {
            "requested": options.connections, "opened": open, "failed": options.connections - open,
            "dropped": sum.dropped,
            "setup_ms": { "p50": setup(50.0), "p99": setup(99.0), "max": setup(100.0) },
        },
        "sent": tally(measures.sent),
        "delivered": tally(sum.delivered),
        "goodput_mbps": sum.goodput_mbps,
        "messages_per_second": sum.messages_per_second,
        "latency_us": {
            "count": measures.latency.count(), "p50": latency(50.0), "p90": latency(90.0),
            "p99": latency(99.0), "p99.9": latency(99.9), "p99.99": latency(99.99), "max": latency(100.0),
        },
        "cpu": { "client_seconds": cpu.client, "server_seconds": cpu.server },
        "faults": { "lost": sum.lost, "reordered": measures.reordered, "damaged": measures.damaged },
        "good": good,
        "errors": opened.errors,
    });
    (report, good)
}

pub fn write(path: &str, report: &Value) -> Result<(), Failure> {
    let text = format!("{report:#}\n");
    if path == "-" {
        print!("{text}");
        return Ok(());
    }
    Ok(fs::write(path, text)?)
}
