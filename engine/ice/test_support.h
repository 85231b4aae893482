// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/time.h"
#include "engine/ice/candidate.h"
#include "engine/ice/credentials.h"
#include "engine/ice/stun_message.h"
#include "engine/ice/stun_writer.h"
#include "engine/ice/test_mac.h"

namespace millrace::ice {

inline const TestMac kTestMac{};
inline const Credentials kServer{"srvufrag", "serverpasswordserverpwd"};
inline const Credentials kClient{"cliufrag", "clientpasswordclientpwd"};
inline constexpr Time kStart{seconds(1000)};

inline Address address(const char* text) { return Address::parse(text).value(); }
inline IpAddress ip(const char* text) { return IpAddress::parse(text).value(); }
inline CandidatePair path(const char* remote, const char* local = "10.0.0.1") {
  return {address(remote), ip(local)};
}

inline TransactionId transaction(std::uint32_t n) {
  TransactionId id{};
  store_be32(&id[8], n);
  return id;
}

using Bytes = std::vector<std::uint8_t>;

// A check from the client to the server, as a controlling agent sends it.
struct CheckSpec {
  std::uint32_t transaction = 1;
  std::string receiver = kServer.ufrag;
  std::string sender = kClient.ufrag;
  std::string key = kServer.pwd;
  bool use_candidate = false;
  bool controlling = true;
  std::uint64_t tie_breaker = 7;
};

inline Bytes make_check(const CheckSpec& spec = {}) {
  Bytes out(kMaxStunBytes);
  const BindingRequest request{.id = transaction(spec.transaction),
                               .remote_ufrag = spec.receiver,
                               .local_ufrag = spec.sender,
                               .priority = 0x6E0001FF,
                               .tie_breaker = spec.tie_breaker,
                               .controlling = spec.controlling,
                               .use_candidate = spec.use_candidate};
  out.resize(build_binding_request(request, spec.key, kTestMac, out));
  return out;
}

inline StunMessageView view(const Bytes& bytes) { return StunMessageView::parse(bytes).value(); }

}  // namespace millrace::ice
