// SPDX-License-Identifier: Apache-2.0
#include "test/sim/hostile_scenario.h"

#include <algorithm>

#include "io/allocation_count.h"
#include "test/sim/hostile_options.h"

namespace millrace::test {
namespace {

// Virtual time that any step of a run may take: some retransmissions at the full RTO, or what
// it takes to find out that the peer has gone.
constexpr Duration kPatience = seconds(10000);

}  // namespace

HostileScenario::HostileScenario(std::uint64_t seed)
    : rng_(seed),
      checksum_(chance(2)),
      budget_(rng_.below(std::uint64_t{8} << 20)),
      options_(random_ends(rng_, checksum_, budget_)),
      pair_(options_[0], options_[1], random_path(rng_, checksum_), seed, io::live_heap_bytes) {
  pair_.record_sent = false;
  // A driver's clock may be coarser than the path is short.
  if (chance(3)) pair_.tick = milliseconds(1);
  pair_.poll_events = [this](int end) { return poll(end); };
  pair_.on_called = [this](int end) { check_memory(end); };
  max_size_ = 2 * std::min(options_[0].receive_window_bytes, options_[1].receive_window_bytes);
  if (options_[0].extensions.i_data && options_[1].extensions.i_data) ++coverage_.interleaved;
}

const std::vector<std::string>& HostileScenario::run() {
  connect();
  const std::uint64_t rounds = between(30, 90);
  for (std::uint64_t i = 0; i < rounds && faults_.empty() && !is_over(); ++i) {
    act();
    pair_.drain();
    for (const int end : {kA, kB}) send_parts(end);
    pair_.drain();
    const auto most = static_cast<std::uint64_t>(chance(12) ? 1500 : 40);
    pair_.run_for(milliseconds(static_cast<std::int64_t>(rng_.below(most))));
  }
  if (faults_.empty() && !is_over()) settle();
  if (faults_.empty()) finish();
  return faults_;
}

// RFC 9260 §5.2.1: both at once is the usual case, but either may come later or never.
void HostileScenario::connect() {
  const std::uint64_t order = rng_.below(3);
  pair_.call(kA)->connect(pair_.now());
  if (order == 1) {
    pair_.drain();
    pair_.run_for(microseconds(static_cast<std::int64_t>(rng_.below(30000))));
  }
  if (order != 0) pair_.call(kB)->connect(pair_.now());
  pair_.drain();
  if (!pair_.run_until([this] { return at(kA).up && at(kB).up; }, kPatience)) {
    fault("no association came about");
  }
}

void HostileScenario::act() {
  const int end = static_cast<int>(rng_.below(2));
  switch (rng_.below(13)) {
    case 0:
      return reset_some(end);
    case 1:
      return pause_or_resume(end);
    case 2:
      return chance(3) ? change_path() : send_burst(end);
    case 3:
      return chance(3) ? act_rarely() : send_burst(end);
    case 4:
      return chance(2) ? change_priority(end) : send_burst(end);
    default:
      return send_burst(end);
  }
}

void HostileScenario::act_rarely() {
  switch (rng_.below(4)) {
    case 0:
      return restart(static_cast<int>(rng_.below(2)));
    case 1:
      return chance(2) ? end_early() : change_path();
    case 2:
      return chance(2) ? hear_router(static_cast<int>(rng_.below(2)))
                       : tell_of_path(static_cast<int>(rng_.below(2)));
    default: {
      // A storm: both ends close all that they have, as when a tab goes away.
      for (const int end : {kA, kB}) {
        for (int i = 0; i < 3 * kStreams; ++i) reset_some(end);
      }
    }
  }
}

// An end that does not read does not know which life of a stream, or which association, it
// would send on; nor of which it would ask for a reset.
void HostileScenario::send_burst(int end) {
  if (!at(end).reading) return;
  const std::uint64_t count = chance(10) ? between(20, 60) : between(1, 6);
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto stream = static_cast<std::uint16_t>(rng_.below(kStreams));
    if (at(end).resetting.contains(stream)) continue;
    std::size_t size = kTagBytes + rng_.below(200);
    if (chance(4)) size = kTagBytes + rng_.below(20000);
    if (chance(40)) size = kTagBytes + rng_.below(kMostBytes - kTagBytes);
    send(end, stream, std::min(size, max_size_));
  }
  if (chance(6)) begin_large(end);
}

