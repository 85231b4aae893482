// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "engine/base/address.h"
#include "engine/base/bytes.h"

namespace millrace::impair {

// RouteBook says where a client's datagrams go: to one server for all, or to the address
// that the answer of its session named, found by the server's ICE user-name fragment in
// the client's first check. Signalling writes it, the proxy reads it; any thread.
class RouteBook {
 public:
  static constexpr std::size_t kMaxRoutes = 1u << 16;  // The oldest is forgotten.

  explicit RouteBook(std::optional<Address> server) : server_(server) {}

  void add(const std::string& server_ufrag, const Address& server);
  // Where the sender of `datagram` wants to; nothing when that is not known.
  std::optional<Address> route(ByteSpan datagram) const;
  // True when routes come from signalling, so that a check may move a flow.
  bool learns() const { return !server_; }

 private:
  const std::optional<Address> server_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Address> routes_;
  std::deque<std::string> ages_;
};

// without_candidates removes every a=candidate line of an offer, so that the server can
// learn no path but the one that checks come by.
std::string without_candidates(std::string_view offer);

// RewrittenAnswer is an answer whose only candidate is the proxy.
struct RewrittenAnswer {
  std::string sdp;
  std::string server_ufrag;
  std::optional<Address> server;  // The best of the candidates that were replaced.
};
// Candidates of the family of `proxy` are preferred, and loopback among them when the
// proxy is on loopback.
RewrittenAnswer rewrite_answer(std::string_view answer, const Address& proxy);

}  // namespace millrace::impair
