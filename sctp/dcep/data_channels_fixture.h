// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sctp/dcep/basic_data_channels_inl.h"
#include "sctp/dcep/fake_transport.h"

namespace millrace::sctp {
using Kind = ChannelEventKind;

inline Bytes text(std::string_view s) { return {s.begin(), s.end()}; }

inline Bytes open_message(std::string_view label, const ChannelReliability& reliability = {}) {
  return build(OpenMessage{reliability, 256, label, ""});
}

// Seen is an event with what it lent copied.
struct Seen {
  ChannelEvent event;
  Bytes payload;
};

class DataChannelsTest : public ::testing::Test {
 protected:
  std::vector<Seen> drain() {
    std::vector<Seen> seen;
    ChannelEvent event;
    while (channels_.poll_event(now_, event)) {
      Seen one{event, {}};
      if (event.kind == Kind::kMessage) {
        for (const ByteSpan piece : event.message.pieces) {
          one.payload.insert(one.payload.end(), piece.begin(), piece.end());
        }
      }
      seen.push_back(one);
    }
    return seen;
  }
  std::vector<Kind> kinds() {
    std::vector<Kind> out;
    for (const Seen& seen : drain()) out.push_back(seen.event.kind);
    return out;
  }
  void connect() {
    transport_.connected();
    drain();
  }
  ChannelHandle open(const ChannelConfig& config = {}) {
    const Result<ChannelHandle, OpenError> handle = channels_.open(now_, config);
    EXPECT_TRUE(handle.ok());
    return handle.ok() ? handle.value() : ChannelHandle();
  }
  // Opens and connects, as the DTLS client: stream 0.
  ChannelHandle open_on_zero(const ChannelConfig& config = {}) {
    connect();
    const ChannelHandle handle = open(config);
    drain();
    return handle;
  }
  // Lets the peer open stream 1.
  ChannelHandle opened_by_peer(const ChannelReliability& reliability = {}) {
    connect();
    transport_.message(1, kPpidDcep, open_message("peer", reliability));
    const std::vector<Seen> seen = drain();
    EXPECT_EQ(seen.size(), 1u);
    transport_.sent.clear();
    return seen.empty() ? ChannelHandle() : seen[0].event.channel;
  }
  std::uint64_t dropped(ChannelDrop reason) const { return channels_.stats().dropped(reason); }
  ChannelState state(ChannelHandle handle) { return channels_.find(handle)->state; }

  const Time now_{seconds(1)};
  FakeTransport transport_;
  ChannelLimits limits_{.max_channels = 8, .max_string_bytes = 1000, .max_message_bytes = 2000};
  BasicDataChannels<FakeTransport> channels_{transport_, DtlsRole::kClient, limits_};
};

}  // namespace millrace::sctp
