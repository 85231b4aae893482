// SPDX-License-Identifier: Apache-2.0
//! The webrtc-rs peer of the comparison: see ../../README.md.

mod channel;
mod stack;

fn main() {
    bench_kit::main::<stack::WebrtcRs>();
}
