// SPDX-License-Identifier: Apache-2.0
//
// Whole engines on a path that does its worst: loss, reordering, duplication, damage, paths
// that change. What their channels carry is judged as the simulator's hostile runs are
// (test/sim/hostile_scenario.h). Each seed is one run; MILLRACE_SIM_SEEDS sets how many,
// MILLRACE_SIM_SEED runs one alone.
#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include "engine/base/rng.h"
#include "engine/engine_test_support.h"
#include "engine/simulation_impl.h"
#include "test/sim/message_ledger.h"
#include "test/sim/sim_seeds.h"

namespace millrace {
namespace {

using test::Script;
using test::SimPair;

constexpr std::size_t kChannels = 10;
constexpr Duration kPatience = seconds(2000);  // For what takes some time-outs.

struct Coverage {
  std::uint64_t messages = 0;
  std::uint64_t given_up = 0;  // Of channels with limits.
  std::uint64_t closed = 0;
  std::uint64_t path_changes = 0;
  std::uint64_t retransmissions = 0;
  std::uint64_t replayed = 0;
  std::uint64_t unauthentic = 0;
};

// HostileTraffic is one seed's run. Ends are 0, the server, and 1, the client.
class HostileTraffic {
 public:
  HostileTraffic(std::uint64_t seed, Coverage& coverage)
      : rng_(seed), coverage_(coverage), pair_({.seed = seed}, random_options()) {
    // Checks of ICE are given up in the end, and damage to a handshake's first flights, which
    // nothing has authenticated yet, ends it.
    io::LinkOptions milder = random_path();
    milder.loss = std::min(milder.loss, 0.1);
    milder.corrupt = 0;
    network().set_default_link(milder);
    for (const std::size_t end : {0u, 1u}) listen_to(end);
  }

  void run() {
    pair_.dial();
    ASSERT_TRUE(pair_.run([&] { return up(0) && up(1); }, kPatience)) << "never open";
    network().set_default_link(random_path());
    const std::uint64_t rounds = 40 + rng_.below(40);
    for (std::uint64_t i = 0; i < rounds && !testing::Test::HasFailure(); ++i) {
      for (int most = 3; live_.size() < kChannels && most > 0; --most) open_one();
      act();
      pair_.pass(milliseconds(static_cast<std::int64_t>(rng_.below(chance(12) ? 1500 : 40))));
    }
    settle();
    judge_drops();
  }

 private:
  using Label = std::uint32_t;
  struct Side {
    Channel channel;
    bool open = false;
    bool closed_here = false;
    std::vector<std::uint32_t> sent;
    test::ArrivedMessages arrived;
    std::vector<std::uint8_t> part;  // Of a message that comes in parts.
  };
  struct Book {
    ChannelOptions options;
    std::array<Side, 2> sides;
    bool reliable() const { return !options.max_retransmits && !options.max_packet_life_time; }
  };

  bool chance(std::uint64_t one_in) { return rng_.below(one_in) == 0; }
  Script& at(std::size_t end) { return end == 0 ? *pair_.at_server : *pair_.at_client; }
  Engine& engine(std::size_t end) { return end == 0 ? *pair_.server : *pair_.client; }
  bool up(std::size_t end) { return !at(end).opened.empty(); }
  io::SimNetwork& network() {
    return static_cast<engine::SimulationImpl&>(*pair_.simulation).network();
  }

