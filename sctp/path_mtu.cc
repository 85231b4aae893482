// SPDX-License-Identifier: Apache-2.0
#include "sctp/path_mtu.h"

#include <limits>

#include "engine/base/check.h"

namespace millrace::sctp {
namespace {

constexpr std::size_t kUdpHeader = 8;
constexpr std::size_t kDtlsRecord = 37;
constexpr std::size_t kIpv4Header = 20;
constexpr std::size_t kIpv6Header = 40;

constexpr std::uint16_t floored(std::size_t bytes) {
  return static_cast<std::uint16_t>(bytes & ~std::size_t{3});
}

constexpr std::uint16_t packet_in(std::size_t ip_mtu, std::size_t ip_header) {
  return floored(ip_mtu - ip_header - kUdpHeader - kDtlsRecord);
}

// RFC 8899 §5.3.2: sizes that paths have. Each is tried only when the one before it has
// passed, so that a search loses time, in which nothing is gained, at one size alone.
constexpr std::array kLikely{
    packet_in(1280, kIpv4Header),                                // The least that IPv6 has.
    packet_in(1400, kIpv4Header),                                // Tunnels, and 1420 over IPv6.
    packet_in(1420, kIpv4Header),                                // WireGuard.
    packet_in(1450, kIpv4Header),                                // VXLAN.
    packet_in(1500, kIpv6Header),                                // Ethernet, and 1480 over IPv4.
    packet_in(1500, kIpv4Header), packet_in(4352, kIpv4Header),  // Half way up.
    packet_in(8896, kIpv4Header),                                // Jumbo frames of clouds.
    packet_in(9000, kIpv6Header), packet_in(9000, kIpv4Header),
};

// Words of routers that turn out to be wrong, within kRaiseTimer, before none is heard.
constexpr int kMaxFalseHints = 3;
// And words that are acted upon within it: a path that shrinks takes two or three. Who forges one
// for each probe keeps those from passing that would refute him.
constexpr int kMaxHints = 12;

// A gain smaller than this share of PLPMTU is not worth three lost probes.
constexpr int kWorthwhileShare = 16;

}  // namespace

PathMtu::PathMtu(const PathMtuOptions& options, std::size_t base_bytes, Rng& rng)
    : rng_(rng),
      enabled_(options.enabled),
      min_(floored(enabled_ ? std::min(options.min_packet_bytes, base_bytes) : base_bytes)),
      base_(floored(base_bytes)),
      max_(floored(enabled_ ? std::max(options.max_packet_bytes, base_bytes) : base_bytes)),
      plpmtu_(base_),
      failed_(static_cast<std::uint16_t>(max_ + 4)) {
  CHECK(std::max(options.max_packet_bytes, base_bytes) + 4 <=
        std::numeric_limits<std::uint16_t>::max());
}

void PathMtu::start() {
  taken_up_ = enabled_;
  if (taken_up_ && state_ == State::kDisabled) enter_base();
}

void PathMtu::forgo() {
  stop();
  taken_up_ = false;
}

void PathMtu::stop() {
  state_ = State::kDisabled;
  due_ = false;
  probed_ = 0;
  answer_until_ = rest_until_ = kNever;
}

void PathMtu::reset() {
  const bool running = state_ != State::kDisabled || rest_until_ != kNever;
  stop();
  plpmtu_ = base_;
  recent_black_holes_ = 0;
  hint_ = doubted_ = 0;
  if (running) enter_base();
}

// RFC 8899 §5.2, BASE. A PLPMTU below the base is not raised before the base is confirmed.
void PathMtu::enter_base() {
  state_ = State::kBase;
  hint_ = 0;
  lower_to(base_);
  failed_ = static_cast<std::uint16_t>(max_ + 4);
  probe(base_);
}

// RFC 8899 §5.2, ERROR. PLPMTU is lowered once it is known that the smallest size passes; a
// peer that answers no HEARTBEAT is no reason for small packets.
void PathMtu::enter_error() {
  state_ = State::kError;
  failed_ = base_;
  probe(min_);
}

void PathMtu::probe(std::uint16_t bytes) {
  probed_ = bytes;
  probe_count_ = 0;
  attempt_ = 0;
  nonce_ = rng_.next();
  due_ = true;
  answer_until_ = rest_until_ = kNever;
}

std::uint16_t PathMtu::next_size() const {
  const int upper = std::min<int>(failed_, max_ + 4);
  if (hint_ > plpmtu_ && hint_ < upper) return hint_;
  for (const std::uint16_t likely : kLikely) {
    if (likely > plpmtu_ && likely < upper) return likely;
  }
  if (plpmtu_ < max_ && max_ < upper) return max_;
  if (upper - plpmtu_ <= plpmtu_ / kWorthwhileShare) return 0;
  return floored(static_cast<std::size_t>(plpmtu_ + upper) / 2);
}

void PathMtu::search_on(Time now) {
  if (const std::uint16_t next = next_size(); next > plpmtu_) return probe(next);
  // RFC 8899 §5.2: MAX_PLPMTU is confirmed, or what is above PLPMTU has failed.
  if (state_ == State::kSearching) state_ = State::kSearchComplete;
  probed_ = 0;
  due_ = false;
  answer_until_ = kNever;
  rest_until_ = now + (state_ == State::kError ? kErrorRetry : kRaiseTimer);
}

std::size_t PathMtu::fallback_bytes() const {
  if (!taken_up_) return std::numeric_limits<std::size_t>::max();
  if (plpmtu_ > base_) return base_;
  if (plpmtu_ > min_) return min_;
  return std::numeric_limits<std::size_t>::max();
}

PathMtu::Info PathMtu::make_probe(Time now, Duration rto) {
  CHECK(due_);
  due_ = false;
  ++attempt_;
  sent_at_ = now;
  answer_until_ = now + std::max(kMinProbeTimer, rto);
  Info info;
  store_be64(info.data(), nonce_);
  store_be16(info.data() + 8, probed_);
  store_be16(info.data() + 10, attempt_);
  return info;
}

std::optional<PathMtu::Answer> PathMtu::handle_answer(Time now, ByteSpan info) {
  if (probed_ == 0 || attempt_ == 0 || info.size() != kInfoSize) return std::nullopt;
  // RFC 8899 §4.1, §8: an answer is believed if it cannot have been guessed. Any attempt's
  // will do, however late.
  const std::uint16_t attempt = load_be16(info.data() + 10);
  if (load_be64(info.data()) != nonce_ || load_be16(info.data() + 8) != probed_ || attempt == 0 ||
      attempt > attempt_) {
    return std::nullopt;
  }
  Answer answer;
  if (attempt == attempt_) answer.rtt = now - sent_at_;
  const std::uint16_t before = plpmtu_;
  const std::uint16_t confirmed = probed_;
  note_confirmed(now, confirmed);
  if (state_ == State::kError && confirmed < base_ && confirmed == min_) {
    // The path carries this and does not carry the base.
    lower_to(min_);
    probe(base_);
  } else {
    plpmtu_ = std::max(plpmtu_, confirmed);
    if (state_ == State::kError && confirmed >= base_)
      failed_ = static_cast<std::uint16_t>(max_ + 4);
    if (confirmed >= base_) state_ = State::kSearching;
    search_on(now);
  }
  answer.changed = plpmtu_ != before;
  return answer;
}

void PathMtu::handle_timeout(Time now) {
  if (now >= rest_until_) return end_rest(now);
  if (now < answer_until_) return;
  // RFC 8899 §5.3.1.
  answer_until_ = kNever;
  ++probes_lost_;
  if (++probe_count_ < kMaxProbes) {
    due_ = true;
  } else {
    give_up_probed(now);
  }
}

void PathMtu::give_up_probed(Time now) {
  if (state_ == State::kBase) return enter_error();
  if (state_ == State::kError && probed_ == min_) {
    // RFC 8899 §5.2, ERROR: not even MIN_PLPMTU can be validated.
    stop();
    rest_until_ = now + kRaiseTimer;
    return;
  }
  failed_ = probed_;
  search_on(now);
}

void PathMtu::end_rest(Time now) {
  rest_until_ = kNever;
  switch (state_) {
    case State::kSearchComplete:
      // RFC 8899 §5.2: PMTU_RAISE_TIMER.
      state_ = State::kSearching;
      failed_ = static_cast<std::uint16_t>(max_ + 4);
      return search_on(now);
    case State::kError:
      return probe(base_);
    default:
      return enter_base();
  }
}

void PathMtu::handle_reachable() {
  if (state_ == State::kDisabled) {
    if (rest_until_ != kNever) enter_base();
  } else if (state_ == State::kBase || state_ == State::kError) {
    // What was lost in the silence says nothing of sizes.
    probe(base_);
  }
}

void PathMtu::handle_black_hole(Time now) {
  if (plpmtu_ <= min_) return;
  ++black_holes_;
  if (plpmtu_ <= base_) {
    // Data tells what the probe of the base would have told.
    lower_to(min_);
    if (state_ != State::kDisabled) enter_error();
    return;
  }
  const std::uint16_t lost = plpmtu_;
  lower_to(base_);
  if (state_ == State::kDisabled) return;
  enter_base();
  // RFC 8899 §5.3.3: a size that passes as a probe and loses data is left alone for a while,
  // and so is all above the base where that does not help. Once may have been an outage.
  if (now - black_hole_at_ >= kRaiseTimer) recent_black_holes_ = 0;
  black_hole_at_ = now;
  recent_black_holes_ = std::min<std::uint8_t>(recent_black_holes_ + 1, 3);
  if (recent_black_holes_ == 2) failed_ = lost;
  if (recent_black_holes_ >= 3) failed_ = static_cast<std::uint16_t>(base_ + 4);
}

// RFC 8899 §5.1.2: MAX_PLPMTU is at most what the interface carries.
bool PathMtu::handle_refused(Time now, std::size_t bytes) {
  if (bytes > plpmtu_) {
    if (bytes != probed_ || attempt_ == 0) return false;
    ++refused_;
    give_up_probed(now);
    return false;
  }
  // RFC 8899 §4.6.1: whatever is said, no less than MIN_PLPMTU.
  if (bytes <= min_ || plpmtu_ <= min_) return false;
  ++refused_;
  if (bytes <= base_) {
    lower_to(min_);
    if (state_ != State::kDisabled) enter_error();
    return true;
  }
  lower_to(base_);
  if (state_ == State::kDisabled) return true;
  enter_base();
  failed_ = static_cast<std::uint16_t>(bytes);
  return true;
}

bool PathMtu::is_credible(Time now, std::size_t bytes, std::size_t limit) const {
  if (state_ == State::kDisabled || now < distrust_until_) return false;
  const bool probe = bytes == probed_ && attempt_ > 0;
  if ((!probe && bytes > plpmtu_) || bytes <= min_) return false;
  // RFC 8899 §4.6.2: below MIN_PLPMTU it is invalid, and at the packet's own size or above it is
  // inconsistent.
  return limit == 0 || (limit >= min_ && limit < bytes);
}

bool PathMtu::handle_too_big(Time now, std::size_t bytes, std::size_t limit) {
  if (!is_credible(now, bytes, limit)) {
    ++hints_ignored_;
    return false;
  }
  if (now - hints_since_ >= kRaiseTimer) {
    hints_since_ = now;
    recent_hints_ = 0;
  }
  if (++recent_hints_ > kMaxHints) {
    disown_hints(now);
    return false;
  }
  ++hints_;
  const std::uint16_t hint = floored(limit);
  // The smallest size that is said not to pass.
  const std::size_t doubted = hint == 0 ? bytes : std::size_t{hint} + 4;
  if (doubted_ == 0 || doubted < doubted_) doubted_ = static_cast<std::uint16_t>(doubted);
  if (bytes > plpmtu_ && (hint == 0 || hint >= plpmtu_)) {
    // RFC 8899 §4.6.2, PLPMTU < PL_PTB_SIZE < PROBED_SIZE: what is in use stays valid.
    hint_ = hint;
    give_up_probed(now);
    return false;
  }
  if (std::min<std::size_t>(bytes, plpmtu_) > base_) {
    // RFC 8899 §4.6.2, BASE_PLPMTU <= PL_PTB_SIZE < PLPMTU.
    lower_to(base_);
    enter_base();
    hint_ = hint;
    return true;
  }
  // RFC 8899 §4.6.2, MIN_PLPMTU < PL_PTB_SIZE < BASE_PLPMTU: probes tell what the path carries.
  if (state_ != State::kError || probed_ != min_) enter_error();
  hint_ = hint;
  return false;
}

// Routers that contradict each other, or somebody who forges their words: none is heard for a
// while, and what they are charged with then begins anew.
void PathMtu::grow_deaf(Time now) {
  recent_hints_ = false_hints_ = 0;
  doubted_ = 0;
  distrust_until_ = now + kRaiseTimer;
}

// What was given up on somebody's word is tried again, and probes alone decide.
void PathMtu::disown_hints(Time now) {
  ++hints_ignored_;
  grow_deaf(now);
  hint_ = 0;
  failed_ = static_cast<std::uint16_t>(max_ + 4);
  if (rest_until_ != kNever) end_rest(now);
}

// RFC 8899 §5.3.3: a probe has passed that a router's word was against.
void PathMtu::note_confirmed(Time now, std::uint16_t bytes) {
  if (doubted_ == 0 || bytes < doubted_) return;
  doubted_ = 0;
  if (now - false_hint_at_ >= kRaiseTimer) false_hints_ = 0;
  false_hint_at_ = now;
  if (++false_hints_ >= kMaxFalseHints) grow_deaf(now);
}

}  // namespace millrace::sctp
