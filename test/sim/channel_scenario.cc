// SPDX-License-Identifier: Apache-2.0
#include "test/sim/channel_scenario.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace millrace::test {
namespace {

using sctp::ChannelDrop;
using sctp::ChannelError;
using sctp::ChannelEvent;
using sctp::ChannelEventKind;
using sctp::ChannelHandle;
using sctp::ChannelSendStatus;
using sctp::ChannelState;
using sctp::DropReason;
using sctp::MessageKind;

constexpr int kA = AssociationPair::kA;
constexpr int kB = AssociationPair::kB;
constexpr std::size_t kMaxLive = 16;
constexpr std::uint16_t kFirstNegotiatedId = 100;
constexpr std::uint16_t kNegotiatedIds = 4;
// Virtual time that any step of a run may take: some retransmissions at the full RTO.
constexpr Duration kPatience = seconds(300);

// What the path and crossing set-ups may cause; anything else is a fault of ours.
constexpr DropReason kExpectedDrops[] = {
    DropReason::kUnexpectedState,      DropReason::kOutOfTheBlue,  DropReason::kCookieTagMismatch,
    DropReason::kUnknownHeartbeat,     DropReason::kDuplicateData, DropReason::kBadSack,
    DropReason::kBadForwardTsn,        DropReason::kBadReconfig,   DropReason::kControlQueueFull,
    DropReason::kWrongVerificationTag,
};

std::uint8_t pattern(std::uint32_t number, std::size_t at) {
  return static_cast<std::uint8_t>(number * 31 + at);
}

MessageKind kind_of(std::uint32_t number) {
  return number % 3 == 0 ? MessageKind::kText : MessageKind::kBinary;
}

}  // namespace

ChannelScenario::Coverage& ChannelScenario::Coverage::operator+=(const Coverage& other) {
  opened_in_band += other.opened_in_band;
  opened_negotiated += other.opened_negotiated;
  closed_by_both += other.closed_by_both;
  ids_used_again += other.ids_used_again;
  retransmissions += other.retransmissions;
  given_up += other.given_up;
  for (std::size_t i = 0; i < messages_by_mode.size(); ++i) {
    messages_by_mode[i] += other.messages_by_mode[i];
  }
  return *this;
}

ChannelScenario::ChannelScenario(std::uint64_t seed)
    : rng_(seed), pair_(options(), options(), path(), seed) {
  pair_.record_sent = false;
  // A driver's clock may be coarser than the path is short.
  if (rng_.below(3) == 0) pair_.tick = milliseconds(1);
  channels_[kA].emplace(pair_.a(), sctp::DtlsRole::kClient, sctp::ChannelLimits());
  channels_[kB].emplace(pair_.b(), sctp::DtlsRole::kServer, sctp::ChannelLimits());
  pair_.poll_events = [this](int end) { return poll(end); };
}

void ChannelScenario::run() {
  // Channels may be opened before the association is up.
  for (std::uint64_t i = rng_.below(4); i > 0; --i) open_in_band(static_cast<int>(rng_.below(2)));
  if (rng_.below(2) == 0) open_negotiated();
  connect();
  const int rounds = 40 + static_cast<int>(rng_.below(60));
  for (int i = 0; i < rounds && !::testing::Test::HasFailure(); ++i) {
    act();
    pair_.drain();
    pair_.run_for(milliseconds(static_cast<std::int64_t>(rng_.below(40))));
  }
  settle();
  close_all();
  finish();
}

sctp::Options ChannelScenario::options() {
  sctp::Options options;
  options.max_init_retransmits = 40;
  options.max_retransmits = 40;
  options.shutdown_guard = seconds(300);
  options.rto_max = seconds(2);
  options.heartbeat_interval = milliseconds(200 + static_cast<std::int64_t>(rng_.below(2000)));
  return options;
}

LinkOptions ChannelScenario::path() {
  LinkOptions link;
  link.delay = microseconds(static_cast<std::int64_t>(rng_.below(20000)));
  link.loss = static_cast<double>(rng_.below(21)) / 100;
  link.duplicate = static_cast<double>(rng_.below(11)) / 100;
  link.reorder = static_cast<double>(rng_.below(31)) / 100;
  link.reorder_delay = microseconds(static_cast<std::int64_t>(rng_.below(15000)) + 1);
  return link;
}

// RFC 9260 §5.2.1: both at once is the usual case, but either may come later or never.
void ChannelScenario::connect() {
  const std::uint64_t order = rng_.below(3);
  pair_.a().connect(pair_.now());
  if (order == 1) {
    pair_.drain();
    pair_.run_for(microseconds(static_cast<std::int64_t>(rng_.below(30000))));
  }
  if (order != 0) pair_.b().connect(pair_.now());
  pair_.drain();
  EXPECT_TRUE(pair_.run_until([this] { return up_[kA] && up_[kB]; }, kPatience));
}