  EngineOptions random_options() {
    EngineOptions options;
    options.handshake_timeout = milliseconds(600'000);
    options.consent_timeout = milliseconds(600'000);
    options.sctp.max_retransmissions = 60;
    options.sctp.rto_max = milliseconds(2000);
    options.sctp.send_buffer_bytes = std::size_t{256 << 10} << rng_.below(4);
    options.sctp.interleaving = !chance(3);
    options.sctp.init_in_sdp = !chance(3);
    options.sctp.profile = chance(3) ? Profile::kLatency : Profile::kInternet;
    options.sctp.partial_delivery_bytes = chance(3) ? 16 << 10 : 256 << 10;
    constexpr std::array kControls = {CongestionControl::kCubic, CongestionControl::kNewReno,
                                      CongestionControl::kBbr, CongestionControl::kTfrc};
    options.sctp.congestion_control = kControls[rng_.below(kControls.size())];
    return options;
  }

  io::LinkOptions random_path() {
    io::LinkOptions link;
    const auto share = [this](std::uint64_t below) {
      return static_cast<double>(rng_.below(below)) / 100;
    };
    link.delay = microseconds(static_cast<std::int64_t>(rng_.below(chance(4) ? 100'000 : 15'000)));
    link.loss = share(31);
    link.duplicate = share(16);
    link.reorder = share(31);
    link.reorder_delay = microseconds(static_cast<std::int64_t>(1 + rng_.below(15'000)));
    link.corrupt = share(6);
    link.mtu = 1500;
    return link;
  }

  static Label label_of(const Channel& channel) {
    Label label = 0;
    const std::string_view text = channel.label();
    std::from_chars(text.data(), text.data() + text.size(), label);
    return label;
  }

  void listen_to(std::size_t end) {
    at(end).channel_open = [this, end](Channel channel) {
      const Label label = label_of(channel);
      ASSERT_TRUE(books_.contains(label));
      channel.set_user_data(label);
      books_[label].sides[end].channel = channel;
      books_[label].sides[end].open = true;
    };
    at(end).channel_close = [this, end](Channel channel) {
      close(end, static_cast<Label>(channel.user_data()));
    };
    at(end).message = [this, end](Channel channel, const MessageView& message) {
      receive(end, static_cast<Label>(channel.user_data()), message);
    };
    at(end).session_close = [](SessionId, CloseReason reason) {
      ADD_FAILURE() << "closed: " << to_string(reason);
    };
  }

  void open_one() {
    const std::size_t end = rng_.below(2);
    const Label label = next_label_++;
    Book& book = books_[label];
    book.options.label = std::to_string(label);
    book.options.ordered = !chance(2);
    const std::uint64_t limit = rng_.below(5);
    if (limit == 0) book.options.max_retransmits = 1;
    if (limit == 1) book.options.max_packet_life_time = milliseconds(30);
    const auto opened = at(end).context.open_channel(at(end).opened.at(0), book.options);
    if (!opened.ok()) {
      books_.erase(label);
      return;
    }
    live_.push_back(label);
  }

  void act() {
    if (live_.empty()) return;
    const std::size_t end = rng_.below(2);
    const std::uint64_t what = rng_.below(14);
    if (what == 0) return close_some(end);
    if (what == 1 && chance(3)) return change_path();
    const std::uint64_t count = chance(10) ? 20 + rng_.below(40) : 1 + rng_.below(6);
    for (std::uint64_t i = 0; i < count; ++i) {
      std::size_t size = test::kTagBytes + rng_.below(200);
      if (chance(4)) size = test::kTagBytes + rng_.below(20'000);
      if (chance(40)) size = test::kTagBytes + rng_.below(200'000);
      send(end, live_[rng_.below(live_.size())], size);
    }
  }

  void send(std::size_t end, Label label, std::size_t size) {
    Side& side = books_[label].sides[end];
    if (!side.open || side.closed_here) return;
    const test::MessageTag tag{.epoch = 1,
                               .life = label,
                               .number = next_number_,
                               .stream = 0,
                               .sender = static_cast<std::uint16_t>(end)};
    const SendStatus status = side.channel.send(test::tagged_payload(tag, size));
    if (status == SendStatus::kOk) {
      side.sent.push_back(next_number_++);
      ++coverage_.messages;
      return;
    }
    EXPECT_TRUE(status == SendStatus::kWouldBlock || status == SendStatus::kClosed);
  }

  void close_some(std::size_t end) {
    const Label label = live_[rng_.below(live_.size())];
    for (const std::size_t at : {end, 1 - end}) {
      Side& side = books_[label].sides[at];
      if (!side.open || side.closed_here) return;
      side.closed_here = true;
      side.channel.close();
      if (!chance(4)) break;  // Else both at once.
    }
    std::erase(live_, label);
    ++coverage_.closed;
  }

  // Another path, with nothing at all getting through meanwhile.
  void change_path() {
    io::LinkOptions none;
    none.loss = 1;
    network().set_default_link(none);
    pair_.pass(milliseconds(static_cast<std::int64_t>(rng_.below(1000))));
    network().set_default_link(random_path());
    ++coverage_.path_changes;
  }

  void receive(std::size_t end, Label label, const MessageView& message) {
    Side& side = books_[label].sides[end];
    ASSERT_EQ(message.offset, side.part.size()) << "parts do not fit together";
    message.append_to(side.part);
    if (!message.last && !message.aborted) return;
    const std::vector<std::uint8_t> whole = std::exchange(side.part, {});
    if (message.aborted) return;
    const auto tag = test::read_tag(whole);
    ASSERT_TRUE(tag) << "corrupt payload";
    EXPECT_EQ(tag->life, label) << "a message of another channel";
    EXPECT_EQ(tag->sender, 1 - end);
    EXPECT_EQ(side.arrived.note(tag->number, books_[label].options.ordered), "");
  }

  void judge(std::size_t end, Label label) {
    const Book& book = books_[label];
    const auto& [sent, arrived] = std::pair(book.sides[1 - end].sent, book.sides[end].arrived);
    EXPECT_EQ(arrived.judge(sent, book.reliable()), "") << "channel " << label;
    if (!book.reliable()) coverage_.given_up += sent.size() - arrived.count();
  }

  // RFC 8831 §6.7: what the peer sent before it closed has come.
  void close(std::size_t end, Label label) {
    Side& side = books_[label].sides[end];
    if (!side.closed_here) judge(end, label);
    side.open = false;
    std::erase(live_, label);
  }

  bool at_rest(Label label) {
    const Book& book = books_[label];
    for (const std::size_t end : {0u, 1u}) {
      const Side& side = book.sides[end];
      if (side.channel.buffered_amount() > 0) return false;
      const std::vector<std::uint32_t>& sent = book.sides[1 - end].sent;
      if (book.reliable() && side.arrived.count() < sent.size()) return false;
    }
    return true;
  }

  // Until all that is reliable has come, and every close is done.
  void settle() {
    io::LinkOptions link = random_path();
    link.loss = std::min(link.loss, 0.1);
    network().set_default_link(link);
    const auto quiet = [this] {
      for (const auto& [label, book] : books_) {
        const bool live = std::ranges::find(live_, label) != live_.end();
        if (live && !(book.sides[0].open && book.sides[1].open && at_rest(label))) return false;
        if (!live && (book.sides[0].open || book.sides[1].open)) return false;
      }
      return true;
    };
    EXPECT_TRUE(pair_.run(quiet, kPatience)) << "the ends did not come to rest";
    pair_.pass(seconds(10));  // Late copies.
    for (const Label label : live_) {
      for (const std::size_t end : {0u, 1u}) judge(end, label);
    }
  }

  // What such a path may cause; anything else is a fault of ours. A ClientHello may come before
  // the answer to the check that it followed, on a path that is not authenticated yet.
  void judge_drops() {
    constexpr std::array<std::string_view, 20> kExpected = {
        "dtls.bad_version",     "dtls.malformed",           "dtls.stale_handshake",
        "dtls.replayed",        "dtls.unauthentic",         "dtls.unexpected_epoch",
        "dtls.unexpected_type", "sctp.bad_forward_tsn",     "sctp.bad_reconfig",
        "sctp.bad_sack",        "sctp.duplicate_data",      "sctp.unexpected_state",
        "sctp.out_of_the_blue", "sctp.data_outside_window", "sctp.unknown_heartbeat",
        "shard.malformed_stun", "shard.refused_check",      "shard.unknown_first_byte",
        "shard.unknown_source", "shard.unauthenticated"};
    for (const std::size_t end : {0u, 1u}) {
      const ShardStats stats = engine(end).stats().shards.at(0);
      for (const auto& [reason, count] : stats.drops) {
        if (count == 0) continue;
        const bool expected = std::ranges::find(kExpected, reason) != kExpected.end();
        EXPECT_TRUE(expected) << "dropped for " << reason << ": " << count;
        if (reason == "dtls.replayed") coverage_.replayed += count;
        if (reason == "dtls.unauthentic") coverage_.unauthentic += count;
      }
      EXPECT_EQ(stats.payload_copied_in_order, 0u);
    }
  }

  SeededRng rng_;
  Coverage& coverage_;
  SimPair pair_;
  std::map<Label, Book> books_;
  std::vector<Label> live_;  // Opened, and closed by nobody.
  Label next_label_ = 1;
  std::uint32_t next_number_ = 1;
};

TEST(HostileTraffic, ReliableMessagesAllArriveAndNoneTwiceOrDamaged) {
  const test::SimSeeds seeds = test::SimSeeds::from_environment(40);
  Coverage all;
  for (std::uint64_t seed = seeds.first; seed <= seeds.last; ++seed) {
    SCOPED_TRACE("MILLRACE_SIM_SEED=" + std::to_string(seed));
    HostileTraffic(seed, all).run();
    ASSERT_FALSE(HasFailure());
  }
  if (seeds.last - seeds.first < 38) return;
  // The runs would prove nothing if they did not do what they are named for.
  EXPECT_GT(all.messages, 5000u);
  EXPECT_GT(all.given_up, 100u);
  EXPECT_GT(all.closed, 50u);
  EXPECT_GT(all.path_changes, 10u);
  EXPECT_GT(all.replayed, 500u);
  EXPECT_GT(all.unauthentic, 500u);
}

}  // namespace
}  // namespace millrace
