// SPDX-License-Identifier: Apache-2.0
//
// Feeds one datagram to everything that reads STUN: the view, a lite agent, a pending
// session and a controlling agent. Its Mac makes every digest zero, so that the fuzzer need
// not forge one.
#include <array>
#include <cstddef>
#include <cstdint>

#include "engine/base/check.h"
#include "engine/ice/ice_controlling_agent.h"
#include "engine/ice/ice_lite_agent.h"
#include "engine/ice/stun_writer.h"

namespace {

using namespace millrace;

class ZeroMac final : public Mac {
 public:
  Sha1Digest hmac_sha1(ByteSpan, ByteSpan, ByteSpan) const override { return {}; }
  Sha256Digest hmac_sha256(ByteSpan, ByteSpan, ByteSpan) const override { return {}; }
};

const ice::Credentials kLocal{"srvufrag", "serverpasswordserverpwd"};
const ice::Credentials kRemote{"cliufrag", "clientpasswordclientpwd"};

void drain(ice::IceControllingAgent& agent, Time now) {
  std::array<std::uint8_t, ice::kMaxStunBytes> out;
  ice::CandidatePair path;
  std::size_t datagrams = 0;
  while (agent.poll_datagram(now, path, out) != 0) CHECK(++datagrams < 64);
  ice::IceControllingAgent::Event event;
  while (agent.poll_event(event)) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteSpan datagram(data, size);
  const ZeroMac mac;
  const Time now{seconds(1)};
  ice::CandidatePair path{Address{IpAddress::v4(192, 0, 2, 1), 1000}, IpAddress::v4(10, 0, 0, 1)};
  std::array<std::uint8_t, ice::kMaxStunBytes> out;

  if (const auto message = ice::StunMessageView::parse(datagram)) {
    CHECK(local_ufrag_of(*message).size() <= message->username().size());
    ice::PendingSession pending(kLocal, "", now);
    pending.handle_check(now, *message, path, mac, out);
    ice::IceLiteAgent lite(now, pending, {});
    const ice::CheckAnswer answer = lite.handle_check(now, *message, path, mac, out);
    CHECK(answer.response_bytes <= out.size());
    CHECK(answer.response_bytes == 0 ||
          ice::StunMessageView::parse(std::span(out).first(answer.response_bytes)));
    CHECK(answer.verdict != ice::CheckVerdict::kAccepted || lite.is_authenticated(path));
  }

  SeededRng rng(1);
  ice::IceControllingAgent agent(now,
                                 {.local = kLocal,
                                  .remote = kRemote,
                                  .local_addresses = {path.local},
                                  .remote_candidates = {ice::make_host_candidate(path.remote, 0)}},
                                 {}, rng, mac);
  drain(agent, now);
  agent.handle_datagram(now, path, datagram);
  drain(agent, now);
  path.remote.port = 2000;
  agent.handle_datagram(now, path, datagram);
  drain(agent, now);
  const Time next = agent.next_timeout();
  if (next != kNever) agent.handle_timeout(next);
  return 0;
}
