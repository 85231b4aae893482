// SPDX-License-Identifier: Apache-2.0
// Associations with usrsctp over loopback, without DTLS (RFC 6951): with DATA and, where both
// have it, with I-DATA.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "test/plain_sctp/udp_endpoint.h"
#include "test/usrsctp/usrsctp_process.h"

namespace millrace::test {
namespace {

using sctp::EventKind;
using sctp::SendStatus;
using sctp::StreamId;

// What usrsctp_peer.cc fills messages with.
Bytes payload_of(std::size_t bytes) {
  Bytes payload(bytes);
  for (std::size_t at = 0; at < bytes; ++at) {
    payload[at] = static_cast<std::uint8_t>(at * 7 + bytes);
  }
  return payload;
}

class Usrsctp : public ::testing::TestWithParam<bool> {
 protected:
  static sctp::Options options() {
    sctp::Options options;
    options.extensions.i_data = GetParam();
    options.outgoing_streams = options.incoming_streams = 32;
    options.max_message_bytes = std::size_t{8} << 20;
    options.receive_window_bytes = std::size_t{16} << 20;
    options.partial_delivery_bytes = options.receive_window_bytes;
    options.send_buffer_bytes = std::size_t{16} << 20;
    return options;
  }

  sctp::Association& association() { return ours_.association(); }

  bool heard(std::string_view beginning, Duration limit = seconds(30)) {
    const bool done = ours_.run_until([&] { return theirs_->has_said(beginning); }, limit);
    EXPECT_TRUE(done) << "waited for '" << beginning << "', heard " << theirs_->heard();
    if (done) theirs_->take(beginning);
    return done;
  }
  bool seen(EventKind kind, std::size_t count = 1) {
    const bool done = ours_.run_until([&] { return ours_.count(kind) >= count; });
    EXPECT_TRUE(done) << "event " << static_cast<int>(kind) << ", heard " << theirs_->heard();
    return done;
  }

  void start_theirs() { theirs_.emplace(their_port_, GetParam()); }

  // We send the INIT.
  void connect() {
    start_theirs();
    theirs_->order("listen");
    ASSERT_TRUE(heard("ready"));
    ours_.set_remote(their_address_);
    association().connect(ours_.now());
    ASSERT_TRUE(seen(EventKind::kConnected));
    ASSERT_TRUE(heard("up"));
  }
  // They do.
  void accept() {
    start_theirs();
    theirs_->order("connect " + std::to_string(ours_.port()));
    ASSERT_TRUE(seen(EventKind::kConnected));
    ASSERT_TRUE(heard("up"));
  }

  void send(std::uint16_t stream, std::size_t bytes, const sctp::SendOptions& how = {}) {
    const Bytes payload = payload_of(bytes);
    ASSERT_TRUE(ours_.run_until([&] {
      return association().send(ours_.now(), StreamId(stream), sctp::kPpidBinary, payload, how) ==
             SendStatus::kOk;
    }));
  }

  // "MESSAGES BYTES DAMAGED" as they have counted.
  std::string count() {
    theirs_->order("count");
    EXPECT_TRUE(ours_.run_until([&] { return theirs_->has_said("count"); }));
    return theirs_->take("count").substr(6);
  }
  void await_count(const std::string& wanted) {
    std::string last;
    EXPECT_TRUE(ours_.run_until([&] { return (last = count()) == wanted; })) << last;
  }

