// SPDX-License-Identifier: Apache-2.0
// Path MTU discovery (RFC 8899) by pairs of associations over paths whose MTU is one thing or
// another, and changes, in virtual time.
#include <gtest/gtest.h>

#include <algorithm>

#include "sctp/association.h"
#include "test/sim/sim_seeds.h"
#include "test/support/association_pair.h"
#include "test/support/sctp_packets.h"

namespace millrace::test {
namespace {

using sctp::ChunkType;
using sctp::EventKind;
using sctp::StreamId;

constexpr int kA = AssociationPair::kA;
constexpr int kB = AssociationPair::kB;
constexpr std::size_t kBase = 1160;
constexpr std::size_t kEthernet = 1432;
constexpr std::size_t kJumbo = 8932;
constexpr std::size_t kMessageBytes = 16384;

// What an IPv4 packet carries of SCTP over DTLS and UDP.
constexpr std::size_t packet_in(std::size_t ip_mtu) { return (ip_mtu - 65) / 4 * 4; }

sctp::Options discovering() {
  sctp::Options options;
  options.path_mtu.enabled = true;
  options.max_retransmits = 20;
  options.heartbeat_interval = Duration::zero();
  return options;
}

LinkOptions path_of(std::size_t packet_bytes) {
  return {.delay = milliseconds(10), .max_packet_bytes = packet_bytes};
}

// Transfer sends a message every few milliseconds from A to B and sees that each arrives whole
// and in order.
class Transfer {
 public:
  explicit Transfer(const LinkOptions& path, const sctp::Options& options = discovering(),
                    std::uint64_t seed = 1)
      : pair_(options, options, path, seed) {
    pair_.record_sent = false;
    pair_.on_event = [this](int end, const sctp::Event& event) {
      if (end == kB && event.kind == EventKind::kMessage) take(event);
      if (end == kA && event.kind == EventKind::kClosed) close_reason_ = event.close_reason;
    };
    EXPECT_TRUE(pair_.connect_both());
  }

  void run_for(Duration duration) {
    const Time end = pair_.now() + duration;
    while (pair_.now() < end) {
      send();
      pair_.drain();
      pair_.run_for(interval);
    }
  }
  // Sends no more, and waits until all is there.
  void finish() {
    EXPECT_TRUE(pair_.run_until([this] { return received_ == sent_; }))
        << received_ << " of " << sent_;
  }

  AssociationPair& pair() { return pair_; }
  std::size_t mtu() { return pair_.a().packet_bytes(); }
  std::uint32_t received() const { return received_; }
  // Of A's end; kNone while it is up.
  sctp::CloseReason close_reason() const { return close_reason_; }
  // The longest time without a message since this was called last.
  Duration take_longest_gap() {
    const Duration gap = std::max(longest_gap_, pair_.now() - last_at_);
    longest_gap_ = Duration::zero();
    last_at_ = pair_.now();
    return gap;
  }

  Duration interval = milliseconds(4);
  std::size_t message_bytes = kMessageBytes;

 private:
  void send() {
    const Bytes payload(message_bytes, static_cast<std::uint8_t>(sent_));
    if (pair_.a().send(pair_.now(), StreamId(0), sctp::Ppid(51), payload) ==
        sctp::SendStatus::kOk) {
      ++sent_;
    }
  }
  void take(const sctp::Event& event) {
    EXPECT_EQ(event.message.size, message_bytes);
    const Bytes payload = bytes_of(event.message);
    EXPECT_TRUE(std::ranges::all_of(payload, [&](std::uint8_t b) {
      return b == static_cast<std::uint8_t>(received_);
    })) << received_;
    ++received_;
    longest_gap_ = std::max(longest_gap_, pair_.now() - last_at_);
    last_at_ = pair_.now();
  }

