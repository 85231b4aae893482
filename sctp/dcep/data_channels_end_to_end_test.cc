// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sctp/dcep/basic_data_channels_inl.h"
#include "test/support/association_pair.h"

namespace millrace::sctp {
namespace {

using test::AssociationPair;
using test::Bytes;
using Kind = ChannelEventKind;

// PairTransport is an association whose events the pair has already polled.
class PairTransport {
 public:
  explicit PairTransport(Association& association) : association_(association) {}

  bool poll_event(Event& out) {
    if (offered == nullptr) return false;
    out = *std::exchange(offered, nullptr);
    return true;
  }
  bool may_have_event() const { return offered != nullptr; }
  template <class Payload>
  SendStatus send(Time now, StreamId stream, Ppid ppid, Payload&& payload,
                  const SendOptions& options) {
    return association_.send(now, stream, ppid, std::forward<Payload>(payload), options);
  }
  SendStatus send_part(Time now, StreamId stream, Ppid ppid, ByteSpan part,
                       const MessagePart& which, const SendOptions& options) {
    return association_.send_part(now, stream, ppid, part, which, options);
  }
  bool abort_message(Time now, StreamId stream) { return association_.abort_message(now, stream); }
  void reset_streams(Time now, std::span<const StreamId> streams) {
    association_.reset_streams(now, streams);
  }
  void set_buffered_amount_low_threshold(StreamId stream, std::size_t bytes) {
    association_.set_buffered_amount_low_threshold(stream, bytes);
  }
  void set_stream_priority(StreamId stream, std::uint16_t priority) {
    association_.set_stream_priority(stream, priority);
  }
  std::size_t buffered_amount(StreamId stream) const {
    return std::as_const(association_).buffered_amount(stream);
  }
  bool stream_is_full(StreamId stream) const { return association_.stream_is_full(stream); }
  std::uint32_t outgoing_generation(StreamId stream) const {
    return association_.outgoing_generation(stream);
  }
  std::uint32_t incoming_generation(StreamId stream) const {
    return association_.incoming_generation(stream);
  }

  const Event* offered = nullptr;

 private:
  Association& association_;
};

struct Received {
  ChannelHandle channel;
  MessageKind kind;
  Bytes payload;
};

// ChannelPair is DataChannels at both ends of a path; end A is the DTLS client.
class ChannelPair {
 public:
  explicit ChannelPair(const test::LinkOptions& link = {}, std::uint64_t seed = 1)
      : pair_({}, {}, link, seed) {
    pair_.record_sent = false;
    for (int end : {AssociationPair::kA, AssociationPair::kB}) {
      transports_[index(end)].emplace(pair_[end]);
      channels_[index(end)].emplace(*transports_[index(end)],
                                    end == 0 ? DtlsRole::kClient : DtlsRole::kServer,
                                    ChannelLimits());
    }
    pair_.on_event = [this](int end, const Event& event) {
      transports_[index(end)]->offered = &event;
      poll(end);
    };
    pair_.a().connect(pair_.now());
    pair_.b().connect(pair_.now());
  }

  BasicDataChannels<PairTransport>& operator[](int end) { return *channels_[index(end)]; }
  AssociationPair& pair() { return pair_; }
  Time now() const { return pair_.now(); }
  void run(Duration duration) {
    pair_.drain();
    pair_.run_for(duration);
  }
  // Takes what calls of the test's own have brought about.
  void poll(int end) {
    ChannelEvent event;
    while ((*this)[end].poll_event(now(), event)) note(end, event);
  }

  std::array<std::vector<ChannelHandle>, 2> opened_by_peer;
  std::array<std::vector<Received>, 2> received;
  std::array<std::map<Kind, int>, 2> counts;
  std::array<std::vector<Event>, 2> association_events;

 private:
  static std::size_t index(int end) { return static_cast<std::size_t>(end); }
  void note(int end, const ChannelEvent& event) {
    ++counts[index(end)][event.kind];
    if (event.kind == Kind::kAssociation)
      association_events[index(end)].push_back(*event.association);
    if (event.kind == Kind::kOpenedByPeer) opened_by_peer[index(end)].push_back(event.channel);
    if (event.kind == Kind::kMessage) {
      received[index(end)].push_back(
          {event.channel, event.message_kind, test::bytes_of(event.message)});
    }
  }

