// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "engine/base/bytes.h"
#include "engine/base/rng.h"
#include "engine/base/time.h"
#include "sctp/path_mtu_options.h"

namespace millrace::sctp {

// PathMtu finds the largest packet that the path carries: Datagram Packetization Layer Path
// MTU Discovery, RFC 8899, for SCTP over DTLS (§6.2.3). A size is an SCTP packet, common
// header included; what lies below (DTLS record, UDP, IP) comes on top.
//
// It decides sizes and times only. The association sends a HEARTBEAT with `make_probe`'s
// information and a PAD chunk behind it (RFC 4820) up to `probe_bytes`, in a packet of its
// own that carries no user data and that no congestion control counts. What a probe's answer
// confirms is used; a size is never used before.
//
// Life cycle: disabled until `start`, and again after `stop`.
class PathMtu {
 public:
  // RFC 8899 §5.2. kError is left for kSearching by a confirmed base.
  enum class State : std::uint8_t { kDisabled, kBase, kSearching, kSearchComplete, kError };

  static constexpr int kMaxProbes = 3;  // RFC 8899 §5.1.2, of one size.
  // RFC 8899 §5.1.1: no less. The RFC would have 15 s where the round trip is not known; SCTP
  // knows it, and a probe waits for one RTO at least.
  static constexpr Duration kMinProbeTimer = seconds(1);
  static constexpr Duration kRaiseTimer = seconds(600);  // RFC 8899 §5.1.1.
  // How long a path that fails the base rests before it is tried again.
  static constexpr Duration kErrorRetry = seconds(60);

  // The Heartbeat Information of a probe: a nonce, the size and the attempt.
  static constexpr std::size_t kInfoSize = 12;
  using Info = std::array<std::uint8_t, kInfoSize>;
  struct Answer {
    bool changed = false;         // `packet_bytes` has.
    std::optional<Duration> rtt;  // Nothing where an earlier attempt may be what was answered.
  };

  // `rng` must outlive this.
  PathMtu(const PathMtuOptions& options, std::size_t base_bytes, Rng& rng);

  // The peer is there: RFC 8899 §6.2.3.1. Does nothing where discovery is off.
  void start();
  // The peer is there and may not be probed: as if discovery were off.
  void forgo();
  // No more probes; the size found stays in force.
  void stop();
  // The path may be another one: what was found of the old one is forgotten.
  void reset();
  // The peer was heard again after a silence, in which probes may have been lost for nothing.
  void handle_reachable();
  // Data in packets above `fallback_bytes` does not arrive (RFC 8899 §4.3).
  void handle_black_hole(Time now);

  // A packet of `bytes` was not sent: this host's own interface carries less. That is known for
  // certain, so nothing waits for a probe to be lost three times, or data twice. What is no
  // packet of the size in force, or of the probe under way, changes nothing. True if
  // `packet_bytes` has changed.
  bool handle_refused(Time now, std::size_t bytes);

  // A router's word that a packet of `bytes` is too large for the path, and that `limit` would
  // pass (0: it does not say): RFC 8899 §4.6.2, PL_PTB_SIZE. The caller has done what can be done
  // to tell that the packet was sent (§4.6.1); still anybody on the path may have made it up. So
  // it sets no size: it ends the wait for a probe, or brings PLPMTU back to the base, from where
  // probes find out, `limit` first. Words that probes have refuted thrice within kRaiseTimer, or
  // a dozen that were acted upon, make the next ones go unheard for as long (§5.3.3). True if
  // `packet_bytes` has changed.
  bool handle_too_big(Time now, std::size_t bytes, std::size_t limit);

  // PLPMTU: the largest packet that may be sent now, probes apart.
  std::size_t packet_bytes() const { return plpmtu_; }
  // What a black hole falls back to; packets above it put the path to the test. Nothing is
  // above it where nothing lower is left, or discovery is off.
  std::size_t fallback_bytes() const;

  // The size of the probe that is to be sent next; 0 if none is.
  std::size_t probe_bytes() const { return due_ ? probed_ : 0; }
  Info make_probe(Time now, Duration rto);
  // Nothing if `info` is no probe's of the size last sought. Late and repeated answers count.
  std::optional<Answer> handle_answer(Time now, ByteSpan info);
  void handle_timeout(Time now);
  Time next_timeout() const { return std::min(answer_until_, rest_until_); }

  State state() const { return state_; }
  std::uint32_t probes_lost() const { return probes_lost_; }
  std::uint32_t black_holes() const { return black_holes_; }
  std::uint32_t refused() const { return refused_; }
  std::uint32_t hints() const { return hints_; }
  std::uint32_t hints_ignored() const { return hints_ignored_; }

 private:
  void lower_to(std::uint16_t bytes) { plpmtu_ = std::min(plpmtu_, bytes); }
  void enter_base();
  void enter_error();
  void probe(std::uint16_t bytes);
  void search_on(Time now);
  void give_up_probed(Time now);
  void end_rest(Time now);
  bool is_credible(Time now, std::size_t bytes, std::size_t limit) const;
  void note_confirmed(Time now, std::uint16_t bytes);
  void disown_hints(Time now);
  void grow_deaf(Time now);
  // The size to try between PLPMTU and the smallest that failed; 0 if none is worth a probe.
  std::uint16_t next_size() const;

  Rng& rng_;
  const bool enabled_;
  const std::uint16_t min_;
  const std::uint16_t base_;
  const std::uint16_t max_;
  State state_ = State::kDisabled;
  bool taken_up_ = false;  // The peer may be probed.
  bool due_ = false;       // A probe of `probed_` is to be sent.
  std::uint8_t recent_black_holes_ = 0;
  std::uint8_t probe_count_ = 0;  // Attempts at `probed_` that failed.
  std::uint16_t attempt_ = 0;     // Of `probed_`, the last one sent.
  std::uint16_t plpmtu_;
  std::uint16_t probed_ = 0;  // PROBED_SIZE; 0 while none is sought.
  std::uint16_t failed_;      // The smallest size that failed, or one above the largest allowed.
  std::uint64_t nonce_ = 0;   // Of the probes of `probed_`.
  Time sent_at_{};
  Time answer_until_ = kNever;  // PROBE_TIMER.
  Time rest_until_ = kNever;    // PMTU_RAISE_TIMER, and kErrorRetry.
  Time black_hole_at_{};
  std::uint32_t probes_lost_ = 0;
  std::uint32_t black_holes_ = 0;
  std::uint32_t refused_ = 0;
  // Of routers' words: what is to be tried next, what they doubt, and what that came to.
  std::uint16_t hint_ = 0;
  std::uint16_t doubted_ = 0;
  std::uint8_t false_hints_ = 0;
  Time false_hint_at_{};
  std::uint8_t recent_hints_ = 0;
  Time hints_since_{};
  Time distrust_until_{};
  std::uint32_t hints_ = 0;
  std::uint32_t hints_ignored_ = 0;
};

}  // namespace millrace::sctp