  AssociationPair pair_;
  std::uint32_t sent_ = 0;
  std::uint32_t received_ = 0;
  Time last_at_{};
  Duration longest_gap_{};
  sctp::CloseReason close_reason_ = sctp::CloseReason::kNone;
};

// RFC 8899 §5.3, §3, §6.2.2.
TEST(PathMtuDiscovery, FindsTheMtuOfAnyPathWithinASecondOfTraffic) {
  for (const std::size_t ip_mtu : {1280u, 1400u, 1420u, 1450u, 1480u, 1500u, 4352u, 8896u, 9000u}) {
    const std::size_t largest = packet_in(ip_mtu);
    Transfer transfer(path_of(largest));
    transfer.run_for(seconds(1));
    EXPECT_LE(transfer.mtu(), largest) << ip_mtu;
    EXPECT_GE(transfer.mtu(), largest - largest / 32) << ip_mtu;
    transfer.finish();
  }
}

// RFC 8899 §3 (4, 7), §6.2, §6.2.1.2: probes are HEARTBEAT and PAD, carry no user data, and losing
// them
// is no congestion.
TEST(PathMtuDiscovery, LosesProbesForNothing) {
  Transfer transfer(path_of(kEthernet));
  transfer.pair().record_sent = true;
  transfer.run_for(seconds(5));
  transfer.finish();
  const sctp::Stats stats = transfer.pair().a().stats();
  EXPECT_GE(stats.mtu_probes_lost, 3u);
  EXPECT_EQ(stats.mtu_probes_acked, 7u);  // The base and six sizes.
  EXPECT_EQ(stats.t3_expiries, 0u);
  EXPECT_EQ(stats.fast_retransmits, 0u);
  EXPECT_EQ(stats.retransmitted_chunks, 0u);
  std::size_t probes = 0;
  for (const Bytes& packet : transfer.pair().sent(kA)) {
    if (!has_chunk(packet, ChunkType::kPad)) {
      EXPECT_LE(packet.size(), kEthernet);
      continue;
    }
    ++probes;
    ASSERT_EQ(chunks_of(packet).size(), 2u);
    EXPECT_EQ(chunks_of(packet)[0].type, ChunkType::kHeartbeat);
  }
  EXPECT_EQ(probes, stats.mtu_probes_sent);
}

// RFC 8899 §5.1.1: probes may be inhibited where nothing would use a larger packet.
TEST(PathMtuDiscovery, SendsNoProbeWhileNothingFillsAPacket) {
  Transfer transfer(path_of(kJumbo));
  transfer.message_bytes = 100;
  transfer.run_for(seconds(2));
  transfer.pair().run_for(seconds(2000));
  EXPECT_EQ(transfer.pair().a().stats().mtu_probes_sent, 0u);
  EXPECT_EQ(transfer.mtu(), kBase);
}

// RFC 8899 §4.3, RFC 9260 §6.9: what was cut for the larger path leaves as IP fragments.
TEST(PathMtuDiscovery, OutlivesAPathThatShrinksInMidTransfer) {
  for (const std::size_t before : {kJumbo, kEthernet}) {
    for (const std::size_t after : {packet_in(1400), packet_in(1280), kBase}) {
      Transfer transfer(path_of(before));
      transfer.run_for(seconds(1));
      ASSERT_EQ(transfer.mtu(), before);
      transfer.take_longest_gap();
      transfer.pair().link().max_packet_bytes = after;
      transfer.run_for(seconds(2));
      EXPECT_LE(transfer.mtu(), after);
      EXPECT_GE(transfer.mtu(), after - after / 16);
      // The RTO is at its floor of 50 ms: two of them in a row, backed off, take 150 ms.
      EXPECT_LE(transfer.take_longest_gap(), milliseconds(250)) << before << " " << after;
      transfer.finish();
      EXPECT_EQ(transfer.pair().a().stats().mtu_black_holes, 1u);
    }
  }
}

// RFC 8899 §5.2, ERROR.
TEST(PathMtuDiscovery, OutlivesAPathThatShrinksBelowTheBase) {
  Transfer transfer(path_of(kEthernet));
  transfer.run_for(seconds(1));
  transfer.take_longest_gap();
  transfer.pair().link().max_packet_bytes = 700;
  transfer.run_for(seconds(3));
  EXPECT_LE(transfer.mtu(), 700u);
  EXPECT_LE(transfer.take_longest_gap(), seconds(2));
  transfer.interval = milliseconds(50);
  // Found again when it is there again.
  transfer.pair().link().max_packet_bytes = kEthernet;
  transfer.run_for(seconds(130));
  EXPECT_EQ(transfer.mtu(), kEthernet);
  transfer.finish();
}

// RFC 8899 §4.3: large packets vanish while small ones pass and are acknowledged, so that T3
// need not expire.
TEST(PathMtuDiscovery, NoticesABlackHoleBetweenSmallMessages) {
  Transfer transfer(path_of(kEthernet));
  transfer.run_for(seconds(1));
  ASSERT_EQ(transfer.mtu(), kEthernet);
  transfer.finish();
  AssociationPair& pair = transfer.pair();
  pair.link().max_packet_bytes = packet_in(1400);
  const Bytes small(50, 1);
  const Bytes large(kEthernet - 28, 2);
  std::size_t delivered = 0;
  pair.on_event = [&](int end, const sctp::Event& event) {
    if (end == kB && event.kind == EventKind::kMessage && event.message.size > 50) ++delivered;
  };
  ASSERT_EQ(pair.a().send(pair.now(), StreamId(2), sctp::Ppid(53), large), sctp::SendStatus::kOk);
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(pair.a().send(pair.now(), StreamId(1), sctp::Ppid(53), small), sctp::SendStatus::kOk);
    pair.drain();
    pair.run_for(milliseconds(5));
  }
  EXPECT_EQ(delivered, 1u);
  EXPECT_EQ(pair.a().stats().mtu_black_holes, 1u);
}

// RFC 8899 §4.3, RFC 9260 §6.1 (A): the probe of a window that is shut is as large as any, and
// all that leaves.
TEST(PathMtuDiscovery, NoticesABlackHoleBehindAShutWindow) {
  Transfer transfer(path_of(kEthernet));
  transfer.run_for(seconds(1));
  ASSERT_EQ(transfer.mtu(), kEthernet);
  transfer.finish();
  AssociationPair& pair = transfer.pair();
  // B reads nothing, until its window is full; then its word that it has room again is lost.
  bool reads = false;
  pair.poll_events = [&](int end) {
    sctp::Event event;
    bool any = false;
    while ((end == kA || reads) && pair[end].poll_event(event)) any = true;
    return any;
  };
  for (int i = 0; i < 2000; ++i) {
    const Bytes payload(kMessageBytes, 1);
    (void)pair.a().send(pair.now(), StreamId(0), sctp::Ppid(51), payload);
    pair.drain();
    pair.run_for(milliseconds(1));
  }
  ASSERT_LT(pair.a().sender().peer_rwnd(), kEthernet);
  pair.filter = [](int, ByteSpan) { return false; };
  reads = true;
  pair.drain();
  pair.run_for(milliseconds(1));
  pair.filter = nullptr;
  pair.link().max_packet_bytes = kBase;
  EXPECT_TRUE(pair.run_until([&] { return pair.a().sender().all_acknowledged(); }));
  EXPECT_EQ(pair.a().stats().mtu_black_holes, 1u);
}

// RFC 9260 §6.9: "an SCTP association can fail if IP fragmentation is not working".
TEST(PathMtuDiscovery, ClosesWithAReasonWhereFragmentsAreDropped) {
  sctp::Options options = discovering();
  options.max_retransmits = 6;
  Transfer transfer(path_of(kEthernet), options);
  transfer.run_for(seconds(1));
  transfer.pair().link().fragments_pass = false;
  transfer.pair().link().max_packet_bytes = kBase;
  transfer.run_for(seconds(30));
  EXPECT_EQ(transfer.close_reason(), sctp::CloseReason::kTooManyRetransmits);
}

// RFC 8899 §5.2, §3: PMTU_RAISE_TIMER.
TEST(PathMtuDiscovery, GrowsWithThePathAfterTheRaiseTimer) {
  Transfer transfer(path_of(packet_in(1400)));
  transfer.interval = milliseconds(100);
  transfer.run_for(seconds(20));
  EXPECT_EQ(transfer.mtu(), packet_in(1400));
  transfer.pair().link().max_packet_bytes = kEthernet;
  transfer.run_for(seconds(500));
  EXPECT_EQ(transfer.mtu(), packet_in(1400));
  transfer.run_for(seconds(110));
  EXPECT_EQ(transfer.mtu(), kEthernet);
  transfer.finish();
}

// RFC 8899 §5.3.3.
TEST(PathMtuDiscovery, SettlesWhereOnlyProbesPassInLargePackets) {
  Transfer transfer(path_of(kJumbo));
  transfer.pair().filter = [&](int end, ByteSpan packet) {
    return packet.size() <= kBase + 100 || has_chunk(packet, ChunkType::kPad) ||
           transfer.pair()[end].may_be_fragmented();
  };
  transfer.run_for(seconds(10));
  EXPECT_LE(transfer.mtu(), kBase + 100);
  EXPECT_LE(transfer.pair().a().stats().mtu_black_holes, 4u);
  const std::uint32_t before = transfer.received();
  transfer.run_for(seconds(10));
  // A message every 4 ms, as if nothing were amiss.
  EXPECT_GE(transfer.received(), before + 2400);
  transfer.finish();
}

// RFC 8899 §5.2, ERROR and DISABLED.
TEST(PathMtuDiscovery, LeavesAPeerAloneThatAnswersNoHeartbeat) {
  Transfer transfer(path_of(kEthernet));
  transfer.pair().filter = [](int, ByteSpan packet) { return !has_chunk(packet, ChunkType::kPad); };
  transfer.run_for(seconds(20));
  EXPECT_EQ(transfer.mtu(), kBase);
  EXPECT_LE(transfer.pair().a().stats().mtu_probes_sent, 6u);
  transfer.finish();
  EXPECT_EQ(transfer.pair().a().stats().retransmitted_chunks, 0u);
}

// RFC 8899 §4.3: an outage is no black hole for long.
TEST(PathMtuDiscovery, ComesBackFromAnOutage) {
  for (const Duration outage : {Duration(milliseconds(300)), Duration(seconds(10))}) {
    Transfer transfer(path_of(kEthernet));
    transfer.run_for(seconds(1));
    ASSERT_EQ(transfer.mtu(), kEthernet);
    transfer.pair().filter = [](int, ByteSpan) { return false; };
    transfer.run_for(outage);
    transfer.pair().filter = nullptr;
    transfer.run_for(outage + seconds(2));
    EXPECT_EQ(transfer.mtu(), kEthernet);
    transfer.finish();
  }
}

// RFC 8899 §3.
TEST(PathMtuDiscovery, BeginsAnewOnAnotherPath) {
  Transfer transfer(path_of(kJumbo));
  transfer.run_for(seconds(1));
  ASSERT_EQ(transfer.mtu(), kJumbo);
  transfer.pair().a().handle_path_change();
  EXPECT_EQ(transfer.mtu(), kBase);
  transfer.pair().link().max_packet_bytes = kEthernet;
  transfer.run_for(seconds(1));
  EXPECT_EQ(transfer.mtu(), kEthernet);
  EXPECT_EQ(transfer.pair().a().stats().mtu_black_holes, 0u);
  transfer.finish();
}

// A path that changes its MTU every now and then, and loses packets of any size.
void change_mtu_at_random(std::uint64_t seed) {
  SeededRng rng(seed);
  LinkOptions path = path_of(kEthernet);
  path.loss = 0.01 * static_cast<double>(rng.below(11));
  path.reorder = 0.01 * static_cast<double>(rng.below(5));
  Transfer transfer(path, discovering(), seed);
  transfer.interval = milliseconds(5 + static_cast<std::int64_t>(rng.below(40)));
  transfer.take_longest_gap();
  for (int i = 0; i < 8; ++i) {
    constexpr std::array kSizes{kBase, packet_in(1280), packet_in(1400), kEthernet, kJumbo};
    transfer.pair().link().max_packet_bytes = kSizes[rng.below(kSizes.size())];
    transfer.run_for(milliseconds(500 + static_cast<std::int64_t>(rng.below(3000))));
    EXPECT_LE(transfer.take_longest_gap(), seconds(4));
  }
  transfer.pair().link().loss = 0;
  transfer.finish();
}

// RFC 8899 §3.
TEST(PathMtuDiscovery, LosesNothingOverPathsThatChange) {
  const SimSeeds seeds = SimSeeds::from_environment(40);
  for (std::uint64_t seed = seeds.first; seed <= seeds.last; ++seed) {
    SCOPED_TRACE(::testing::Message() << "MILLRACE_SIM_SEED=" << seed);
    change_mtu_at_random(seed);
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace millrace::test
