// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "engine/base/address.h"
#include "engine/base/rng.h"
#include "engine/base/siphash.h"
#include "engine/base/time.h"
#include "engine/base/timer_wheel.h"
#include "io/net/mac_address.h"
#include "io/net/net_options.h"
#include "io/net/net_stats.h"
#include "io/pod_ring.h"

namespace millrace::io {

// FrameToken is the caller's name for a frame that it holds, such as a pointer to it.
using FrameToken = std::uintptr_t;

// NeighbourState is what is known of a neighbour: RFC 4861 §7.3.2 without DELAY, and two
// states of our own.
enum class NeighbourState : std::uint8_t {
  kNone,        // Not in the table.
  kIncomplete,  // Asked by multicast or broadcast; frames wait.
  kReachable,   // Answered lately.
  kStale,       // Its address may be old. The next use asks, and sends all the same.
  kProbe,       // Asked by unicast.
  kFailed,      // Did not answer; nothing is sent, or asked, for a while, unless it speaks.
  kStatic,      // From the configuration.
};

// How sure a frame's word on a neighbour's address is.
struct NeighbourClaim {
  bool solicited = false;  // An answer, by its form; counts as one if a question is open.
  bool overrides = true;   // May replace another address (RFC 4861 §4.4, O).
};

// Solicitation is a question to send: to `mac` alone, or to all where that is zero.
struct Solicitation {
  IpAddress ip;
  MacAddress mac;
};

// NeighbourTable maps on-link addresses to MAC addresses. It grows by our own sends alone: what
// comes from outside only updates what is there. Its size, the unresolved part of it, and the
// frames that wait are bounded.
//
// Answers to strangers are sends, too, so a host on the link that speaks from many addresses can
// have the table filled (RFC 6583). Whatever it does,
// - a place costs O(1): three queues by age, and no more than kMaxLooks entries looked at;
// - who is talked to stays: an entry used since it was looked at last goes to the end of its queue;
// - unless it is of a crowd: at one MAC address, behind the first four or the first sixteenth of
//   the table there. One of these makes room first, so no host holds what others need, and a
//   proxy of many has its way while there is room;
// - a newcomer finds a place within a `retransmit_time` of the oldest, for one that was asked for
//   and has not answered, was used once and not again, or is of a crowd, has had its chance;
// - no more than `max_unresolved` new questions are asked in a `retransmit_time`.
class NeighbourTable {
 public:
  using Index = std::uint32_t;
  static constexpr Index kNoIndex = UINT32_MAX;
  static constexpr std::size_t kMaxParkedEach = 8;

  // `stats` outlives it. `now` is at or before every later one.
  NeighbourTable(const NeighbourOptions& options, std::size_t pinned, Time now, Rng& rng,
                 NetStats& stats);
  NeighbourTable(const NeighbourTable&) = delete;
  NeighbourTable& operator=(const NeighbourTable&) = delete;

  // Enters an address for good; beside `max_neighbours`.
  void add_static(const IpAddress& ip, const MacAddress& mac);

  // Finds or makes the entry of `ip`, and notes that it is used. kNoIndex, with the reason,
  // where it is known not to answer, or there is no room. A `pinned` one (a gateway) has a
  // place of its own, one of the number given at the start.
  Index resolve(Time now, const IpAddress& ip, bool pinned, NetDrop& refusal);
  // The same for an entry found before; false: `resolve` it again. One load where nothing
  // has happened to it since.
  bool use(Time now, Index i, std::uint32_t generation) {
    Entry& entry = entries_[i];
    if (entry.generation != generation) return false;
    entry.used = now;
    if (entry.state == NeighbourState::kStale) probe(now, i);
    return true;
  }
  // Changes with everything that a header template depends on.
  std::uint32_t generation(Index i) const { return entries_[i].generation; }
  bool resolved(Index i) const { return has_mac(entries_[i].state); }
  const MacAddress& mac(Index i) const { return entries_[i].mac; }
  NeighbourState state(const IpAddress& ip) const;
  std::optional<MacAddress> known_mac(const IpAddress& ip) const;

