// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/base/rng.h"
#include "sctp/association.h"
#include "test/sim/message_ledger.h"
#include "test/support/association_pair.h"

namespace millrace::test {

// HostileScenario drives one seed of two ends on a network that does its worst: loss up to
// 30 %, duplicates, flipped bits, reordering, paths and their MTU that change, of which the ends
// are told or not, routers' words, ends that begin anew without their state and in another
// manner, readers that stand still, storms of stream resets, and shutdown or abort at any
// moment. The ends differ in all their options. A run must end in agreement: all that was
// reliable arrived once, in order where it was ordered, and both ends closed for a reason that
// fits; after each call into either end what it holds, heap and all, is within its bounds.
class HostileScenario {
 public:
  struct Coverage {
    std::uint64_t messages = 0;
    std::uint64_t delivered = 0;
    std::uint64_t restarts = 0;  // Seen by the end that had kept its state.
    std::uint64_t resets = 0;    // Lives of streams that ended.
    std::uint64_t refused = 0;   // Resets refused.
    std::uint64_t aborts = 0;
    std::uint64_t early_shutdowns = 0;
    std::uint64_t corrupt_dropped = 0;
    std::uint64_t pauses = 0;
    std::uint64_t full_windows = 0;  // Looks that found a window more than half full.
    std::uint64_t path_changes = 0;
    std::uint64_t path_changes_told = 0;  // To an end, and changes that were none.
    std::uint64_t router_words = 0;
    std::uint64_t given_up = 0;  // Messages with limits that did not arrive.
    std::uint64_t retransmissions = 0;
    std::uint64_t interleaved = 0;  // Runs with I-DATA.
    std::uint64_t parts = 0;        // Messages handed out in parts,
    std::uint64_t streamed = 0;     // and those sent so, to their end.
    // The most that was seen, in shares of its bound.
    double payload_share = 0;
    double heap_share = 0;
    Coverage& operator+=(const Coverage& other);
  };

  explicit HostileScenario(std::uint64_t seed);

  // What broke a promise, one line each; empty where the run ended well.
  const std::vector<std::string>& run();
  const Coverage& coverage() const { return coverage_; }
  std::uint64_t trace_hash() const { return pair_.trace_hash(); }

 private:
  static constexpr int kA = AssociationPair::kA;
  static constexpr int kB = AssociationPair::kB;
  static constexpr std::uint16_t kStreams = 12;
  static constexpr std::uint16_t kMarkerStream = kStreams;  // Never reset.
  static constexpr std::size_t kMostBytes = 200'000;        // Of a message sent at once.

  enum class Mode : std::uint8_t {
    kReliable,
    kReliableUnordered,
    kPartial,
    kPartialUnordered,
    kYielding,  // RFC 7496 §3.2: it makes room for the others.
  };
  static constexpr std::uint64_t kModes = 5;
  // One life of one stream in one direction, as its sender knows it.
  struct Life {
    Mode mode = Mode::kReliable;
    std::vector<std::uint32_t> sent;  // Message numbers in the order of sending.
    bool is_reliable() const { return mode < Mode::kPartial; }
  };
  // What the receiver of a stream has of its sender's current life.
  struct Inbox {
    std::uint32_t life = 0;
    ArrivedMessages arrived;
    Bytes part;  // Of a message that comes in parts.
  };
  // A message larger than the peer's window, which is sent part by part.
  struct Large {
    std::uint16_t stream = 0;
    std::uint32_t number = 0;
    Bytes payload;
    std::size_t sent = 0;
  };
  // An epoch is an end's time between two losses of state, its own or the peer's.
  struct End {
    std::uint32_t epoch = 1;
    std::uint32_t peer_epoch = 0;  // Of the messages received in this epoch; 0: none yet.
    std::uint32_t oldest_peer_epoch = 1;
    // Of its incoming streams, as the object counts them: see Event::generation.
    std::uint32_t generations_of_all = 0;
    std::map<std::uint16_t, std::uint32_t> generations;
    bool up = false;
    bool reading = true;
    bool ending = false;  // `shutdown` or `abort` was called.
    std::optional<sctp::CloseReason> closed;
    std::set<std::uint16_t> resetting;
    std::map<std::uint16_t, std::deque<Life>> lives;
    std::map<std::uint16_t, Inbox> inboxes;
    std::optional<Large> large;
    std::uint32_t marker = 0;  // Number of the last message of the run, and its epoch.
    std::uint32_t marker_epoch = 0;
    std::set<std::uint32_t> markers_seen;  // Epochs of the peer's markers.
    std::size_t most_unacknowledged = 0;   // Chunks that it had on their way at once.
    std::size_t most_payload = 0;
  };

  // hostile_scenario.cc: what happens.
  void connect();
  void act();
  void act_rarely();
  void send_burst(int end);
  bool send(int end, std::uint16_t stream, std::size_t size);
  void begin_large(int end);
  void send_parts(int end);
  Bytes make_payload(int end, std::uint16_t stream, std::size_t size);
  static sctp::SendOptions options_of(Mode mode);
  void reset_some(int end);
  void restart(int end);
  void pause_or_resume(int end);
  void change_path();
  void tell_of_path(int end);
  void hear_router(int end);
  void change_priority(int end);
  void end_early();
  void settle();
  void mark(int end);
  void finish();
  void resume_all();

  // hostile_ledger.cc: what must hold.
  bool poll(int end);
  void handle(int end, const sctp::Event& event);
  void receive(int end, const sctp::Event& event);
  void receive_whole(int end, std::uint16_t stream, const Bytes& payload, bool unordered);
  void begin_epoch(int end);
  void end_of_life(int end, std::uint16_t stream);
  void judge_life(int end, std::uint16_t stream, const Inbox& inbox);
  void judge_all();
  void judge_close();
  void judge_drops(int end);
  Life& current_life(int end, std::uint16_t stream);

  // hostile_memory.cc: what may be held.
  void check_memory(int end);
  std::size_t payload_bound(int end) const;
  std::size_t heap_bound(int end) const;

  void fault(const std::string& what);

  bool chance(std::uint64_t one_in) { return rng_.below(one_in) == 0; }
  std::uint64_t between(std::uint64_t least, std::uint64_t most) {
    return least + rng_.below(most - least + 1);
  }
  End& at(int end) { return ends_[static_cast<std::size_t>(end)]; }
  const sctp::Options& options(int end) { return options_[static_cast<std::size_t>(end)]; }
  bool is_over() const;

  SeededRng rng_;
  bool checksum_ = false;       // Corrupt packets reach the association.
  sctp::ReceiveBudget budget_;  // Of both ends, as of two associations of one shard.
  std::array<sctp::Options, 2> options_;
  AssociationPair pair_;
  std::array<End, 2> ends_;
  std::uint32_t next_number_ = 1;
  std::size_t max_size_ = 0;
  bool restarted_ = false;
  bool aborted_ = false;
  std::vector<std::string> faults_;
  Coverage coverage_;
};

}  // namespace millrace::test
