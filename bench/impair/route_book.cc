// SPDX-License-Identifier: Apache-2.0
#include "bench/impair/route_book.h"

#include "engine/ice/stun_message.h"
#include "engine/sdp/candidate_attribute.h"

namespace millrace::impair {
namespace {

constexpr std::string_view kCandidate = "a=candidate:";
constexpr std::string_view kUfrag = "a=ice-ufrag:";

// Calls `visit` with each line, its end included.
template <class Visitor>
void for_each_line(std::string_view text, Visitor&& visit) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::size_t length = end == std::string_view::npos ? text.size() : end + 1;
    visit(text.substr(0, length));
    text.remove_prefix(length);
  }
}

std::string_view trimmed(std::string_view line) {
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  return line;
}

int preference(const Address& candidate, const Address& proxy) {
  if (candidate.ip.family != proxy.ip.family) return 0;
  if (candidate.ip == proxy.ip) return 3;
  return candidate.ip.is_loopback() == proxy.ip.is_loopback() ? 2 : 1;
}

}  // namespace

void RouteBook::add(const std::string& server_ufrag, const Address& server) {
  const std::lock_guard lock(mutex_);
  if (routes_.insert_or_assign(server_ufrag, server).second) ages_.push_back(server_ufrag);
  if (ages_.size() <= kMaxRoutes) return;
  routes_.erase(ages_.front());
  ages_.pop_front();
}

std::optional<Address> RouteBook::route(ByteSpan datagram) const {
  if (server_) return server_;
  const auto check = ice::StunMessageView::parse(datagram);
  if (!check || !check->is_binding(ice::StunClass::kRequest)) return std::nullopt;
  const std::lock_guard lock(mutex_);
  const auto found = routes_.find(std::string(ice::local_ufrag_of(*check)));
  if (found == routes_.end()) return std::nullopt;
  return found->second;
}

std::string without_candidates(std::string_view offer) {
  std::string out;
  for_each_line(offer, [&](std::string_view line) {
    if (!line.starts_with(kCandidate)) out += line;
  });
  return out;
}

RewrittenAnswer rewrite_answer(std::string_view answer, const Address& proxy) {
  RewrittenAnswer out;
  int best = -1;
  bool told = false;
  for_each_line(answer, [&](std::string_view line) {
    if (line.starts_with(kUfrag) && out.server_ufrag.empty()) {
      out.server_ufrag = trimmed(line).substr(kUfrag.size());
    }
    if (!line.starts_with(kCandidate)) {
      out.sdp += line;
      return;
    }
    const auto parsed = sdp::parse_candidate(trimmed(line).substr(2));
    if (parsed.use == sdp::CandidateUse::kUsable &&
        preference(parsed.candidate.address, proxy) > best) {
      best = preference(parsed.candidate.address, proxy);
      out.server = parsed.candidate.address;
    }
    if (told) return;
    told = true;
    out.sdp += "a=" + sdp::format_candidate(ice::make_host_candidate(proxy, 0)) + "\r\n";
  });
  return out;
}

}  // namespace millrace::impair