void ChannelScenario::act() {
  const int end = static_cast<int>(rng_.below(2));
  switch (rng_.below(10)) {
    case 0:
    case 1:
      return open_in_band(end);
    case 2:
      return open_negotiated();
    case 3:
      return close_one(end);
    case 4: {
      // Both ends close the same channel, neither knowing of the other.
      const std::optional<Label> label = pick_live(end);
      if (!label || !live_[index(1 - end)].contains(*label)) return;
      ++coverage_.closed_by_both;
      close(end, *label);
      return close(1 - end, *label);
    }
    default:
      for (std::uint64_t i = 1 + rng_.below(6); i > 0; --i) send_one(end);
  }
}

ChannelScenario::Label ChannelScenario::add(int opener, std::optional<std::uint16_t> id) {
  Channel channel;
  channel.opener = opener;
  channel.negotiated_id = id;
  channel.reliability.ordered = rng_.below(2) == 0;
  switch (rng_.below(4)) {
    case 0:
      channel.reliability.max_retransmits = static_cast<std::uint32_t>(rng_.below(3));
      break;
    case 1:
      channel.reliability.max_packet_life_time_ms = static_cast<std::uint32_t>(rng_.below(60));
      break;
    default:
      break;
  }
  ledger_.push_back(std::move(channel));
  return static_cast<Label>(ledger_.size() - 1);
}

sctp::ChannelConfig ChannelScenario::config_of(const Channel& channel, const std::string& label) {
  sctp::ChannelConfig config;
  config.label = label;
  config.reliability = channel.reliability;
  if (channel.negotiated_id) config.negotiated_id = sctp::StreamId(*channel.negotiated_id);
  return config;
}

void ChannelScenario::open_in_band(int end) {
  if (live_[index(end)].size() >= kMaxLive) return;
  const Label label = add(end, std::nullopt);
  const std::string name = std::to_string(label);
  const auto handle = channels_[index(end)]->open(pair_.now(), config_of(ledger_[label], name));
  ASSERT_TRUE(handle.ok());
  ledger_[label].sides[index(end)].handle = handle.value();
  by_slot_[index(end)][handle.value().slot] = label;
  ++coverage_.opened_in_band;
}

void ChannelScenario::open_negotiated() {
  const auto id = static_cast<std::uint16_t>(kFirstNegotiatedId + rng_.below(kNegotiatedIds));
  if (!negotiated_.insert(id).second) return;
  const Label label = add(kA, id);
  const std::string name = std::to_string(label);
  for (const int end : {kA, kB}) {
    const auto handle = channels_[index(end)]->open(pair_.now(), config_of(ledger_[label], name));
    ASSERT_TRUE(handle.ok()) << "of a negotiated id that both ends have done with";
    ledger_[label].sides[index(end)].handle = handle.value();
    by_slot_[index(end)][handle.value().slot] = label;
  }
  ++coverage_.opened_negotiated;
}

std::optional<ChannelScenario::Label> ChannelScenario::pick_live(int end) {
  const std::set<Label>& live = live_[index(end)];
  if (live.empty()) return std::nullopt;
  return *std::next(live.begin(), static_cast<std::ptrdiff_t>(rng_.below(live.size())));
}

void ChannelScenario::close_one(int end) {
  if (const std::optional<Label> label = pick_live(end)) close(end, *label);
}

void ChannelScenario::close(int end, Label label) {
  Side& side = ledger_[label].sides[index(end)];
  side.closed_here = true;
  live_[index(end)].erase(label);
  channels_[index(end)]->close(pair_.now(), *side.handle);
}

void ChannelScenario::send_one(int end) {
  if (const std::optional<Label> label = pick_live(end)) send(end, *label);
}

void ChannelScenario::send(int end, Label label) {
  Channel& channel = ledger_[label];
  Side& side = channel.sides[index(end)];
  std::size_t size = 8 + rng_.below(200);
  if (rng_.below(4) == 0) size = 8 + rng_.below(20000);
  const std::uint32_t number = next_number_;
  Bytes payload(size);
  store_be32(payload.data(), label);
  store_be32(payload.data() + 4, number);
  for (std::size_t i = 8; i < size; ++i) payload[i] = pattern(number, i);
  const ChannelSendStatus status =
      channels_[index(end)]->send(pair_.now(), *side.handle, kind_of(number), payload);
  if (status == ChannelSendStatus::kWouldBlock) return;
  ASSERT_EQ(status, ChannelSendStatus::kOk);
  ++next_number_;
  side.sent.push_back(number);
  ++coverage_.messages_by_mode[channel.mode()];
}

