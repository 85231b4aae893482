// SPDX-License-Identifier: Apache-2.0
//
// Datagrams that nobody asked for, at engines with an established session, which goes on.
#include <algorithm>
#include <deque>

#include "crypto/mac.h"
#include "engine/base/rng.h"
#include "engine/engine_test_support.h"
#include "engine/ice/stun_writer.h"
#include "engine/simulation_impl.h"
#include "io/sim_datapath.h"

namespace millrace {
namespace {

using test::SimPair;
using Bytes = std::vector<std::uint8_t>;

const Address kServer = *Address::parse("10.0.1.1:5000");

std::string attribute(const std::string& sdp, const std::string& name) {
  const std::size_t at = sdp.find("a=" + name + ":");
  if (at == std::string::npos) return {};
  const std::size_t begin = at + name.size() + 3;
  return sdp.substr(begin, sdp.find_first_of("\r\n", begin) - begin);
}

// Attacker is a host at 10.6.6.6 on a pair's network. Between the two it relays, and keeps
// what it saw.
class Attacker {
 public:
  explicit Attacker(SimPair& pair)
      : pair_(pair),
        network_(static_cast<engine::SimulationImpl&>(*pair.simulation).network()),
        host_(network_, {*IpAddress::parse("10.6.6.6")}) {
    outside_ = host_.open_socket(*Address::parse("10.6.6.6:666"), {}).value();
    inside_ = host_.open_socket(*Address::parse("10.6.6.6:777"), {}).value();
    host_.start();
  }

  void send(io::SocketId from, const Address& to, ByteSpan bytes) {
    io::TxRun run = host_.reserve({from, to, {}}, bytes.size(), 1);
    if (run.empty()) return;
    std::copy(bytes.begin(), bytes.end(), run.next().begin());
    run.push(bytes.size());
    host_.commit(run);
    host_.flush();
  }
  void attack(ByteSpan bytes) { send(outside_, kServer, bytes); }

  // Hands on what came, unless it is `cut`: from the client to the server, and back.
  void relay() {
    std::array<io::RxView, 64> views;
    while (const std::size_t n = host_.rx_burst(views)) {
      for (const io::RxView& view : std::span(views).first(n)) {
        const Bytes bytes(view.data, view.data + view.length);
        const bool from_client = view.buffer->socket == inside_;
        if (from_client) client_ = view.buffer->source;
        seen.push_back({bytes, from_client});
        if (cut) continue;
        if (from_client) {
          send(outside_, kServer, bytes);
        } else if (client_.port != 0) {
          send(inside_, client_, bytes);
        }
      }
      host_.rx_done();
    }
    if (seen.size() > 5000) seen.erase(seen.begin(), seen.begin() + 2500);
  }
  bool run(const std::function<bool()>& done, Duration limit = seconds(60)) {
    return pair_.run(
        [&] {
          relay();
          return done();
        },
        limit);
  }
  // Sends one datagram again, to where it went or to the other end.
  void replay(const Bytes& bytes, bool to_server) {
    if (to_server) {
      send(outside_, kServer, bytes);
    } else {
      send(inside_, client_, bytes);
    }
  }

  // Sends one datagram in the name of `source`, which goes on hearing what is for it.
  void attack_as(const Address& source, ByteSpan bytes) {
    const Address own = *Address::parse("10.6.6.6:777");
    network_.map_address(own, source);
    send(inside_, kServer, bytes);
    pair_.pass(milliseconds(5));
    network_.unmap_address(own);
  }

  // Makes what is sent from `outside_` seem to come from `source`.
  void forge(const Address& source) {
    network_.map_address(*Address::parse("10.6.6.6:666"), source);
  }

  struct Seen {
    Bytes bytes;
    bool from_client;
  };
  std::vector<Seen> seen;
  bool cut = false;

