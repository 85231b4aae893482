// SPDX-License-Identifier: Apache-2.0
// Pairs of associations over a lossy, duplicating, reordering path in virtual time. Each
// seed is one run; MILLRACE_SIM_SEEDS sets how many, MILLRACE_SIM_SEED runs one alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "sctp/association.h"
#include "test/sim/sim_seeds.h"
#include "test/support/association_pair.h"

namespace millrace::test {
namespace {

using sctp::DropReason;
using sctp::EventKind;
using sctp::StreamId;

constexpr int kA = AssociationPair::kA;
constexpr int kB = AssociationPair::kB;

// What the path and crossing set-ups may cause; anything else is a fault of ours.
constexpr DropReason kExpectedDrops[] = {
    DropReason::kUnexpectedState,      DropReason::kOutOfTheBlue,  DropReason::kCookieTagMismatch,
    DropReason::kUnknownHeartbeat,     DropReason::kDuplicateData, DropReason::kBadSack,
    DropReason::kBadForwardTsn,        DropReason::kBadReconfig,   DropReason::kControlQueueFull,
    DropReason::kWrongVerificationTag,
};

enum class Mode : std::uint8_t { kReliable, kReliableUnordered, kPartial, kPartialUnordered };

// One life of one stream in one direction, as its sender knows it.
struct Life {
  Mode mode = Mode::kReliable;
  std::vector<std::uint32_t> sent;  // Message numbers in the order of sending.
};

// Scenario drives one seed and judges what comes out.
class Scenario {
 public:
  explicit Scenario(std::uint64_t seed) : rng_(seed), pair_(options(), options(), path(), seed) {
    pair_.record_sent = false;
    pair_.on_event = [this](int end, const sctp::Event& event) { handle(end, event); };
  }

  void run() {
    connect();
    if (HasFatalFailure()) return;
    const int rounds = 40 + static_cast<int>(rng_.below(60));
    for (int i = 0; i < rounds && !::testing::Test::HasFailure(); ++i) {
      act();
      pair_.drain();
      pair_.run_for(milliseconds(static_cast<std::int64_t>(rng_.below(40))));
    }
    settle();
    finish();
  }
  std::uint64_t trace_hash() const { return pair_.trace_hash(); }

 private:
  struct Inbox {
    std::uint32_t generation = 0;
    std::vector<std::uint32_t> received;
    std::set<std::uint32_t> seen;
  };
  static bool HasFatalFailure() { return ::testing::Test::HasFatalFailure(); }

  sctp::Options options() {
    sctp::Options options;
    options.max_init_retransmits = 40;
    options.max_retransmits = 40;
    options.shutdown_guard = seconds(300);
    options.rto_max = seconds(2);
    options.heartbeat_interval = milliseconds(200 + static_cast<std::int64_t>(rng_.below(2000)));
    return options;
  }
  LinkOptions path() {
    LinkOptions link;
    link.delay = microseconds(100 + static_cast<std::int64_t>(rng_.below(20000)));
    link.loss = static_cast<double>(rng_.below(21)) / 100;
    link.duplicate = static_cast<double>(rng_.below(11)) / 100;
    link.reorder = static_cast<double>(rng_.below(31)) / 100;
    link.reorder_delay = microseconds(static_cast<std::int64_t>(rng_.below(15000)) + 1);
    return link;
  }

  void connect() {
    // RFC 9260 §5.2.1: both at once is the usual case, but either may come later or never.
    switch (rng_.below(3)) {
      case 0:
        pair_.a().connect(pair_.now());
        break;
      case 1:
        pair_.a().connect(pair_.now());
        pair_.drain();
        pair_.run_for(microseconds(static_cast<std::int64_t>(rng_.below(30000))));
        pair_.b().connect(pair_.now());
        break;
      default:
        pair_.a().connect(pair_.now());
        pair_.b().connect(pair_.now());
        break;
    }
    pair_.drain();
    ASSERT_TRUE(pair_.run_until([this] { return up_[kA] && up_[kB]; }, seconds(120)));
  }

