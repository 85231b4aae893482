// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "engine/base/address.h"
#include "engine/base/bytes.h"
#include "engine/base/rng.h"
#include "engine/base/time.h"

namespace millrace::io {

class SimDatapath;

// LinkOptions are the habits of one direction between two hosts. Probabilities are 0 to
// 1. Every datagram passes, in this order: MTU, queue and rate, loss, delay (with jitter
// and reordering), corruption, duplication.
struct LinkOptions {
  double loss = 0;
  double duplicate = 0;                // A second copy, with a delay of its own.
  double corrupt = 0;                  // One bit flipped.
  double reorder = 0;                  // Held back by `reorder_delay` on top of `delay`.
  Duration delay = Duration::zero();   // One way.
  Duration jitter = Duration::zero();  // Uniform in [0, jitter], may reorder.
  Duration reorder_delay = milliseconds(5);
  std::uint64_t bits_per_second = 0;     // 0: unlimited. Counts 28/48 header bytes too.
  std::size_t queue_bytes = 256u << 10;  // Drop-tail queue before the bottleneck.
  std::size_t mtu = 65535;               // IP datagram; a larger one vanishes, if it has DF,
  bool sender_refuses = false;           // or is refused, as by the sender's own interface,
  bool router_tells = false;             // or vanishes, and the sender is told.
};

// SimStats counts datagrams by their fate in the network.
struct SimStats {
  std::uint64_t sent = 0;
  std::uint64_t delivered = 0;  // To a socket's queue.
  std::uint64_t lost = 0;
  std::uint64_t duplicated = 0;
  std::uint64_t corrupted = 0;
  std::uint64_t queue_drops = 0;
  std::uint64_t mtu_drops = 0;
  std::uint64_t fragmented = 0;  // Larger than the MTU, without DF; they arrive whole.
  std::uint64_t partition_drops = 0;
  std::uint64_t no_route = 0;  // No socket at that address.
  std::uint64_t socket_queue_drops = 0;
};

// SimNetwork is a network with a virtual clock: hosts (SimDatapath) attach to it, links
// between them lose, delay and damage, and every run is a function of the seed and of
// what the hosts do. Nothing moves but in `advance_to`. Not thread-safe.
//
//   SimNetwork net(seed);
//   SimDatapath a(net, {*IpAddress::parse("10.0.0.1")}), b(net, {...});
//   loop: turns of a and b; net.advance_to(min(net.next_event(), their timeouts));
//
// It must outlive its hosts.
class SimNetwork {
 public:
  explicit SimNetwork(std::uint64_t seed, Time start = Time{});
  ~SimNetwork() = default;
  SimNetwork(const SimNetwork&) = delete;
  SimNetwork& operator=(const SimNetwork&) = delete;

  Time now() const { return now_; }
  // When the next datagram in flight arrives; kNever when none is. Datagrams that
  // already wait in a socket's queue are not events.
  Time next_event() const;
  // Moves the clock, never back, and delivers what is due up to and at `to`, in order.
  void advance_to(Time to);

  // Sets the habits of every direction that has none of its own.
  void set_default_link(const LinkOptions& options) { default_link_.options = options; }
  // Sets one direction, by the addresses on the wire. Datagrams in flight keep theirs.
  void set_link(const IpAddress& from, const IpAddress& to, const LinkOptions& options);
  // Cuts or restores both directions between two addresses. What is in flight arrives.
  void set_partition(const IpAddress& a, const IpAddress& b, bool cut);

  // Puts a NAT mapping in force: what `inside` sends appears to come from `outside`,
  // and what is sent to `outside` reaches `inside`. An earlier mapping of `inside` ends
  // (rebinding): datagrams to its old outside address go nowhere.
  void map_address(const Address& inside, const Address& outside);
  void unmap_address(const Address& inside);

  // Has the host at `from` hear, as from a router (or from somebody who forges its words), that
  // `datagram` from there to `to` was too large for `mtu`; 0: it says no size.
  void tell_too_big(const Address& from, const Address& to, ByteSpan datagram, std::size_t mtu);

  const SimStats& stats() const { return stats_; }
  // A hash over time, addresses, length and fate of every datagram so far: equal for
  // equal runs. Contents are left out, for keys differ from run to run.
  std::uint64_t trace_hash() const { return trace_; }

 private:
  friend class SimDatapath;

  struct Link {
    IpAddress from;
    IpAddress to;
    LinkOptions options;
    Time busy_until{};
  };
  struct Mapping {
    Address inside;
    Address outside;
  };
  // A datagram in flight or in a host's queue. Slots are used again, bytes and all.
  struct Packet {
    Address from;
    Address to;
    std::vector<std::uint8_t> bytes;
    bool may_fragment = false;
  };
  struct Event {
    Time at;
    std::uint64_t sequence;  // Equal times keep the order of sending.
    std::uint32_t packet;
  };

  void attach(SimDatapath& host) { hosts_.push_back(&host); }
  void detach(SimDatapath& host) { std::erase(hosts_, &host); }
  // Copies a datagram in; it goes nowhere before `send` or `free_packet`.
  std::uint32_t make_packet(const Address& from, const Address& to, ByteSpan bytes);
  void free_packet(std::uint32_t packet) { free_packets_.push_back(packet); }
  Packet& packet(std::uint32_t i) { return *packets_[i]; }
  void send(std::uint32_t packet);
  // Whether a datagram of `bytes` with DF never leaves its host.
  bool refuses(const IpAddress& from, const IpAddress& to, std::size_t bytes);

  void schedule(Link& link, Time departure, std::uint32_t packet);
  void deliver(std::uint32_t packet);
  void drop(std::uint32_t packet, std::uint64_t& counter, std::uint8_t fate);
  Link& link_between(const IpAddress& from, const IpAddress& to);
  bool is_cut(const IpAddress& a, const IpAddress& b) const;
  bool chance(double probability);
  void trace(std::uint8_t fate, const Packet& packet);

  Time now_;
  SeededRng rng_;
  std::uint64_t next_sequence_ = 0;
  std::uint64_t trace_ = 0xcbf29ce484222325;
  SimStats stats_;
  std::uint64_t copied_ = 0;
  Link default_link_;
  std::vector<Link> links_;
  std::vector<Mapping> mappings_;
  std::vector<std::pair<IpAddress, IpAddress>> partitions_;
  std::vector<SimDatapath*> hosts_;
  std::vector<std::unique_ptr<Packet>> packets_;  // All, free or in flight.
  std::vector<std::uint32_t> free_packets_;
  std::vector<Event> events_;  // Min-heap.
};

}  // namespace millrace::io