  // Takes in a claim, valid by form, that `ip` is at `mac`. Returns kCount, or why the claim
  // is not believed.
  NetDrop learn(Time now, const IpAddress& ip, const MacAddress& mac, NeighbourClaim claim);

  // See NetLayer.
  bool park(Index i, FrameToken token);
  bool poll_parked(FrameToken& token, bool& send, MacAddress& mac);
  std::size_t parked() const { return parked_; }
  bool poll_solicitation(Solicitation& out);

  void handle_timeout(Time now);
  // Forgets who failed to answer, and begins the questions that are open from the start.
  void ask_anew(Time now);
  Time next_timeout() const { return wheel_.next_expiry(); }

  // Entries, without static ones.
  std::size_t size() const { return size_; }
  std::size_t unresolved() const { return unresolved_; }

 private:
  // Entries that are neither static nor pinned, oldest first.
  struct Queue {
    Index oldest = kNoIndex;
    Index newest = kNoIndex;
  };
  struct Entry {
    IpAddress ip;
    MacAddress mac;
    NeighbourState state = NeighbourState::kNone;
    std::uint8_t attempts = 0;
    std::uint8_t waiting_count = 0;
    bool pinned = false;
    bool question_queued = false;
    bool crowded = false;
    std::uint32_t generation = 1;
    Index next = kNoIndex;   // In its bucket, or in the free list.
    Queue* queue = nullptr;  // That it is in.
    Index older = kNoIndex;
    Index newer = kNoIndex;
    Time used{};
    Time queued{};  // Its `used` when it was put at the end of its queue.
    Time entered{};
    Time asked{};    // When the last question was queued.
    Time changed{};  // When its MAC address last became another.
    std::array<FrameToken, kMaxParkedEach> waiting{};
  };
  struct Ready {
    FrameToken token;
    MacAddress mac;
    bool send;
  };

  static constexpr int kMaxLooks = 8;

  static constexpr bool has_mac(NeighbourState state) {
    return state == NeighbourState::kReachable || state == NeighbourState::kStale ||
           state == NeighbourState::kProbe || state == NeighbourState::kStatic;
  }
  static constexpr bool is_unresolved(NeighbourState state) {
    return state == NeighbourState::kIncomplete || state == NeighbourState::kFailed;
  }

  std::size_t bucket_of(const IpAddress& ip) const;
  Index find(const IpAddress& ip) const;
  Index insert(Time now, const IpAddress& ip, bool pinned);
  void erase(Index i);
  bool make_room(Time now);
  Index oldest_question(Time now) const;
  Index longest_unused(Time now);
  Index one_of_a_crowd(Time now);
  std::uint16_t& crowd_at(const MacAddress& mac);
  void join_crowd(Entry& entry);
  Queue* queue_of(const Entry& entry);
  void requeue(Index i);
  void append(Queue& queue, Index i);
  void remove(Queue& queue, Index i);
  void set_state(Index i, NeighbourState state);
  void ask(Time now, Index i);
  void probe(Time now, Index i);
  void become_reachable(Time now, Index i);
  void become_stale(Time now, Index i);
  void take_mac(Time now, Index i, const MacAddress& mac);
  void release_waiting(Entry& entry, bool send);
  void expire(Time now, Index i);

  NeighbourOptions options_;
  NetStats& stats_;
  SipKey key_;
  std::uint64_t jitter_ = 0;  // Hashed.
  std::vector<Entry> entries_;
  std::vector<Index> buckets_;  // A power of two.
  // Entries at a MAC address, by its hash: so many places that two addresses rarely share one.
  std::vector<std::uint16_t> crowds_;
  const std::size_t largest_household_;  // So many at one MAC address are no crowd.
  Index free_ = kNoIndex;
  std::size_t size_ = 0;        // Neither static nor pinned.
  std::size_t unresolved_ = 0;  // Of these.
  std::size_t parked_ = 0;
  TimerWheel wheel_;
  Queue asked_;     // The unresolved.
  Queue answered_;  // The others, but for
  Queue crowded_;   // those who are too many at one MAC address.
  PodRing<Index> questions_;
  PodRing<Ready> ready_;
};

}  // namespace millrace::io