bool ChannelScenario::poll(int end) {
  bool any = false;
  ChannelEvent event;
  for (;;) {
    const bool expected = channels_[index(end)]->may_have_event();
    if (!channels_[index(end)]->poll_event(pair_.now(), event)) break;
    EXPECT_TRUE(expected);
    any = true;
    const std::array<std::uint8_t, 6> summary{
        static_cast<std::uint8_t>(end),
        static_cast<std::uint8_t>(event.kind),
        static_cast<std::uint8_t>(event.error),
        static_cast<std::uint8_t>(event.channel.slot),
        static_cast<std::uint8_t>(event.channel.generation >> 8),
        static_cast<std::uint8_t>(event.channel.generation)};
    pair_.trace(summary);
    handle(end, event);
  }
  return any;
}

void ChannelScenario::handle(int end, const ChannelEvent& event) {
  switch (event.kind) {
    case ChannelEventKind::kAssociation:
      return handle_association(end, *event.association);
    case ChannelEventKind::kOpened: {
      const Label label = label_of(end, event.channel);
      Side& side = ledger_[label].sides[index(end)];
      EXPECT_FALSE(side.may_send) << "opened twice";
      side.may_send = true;
      live_[index(end)].insert(label);
      const std::uint16_t id = channels_[index(end)]->find(event.channel)->stream.value();
      if (!ids_used_[index(end)].insert(id).second) ++coverage_.ids_used_again;
      return;
    }
    case ChannelEventKind::kOpenedByPeer:
      return handle_opened_by_peer(end, event);
    case ChannelEventKind::kMessage:
      return receive(end, event);
    case ChannelEventKind::kClosing:
    case ChannelEventKind::kClosed:
      return handle_end(end, event);
    case ChannelEventKind::kAcknowledged:
    case ChannelEventKind::kMessageProgress:
    case ChannelEventKind::kWritable:
    case ChannelEventKind::kBufferedAmountLow:
      return;
  }
}

void ChannelScenario::handle_association(int end, const sctp::Event& event) {
  switch (event.kind) {
    case sctp::EventKind::kConnected:
      EXPECT_FALSE(up_[index(end)]);
      up_[index(end)] = true;
      return;
    case sctp::EventKind::kClosed:
      closed_[index(end)] = event.close_reason;
      return;
    case sctp::EventKind::kWritable:
    case sctp::EventKind::kTotalBufferedAmountLow:
    case sctp::EventKind::kPeerShutdown:
      return;
    default:
      ADD_FAILURE() << "unexpected event " << static_cast<int>(event.kind);
  }
}

void ChannelScenario::handle_opened_by_peer(int end, const ChannelEvent& event) {
  const sctp::DataChannel* const opened = channels_[index(end)]->find(event.channel);
  ASSERT_NE(opened, nullptr);
  const auto label = static_cast<Label>(std::stoul(opened->label));
  ASSERT_LT(label, ledger_.size());
  Channel& channel = ledger_[label];
  EXPECT_EQ(channel.opener, 1 - end);
  EXPECT_EQ(opened->reliability, channel.reliability);
  Side& side = channel.sides[index(end)];
  ASSERT_FALSE(side.handle) << "label " << label << " opened twice";
  side.handle = event.channel;
  by_slot_[index(end)][event.channel.slot] = label;
  if (opened->state != ChannelState::kOpen) return;
  side.may_send = true;
  live_[index(end)].insert(label);
}

ChannelScenario::Label ChannelScenario::label_of(int end, ChannelHandle handle) {
  const auto found = by_slot_[index(end)].find(handle.slot);
  if (found == by_slot_[index(end)].end() ||
      ledger_[found->second].sides[index(end)].handle != handle) {
    ADD_FAILURE() << "an event of an unknown channel";
    return 0;
  }
  return found->second;
}

void ChannelScenario::receive(int end, const ChannelEvent& event) {
  const Bytes payload = bytes_of(event.message);
  pair_.trace(payload);
  ASSERT_GE(payload.size(), 8u);
  const Label label = load_be32(payload.data());
  const std::uint32_t number = load_be32(payload.data() + 4);
  ASSERT_EQ(label, label_of(end, event.channel)) << "of another channel, or another life";
  for (std::size_t i = 8; i < payload.size(); ++i) ASSERT_EQ(payload[i], pattern(number, i));
  EXPECT_EQ(event.message_kind, kind_of(number));
  const Channel& channel = ledger_[label];
  Side& side = ledger_[label].sides[index(end)];
  EXPECT_FALSE(side.closed_here) << "after close";
  const std::vector<std::uint32_t>& sent = channel.sides[index(1 - end)].sent;
  ASSERT_TRUE(std::ranges::binary_search(sent, number)) << "never sent";
  if (channel.reliability.ordered) {
    EXPECT_TRUE(side.received.empty() || side.received.back() < number) << "out of order";
  }
  ASSERT_TRUE(side.seen.insert(number).second) << "twice";
  side.received.push_back(number);
  // An echo server answers inside the event: the message stays lent.
  if (rng_.below(8) == 0 && live_[index(end)].contains(label)) {
    send(end, label);
    EXPECT_EQ(bytes_of(event.message), payload) << "changed by send";
  }
}

