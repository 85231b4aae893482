// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "engine/base/block_pool.h"
#include "engine/base/rng.h"
#include "engine/base/rx_buffer.h"
#include "sctp/association.h"
#include "test/support/test_mac.h"

namespace millrace::test {

using Bytes = std::vector<std::uint8_t>;

// LiveBytes says what this thread holds on the heap, as io::live_heap_bytes does.
using LiveBytes = std::int64_t (*)();

// HeapBuffers is a home of receive buffers that come from the heap, one per packet, so
// that a sanitizer sees any use after release.
class HeapBuffers final : public RxBufferHome {
 public:
  ~HeapBuffers();
  // Copies `bytes` into a buffer of its own.
  BufferRef make(ByteSpan bytes);
  void release(RxBuffer& buffer) override;
  std::size_t held_bytes() const { return held_bytes_; }

  // If set, `heap_bytes` is what the home itself has on the heap.
  LiveBytes live_bytes = nullptr;
  std::int64_t heap_bytes() const { return heap_bytes_; }

 private:
  struct Slot {
    RxBuffer buffer;
    Bytes bytes;
  };
  std::unordered_map<RxBuffer*, std::unique_ptr<Slot>> slots_;
  std::size_t held_bytes_ = 0;
  std::int64_t heap_bytes_ = 0;
};

// LinkOptions describes one direction of the simulated path; shares are in [0, 1].
struct LinkOptions {
  Duration delay = milliseconds(5);
  double loss = 0;
  double duplicate = 0;
  double reorder = 0;                        // Share of packets delayed further,
  Duration reorder_delay = milliseconds(4);  // by up to this.
  double corrupt = 0;                        // One to three bits flipped.
  // The largest SCTP packet that passes in one piece; 0: any does. A larger one is lost, or
  // comes as fragments, which are dropped too where the path takes none.
  std::size_t max_packet_bytes = 0;
  bool fragments_pass = true;
};

// RecordedEvent is an Event with everything that it lent copied.
struct RecordedEvent {
  sctp::EventKind kind;
  sctp::Event event;  // Its views are empty.
  Bytes payload;
  sctp::Ppid ppid;
  bool unordered = false;
  std::vector<sctp::StreamId> streams;
};

// AssociationPair is two associations and the path between them, in virtual time. A run is
// a function of its seed: `trace_hash` covers every packet delivered and every event.
class AssociationPair {
 public:
  static constexpr int kA = 0;
  static constexpr int kB = 1;

  // With `live_bytes`, `heap_bytes` tells what either association has on the heap.
  explicit AssociationPair(const sctp::Options& a = {}, const sctp::Options& b = {},
                           const LinkOptions& link = {}, std::uint64_t seed = 1,
                           LiveBytes live_bytes = nullptr);

  // Call lends an association for one call, by `->`, and counts what that changes on the heap.
  // What is in the arguments must be so before.
  class Call {
   public:
    Call(AssociationPair& pair, int end)
        : pair_(pair), end_(end), before_(pair.heap_besides(end)) {}
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    ~Call() { pair_.end_call(end_, before_); }
    sctp::Association* operator->() { return &pair_[end_]; }

   private:
    AssociationPair& pair_;
    const int end_;
    const std::int64_t before_;
  };
  Call call(int end) { return {*this, end}; }
  // If set, is told of each call into an end's association once it is over.
  std::function<void(int end)> on_called;

  sctp::Association& operator[](int end) { return *ends_[index(end)].association; }
  sctp::Association& a() { return (*this)[kA]; }
  sctp::Association& b() { return (*this)[kB]; }
  Time now() const { return now_; }
  std::uint64_t trace_hash() const { return trace_; }
  LinkOptions& link() { return link_; }

  // Both ends connect, and the run goes on until both are up. False after a minute.
  bool connect_both();

  // Begins anew with two ends that have each other's INIT by signalling.
  void connect_out_of_band(const sctp::Options& a = {}, const sctp::Options& b = {});