  AssociationPair pair_;
  std::array<std::optional<PairTransport>, 2> transports_;
  std::array<std::optional<BasicDataChannels<PairTransport>>, 2> channels_;
};

Bytes text(std::string_view s) { return {s.begin(), s.end()}; }

TEST(DataChannelsEndToEnd, AChannelOpensCarriesEveryKindOfMessageAndCloses) {
  ChannelPair ends;
  const ChannelHandle mine = ends[0].open(ends.now(), {.label = "echo"}).value();
  ends.run(seconds(1));
  ASSERT_EQ(ends.opened_by_peer[1].size(), 1u);
  const ChannelHandle theirs = ends.opened_by_peer[1][0];
  EXPECT_EQ(ends[1].find(theirs)->label, "echo");
  EXPECT_EQ(ends.counts[0][Kind::kAcknowledged], 1);

  const Bytes large(200000, 0x5A);
  ASSERT_EQ(ends[0].send(ends.now(), mine, MessageKind::kText, text("hi")), ChannelSendStatus::kOk);
  ASSERT_EQ(ends[0].send(ends.now(), mine, MessageKind::kBinary, ByteSpan()),
            ChannelSendStatus::kOk);
  ASSERT_EQ(ends[0].send(ends.now(), mine, MessageKind::kText, ByteSpan()), ChannelSendStatus::kOk);
  ASSERT_EQ(ends[0].send(ends.now(), mine, MessageKind::kBinary, large), ChannelSendStatus::kOk);
  EXPECT_GE(ends[0].buffered_amount(mine), large.size());
  ends.run(seconds(5));
  ASSERT_EQ(ends.received[1].size(), 4u);
  EXPECT_EQ(ends.received[1][0].payload, text("hi"));
  EXPECT_EQ(ends.received[1][1].kind, MessageKind::kBinary);
  EXPECT_TRUE(ends.received[1][1].payload.empty());
  EXPECT_EQ(ends.received[1][2].kind, MessageKind::kText);
  EXPECT_EQ(ends.received[1][3].payload, large);
  EXPECT_EQ(ends[0].buffered_amount(mine), 0u);

  ends[0].close(ends.now(), mine);
  ends.run(seconds(5));
  EXPECT_EQ(ends.counts[0][Kind::kClosed], 1);
  EXPECT_EQ(ends.counts[1][Kind::kClosing], 1);
  EXPECT_EQ(ends.counts[1][Kind::kClosed], 1);
  EXPECT_EQ(ends[0].size() + ends[1].size(), 0u);
}

TEST(DataChannelsEndToEnd, ClosingFromBothEndsAtOnceFreesTheId) {
  ChannelPair ends;
  const ChannelHandle mine = ends[0].open(ends.now(), {}).value();
  ends.run(seconds(1));
  ends[0].close(ends.now(), mine);
  ends[1].close(ends.now(), ends.opened_by_peer[1][0]);
  ends.run(seconds(5));
  EXPECT_EQ(ends[0].size() + ends[1].size(), 0u);
}

// CONFORMANCE: close, reset and re-use of a stream id race. Every label arrives once, and
// each message on the channel that bears its label.
TEST(DataChannelsEndToEnd, IdsAreUsedAgainOverABadPathWithoutMixingUpTheirLives) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    test::LinkOptions link;
    link.loss = 0.1;
    link.duplicate = 0.05;
    link.reorder = 0.1;
    ChannelPair ends(link, seed);
    SeededRng rng(seed);
    std::vector<ChannelHandle> open[2];
    int next_label = 0;
    std::map<std::string, int> expected;
    for (int round = 0; round < 60; ++round) {
      const int end = static_cast<int>(rng.below(2));
      std::vector<ChannelHandle>& mine = open[end];
      if (mine.empty() || rng.below(2) == 0) {
        const std::string label = std::to_string(next_label++);
        const auto handle = ends[end].open(ends.now(), {.label = label});
        ASSERT_TRUE(handle.ok());
        mine.push_back(handle.value());
      } else {
        const std::size_t pick = rng.below(mine.size());
        const ChannelHandle handle = mine[pick];
        mine.erase(mine.begin() + static_cast<std::ptrdiff_t>(pick));
        const DataChannel* const channel = ends[end].find(handle);
        ASSERT_NE(channel, nullptr);
        const std::string label = channel->label;
        if (ends[end].send(ends.now(), handle, MessageKind::kText, text(label)) ==
            ChannelSendStatus::kOk) {
          ++expected[label];
        }
        ends[end].close(ends.now(), handle);
      }
      ends.poll(end);
      ends.run(milliseconds(static_cast<int>(rng.below(60))));
    }
    ends.run(seconds(60));
    std::map<std::string, int> got;
    for (const std::vector<Received>& all : ends.received) {
      for (const Received& one : all) ++got[std::string(one.payload.begin(), one.payload.end())];
    }
    EXPECT_EQ(got, expected) << "seed " << seed;
    for (const std::vector<Event>& events : ends.association_events) {
      for (const Event& event : events) {
        EXPECT_NE(event.kind, EventKind::kClosed) << to_string(event.close_reason);
        EXPECT_NE(event.kind, EventKind::kRestarted);
      }
    }
    // What is left on each side are the channels that nobody closed.
    EXPECT_EQ(ends[0].size(), open[0].size() + open[1].size()) << "seed " << seed;
    EXPECT_EQ(ends[1].size(), open[0].size() + open[1].size()) << "seed " << seed;
    for (int end : {0, 1}) {
      for (const std::uint64_t drops : ends[end].stats().drops) EXPECT_EQ(drops, 0u) << seed;
    }
  }
}

}  // namespace
}  // namespace millrace::sctp