  void act() {
    const int end = static_cast<int>(rng_.below(2));
    const int count = 1 + static_cast<int>(rng_.below(6));
    for (int i = 0; i < count; ++i) send(end);
    if (rng_.below(4) == 0) reset(static_cast<int>(rng_.below(2)));
  }

  void send(int end) {
    const auto stream = static_cast<std::uint16_t>(rng_.below(kStreams));
    if (resetting_[index(end)].contains(stream)) return;
    Life& life = current_life(end, stream);
    std::size_t size = 4 + rng_.below(200);
    if (rng_.below(4) == 0) size = 4 + rng_.below(20000);
    Bytes payload(size);
    store_be32(payload.data(), next_number_);
    for (std::size_t i = 4; i < size; ++i) {
      payload[i] = static_cast<std::uint8_t>(next_number_ * 31 + i);
    }
    sctp::SendOptions options;
    options.unordered =
        life.mode == Mode::kReliableUnordered || life.mode == Mode::kPartialUnordered;
    if (life.mode == Mode::kPartial) options.max_retransmits = 1;
    if (life.mode == Mode::kPartialUnordered) options.max_lifetime = milliseconds(30);
    const sctp::SendStatus status =
        pair_[end].send(pair_.now(), StreamId(stream), sctp::kPpidBinary, payload, options);
    if (status == sctp::SendStatus::kWouldBlock) return;
    ASSERT_EQ(status, sctp::SendStatus::kOk);
    life.sent.push_back(next_number_++);
  }

  void reset(int end) {
    const StreamId stream(static_cast<std::uint16_t>(rng_.below(kStreams)));
    if (!resetting_[index(end)].insert(stream.value()).second) return;
    current_life(end, stream.value());
    pair_[end].reset_streams(pair_.now(), std::span(&stream, 1));
  }

  void handle(int end, const sctp::Event& event) {
    switch (event.kind) {
      case EventKind::kConnected:
        EXPECT_FALSE(up_[index(end)]);
        up_[index(end)] = true;
        break;
      case EventKind::kMessage:
        receive(end, event);
        break;
      case EventKind::kStreamResetDone:
        for (const StreamId stream : event.streams) {
          EXPECT_EQ(resetting_[index(end)].erase(stream.value()), 1u);
          lives_[index(end)][stream.value()].emplace_back(random_life());
        }
        break;
      case EventKind::kIncomingStreamReset:
        for (const StreamId stream : event.streams) end_of_life(end, stream.value());
        break;
      case EventKind::kClosed:
        closed_[index(end)] = event.close_reason;
        break;
      case EventKind::kWritable:
      case EventKind::kBufferedAmountLow:
      case EventKind::kTotalBufferedAmountLow:
      case EventKind::kPeerShutdown:
        break;
      default:
        ADD_FAILURE() << "unexpected event " << static_cast<int>(event.kind);
    }
  }

  void receive(int end, const sctp::Event& event) {
    const Bytes payload = bytes_of(event.message);
    ASSERT_GE(payload.size(), 4u);
    const std::uint32_t number = load_be32(payload.data());
    for (std::size_t i = 4; i < payload.size(); ++i) {
      ASSERT_EQ(payload[i], static_cast<std::uint8_t>(number * 31 + i));
    }
    const std::uint16_t stream = event.stream.value();
    Inbox& inbox = inboxes_[index(end)][stream];
    EXPECT_EQ(event.generation, inbox.generation);
    const Life& life = life_of(1 - end, stream, inbox.generation);
    ASSERT_TRUE(std::ranges::find(life.sent, number) != life.sent.end()) << "of another life";
    if (life.mode == Mode::kReliable || life.mode == Mode::kPartial) {
      EXPECT_TRUE(inbox.received.empty() || inbox.received.back() < number) << "out of order";
    }
    ASSERT_TRUE(inbox.seen.insert(number).second) << "twice";
    inbox.received.push_back(number);
  }

  // The peer's stream has come to the end of a life: all that was reliable is here.
  void end_of_life(int end, std::uint16_t stream) {
    Inbox& inbox = inboxes_[index(end)][stream];
    judge(end, stream, inbox);
    inbox.received.clear();
    inbox.seen.clear();
    ++inbox.generation;
  }