// Left unfinished by a shutdown, such a message can only be given up by FORWARD-TSN; without it
// the association would end in an ABORT, rightly.
void HostileScenario::begin_large(int end) {
  if (at(end).large || !options(kA).extensions.forward_tsn || !options(kB).extensions.forward_tsn) {
    return;
  }
  const auto stream = static_cast<std::uint16_t>(rng_.below(kStreams));
  if (at(end).resetting.contains(stream)) return;
  const std::size_t window = options(1 - end).receive_window_bytes;
  const std::size_t size =
      std::min(window + rng_.below(2 * window), options(end).max_message_bytes);
  at(end).large = Large{stream, next_number_, make_payload(end, stream, size), 0};
  ++next_number_;
  send_parts(end);
}

// As much as there is room for now. What an end has begun it must not take for another's once
// its association is another: see send_burst.
void HostileScenario::send_parts(int end) {
  End& self = at(end);
  while (self.large && self.reading && faults_.empty()) {
    Large& large = *self.large;
    const std::size_t size = std::min(large.payload.size() - large.sent, between(1, 30000));
    const ByteSpan part = ByteSpan(large.payload).subspan(large.sent, size);
    const bool last = large.sent + size == large.payload.size();
    Life& life = current_life(end, large.stream);
    switch (pair_.call(end)->send_part(pair_.now(), sctp::StreamId(large.stream), sctp::kPpidBinary,
                                       part, {.last = last, .total_bytes = large.payload.size()},
                                       options_of(life.mode))) {
      case sctp::SendStatus::kOk:
        large.sent += size;
        if (!last) continue;
        life.sent.push_back(large.number);
        ++coverage_.messages;
        ++coverage_.streamed;
        break;
      case sctp::SendStatus::kWouldBlock:
        if (large.sent == 0) self.large.reset();
        return;
      case sctp::SendStatus::kAbandoned:
        if (life.is_reliable()) fault("a reliable message was abandoned");
        // It may have been given up half way: nobody waits for it.
        break;
      case sctp::SendStatus::kClosed:
        if (!is_over() && !self.ending) fault("a part was refused");
        break;
      default:
        fault("a part was refused for what it is");
        break;
    }
    self.large.reset();
  }
}

sctp::SendOptions HostileScenario::options_of(Mode mode) {
  sctp::SendOptions options;
  options.unordered = mode == Mode::kReliableUnordered || mode == Mode::kPartialUnordered;
  if (mode == Mode::kPartial) options.max_retransmits = 1;
  if (mode == Mode::kPartialUnordered) options.max_lifetime = milliseconds(30);
  if (mode == Mode::kYielding) options.priority = 1;
  return options;
}

// The payload says what it is, and the rest follows from its number.
Bytes HostileScenario::make_payload(int end, std::uint16_t stream, std::size_t size) {
  current_life(end, stream);
  return tagged_payload({.epoch = at(end).epoch,
                         .life = static_cast<std::uint32_t>(at(end).lives[stream].size() - 1),
                         .number = next_number_,
                         .stream = stream,
                         .sender = static_cast<std::uint16_t>(end)},
                        size);
}

bool HostileScenario::send(int end, std::uint16_t stream, std::size_t size) {
  Life& life = current_life(end, stream);
  const Bytes payload = make_payload(end, stream, size);
  const sctp::SendStatus status = pair_.call(end)->send(
      pair_.now(), sctp::StreamId(stream), sctp::kPpidBinary, payload, options_of(life.mode));
  if (status != sctp::SendStatus::kOk) {
    const bool fits = status == sctp::SendStatus::kWouldBlock ||
                      (status == sctp::SendStatus::kClosed && (is_over() || at(end).ending));
    if (!fits) fault("send answered " + std::to_string(static_cast<int>(status)));
    return false;
  }
  life.sent.push_back(next_number_++);
  ++coverage_.messages;
  return true;
}

void HostileScenario::reset_some(int end) {
  if (!at(end).reading) return;
  std::vector<sctp::StreamId> streams;
  for (std::uint64_t i = chance(4) ? between(2, kStreams) : 1; i > 0; --i) {
    const auto stream = static_cast<std::uint16_t>(rng_.below(kStreams));
    if (at(end).large && at(end).large->stream == stream) continue;
    if (!pair_[end].is_connected() || !at(end).resetting.insert(stream).second) continue;
    current_life(end, stream);
    streams.emplace_back(stream);
  }
  if (!streams.empty()) pair_.call(end)->reset_streams(pair_.now(), streams);
}

void HostileScenario::restart(int end) {
  if (is_over()) return;
  restarted_ = true;
  if (chance(2)) redraw_manner(rng_, options_[static_cast<std::size_t>(end)]);
  pair_.replace(end, options(end));
  begin_epoch(end);
  // A peer whose own set-up is not done goes on with it, and with what it has queued.
  if (!at(1 - end).up) at(end).oldest_peer_epoch = at(1 - end).epoch;
  at(end).generations_of_all = 0;
  at(end).generations.clear();
  at(end).up = false;
  at(end).reading = true;
  // What it sends before it is up waits for that.
  if (chance(2)) send_burst(end);
  pair_.call(end)->connect(pair_.now());
}

