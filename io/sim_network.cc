// SPDX-License-Identifier: Apache-2.0
#include "io/sim_network.h"

#include <algorithm>

#include "io/sim_datapath.h"

namespace millrace::io {

namespace {

enum Fate : std::uint8_t {
  kDelivered,
  kLost,
  kDuplicated,
  kCorrupted,
  kQueueDrop,
  kMtuDrop,
  kPartitionDrop,
  kNoRoute,
  kSocketQueueDrop,
};

std::size_t header_bytes(const IpAddress& ip) { return ip.is_v6() ? 48 : 28; }

// Orders the heap of events: std::push_heap keeps the largest in front.
struct Later {
  template <class E>
  bool operator()(const E& a, const E& b) const {
    return a.at != b.at ? a.at > b.at : a.sequence > b.sequence;
  }
};

}  // namespace

SimNetwork::SimNetwork(std::uint64_t seed, Time start) : now_(start), rng_(seed) {}

Time SimNetwork::next_event() const { return events_.empty() ? kNever : events_.front().at; }

void SimNetwork::advance_to(Time to) {
  CHECK(to >= now_);
  while (!events_.empty() && events_.front().at <= to) {
    std::pop_heap(events_.begin(), events_.end(), Later());
    const Event event = events_.back();
    events_.pop_back();
    now_ = event.at;
    deliver(event.packet);
  }
  now_ = to;
}

void SimNetwork::set_link(const IpAddress& from, const IpAddress& to, const LinkOptions& options) {
  for (Link& link : links_) {
    if (link.from == from && link.to == to) {
      link.options = options;
      return;
    }
  }
  links_.push_back({from, to, options, {}});
}

void SimNetwork::set_partition(const IpAddress& a, const IpAddress& b, bool cut) {
  std::erase_if(partitions_, [&](const std::pair<IpAddress, IpAddress>& pair) {
    return pair == std::pair(a, b) || pair == std::pair(b, a);
  });
  if (cut) partitions_.emplace_back(a, b);
}

void SimNetwork::map_address(const Address& inside, const Address& outside) {
  unmap_address(inside);
  mappings_.push_back({inside, outside});
}

void SimNetwork::unmap_address(const Address& inside) {
  std::erase_if(mappings_, [&](const Mapping& mapping) { return mapping.inside == inside; });
}

std::uint32_t SimNetwork::make_packet(const Address& from, const Address& to, ByteSpan bytes) {
  if (free_packets_.empty()) {
    free_packets_.reserve(packets_.size() + 1);
    free_packets_.push_back(static_cast<std::uint32_t>(packets_.size()));
    packets_.push_back(std::make_unique<Packet>());
  }
  const std::uint32_t id = free_packets_.back();
  free_packets_.pop_back();
  Packet& made = packet(id);
  made.from = from;
  made.to = to;
  made.may_fragment = false;
  made.bytes.resize(bytes.size());
  copy_payload(made.bytes, bytes, copied_);
  return id;
}

bool SimNetwork::refuses(const IpAddress& from, const IpAddress& to, std::size_t bytes) {
  const LinkOptions& options = link_between(from, to).options;
  return options.sender_refuses && bytes + header_bytes(to) > options.mtu;
}

void SimNetwork::tell_too_big(const Address& from, const Address& to, ByteSpan datagram,
                              std::size_t mtu) {
  const std::size_t limit = mtu == 0 ? 0 : mtu - header_bytes(to.ip);
  for (SimDatapath* const host : hosts_) host->hear_router(from, to, datagram, limit);
}

void SimNetwork::send(std::uint32_t id) {
  Packet& sent = packet(id);
  ++stats_.sent;
  const Address inside = sent.from;
  for (const Mapping& mapping : mappings_) {
    if (mapping.inside == sent.from) sent.from = mapping.outside;
  }
  if (is_cut(sent.from.ip, sent.to.ip)) return drop(id, stats_.partition_drops, kPartitionDrop);
  Link& link = link_between(sent.from.ip, sent.to.ip);
  const LinkOptions& options = link.options;
  const std::size_t wire_bytes = sent.bytes.size() + header_bytes(sent.to.ip);
  if (wire_bytes > options.mtu) {
    if (!sent.may_fragment) {
      if (options.router_tells) tell_too_big(inside, sent.to, sent.bytes, options.mtu);
      return drop(id, stats_.mtu_drops, kMtuDrop);
    }
    ++stats_.fragmented;
  }

  Time departure = now_;
  if (options.bits_per_second > 0) {
    const Time start = std::max(link.busy_until, now_);
    const auto bps = static_cast<double>(options.bits_per_second);
    const double waiting_bytes = static_cast<double>((start - now_).count()) * bps / 8e9;
    if (waiting_bytes + static_cast<double>(wire_bytes) >
        static_cast<double>(options.queue_bytes)) {
      return drop(id, stats_.queue_drops, kQueueDrop);
    }
    const double ns = static_cast<double>(wire_bytes) * 8e9 / bps;
    departure = link.busy_until = start + Duration(static_cast<Duration::rep>(ns));
  }
  if (chance(options.loss)) return drop(id, stats_.lost, kLost);
  if (chance(options.duplicate)) {
    ++stats_.duplicated;
    trace(kDuplicated, sent);
    // `sent` stays valid: packets never move.
    schedule(link, departure, make_packet(sent.from, sent.to, sent.bytes));
  }
  schedule(link, departure, id);
}

void SimNetwork::schedule(Link& link, Time departure, std::uint32_t id) {
  const LinkOptions& options = link.options;
  Packet& sent = packet(id);
  Time at = departure + options.delay;
  if (options.jitter > Duration::zero()) {
    at += Duration(static_cast<Duration::rep>(
        rng_.below(static_cast<std::uint64_t>(options.jitter.count()) + 1)));
  }
  if (chance(options.reorder)) at += options.reorder_delay;
  if (!sent.bytes.empty() && chance(options.corrupt)) {
    ++stats_.corrupted;
    trace(kCorrupted, sent);
    const std::uint64_t bit = rng_.below(sent.bytes.size() * 8);
    sent.bytes[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
  }
  events_.push_back({at, next_sequence_++, id});
  std::push_heap(events_.begin(), events_.end(), Later());
}

void SimNetwork::deliver(std::uint32_t id) {
  Packet& arrived = packet(id);
  bool mapped = false;
  for (const Mapping& mapping : mappings_) {
    if (mapping.outside != arrived.to) continue;
    arrived.to = mapping.inside;
    mapped = true;
    break;
  }
  // Behind a NAT the inside address is not reachable by its own name.
  const bool hidden =
      !mapped && std::any_of(mappings_.begin(), mappings_.end(),
                             [&](const Mapping& m) { return m.inside == arrived.to; });
  bool queue_full = false;
  for (SimDatapath* host : hosts_) {
    if (hidden || !host->owns(arrived.to.ip)) continue;
    if (host->accept(id, queue_full)) {
      ++stats_.delivered;
      return trace(kDelivered, arrived);
    }
  }
  if (queue_full) return drop(id, stats_.socket_queue_drops, kSocketQueueDrop);
  drop(id, stats_.no_route, kNoRoute);
}

void SimNetwork::drop(std::uint32_t id, std::uint64_t& counter, std::uint8_t fate) {
  ++counter;
  trace(fate, packet(id));
  free_packet(id);
}

SimNetwork::Link& SimNetwork::link_between(const IpAddress& from, const IpAddress& to) {
  for (Link& link : links_) {
    if (link.from == from && link.to == to) return link;
  }
  if (default_link_.options.bits_per_second == 0) return default_link_;
  // A rate is the direction's own, not shared by all who have the default.
  links_.push_back({from, to, default_link_.options, {}});
  return links_.back();
}

bool SimNetwork::is_cut(const IpAddress& a, const IpAddress& b) const {
  return std::any_of(partitions_.begin(), partitions_.end(), [&](const auto& pair) {
    return (pair.first == a && pair.second == b) || (pair.first == b && pair.second == a);
  });
}

bool SimNetwork::chance(double probability) {
  // No draw where there is no choice: an option that is off leaves the sequence alone.
  if (probability <= 0) return false;
  constexpr double kUnit = 1.0 / 9007199254740992.0;  // 2^-53
  return static_cast<double>(rng_.next() >> 11) * kUnit < probability;
}

void SimNetwork::trace(std::uint8_t fate, const Packet& packet) {
  constexpr std::uint64_t kPrime = 0x100000001b3;  // FNV-1a.
  const auto mix = [&](std::uint64_t value) { trace_ = (trace_ ^ value) * kPrime; };
  mix(static_cast<std::uint64_t>(now_.time_since_epoch().count()));
  mix(fate);
  mix(packet.bytes.size());
  for (const Address* address : {&packet.from, &packet.to}) {
    mix(load_be64(address->ip.bytes.data()));
    mix(load_be64(address->ip.bytes.data() + 8));
    mix(address->port);
  }
}

}  // namespace millrace::io