void ChannelScenario::handle_end(int end, const ChannelEvent& event) {
  const Label label = label_of(end, event.channel);
  Channel& channel = ledger_[label];
  Side& side = channel.sides[index(end)];
  EXPECT_EQ(event.error, ChannelError::kNone) << static_cast<int>(event.error);
  live_[index(end)].erase(label);
  if (event.kind == ChannelEventKind::kClosing) {
    EXPECT_FALSE(side.closed_here) << "of a channel that this end has closed";
    // RFC 8831 §6.7: what the peer sent before it closed has come.
    return judge(channel, label, end);
  }
  EXPECT_FALSE(side.gone);
  side.gone = true;
  if (channel.negotiated_id && channel.sides[0].gone && channel.sides[1].gone) {
    negotiated_.erase(*channel.negotiated_id);
  }
}

void ChannelScenario::judge(const Channel& channel, Label label, int receiver) {
  const Side& side = channel.sides[index(receiver)];
  const Side& peer = channel.sides[index(1 - receiver)];
  if (channel.is_reliable()) {
    EXPECT_EQ(side.seen.size(), peer.sent.size()) << "lost on channel " << label;
  } else {
    coverage_.given_up += peer.sent.size() - side.seen.size();
  }
}

bool ChannelScenario::all_gone() const {
  return channels_[kA]->size() == 0 && channels_[kB]->size() == 0;
}

// Until every queue is empty and every close is done.
void ChannelScenario::settle() {
  pair_.link().loss = std::min(pair_.link().loss, 0.1);
  const auto quiet = [this] {
    return pair_.a().sender().all_acknowledged() && pair_.b().sender().all_acknowledged() &&
           live_[kA] == live_[kB] && channels_[kA]->size() == live_[kA].size() &&
           channels_[kB]->size() == live_[kB].size();
  };
  EXPECT_TRUE(pair_.run_until(quiet, kPatience));
  for (const Label label : live_[kA]) {
    judge(ledger_[label], label, kA);
    judge(ledger_[label], label, kB);
  }
}

void ChannelScenario::close_all() {
  for (int guard = 0; guard < 1000 && !(live_[kA].empty() && live_[kB].empty()); ++guard) {
    const int end = static_cast<int>(rng_.below(2));
    close_one(end);
    pair_.drain();
    if (rng_.below(2) == 0) pair_.run_for(milliseconds(static_cast<int>(rng_.below(20))));
  }
  EXPECT_TRUE(pair_.run_until([this] { return all_gone(); }, kPatience));
  for (Label label = 0; label < ledger_.size(); ++label) {
    for (const Side& side : ledger_[label].sides) {
      EXPECT_TRUE(side.handle && side.gone) << "channel " << label << " was never heard of";
    }
  }
}

void ChannelScenario::finish() {
  const bool both = rng_.below(3) == 0;
  pair_.a().shutdown(pair_.now());
  if (both) pair_.b().shutdown(pair_.now());
  pair_.drain();
  EXPECT_TRUE(pair_.run_until([this] { return pair_.a().is_closed() && pair_.b().is_closed(); },
                              kPatience));
  EXPECT_EQ(closed_[kA], sctp::CloseReason::kShutdown);
  EXPECT_EQ(closed_[kB], both ? sctp::CloseReason::kShutdown : sctp::CloseReason::kPeerShutdown);
  for (const int end : {kA, kB}) expect_drops(end);
}

void ChannelScenario::expect_drops(int end) {
  const sctp::Stats stats = pair_[end].stats();
  coverage_.retransmissions += stats.retransmitted_chunks;
  for (std::size_t i = 0; i < sctp::kDropReasonCount; ++i) {
    const auto reason = static_cast<DropReason>(i);
    if (std::ranges::find(kExpectedDrops, reason) != std::end(kExpectedDrops)) continue;
    EXPECT_EQ(stats.drops[i], 0u) << sctp::to_string(reason);
  }
  const sctp::ChannelStats& channels = channels_[index(end)]->stats();
  for (std::size_t i = 0; i < sctp::kChannelDropCount; ++i) {
    if (static_cast<ChannelDrop>(i) == ChannelDrop::kLate) continue;
    EXPECT_EQ(channels.drops[i], 0u) << "channel drop " << i;
  }
}

}  // namespace millrace::test
