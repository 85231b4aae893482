// SPDX-License-Identifier: Apache-2.0
#include "test/sim/flow.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/base/check.h"

namespace millrace::sim {
namespace {

// A driver that is told the same time again and again would keep a processor busy.
constexpr int kMaxTurnsAtOnce = 64;
// What a kernel charges a socket for a datagram besides its bytes.
constexpr std::size_t kSocketOverheadBytes = 768;

// However slow the bottleneck: latency counts turns too.
constexpr Duration kMostJitter = microseconds(250);

// One step of SplitMix64.
std::uint64_t mixed(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

// Flows whose packets keep to one pattern of times for long always find the queue full in the
// same order: what a phase favours goes on to have more (Floyd and Jacobson, On Traffic Phase
// Effects in Packet-Switched Gateways, 1992). No real host is so regular; as they propose, times
// vary by what a packet takes at the bottleneck.
Duration jitter_of(const Scenario& scenario) {
  if (scenario.turn <= Duration(1) || scenario.up.bits_per_second <= 0) return Duration(1);
  const double nanos =
      static_cast<double>(scenario.up.mtu_bytes) * 8e9 / scenario.up.bits_per_second;
  const Duration most = std::min<Duration>(kMostJitter, scenario.base_rtt() / 200);
  return std::clamp<Duration>(Duration(std::llround(nanos)), Duration(1),
                              std::max(most, Duration(1)));
}

}  // namespace

Flow::Flow(const FlowOptions& options, const Scenario& scenario, std::uint64_t seed,
           PacketSlots& slots, Link& up, Link& down)
    : options_(options),
      scenario_(scenario),
      start_(kOrigin + options.start),
      jitter_(jitter_of(scenario)),
      turn_(std::max(scenario.turn, jitter_)),
      lots_(mixed(seed)),
      measure_from_(kOrigin + scenario.measure_from),
      slots_(slots),
      up_(up),
      down_(down),
      rng_(seed),
      ends_{End(options_.association, rng_, mac_, pools_[kClient], start_),
            End(options_.association, rng_, mac_, pools_[kServer], start_)} {
  for (const TrafficOptions& traffic : options_.traffic) {
    traffic_.emplace_back(traffic, start_, measure_from_);
    End& sender = ends_[index(traffic.from_server ? kServer : kClient)];
    sender.association.set_stream_priority(sctp::StreamId(traffic.stream), traffic.priority);
  }
  if (!scenario_.outages.empty()) {
    const Outage& last = scenario_.outages.back();
    outage_end_ = kOrigin + last.from + last.length;
  }
}

void Flow::turn(int end, Time now) {
  End& self = ends_[index(end)];
  self.turns_at_once = now > self.last_turn ? 0 : self.turns_at_once + 1;
  self.last_turn = now;
  CHECK(self.turns_at_once < kMaxTurnsAtOnce);
  if (!self.begun) {
    self.begun = true;
    self.association.connect(now);
  }
  take_packets(end, now);
  if (self.association.next_timeout() <= now) self.association.handle_timeout(now);
  if (is_reading(end, now)) take_events(end, now);
  send_messages(end, now);
  send_packets(end, now);
  arm(end, now);
  report_.peak_window_bytes =
      std::max(report_.peak_window_bytes, self.association.sender().peer_rwnd());
  report_.peak_held_bytes = std::max(report_.peak_held_bytes, pools_[index(end)].used_bytes());
}

void Flow::take_packets(int end, Time now) {
  End& self = ends_[index(end)];
  bool any = false;
  std::size_t socket_bytes = 0;
  while (self.inbox.next() <= now) {
    const Arrival arrival = self.inbox.pop();
    socket_bytes += arrival.bytes + kSocketOverheadBytes;
    if (scenario_.socket_bytes != 0 && socket_bytes > scenario_.socket_bytes) {
      ++report_.socket_drops;
      continue;
    }
    any = true;
    self.association.handle_packet(now, {arrival.buffer->data, arrival.bytes}, arrival.buffer);
  }
  if (any) self.association.handle_burst_end(now);
}

bool Flow::is_reading(int end, Time now) const {
  const Duration at = now - start_;
  const Outage& pause = options_.not_reading;
  return end == kClient || at < pause.from || at >= pause.from + pause.length;
}

void Flow::take_events(int end, Time now) {
  End& self = ends_[index(end)];
  sctp::Event event;
  while (self.association.poll_event(event)) {
    switch (event.kind) {
      case sctp::EventKind::kConnected:
        if (end == kClient) report_.connected_after = now - start_;
        break;
      case sctp::EventKind::kMessage:
        receive(end, now, event.message);
        break;
      case sctp::EventKind::kWritable:
        self.blocked = false;
        break;
      case sctp::EventKind::kClosed:
        report_.closed = event.close_reason;
        break;
      default:
        break;
    }
  }
}

void Flow::receive(int end, Time now, const sctp::MessageView& message) {
  for (Traffic& traffic : traffic_) {
    const bool towards_client = traffic.options().from_server;
    if (traffic.options().stream != message.stream.value() || towards_client != (end == kClient)) {
      continue;
    }
    traffic.receive(now, message);
    if (outage_end_ && now >= *outage_end_) note_recovery(now);
    return;
  }
  CHECK(false);  // Nobody sends on that stream.
}

void Flow::note_recovery(Time now) {
  if (!report_.first_delivery) report_.first_delivery = now - *outage_end_;
  if (report_.caught_up) return;
  for (const Traffic& traffic : traffic_) {
    if (!traffic.caught_up_with(*outage_end_)) return;
  }
  report_.caught_up = now - *outage_end_;
}

// Applications take turns, so that none keeps the others from sending.
void Flow::send_messages(int end, Time now) {
  End& self = ends_[index(end)];
  if (!self.association.is_connected()) return;
  bool again = true;
  while (again && !self.blocked) {
    again = false;
    for (Traffic& traffic : traffic_) {
      const bool ours = traffic.options().from_server == (end == kServer);
      if (!ours || traffic.next_due() > now) continue;
      if (!traffic.send_one(now, self.association)) {
        self.blocked = true;
        break;
      }
      again = true;
    }
  }
}

void Flow::send_packets(int end, Time now) {
  End& self = ends_[index(end)];
  for (;;) {
    BufferRef buffer = slots_.take();
    const std::size_t bytes =
        self.association.poll_packet(now, {buffer->data, slots_.slot_bytes()});
    if (bytes == 0) return;
    carry(end, now, std::move(buffer), bytes);
  }
}

void Flow::carry(int end, Time now, BufferRef buffer, std::size_t bytes) {
  const std::size_t wire_bytes = bytes + kWireOverheadBytes;
  Link& link = link_from(end);
  if (end == kClient && now >= measure_from_) {
    const Duration queues = link.wait(now) + down_.wait(now);
    report_.rtt.record(scenario_.base_rtt() + 2 * options_.extra_delay + queues);
  }
  const Link::Passage passage = ends_[index(end)].association.may_be_fragmented()
                                    ? link.pass_in_fragments(now, wire_bytes)
                                    : link.pass(now, wire_bytes);
  if (passage.copies == 0) return;
  if (passage.corrupt) {
    // DTLS drops what does not verify. Where SCTP has its checksum it must find it itself.
    if (options_.association.extensions.zero_checksum) return;
    const std::uint64_t bit = link.rng().below(bytes * 8);
    buffer->data[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
  }
  const Time at = passage.departure + link.delay() + options_.extra_delay;
  for (int i = 0; i < passage.copies; ++i) {
    deliver(1 - end, at, passage.late[static_cast<std::size_t>(i)], buffer, bytes);
  }
}

void Flow::deliver(int to, Time at, Duration late, const BufferRef& buffer, std::size_t bytes) {
  End& peer = ends_[index(to)];
  const auto size = static_cast<std::uint32_t>(bytes);
  if (late > Duration::zero()) {
    peer.inbox.push_late(at + late, buffer, size);
  } else {
    peer.inbox.push(at, buffer, size);
  }
  peer.wake = std::min(peer.wake, turn_from(to, at + late));
}

Time Flow::turn_from(int end, Time at) const {
  if (turn_ <= Duration(1) || at == kNever) return at;
  const auto begin = [&](Duration::rep number) {
    const std::uint64_t lot = mixed(lots_ ^ (static_cast<std::uint64_t>(number) * 2 + index(end)));
    const auto late = static_cast<Duration::rep>(lot % static_cast<std::uint64_t>(jitter_.count()));
    return Time(number * turn_ + Duration(late));
  };
  const Duration::rep number = at.time_since_epoch() / turn_;
  const Time same = begin(number);
  return same >= at ? same : begin(number + 1);
}

Time Flow::next_event(int end, Time now) const {
  const End& self = ends_[index(end)];
  Time next = std::min(self.association.next_timeout(), self.inbox.next());
  if (self.association.is_connected() && !self.blocked) {
    for (const Traffic& traffic : traffic_) {
      if (traffic.options().from_server == (end == kServer)) {
        next = std::min(next, traffic.next_due());
      }
    }
  }
  if (!is_reading(end, now)) {
    next = std::min(next, start_ + options_.not_reading.from + options_.not_reading.length);
  }
  return next;
}

void Flow::arm(int end, Time now) {
  const Time soonest = turn_ > Duration(1) ? now + Duration(1) : now + turn_;
  ends_[index(end)].wake = turn_from(end, std::max(next_event(end, now), soonest));
}

void Flow::rescale(int end, Time now, double factor) {
  End& self = ends_[index(end)];
  self.inbox.rescale(now, factor, link_from(1 - end).delay() + options_.extra_delay);
  arm(end, now);
}

void Flow::sample(Time now) {
  const sctp::Association& client = ends_[kClient].association;
  FlowSample sample;
  sample.at = now - kOrigin;
  for (const Traffic& traffic : traffic_) {
    if (!traffic.options().from_server) sample.delivered_bytes += traffic.report().delivered_bytes;
  }
  sample.cwnd = client.sender().cwnd();
  sample.ssthresh = client.sender().ssthresh();
  sample.in_flight = client.sender().bytes_in_flight();
  sample.srtt = client.smoothed_rtt().value_or(Duration::zero());
  sample.queue_bytes = up_.queued_bytes(now);
  const sctp::Stats stats = client.stats();
  sample.retransmitted = stats.retransmitted_chunks;
  sample.t3_expiries = stats.t3_expiries;
  report_.samples.push_back(sample);
}

FlowReport Flow::report(Time now) const {
  FlowReport report = report_;
  const Duration measured = now - std::max(measure_from_, start_);
  const double span = std::chrono::duration<double>(measured).count();
  for (const Traffic& traffic : traffic_) {
    double& goodput =
        traffic.options().from_server ? report.server_goodput_bps : report.goodput_bps;
    if (span > 0) goodput += static_cast<double>(traffic.report().delivered_bytes) * 8 / span;
    report.traffic.push_back(traffic.report());
  }
  report.mss_bytes = ends_[kClient].association.packet_bytes() - kChunkOverheadBytes;
  report.client = ends_[kClient].association.stats();
  report.server = ends_[kServer].association.stats();
  return report;
}

}  // namespace millrace::sim