void HostileScenario::pause_or_resume(int end) {
  at(end).reading = !at(end).reading;
  if (!at(end).reading) ++coverage_.pauses;
}

// Another network, mostly with nothing at all getting through meanwhile. Either end may notice, as
// who sees the peer's address change does, or neither.
void HostileScenario::change_path() {
  ++coverage_.path_changes;
  if (!chance(4)) {
    pair_.cut();
    pair_.link().loss = 1;
    pair_.drain();
    pair_.run_for(milliseconds(static_cast<std::int64_t>(rng_.below(1000))));
  }
  pair_.link() = random_path(rng_, checksum_);
  for (const int end : {kA, kB}) {
    if (chance(2)) tell_of_path(end);
  }
}

// An address that changes need not mean another path: there may be none but the one there was.
void HostileScenario::tell_of_path(int end) {
  ++coverage_.path_changes_told;
  pair_.call(end)->handle_path_change();
}

// A router's word that a packet was too large: true, out of date or made up.
void HostileScenario::hear_router(int end) {
  ++coverage_.router_words;
  const std::size_t bytes = chance(2) ? pair_[end].packet_bytes() : between(500, 9000);
  pair_.call(end)->handle_packet_too_big(pair_.now(), bytes, chance(3) ? 0 : between(500, 9000));
}

void HostileScenario::change_priority(int end) {
  const sctp::StreamId stream(static_cast<std::uint16_t>(rng_.below(kStreams)));
  pair_.call(end)->set_stream_priority(stream, static_cast<std::uint16_t>(between(1, 1024)));
}

void HostileScenario::end_early() {
  const int end = static_cast<int>(rng_.below(2));
  at(end).ending = true;
  if (chance(2)) {
    ++coverage_.aborts;
    aborted_ = true;
    pair_.call(end)->abort(pair_.now(), "the user has left");
  } else {
    ++coverage_.early_shutdowns;
    pair_.call(end)->shutdown(pair_.now());
  }
  if (chance(4) && !at(1 - end).ending) {
    at(1 - end).ending = true;
    pair_.call(1 - end)->shutdown(pair_.now());
  }
}

void HostileScenario::resume_all() {
  for (const int end : {kA, kB}) at(end).reading = true;
  LinkOptions& link = pair_.link();
  link.loss = std::min(link.loss, 0.1);
  pair_.drain();
}

// Until every queue is empty, every reset answered, and each end has heard from the other's
// latest epoch.
void HostileScenario::settle() {
  resume_all();
  const auto quiet = [this] {
    bool done = true;
    for (const int end : {kA, kB}) {
      if (at(end).large) {
        send_parts(end);
        pair_.drain();
      }
      mark(end);
      done = done && at(end).up && !at(end).large && at(end).resetting.empty() &&
             at(end).markers_seen.contains(at(1 - end).epoch) &&
             pair_[end].sender().all_acknowledged();
    }
    return done || !faults_.empty() || is_over();
  };
  if (!pair_.run_until(quiet, kPatience)) fault("the ends did not come to rest");
  if (is_over()) fault("closed without a cause");
  if (faults_.empty()) judge_all();
}

// Sends the epoch's last message once there is room for it. `step` drains what it queues.
void HostileScenario::mark(int end) {
  End& self = at(end);
  if (self.marker_epoch == self.epoch) return;
  current_life(end, kMarkerStream).mode = Mode::kReliable;
  if (!send(end, kMarkerStream, kTagBytes)) return;
  self.marker_epoch = self.epoch;
  pair_.drain();
}

void HostileScenario::finish() {
  resume_all();
  if (!is_over()) {
    const int end = static_cast<int>(rng_.below(2));
    at(end).ending = true;
    if (chance(5)) {
      ++coverage_.aborts;
      aborted_ = true;
      pair_.call(end)->abort(pair_.now(), "done");
    } else {
      send(end, 0, kTagBytes);
      pair_.call(end)->shutdown(pair_.now());
      if (chance(3)) {
        at(1 - end).ending = true;
        pair_.call(1 - end)->shutdown(pair_.now());
      }
    }
  }
  pair_.drain();
  const auto closed = [this] { return at(kA).closed && at(kB).closed; };
  if (!pair_.run_until(closed, kPatience)) fault("the ends did not close");
  if (faults_.empty()) judge_close();
}

bool HostileScenario::is_over() const {
  return std::ranges::any_of(ends_, [](const End& end) { return end.closed || end.ending; });
}

}  // namespace millrace::test
