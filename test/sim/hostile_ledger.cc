// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "test/sim/hostile_scenario.h"

namespace millrace::test {
namespace {

using sctp::CloseReason;
using sctp::DropReason;
using sctp::EventKind;

// What such a path, crossing set-ups and ends without their state may cause; anything else is
// a fault of ours.
constexpr DropReason kExpectedDrops[] = {
    DropReason::kUnexpectedState,      DropReason::kOutOfTheBlue,  DropReason::kCookieTagMismatch,
    DropReason::kUnknownHeartbeat,     DropReason::kDuplicateData, DropReason::kBadSack,
    DropReason::kBadForwardTsn,        DropReason::kBadReconfig,   DropReason::kControlQueueFull,
    DropReason::kWrongVerificationTag, DropReason::kWrongChecksum, DropReason::kDataOutsideWindow,
    DropReason::kStaleCookie,
};

}  // namespace

HostileScenario::Coverage& HostileScenario::Coverage::operator+=(const Coverage& other) {
  messages += other.messages;
  delivered += other.delivered;
  restarts += other.restarts;
  resets += other.resets;
  refused += other.refused;
  aborts += other.aborts;
  early_shutdowns += other.early_shutdowns;
  corrupt_dropped += other.corrupt_dropped;
  pauses += other.pauses;
  full_windows += other.full_windows;
  path_changes += other.path_changes;
  path_changes_told += other.path_changes_told;
  router_words += other.router_words;
  given_up += other.given_up;
  retransmissions += other.retransmissions;
  interleaved += other.interleaved;
  parts += other.parts;
  streamed += other.streamed;
  payload_share = std::max(payload_share, other.payload_share);
  heap_share = std::max(heap_share, other.heap_share);
  return *this;
}

void HostileScenario::fault(const std::string& what) {
  if (faults_.size() < 20) faults_.push_back(what);
}

HostileScenario::Life& HostileScenario::current_life(int end, std::uint16_t stream) {
  std::deque<Life>& lives = at(end).lives[stream];
  if (lives.empty()) lives.push_back({static_cast<Mode>(rng_.below(kModes)), {}});
  return lives.back();
}

bool HostileScenario::poll(int end) {
  if (!at(end).reading) return false;
  bool any = false;
  sctp::Event event;
  while (pair_.call(end)->poll_event(event)) {
    any = true;
    const std::array<std::uint8_t, 4> summary{static_cast<std::uint8_t>(end),
                                              static_cast<std::uint8_t>(event.kind),
                                              static_cast<std::uint8_t>(event.stream.value()),
                                              static_cast<std::uint8_t>(event.close_reason)};
    pair_.trace(summary);
    handle(end, event);
  }
  return any;
}

void HostileScenario::handle(int end, const sctp::Event& event) {
  End& self = at(end);
  if (self.closed) fault("an event after the last");
  switch (event.kind) {
    case EventKind::kConnected:
      if (self.up) fault("connected twice");
      self.up = true;
      return;
    case EventKind::kRestarted:
      ++coverage_.restarts;
      if (!restarted_) fault("a restart that never was");
      begin_epoch(end);
      ++self.generations_of_all;
      self.up = true;
      // RFC 9260 §5.2.4.1 (A): what had been asked for before does not survive either.
      if (self.ending) pair_.call(end)->shutdown(pair_.now());
      return;
    case EventKind::kMessage:
      return receive(end, event);
    case EventKind::kStreamResetDone:
      for (const sctp::StreamId stream : event.streams) {
        if (self.resetting.erase(stream.value()) != 1) fault("reset without being asked");
        self.lives[stream.value()].push_back({static_cast<Mode>(rng_.below(kModes)), {}});
        ++coverage_.resets;
      }
      return;
    case EventKind::kStreamResetRefused:
      for (const sctp::StreamId stream : event.streams) {
        if (self.resetting.erase(stream.value()) != 1) fault("refused without being asked");
        ++coverage_.refused;
      }
      return;
    case EventKind::kIncomingStreamReset:
      for (const sctp::StreamId stream : event.streams) end_of_life(end, stream.value());
      return;
    case EventKind::kClosed:
      self.closed = event.close_reason;
      return;
    case EventKind::kPeerError:
      return fault("the peer complained, cause " + std::to_string(event.error_cause));
    default:
      return;
  }
}

// Nothing sent or held before survives.
void HostileScenario::begin_epoch(int end) {
  End& self = at(end);
  ++self.epoch;
  if (self.peer_epoch != 0) self.oldest_peer_epoch = self.peer_epoch + 1;
  self.peer_epoch = 0;
  self.resetting.clear();
  self.lives.clear();
  self.inboxes.clear();
  self.large.reset();
}

void HostileScenario::receive(int end, const sctp::Event& event) {
  const sctp::MessageView& message = event.message;
  const std::uint16_t stream = message.stream.value();
  Inbox& inbox = at(end).inboxes[stream];
  const std::uint32_t generation = at(end).generations_of_all + at(end).generations[stream];
  if (event.generation != generation) {
    fault("a message of generation " + std::to_string(event.generation) + ", not " +
          std::to_string(generation));
  }
  const Bytes bytes = bytes_of(message);
  pair_.trace(bytes);
  if (message.offset != inbox.part.size()) return fault("parts do not fit together");
  inbox.part.insert(inbox.part.end(), bytes.begin(), bytes.end());
  if (!message.last && !message.aborted) return;
  if (message.offset > 0) ++coverage_.parts;
  const Bytes whole = std::exchange(inbox.part, {});
  if (!message.aborted) receive_whole(end, stream, whole, message.unordered);
}

void HostileScenario::receive_whole(int end, std::uint16_t stream, const Bytes& payload,
                                    bool unordered) {
  ++coverage_.delivered;
  End& self = at(end);
  Inbox& inbox = self.inboxes[stream];
  const std::optional<MessageTag> tag = read_tag(payload);
  if (!tag) return fault("corrupt payload");
  if (tag->stream != stream || tag->sender != 1 - end) {
    return fault("a message on another stream than it was sent on");
  }
  const std::uint32_t epoch = tag->epoch;
  if (self.peer_epoch == 0 && epoch >= self.oldest_peer_epoch) self.peer_epoch = epoch;
  if (epoch != self.peer_epoch) {
    return fault("a message of epoch " + std::to_string(epoch) + " in epoch " +
                 std::to_string(self.peer_epoch));
  }
  if (stream == kMarkerStream) self.markers_seen.insert(epoch);
  if (tag->life != inbox.life) {
    return fault("a message of life " + std::to_string(tag->life) + " of stream " +
                 std::to_string(stream) + " in life " + std::to_string(inbox.life));
  }
  const std::string wrong = inbox.arrived.note(tag->number, !unordered);
  if (!wrong.empty()) fault(wrong);
}

// The peer's stream has come to the end of a life: all that was reliable is here.
void HostileScenario::end_of_life(int end, std::uint16_t stream) {
  Inbox& inbox = at(end).inboxes[stream];
  judge_life(end, stream, inbox);
  ++at(end).generations[stream];
  inbox = Inbox{.life = inbox.life + 1, .arrived = {}, .part = {}};
}

void HostileScenario::judge_life(int end, std::uint16_t stream, const Inbox& inbox) {
  End& peer = at(1 - end);
  // The peer's ledger is of its present epoch, which may be newer than what this end knows.
  if (restarted_ && at(end).peer_epoch != peer.epoch) return;
  const std::deque<Life>& lives = peer.lives[stream];
  if (inbox.life >= lives.size()) return;
  const Life& life = lives[inbox.life];
  const std::string wrong = inbox.arrived.judge(life.sent, life.is_reliable());
  if (!wrong.empty()) fault("stream " + std::to_string(stream) + ": " + wrong);
  if (!life.is_reliable()) coverage_.given_up += life.sent.size() - inbox.arrived.count();
}

void HostileScenario::judge_all() {
  for (const int end : {kA, kB}) {
    for (const auto& [stream, lives] : at(1 - end).lives) {
      Inbox& inbox = at(end).inboxes[stream];
      if (inbox.life + 1 != lives.size()) fault("the ends disagree about a stream's resets");
      judge_life(end, stream, inbox);
    }
  }
}

// Each end has closed, for a reason that what happened explains.
void HostileScenario::judge_close() {
  for (const int end : {kA, kB}) {
    const CloseReason reason = *at(end).closed;
    bool fits = false;
    switch (reason) {
      case CloseReason::kShutdown:
        fits = at(end).ending;
        break;
      case CloseReason::kPeerShutdown:
        fits = at(1 - end).ending;
        break;
      case CloseReason::kAborted:
        fits = aborted_ && at(end).ending;
        break;
      // An end that lost the other's ABORT finds nobody there, or one who says so. So does
      // one whose peer began anew and ended before it was up: it tells nobody.
      case CloseReason::kPeerAborted:
      case CloseReason::kTooManyRetransmits:
        fits = aborted_ || (restarted_ && at(1 - end).ending);
        break;
      case CloseReason::kSetupTimeout:
        fits = restarted_ && at(1 - end).ending;
        break;
      default:
        break;
    }
    if (!fits) fault("closed for " + std::string(sctp::to_string(reason)));
    judge_drops(end);
  }
  // RFC 9260 §9.2: a shutdown delivers what was accepted before it.
  if (!aborted_ && !restarted_) {
    for (const int end : {kA, kB}) {
      for (auto& [stream, lives] : at(1 - end).lives) {
        judge_life(end, stream, at(end).inboxes[stream]);
      }
    }
  }
}

void HostileScenario::judge_drops(int end) {
  const sctp::Stats stats = pair_[end].stats();
  coverage_.retransmissions += stats.retransmitted_chunks;
  coverage_.corrupt_dropped += stats.dropped(DropReason::kWrongChecksum);
  for (std::size_t i = 0; i < sctp::kDropReasonCount; ++i) {
    const auto reason = static_cast<DropReason>(i);
    if (stats.drops[i] == 0) continue;
    if (reason == DropReason::kWrongChecksum && !checksum_) fault("a checksum is wrong");
    if (std::ranges::find(kExpectedDrops, reason) == std::end(kExpectedDrops)) {
      fault("dropped for " + std::string(sctp::to_string(reason)));
    }
  }
}

}  // namespace millrace::test
