// SPDX-License-Identifier: Apache-2.0
//! A run of the load, from dialling to the report.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{scope, sleep, spawn};
use std::time::{Duration, Instant};

use crate::account::{LoadChannel, Measures, Plan};
use crate::histogram::Histogram;
use crate::options::{Options, Pattern, Reliability};
use crate::{cpu_seconds, http, report, Failure, Stack, HIGH_WATER};

const OPEN: Duration = Duration::from_secs(30);
/// How long to wait at the end for what is missing.
const PATIENCE: Duration = Duration::from_secs(10);
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// An unreliable channel that is silent for so long has lost its window.
const STALLED: Duration = Duration::from_secs(1);
const CHECK: Duration = Duration::from_millis(5);

/// What dialling has made.
pub struct Opened<C> {
    pub connections: Vec<C>,
    pub channels: Vec<Arc<LoadChannel>>,
    pub setup: Histogram,
    pub errors: Vec<String>,
}

/// The processor time of the time measured.
#[derive(Default)]
pub struct Cpu {
    pub client: f64,
    pub server: Option<f64>,
}

struct Run<S: Stack> {
    stack: S,
    plan: Arc<Plan>,
    opened: Mutex<Opened<S::Connection>>,
}

impl<S: Stack> Run<S> {
    fn dial(&self) -> Result<(), Failure> {
        let options = &self.plan.options;
        let channels: Vec<_> = (0..options.channels).map(|_| LoadChannel::new(self.plan.clone())).collect();
        let (connection, offer) = self.stack.offer(options.label(), options.mode, &channels)?;
        let start = Instant::now();
        let answer = http::post(&options.target, &offer)?;
        self.stack.accept(&connection, &answer)?;
        for channel in &channels {
            channel.wait_open(OPEN)?;
        }
        let took = start.elapsed();
        let mut opened = self.opened.lock().unwrap();
        opened.setup.record(took);
        opened.connections.push(connection);
        opened.channels.extend(channels);
        Ok(())
    }

    fn dial_all(&self) {
        let options = &self.plan.options;
        let next = AtomicUsize::new(0);
        let dialler = || {
            while next.fetch_add(1, Ordering::Relaxed) < options.connections {
                if let Err(failure) = self.dial() {
                    let errors = &mut self.opened.lock().unwrap().errors;
                    if errors.len() < 8 {
                        errors.push(failure.to_string());
                    }
                }
            }
        };
        scope(|threads| {
            for _ in 0..options.dialling.min(options.connections) {
                threads.spawn(dialler);
            }
        });
    }

    /// The channel on which the server is asked for its CPU time.
    fn open_control(&self) -> Result<Arc<LoadChannel>, Failure> {
        let channel = LoadChannel::new(self.plan.clone());
        let opened = self.opened.lock().unwrap();
        let connection = opened.connections.first().ok_or("no connection opened")?;
        self.stack.open(connection, "sink", Reliability::FULL, &channel)?;
        channel.wait_open(OPEN)?;
        Ok(channel)
    }
}

/// Sends at the rate, whether or not echoes come.
fn pace(plan: &Plan, channels: &[Arc<LoadChannel>], rate: f64, start: Duration, to: Duration) {
    // SAFETY: affects this thread's timers alone, which are to be precise.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
    let mut message = Vec::new();
    for (index, channel) in (0u64..).zip(channels.iter().cycle()) {
        let at = start + Duration::from_secs_f64(index as f64 / rate);
        if at >= to {
            return;
        }
        sleep(at.saturating_sub(plan.now()));
        channel.stamp_for(&mut message, at);
        let _ = channel.link().and_then(|link| link.send(&message));
    }
}

/// Sends as fast as the buffer empties.
fn upload(plan: &Plan, channel: &LoadChannel, to: Duration) -> Result<(), Failure> {
    let link = channel.link()?;
    let mut message = Vec::new();
    while plan.now() < to {
        if link.buffered() > HIGH_WATER {
            channel.wait_writable();
            continue;
        }
        channel.stamp(&mut message);
        link.send(&message)?;
    }
    Ok(())
}

/// The traffic over channels that are open.
struct Traffic<'a> {
    plan: &'a Arc<Plan>,
    channels: &'a [Arc<LoadChannel>],
    control: Option<&'a LoadChannel>,
}