  void judge(int end, std::uint16_t stream, Inbox& inbox) {
    const Life& life = life_of(1 - end, stream, inbox.generation);
    if (life.mode == Mode::kPartial || life.mode == Mode::kPartialUnordered) return;
    EXPECT_EQ(inbox.seen.size(), life.sent.size()) << "lost on stream " << stream;
  }

  // Until every queue is empty and every reset answered.
  void settle() {
    pair_.link().loss = std::min(pair_.link().loss, 0.1);
    EXPECT_TRUE(pair_.run_until(
        [this] {
          return resetting_[kA].empty() && resetting_[kB].empty() &&
                 pair_.a().sender().all_acknowledged() && pair_.b().sender().all_acknowledged();
        },
        seconds(300)));
  }

  void finish() {
    const bool both = rng_.below(3) == 0;
    send(kA);
    send(kB);
    pair_.a().shutdown(pair_.now());
    if (both) pair_.b().shutdown(pair_.now());
    pair_.drain();
    EXPECT_TRUE(pair_.run_until([this] { return pair_.a().is_closed() && pair_.b().is_closed(); },
                                seconds(300)));
    EXPECT_EQ(closed_[kA], sctp::CloseReason::kShutdown);
    EXPECT_EQ(closed_[kB], both ? sctp::CloseReason::kShutdown : sctp::CloseReason::kPeerShutdown);
    for (const int end : {kA, kB}) {
      for (auto& [stream, lives] : lives_[index(1 - end)])
        judge(end, stream, inboxes_[index(end)][stream]);
      expect_drops(end);
    }
  }

  void expect_drops(int end) {
    const sctp::Stats stats = pair_[end].stats();
    for (std::size_t i = 0; i < sctp::kDropReasonCount; ++i) {
      const auto reason = static_cast<DropReason>(i);
      if (std::ranges::find(kExpectedDrops, reason) != std::end(kExpectedDrops)) continue;
      EXPECT_EQ(stats.drops[i], 0u) << sctp::to_string(reason);
    }
  }

  Life random_life() { return Life{static_cast<Mode>(rng_.below(4)), {}}; }
  Life& current_life(int end, std::uint16_t stream) {
    auto& lives = lives_[index(end)][stream];
    if (lives.empty()) lives.push_back(random_life());
    return lives.back();
  }
  const Life& life_of(int end, std::uint16_t stream, std::uint32_t generation) {
    static const Life kNone;
    const auto& lives = lives_[index(end)][stream];
    return generation < lives.size() ? lives[generation] : kNone;
  }
  static std::size_t index(int end) { return static_cast<std::size_t>(end); }

  static constexpr std::uint16_t kStreams = 8;
  SeededRng rng_;
  AssociationPair pair_;
  std::uint32_t next_number_ = 1;
  std::array<bool, 2> up_{};
  std::array<sctp::CloseReason, 2> closed_{};
  std::array<std::set<std::uint16_t>, 2> resetting_;
  std::array<std::map<std::uint16_t, std::deque<Life>>, 2> lives_;
  std::array<std::map<std::uint16_t, Inbox>, 2> inboxes_;
};

// RFC 9260 §6.2, §6.6.
TEST(AssociationSim, NothingReliableIsLostDuplicatedOrReordered) {
  const SimSeeds seeds = SimSeeds::from_environment(1000);
  for (std::uint64_t seed = seeds.first; seed <= seeds.last; ++seed) {
    SCOPED_TRACE("MILLRACE_SIM_SEED=" + std::to_string(seed));
    Scenario(seed).run();
    ASSERT_FALSE(HasFailure());
  }
}

TEST(AssociationSim, ARunIsAFunctionOfItsSeed) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Scenario once(seed);
    once.run();
    Scenario again(seed);
    again.run();
    ASSERT_EQ(once.trace_hash(), again.trace_hash()) << seed;
  }
}

}  // namespace
}  // namespace millrace::test