 private:
  SimPair& pair_;
  io::SimNetwork& network_;
  io::SimDatapath host_;
  io::SocketId outside_{};
  io::SocketId inside_{};
  Address client_{};
};

// Leads the client through the attacker.
void detour(std::string& answer) {
  const std::string direct = "10.0.1.1 5000 typ";
  const std::size_t at = answer.find(direct);
  ASSERT_NE(at, std::string::npos);
  answer.replace(at, direct.size(), "10.6.6.6 777 typ");
}

Bytes random_datagram(Rng& rng, std::size_t at_most = 1400) {
  Bytes bytes(1 + rng.below(at_most));
  rng.fill(bytes);
  // Every protocol its share.
  constexpr std::array<std::uint8_t, 6> kFirst = {0, 1, 20, 22, 23, 21};
  if (rng.below(4) != 0) bytes[0] = kFirst[rng.below(kFirst.size())];
  return bytes;
}

// What a peer of these descriptions sends first from a new address.
Bytes nominating_check(const std::string& offer, const std::string& answer,
                       std::uint32_t transaction = 0) {
  const crypto::BoringMac mac;
  const std::string ufrag = attribute(answer, "ice-ufrag");
  const std::string their_ufrag = attribute(offer, "ice-ufrag");
  ice::BindingRequest request{.remote_ufrag = ufrag,
                              .local_ufrag = their_ufrag,
                              .priority = 1,
                              .controlling = true,
                              .use_candidate = true};
  store_be32(&request.id[0], transaction);
  Bytes check(ice::kMaxStunBytes);
  check.resize(ice::build_binding_request(request, attribute(answer, "ice-pwd"), mac, check));
  return check;
}

void echo(SimPair& pair) {
  pair.at_server->message = [](Channel channel, const MessageView& message) {
    EXPECT_EQ(channel.send(message.pieces, message.kind), SendStatus::kOk);
  };
}

TEST(Hostile, RandomDatagramsAreCountedAndTheSessionGoesOn) {
  SimPair pair;
  echo(pair);
  Channel channel = pair.open();
  Attacker attacker(pair);
  SeededRng rng(1);
  for (int i = 0; i < 20'000; ++i) {
    attacker.attack(random_datagram(rng));
    if (i % 100 != 0) continue;
    ASSERT_EQ(channel.send("still here"), SendStatus::kOk);
    pair.pass(milliseconds(1));
  }
  ASSERT_TRUE(pair.run([&] { return pair.at_client->messages == 200; }));
  pair.pass(milliseconds(300));
  EXPECT_GT(test::drops(*pair.server, "shard.unknown_source"), 5000u);
  EXPECT_GT(test::drops(*pair.server, "shard.malformed_stun"), 1000u);
  EXPECT_GT(test::drops(*pair.server, "shard.unknown_first_byte"), 1000u);
  EXPECT_TRUE(pair.at_server->closed.empty());
}

TEST(Hostile, ForgedSourcesDoNoMoreThanUnknownOnes) {
  SimPair pair;
  echo(pair);
  Channel channel = pair.open({.label = "x"});
  Attacker attacker(pair);
  // The client's own address, as the server knows it: every ephemeral port is tried.
  SeededRng rng(2);
  for (int i = 0; i < 5'000; ++i) {
    if (i % 50 == 0) {
      attacker.forge(
          Address{*IpAddress::parse("10.0.0.1"), static_cast<std::uint16_t>(49152 + i / 50)});
      ASSERT_EQ(channel.send("still here"), SendStatus::kOk);
      pair.pass(milliseconds(1));
    }
    attacker.attack(random_datagram(rng));
  }
  ASSERT_TRUE(pair.run([&] { return pair.at_client->messages == 100; }));
  EXPECT_TRUE(pair.at_server->closed.empty());
}

TEST(Hostile, ReplayedAndDamagedDatagramsOfTheSessionItself) {
  SimPair pair;
  echo(pair);
  Attacker attacker(pair);
  pair.dial(detour);
  ASSERT_TRUE(attacker.run([&] { return !pair.at_client->opened.empty(); }));
  auto opened = pair.at_client->context.open_channel(pair.at_client->opened[0], {});
  ASSERT_TRUE(opened.ok());
  Channel channel = opened.value();
  ASSERT_TRUE(attacker.run([&] { return channel.open(); }));

  SeededRng rng(3);
  for (int round = 1; round <= 300; ++round) {
    ASSERT_EQ(channel.send(std::string(2000, 'x')), SendStatus::kOk);
    ASSERT_TRUE(attacker.run([&] { return pair.at_client->messages == round; }, seconds(20)))
        << "round " << round;
    for (int i = 0; i < 40; ++i) {
      const Attacker::Seen old = attacker.seen[rng.below(attacker.seen.size())];
      Bytes bytes = old.bytes;
      // As it was, cut short, one bit flipped, or two in one datagram.
      const std::uint64_t kind = rng.below(4);
      if (kind == 1) bytes.resize(1 + rng.below(bytes.size()));
      if (kind == 2)
        bytes[rng.below(bytes.size())] ^= static_cast<std::uint8_t>(1 + rng.below(255));
      if (kind == 3) bytes.insert(bytes.end(), old.bytes.begin(), old.bytes.end());
      attacker.replay(bytes, rng.below(2) == 0 ? old.from_client : !old.from_client);
    }
  }
  attacker.run([] { return false; }, milliseconds(300));
  EXPECT_GT(test::drops(*pair.server, "dtls.replayed"), 500u);
  EXPECT_GT(test::drops(*pair.server, "dtls.unauthentic"), 10u);
  EXPECT_EQ(pair.at_server->messages, 300);
  EXPECT_TRUE(pair.at_server->closed.empty());
  EXPECT_TRUE(pair.at_client->closed.empty());
}

// A flood of checks that name the session: neither its address nor its life changes.
TEST(Hostile, ChecksWithAWrongPasswordAuthenticateNothing) {
  SimPair pair;
  echo(pair);
  std::string ufrag;
  std::string their_ufrag;
  pair.dial([&](std::string& answer) { ufrag = attribute(answer, "ice-ufrag"); },
            [&](std::string& offer) { their_ufrag = attribute(offer, "ice-ufrag"); });
  ASSERT_TRUE(pair.run([&] { return !pair.at_client->opened.empty(); }));
  Attacker attacker(pair);
  const crypto::BoringMac mac;
  Bytes check(ice::kMaxStunBytes);
  for (std::uint32_t i = 0; i < 5'000; ++i) {
    ice::BindingRequest request{
        .remote_ufrag = ufrag, .local_ufrag = their_ufrag, .priority = 1, .use_candidate = true};
    store_be32(&request.id[0], i);
    const std::size_t n =
        ice::build_binding_request(request, "a password that is a guess", mac, check);
    ASSERT_GT(n, 0u);
    attacker.attack(ByteSpan(check).first(n));
    // And a ClientHello's first bytes right behind, as if the path were good.
    attacker.attack(Bytes{22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1});
    if (i % 50 == 0) pair.pass(milliseconds(1));
  }
  pair.pass(milliseconds(300));
  EXPECT_GT(test::drops(*pair.server, "shard.refused_check"), 2000u);
  EXPECT_GT(test::drops(*pair.server, "shard.unknown_source"), 2000u);
  auto opened = pair.at_client->context.open_channel(pair.at_client->opened[0], {});
  ASSERT_TRUE(opened.ok());
  ASSERT_TRUE(pair.run([&] { return opened.value().open(); }));
  ASSERT_EQ(opened.value().send("still here"), SendStatus::kOk);
  EXPECT_TRUE(pair.run([&] { return pair.at_client->messages == 1; }));
}

// The client's STUN messages, as whoever watches the path has them.
std::vector<Bytes> checks_of_client(const Attacker& attacker) {
  std::vector<Bytes> checks;
  for (const Attacker::Seen& seen : attacker.seen) {
    if (seen.from_client && seen.bytes[0] == 0) checks.push_back(seen.bytes);
  }
  return checks;
}

// A dialler's first check may be the nomination (decision 0015), which whoever saw it sends again.
TEST(Hostile, AReplayedNominationMovesNothing) {
  SimPair pair;
  echo(pair);
  Attacker attacker(pair);
  pair.dial(detour);
  ASSERT_TRUE(attacker.run([&] { return !pair.at_client->opened.empty(); }));
  Channel channel = pair.at_client->context.open_channel(pair.at_client->opened[0], {}).value();
  ASSERT_TRUE(attacker.run([&] { return channel.open(); }));
  const std::vector<Bytes> checks = checks_of_client(attacker);
  ASSERT_FALSE(checks.empty());
  for (const Bytes& check : checks) attacker.attack_as(*Address::parse("10.7.7.7:77"), check);
  ASSERT_EQ(channel.send("still here"), SendStatus::kOk);
  EXPECT_TRUE(attacker.run([&] { return pair.at_client->messages == 1; }, seconds(1)));
  attacker.run([] { return false; }, milliseconds(300));
  EXPECT_EQ(test::drops(*pair.server, "shard.refused_check"), checks.size());
}

// However many checks have come since.
TEST(Hostile, ANominationReplayedMinutesLaterMovesNothing) {
  SimPair pair;
  echo(pair);
  Attacker attacker(pair);
  pair.dial(detour);
  ASSERT_TRUE(attacker.run([&] { return !pair.at_client->opened.empty(); }));
  Channel channel = pair.at_client->context.open_channel(pair.at_client->opened[0], {}).value();
  ASSERT_TRUE(attacker.run([&] { return channel.open(); }));
  attacker.run([] { return false; }, seconds(300));
  const std::vector<Bytes> checks = checks_of_client(attacker);
  ASSERT_GT(checks.size(), 40u);
  for (int i = 0; i < 2; ++i) {
    attacker.attack_as(*Address::parse("10.7.7.7:77"), checks[static_cast<std::size_t>(i)]);
  }
  ASSERT_EQ(channel.send("still here"), SendStatus::kOk);
  EXPECT_TRUE(attacker.run([&] { return pair.at_client->messages == 1; }, milliseconds(100)));
  attacker.run([] { return false; }, milliseconds(300));
  EXPECT_EQ(test::drops(*pair.server, "shard.refused_check"), 2u);
}

// What is remembered has an end, and whoever knows the password can write checks of his own: these
// draw nothing away from a peer who is heard where he was.
TEST(Hostile, NominationsFromElsewhereDrawNothingAwayFromAPeerThatIsHeard) {
  SimPair pair;
  echo(pair);
  std::string answer;
  std::string offer;
  pair.dial([&](std::string& sdp) { answer = sdp; }, [&](std::string& sdp) { offer = sdp; });
  ASSERT_TRUE(pair.run([&] { return !pair.at_client->opened.empty(); }));
  Channel channel = pair.at_client->context.open_channel(pair.at_client->opened[0], {}).value();
  ASSERT_TRUE(pair.run([&] { return !pair.at_server->channels.empty(); }));
  Attacker attacker(pair);
  std::uint32_t transaction = 0;
  for (int round = 1; round <= 100; ++round) {
    attacker.attack(nominating_check(offer, answer, ++transaction));
    attacker.attack(nominating_check(offer, answer, ++transaction));
    ASSERT_EQ(channel.send("still here"), SendStatus::kOk);
    ASSERT_TRUE(attacker.run([&] { return pair.at_client->messages == round; }, milliseconds(20)))
        << "round " << round;
    attacker.run([] { return false; }, milliseconds(50));
  }
  EXPECT_EQ(attacker.seen.size(), 200u) << "the answers to the checks";
  for (const Attacker::Seen& seen : attacker.seen) EXPECT_EQ(seen.bytes[0], 1);
}

// A peer that moves has its new path nominated, and no DTLS from there yet: what comes from the
// old one in its name, and does not open, takes nothing back.
TEST(Hostile, OnlyARecordThatOpensTellsWhereThePeerIs) {
  SimPair pair;
  std::string answer;
  std::string offer;
  pair.dial([&](std::string& sdp) { answer = sdp; }, [&](std::string& sdp) { offer = sdp; });
  ASSERT_TRUE(pair.run([&] { return !pair.at_client->opened.empty(); }));
  Channel channel = pair.at_client->context.open_channel(pair.at_client->opened[0], {}).value();
  ASSERT_TRUE(pair.run([&] { return !pair.at_server->channels.empty(); }));
  Channel back = pair.at_server->channels[0];
  pair.pass(seconds(2));  // Nothing is under way.

  Attacker attacker(pair);
  attacker.attack(nominating_check(offer, answer));
  const std::string candidate = "10.0.0.1 ";
  const std::string port = offer.substr(offer.find(candidate) + candidate.size());
  const Address client{*IpAddress::parse("10.0.0.1"), static_cast<std::uint16_t>(std::stoul(port))};
  pair.pass(milliseconds(5));
  const auto heard = [&] {
    attacker.relay();
    return std::count_if(attacker.seen.begin(), attacker.seen.end(),
                         [](const Attacker::Seen& seen) { return seen.bytes[0] == 23; });
  };
  ASSERT_EQ(heard(), 0);
  ASSERT_EQ(attacker.seen.size(), 1u);
  ASSERT_EQ(load_be16(&attacker.seen[0].bytes[0]), 0x0101) << "the check is taken";
  Bytes record(60, 0x5A);
  const Bytes header{23, 254, 253, 0, 1, 0, 0, 0, 1, 0, 0, 0, 47};
  std::copy(header.begin(), header.end(), record.begin());
  attacker.attack_as(client, record);
  ASSERT_EQ(back.send("to where you are"), SendStatus::kOk);
  pair.pass(milliseconds(5));
  EXPECT_GT(heard(), 0);
  EXPECT_EQ(pair.at_client->messages, 0);

  pair.pass(milliseconds(300));
  EXPECT_EQ(test::drops(*pair.server, "dtls.unauthentic"), 1u);
  // The peer itself is followed.
  ASSERT_EQ(channel.send("here"), SendStatus::kOk);
  EXPECT_TRUE(pair.run([&] { return pair.at_client->messages == 1; }, seconds(2)));
}

// Dials with the client's packets on their way through the attacker; both descriptions, as they
// were before that, are there once they have been exchanged.
void dial_by_detour(SimPair& pair, std::string& offer, std::string& answer) {
  pair.dial(
      [&answer](std::string& sdp) {
        answer = sdp;
        detour(sdp);
      },
      [&offer](std::string& sdp) { offer = sdp; });
}

// What a peer that moves had under way on its old path may come after the new one's nomination.
TEST(Hostile, ALateRecordDrawsNothingBackToAPathThatThePeerHasLeft) {
  SimPair pair;
  Attacker attacker(pair);
  std::string answer;
  std::string offer;
  dial_by_detour(pair, offer, answer);
  ASSERT_TRUE(attacker.run([&] { return !pair.at_client->opened.empty(); }));
  Channel channel = pair.at_client->context.open_channel(pair.at_client->opened[0], {}).value();
  ASSERT_TRUE(attacker.run([&] { return !pair.at_server->channels.empty(); }));
  attacker.run([] { return false; }, seconds(2));  // Nothing is under way.

  attacker.cut = true;
  attacker.seen.clear();
  ASSERT_EQ(channel.send("late"), SendStatus::kOk);
  attacker.run([] { return false; }, milliseconds(5));
  ASSERT_EQ(attacker.seen.size(), 1u);
  const Bytes late = attacker.seen[0].bytes;
  ASSERT_EQ(late[0], 23);
  attacker.attack_as(*Address::parse("10.7.7.7:77"), nominating_check(offer, answer));
  attacker.replay(late, true);
  ASSERT_TRUE(attacker.run([&] { return pair.at_server->messages == 1; }));
  ASSERT_EQ(pair.at_server->channels[0].send("to where you are"), SendStatus::kOk);
  attacker.run([] { return false; }, milliseconds(400));
  for (const Attacker::Seen& seen : attacker.seen) {
    EXPECT_TRUE(seen.from_client) << "first byte " << int{seen.bytes[0]};
  }
}

// A nominated path that leads nowhere (RFC 5245 §8.1.1.2), and somebody who knows of it: DTLS goes
// on where the peer's comes from.
TEST(Hostile, AForgedHandshakeProvesNoPath) {
  SimPair pair;
  Attacker attacker(pair);
  std::string answer;
  std::string offer;
  dial_by_detour(pair, offer, answer);
  ASSERT_TRUE(attacker.run([&] {
    return std::any_of(attacker.seen.begin(), attacker.seen.end(), [](const Attacker::Seen& seen) {
      return !seen.from_client && seen.bytes[0] == 22;
    });
  }));
  const Address nowhere = *Address::parse("10.7.7.7:77");
  attacker.attack_as(nowhere, nominating_check(offer, answer));
  // A piece of a message from far ahead, which the handshake itself does not mind.
  Bytes forged(13 + 13);
  const Bytes header{22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, 13, 11, 0, 1, 0, 15, 255};
  std::copy(header.begin(), header.end(), forged.begin());
  forged[24] = 1;  // Of 256 bytes the first.
  attacker.attack_as(nowhere, forged);
  // Well before the client's next consent check, which nominates anew.
  EXPECT_TRUE(attacker.run(
      [&] { return !pair.at_client->opened.empty() && !pair.at_server->opened.empty(); },
      seconds(2)));
  EXPECT_TRUE(pair.at_server->closed.empty() && pair.at_client->closed.empty());
}

// Garbage from the very path that ICE has authenticated, in the middle of the handshake.
TEST(Hostile, HandshakesUnderFireReachTheHandlerWholeOrNotAtAll) {
  int opened = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    SimPair pair;
    Attacker attacker(pair);
    SeededRng rng(seed);
    pair.dial(detour);
    attacker.run(
        [&] {
          if (!attacker.seen.empty()) {
            const Attacker::Seen old = attacker.seen[rng.below(attacker.seen.size())];
            attacker.replay(rng.below(2) == 0 ? random_datagram(rng) : old.bytes,
                            rng.below(2) == 0);
          }
          return !pair.at_client->opened.empty() || !pair.at_client->closed.empty();
        },
        seconds(40));
    opened += static_cast<int>(pair.at_client->opened.size());
    EXPECT_EQ(pair.at_client->messages + pair.at_server->messages, 0);
    EXPECT_LE(pair.at_server->opened.size(), 1u);
  }
  EXPECT_GT(opened, 0);
}

// A peer that begins anew from its old port is not locked out by the session it left.
TEST(Hostile, TheLatestAuthenticatedCheckDecidesWhoseAnAddressIs) {
  SimPair pair;
  Attacker attacker(pair);
  pair.dial(detour);
  ASSERT_TRUE(attacker.run([&] { return pair.at_server->opened.size() == 1; }));
  pair.client.reset();
  EngineOptions options;
  test::place_on(pair.simulation, options);
  options.max_sessions = 16;
  pair.client = test::make_engine(std::move(options), &pair.at_client);
  // Through the attacker again: to the server it is the same address.
  pair.dial(detour);
  EXPECT_TRUE(attacker.run([&] { return pair.at_server->opened.size() == 2; }, seconds(10)));
  EXPECT_TRUE(attacker.run([&] { return pair.at_server->closed.size() == 1; }, seconds(40)));
  EXPECT_EQ(pair.at_server->closed[0],
            std::pair(pair.at_server->opened[0], CloseReason::kConsentLost));
  // Nor does the old session's end take the address from the new one.
  auto channel = pair.at_client->context.open_channel(pair.at_client->opened.at(0), {});
  ASSERT_TRUE(channel.ok());
  ASSERT_EQ(attacker.run([&] { return channel.value().open(); }), true);
  ASSERT_EQ(channel.value().send("here"), SendStatus::kOk);
  EXPECT_TRUE(attacker.run([&] { return pair.at_server->messages == 1; }, seconds(10)));
}

TEST(Hostile, APlaceIsFreeAgainOnceItsSessionEnded) {
  EngineOptions options;
  options.max_sessions = 2;
  SimPair pair({.delay = microseconds(100)}, options);
  for (int round = 0; round < 6; ++round) {
    pair.dial();
    const auto heard = static_cast<std::size_t>(round) + 1;
    ASSERT_TRUE(pair.run([&] {
      return pair.at_server->opened.size() == heard && pair.at_client->opened.size() == heard;
    }));
    pair.at_client->context.close_session(pair.at_client->opened.back());
    ASSERT_TRUE(pair.run([&] {
      return pair.at_server->closed.size() == heard && pair.at_client->closed.size() == heard;
    }));
    pair.pass(milliseconds(200));
    EXPECT_EQ(pair.server->stats().shards[0].sessions, 0u);
  }
}

}  // namespace
}  // namespace millrace