impl Traffic<'_> {
    fn options(&self) -> &Options {
        &self.plan.options
    }

    fn start(&self, start: Duration, to: Duration) {
        match (self.options().pattern, self.options().rate) {
            (Pattern::Upload, _) => {
                for channel in self.channels {
                    let (plan, channel) = (self.plan.clone(), channel.clone());
                    spawn(move || upload(&plan, &channel, to));
                }
            }
            (Pattern::Echo, Some(rate)) => {
                let (plan, channels) = (self.plan.clone(), self.channels.to_vec());
                spawn(move || pace(&plan, &channels, rate, start, to));
            }
            // One message: its echo opens the window, so that one thread alone sends.
            (Pattern::Echo, None) => self.channels.iter().for_each(|channel| self.nudge(channel, start)),
            (Pattern::Idle, _) => {}
        }
    }

    fn nudge(&self, channel: &LoadChannel, at: Duration) {
        let mut message = Vec::new();
        channel.account().progress = at;
        channel.stamp(&mut message);
        let _ = channel.link().and_then(|link| link.send(&message));
    }

    /// Gives up what an unreliable channel that has gone silent still waits for.
    fn revive(&self) {
        let options = self.options();
        if options.pattern != Pattern::Echo || options.mode.reliable() || options.rate.is_some() {
            return;
        }
        for channel in self.channels {
            let now = self.plan.now();
            let silent = {
                let mut account = channel.account();
                let silent = now.saturating_sub(account.progress) > STALLED;
                if silent {
                    account.written_off = account.sent;
                }
                silent
            };
            if silent {
                self.nudge(channel, now);
            }
        }
    }

    fn wait(&self, until: Duration, measured: bool) {
        while let Some(left) = until.checked_sub(self.plan.now()).filter(|left| !left.is_zero()) {
            sleep(left.min(STALLED / 4));
            self.revive();
            self.ask_again(measured);
        }
    }

    /// Asks again for the beginning where the question, or its answer, may have been lost.
    fn ask_again(&self, measured: bool) {
        if !measured || self.options().pattern != Pattern::Upload || self.options().mode.reliable() {
            return;
        }
        for channel in self.channels.iter().filter(|channel| channel.account().reports.is_empty()) {
            channel.ask();
        }
    }

    fn ask_all(&self) {
        self.control.into_iter().for_each(LoadChannel::ask);
        if self.options().pattern == Pattern::Upload {
            self.channels.iter().for_each(|channel| channel.ask());
        }
    }

    /// Whether the end of a channel's traffic is still waited for. A question that may have been lost, or
    /// have overtaken data, is asked again.
    fn missing(&self, channel: &LoadChannel) -> bool {
        let options = self.options();
        let mode = options.mode;
        let account = channel.account();
        if account.closed || options.pattern == Pattern::Idle {
            return false;
        }
        if options.pattern == Pattern::Echo {
            return mode.reliable() && account.received < account.sent;
        }
        let complete = account.reports.last().is_some_and(|last| last.messages >= account.sent);
        if account.reports.len() > account.end_report && (!mode.reliable() || complete) {
            return false;
        }
        let old = self.plan.now().saturating_sub(account.asked_at) > ASK_AGAIN;
        drop(account);
        if old && !(mode.ordered && mode.reliable()) {
            channel.ask();
        }
        true
    }

    fn settle(&self) {
        let deadline = self.plan.now() + PATIENCE;
        loop {
            let waiting = self.channels.iter().fold(false, |waiting, channel| self.missing(channel) || waiting);
            let told = self.control.map_or(true, |control| control.account().reports.len() >= 2);
            if (!waiting && told) || self.plan.now() >= deadline {
                break;
            }
            sleep(CHECK);
        }
        if self.options().pattern == Pattern::Echo && !self.options().mode.reliable() {
            sleep(ASK_AGAIN); // Time for the last echoes.
        }
    }

    fn carry(&self) -> Cpu {
        let start = self.plan.now();
        let from = start + self.options().warmup;
        let to = from + self.options().duration;
        {
            let mut measures = self.plan.measures.lock().unwrap();
            (measures.from, measures.to) = (from, to);
        }
        self.start(start, to);
        self.wait(from, false);
        let begin = cpu_seconds();
        self.ask_all();
        self.wait(to, true);
        for channel in self.channels {
            let mut account = channel.account();
            account.end_report = account.reports.len().max(1);
        }
        let client = cpu_seconds() - begin;
        self.ask_all();
        self.settle();
        let server = self.control.and_then(|control| match control.account().reports[..] {
            [first, second, ..] => Some(second.cpu_seconds - first.cpu_seconds),
            _ => None,
        });
        Cpu { client, server }
    }
}

/// Returns true when all connections opened and nothing was lost that must not be.
pub fn run<S: Stack>(options: Options) -> Result<bool, Failure> {
    let measures = Mutex::new(Measures::new());
    let plan = Arc::new(Plan { options, origin: Instant::now(), measures });
    let opened = Opened { connections: Vec::new(), channels: Vec::new(), setup: Histogram::new(), errors: Vec::new() };
    let stack = S::new(IpAddr::V4(Ipv4Addr::LOCALHOST))?;
    let run = Run { stack, plan: plan.clone(), opened: Mutex::new(opened) };
    run.dial_all();
    let control = run.open_control();
    let mut opened = run.opened.lock().unwrap();
    if let Err(failure) = &control {
        opened.errors.push(failure.to_string());
    }
    let mut cpu = Cpu::default();
    if !opened.channels.is_empty() {
        let traffic = Traffic { plan: &plan, channels: &opened.channels, control: control.as_deref().ok() };
        cpu = traffic.carry();
    }
    for text in &opened.errors {
        eprintln!("{}: {text}", S::NAME);
    }
    let (report, good) = report::of::<S>(&plan, &opened, &cpu);
    report::write(&plan.options.json, &report)?;
    Ok(good)
}