  const std::uint16_t their_port_ = UsrsctpProcess::free_port();
  const Address their_address_{IpAddress::v4(127, 0, 0, 1), their_port_};
  UdpEndpoint ours_{options()};
  std::optional<UsrsctpProcess> theirs_;
};

TEST_P(Usrsctp, TakesOurInitAndOurStreamsAreTheMinimumOfBoth) {
  connect();
  EXPECT_EQ(ours_.last(EventKind::kConnected)->event.outgoing_streams, 32);
  EXPECT_EQ(ours_.last(EventKind::kConnected)->event.incoming_streams, 32);
}

TEST_P(Usrsctp, SendsAnInitThatWeAnswer) {
  accept();
  EXPECT_EQ(ours_.last(EventKind::kConnected)->event.outgoing_streams, 32);
}

TEST_P(Usrsctp, BothSendInitAtOnce) {
  start_theirs();
  ours_.set_remote(their_address_);
  theirs_->order("connect " + std::to_string(ours_.port()));
  association().connect(ours_.now());
  EXPECT_TRUE(seen(EventKind::kConnected));
  EXPECT_TRUE(heard("up"));
  send(1, 1000);
  await_count("1 1000 0");
}

// Sizes from one byte to many packets, each way, with and without loss.
class UsrsctpEcho : public Usrsctp {
 protected:
  void echo(double loss) {
    connect();
    theirs_->order("echo");
    ASSERT_TRUE(heard("echoing"));
    ours_.loss = loss;
    std::multiset<std::size_t> missing;
    std::map<std::uint16_t, std::size_t> last;
    ours_.on_message = [&](const sctp::Event& event) {
      const Bytes bytes = bytes_of(event.message);
      EXPECT_EQ(bytes, payload_of(bytes.size()));
      EXPECT_TRUE(missing.contains(bytes.size()));
      missing.erase(missing.find(bytes.size()));
      if (!event.message.unordered) {
        // Sizes of one stream ascend.
        EXPECT_GT(bytes.size(), last[event.stream.value()]);
        last[event.stream.value()] = bytes.size();
      }
    };
    std::size_t bytes = 1;
    for (int i = 0; i < 240; ++i, bytes += 1 + bytes / 23) {
      missing.insert(bytes);
      send(static_cast<std::uint16_t>(i % 8), bytes, {.unordered = i % 8 >= 4});
      ours_.flush();
    }
    EXPECT_TRUE(ours_.run_until([&] { return missing.empty(); }, seconds(60))) << missing.size();
  }
};

TEST_P(UsrsctpEcho, EchoesEveryMessageOrderedAndUnordered) { echo(0); }

TEST_P(UsrsctpEcho, EchoesEveryMessageThroughLoss) { echo(0.03); }

// RFC 3758: what is given up is passed, what is not arrives, in both directions.
TEST_P(Usrsctp, GivesMessagesUpAsPartialReliabilityAllows) {
  connect();
  ours_.loss = 0.2;
  const auto received = [&] { return ours_.count(EventKind::kMessage); };
  for (int i = 0; i < 200; ++i) {
    send(1, 500, {.max_retransmits = 0});
    send(2, 3000, {.unordered = true, .max_retransmits = 0});
    ours_.flush();
  }
  theirs_->order("send 3 500 200 ordered:rtx:0");
  ASSERT_TRUE(heard("sent"));
  // A peer that waits for its first SACK sends most when all this is over.
  ASSERT_TRUE(ours_.run_until([&] { return ours_.data_packets_lost >= 5; }));
  ours_.run_until([] { return false; }, seconds(1));
  ours_.loss = 0;
  send(1, 77);
  theirs_->order("send 3 78 1 ordered");
  // The last of each stream comes, though not all before it did.
  EXPECT_TRUE(ours_.run_until([&] {
    const auto* const last = ours_.last(EventKind::kMessage);
    return last != nullptr && last->payload.size() == 78;
  })) << received();
  EXPECT_LT(received(), 201u);
  EXPECT_TRUE(ours_.run_until([&] { return association().sender().all_acknowledged(); }));
  const std::string counted = count();
  EXPECT_LT(std::stoi(counted), 401) << counted;
  EXPECT_GT(std::stoi(counted), 100) << counted;
  EXPECT_EQ(counted.substr(counted.rfind(' ')), " 0");
}

TEST_P(Usrsctp, CarriesLargeMessagesBothWays) {
  connect();
  send(1, std::size_t{4} << 20);
  await_count("1 4194304 0");
  theirs_->order("send 1 2097152 1 ordered");
  ASSERT_TRUE(seen(EventKind::kMessage));
  EXPECT_EQ(ours_.last(EventKind::kMessage)->payload, payload_of(2097152));
}

// RFC 6525 §5.1.2, §5.2.2
TEST_P(Usrsctp, ResetsStreamsBothWays) {
  connect();
  for (int life = 0; life < 3; ++life) {
    send(4, 100);
    const StreamId stream(4);
    association().reset_streams(ours_.now(), std::span(&stream, 1));
    ASSERT_TRUE(seen(EventKind::kStreamResetDone, static_cast<std::size_t>(life) + 1));
    EXPECT_TRUE(heard("reset in"));
  }
  await_count("3 300 0");
  theirs_->order("send 5 100 1 ordered");
  ASSERT_TRUE(heard("sent"));
  ASSERT_TRUE(seen(EventKind::kMessage));
  theirs_->order("reset 5");
  ASSERT_TRUE(seen(EventKind::kIncomingStreamReset));
  EXPECT_EQ(ours_.last(EventKind::kIncomingStreamReset)->streams, std::vector{StreamId(5)});
  EXPECT_TRUE(heard("reset out"));
  theirs_->order("send 5 100 1 ordered");
  EXPECT_TRUE(seen(EventKind::kMessage, 2));
}

// RFC 6525 §5.1.5, §5.2.5
TEST_P(Usrsctp, AddsStreamsBothWays) {
  connect();
  association().add_streams(3, 0);
  ASSERT_TRUE(seen(EventKind::kStreamsAdded));
  EXPECT_EQ(ours_.last(EventKind::kStreamsAdded)->event.outgoing_streams, 35);
  send(34, 10);
  await_count("1 10 0");
  theirs_->order("add 2 0");
  ASSERT_TRUE(seen(EventKind::kStreamsAdded, 2));
  EXPECT_EQ(ours_.last(EventKind::kStreamsAdded)->event.incoming_streams, 34);
  // They have the streams when our answer has reached them, not when we have given it.
  ASSERT_TRUE(heard("streams 34"));
  theirs_->order("send 33 10 1 ordered");
  ASSERT_TRUE(heard("sent"));
  EXPECT_TRUE(seen(EventKind::kMessage));
}

// RFC 9260 §5.2.4 (A): an end that has lost its state.
TEST_P(Usrsctp, HearsThatWeHaveBegunAnew) {
  connect();
  send(1, 10);
  await_count("1 10 0");
  ours_.begin_anew();
  association().connect(ours_.now());
  ASSERT_TRUE(seen(EventKind::kConnected, 2));
  EXPECT_TRUE(heard("restart"));
  send(1, 10);
  await_count("2 20 0");
}

TEST_P(Usrsctp, BeginsAnewAndIsHeard) {
  accept();
  theirs_->kill();
  start_theirs();
  theirs_->order("connect " + std::to_string(ours_.port()));
  ASSERT_TRUE(seen(EventKind::kRestarted));
  ASSERT_TRUE(heard("up"));
  send(1, 10);
  await_count("1 10 0");
}

// RFC 9260 §9.1
TEST_P(Usrsctp, HearsOurAbort) {
  connect();
  association().abort(ours_.now(), "enough");
  EXPECT_TRUE(heard("lost"));
}

TEST_P(Usrsctp, AbortsAndIsHeard) {
  accept();
  theirs_->order("abort");
  ASSERT_TRUE(seen(EventKind::kClosed));
  EXPECT_EQ(ours_.last(EventKind::kClosed)->event.close_reason, sctp::CloseReason::kPeerAborted);
}

// RFC 9260 §9.2: after all that was sent has arrived.
TEST_P(Usrsctp, ShutsDownWithUsInOrder) {
  connect();
  send(1, 100'000);
  association().shutdown(ours_.now());
  ASSERT_TRUE(seen(EventKind::kClosed));
  EXPECT_EQ(ours_.last(EventKind::kClosed)->event.close_reason, sctp::CloseReason::kShutdown);
  await_count("1 100000 0");
}

TEST_P(Usrsctp, ShutsDownAndWeFollow) {
  accept();
  theirs_->order("send 1 100000 1 ordered");
  ASSERT_TRUE(heard("sent"));
  theirs_->order("shutdown");
  ASSERT_TRUE(seen(EventKind::kClosed));
  EXPECT_EQ(ours_.last(EventKind::kClosed)->event.close_reason, sctp::CloseReason::kPeerShutdown);
  EXPECT_EQ(ours_.last(EventKind::kMessage)->payload, payload_of(100'000));
}

// RFC 9260 §8.1: one that has gone without a word is given up.
TEST_P(Usrsctp, IsGivenUpWhenItHasGone) {
  sctp::Options impatient = options();
  impatient.max_retransmits = 3;
  impatient.rto_max = milliseconds(100);
  UdpEndpoint endpoint(impatient);
  start_theirs();
  theirs_->order("connect " + std::to_string(endpoint.port()));
  ASSERT_TRUE(endpoint.run_until([&] { return endpoint.count(EventKind::kConnected) == 1; }));
  theirs_->kill();
  ASSERT_EQ(endpoint.association().send(endpoint.now(), StreamId(1), sctp::kPpidBinary, Bytes{1}),
            SendStatus::kOk);
  ASSERT_TRUE(endpoint.run_until([&] { return endpoint.count(EventKind::kClosed) == 1; }));
  EXPECT_EQ(endpoint.last(EventKind::kClosed)->event.close_reason,
            sctp::CloseReason::kTooManyRetransmits);
}

std::string kind_of_chunk(const ::testing::TestParamInfo<bool>& info) {
  return info.param ? "IData" : "Data";
}
INSTANTIATE_TEST_SUITE_P(Chunks, Usrsctp, ::testing::Bool(), kind_of_chunk);
INSTANTIATE_TEST_SUITE_P(Chunks, UsrsctpEcho, ::testing::Bool(), kind_of_chunk);

}  // namespace
}  // namespace millrace::test