  // Takes events and packets from both ends until they have none, at this point in time.
  void drain();
  // Goes on to the next point in time at which something happens; false if there is none
  // up to `limit`, and then the time is `limit`.
  bool step(Time limit = kNever);
  void run_for(Duration duration);
  // Runs until `done`; false if `limit` passes first.
  bool run_until(const std::function<bool()>& done, Duration limit = seconds(60));

  // Puts a new association in the place of an end that has lost its state. What is under way
  // to it stays so.
  void replace(int end, const sctp::Options& options);
  // What is under way is lost: the path is another from here on.
  void cut() { in_flight_.clear(); }

  // Memory of the end's messages, and of the receive buffers that it keeps from being used.
  std::size_t pool_bytes(int end) const { return ends_[index(end)].pool.used_bytes(); }
  std::size_t held_buffer_bytes(int end) const { return ends_[index(end)].buffers.held_bytes(); }
  // What the end's association has on the heap besides those, as large as malloc made it, if that
  // is counted: rings, tables, queues. What malloc rounds the pool's blocks up by is in it too.
  std::size_t heap_bytes(int end) const;

  // Gives `packet` to `end` now, as if it had come over the path.
  void inject(int end, ByteSpan packet);

  // What came out of an end, oldest first; the test clears it at will.
  std::vector<RecordedEvent>& events(int end) { return ends_[index(end)].events; }
  std::size_t count(int end, sctp::EventKind kind) const;
  const RecordedEvent* last(int end, sctp::EventKind kind) const;
  // Packets that left an end, those lost included.
  std::vector<Bytes>& sent(int end) { return ends_[index(end)].sent; }
  bool record_sent = true;
  // Whether the ends' packets lend their payloads (Association::poll_packet), which are put in
  // their places once there is no more packet. Not with `LinkOptions::max_packet_bytes`.
  bool lends = false;

  // If set, decides whether a packet that left `end` goes on to the path.
  std::function<bool(int end, ByteSpan packet)> filter;
  // If set, sees each event as it is taken, views included, instead of `events`.
  std::function<void(int end, const sctp::Event& event)> on_event;
  // If set, takes an end's events itself, until it has none; says whether it had any.
  std::function<bool(int end)> poll_events;
  // Mixes what a run has brought about into `trace_hash`.
  void trace(ByteSpan bytes);

  // The driver's clock: timers and packets are handled at the next multiple of this.
  Duration tick{1};
  // How often `step` has handed something to an end.
  std::uint64_t turns() const { return turns_; }

 private:
  struct End {
    BlockPool pool;
    HeapBuffers buffers;
    std::optional<sctp::Association> association;
    std::int64_t heap_bytes = 0;
    std::vector<RecordedEvent> events;
    std::vector<Bytes> sent;
  };
  struct InFlight {
    int to;
    Bytes packet;
  };
  static std::size_t index(int end) { return static_cast<std::size_t>(end); }
  // What the heap holds besides the end's pool and receive buffers.
  std::int64_t heap_besides(int end) const;
  void end_call(int end, std::int64_t before);
  bool take_events(int end);
  bool take_packets(int end);
  bool take_lending_packets(int end);
  void leave(int end, ByteSpan packet);
  bool fits_path(int from, ByteSpan packet);
  void carry(int from, ByteSpan packet);
  void corrupt(Bytes& packet);
  void record(int end, const sctp::Event& event);
  void count_turn(bool delivered);
  double draw() { return static_cast<double>(path_rng_.next() >> 11) * 0x1p-53; }

  TestMac mac_;
  const LiveBytes live_bytes_;
  SeededRng rng_;
  SeededRng path_rng_;
  LinkOptions link_;
  Time now_{seconds(1000)};
  Time last_turn_{};
  std::uint64_t turns_ = 0;
  int idle_turns_ = 0;  // In a row, at one point in time, without a packet.
  std::array<End, 2> ends_;
  std::multimap<Time, InFlight> in_flight_;
  std::uint64_t trace_ = 0xcbf29ce484222325;
};

// Appends a message's pieces into one vector.
Bytes bytes_of(const sctp::MessageView& message);

}  // namespace millrace::test
