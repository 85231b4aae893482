// SPDX-License-Identifier: Apache-2.0
#include "io/net/net_layer.h"

#include <algorithm>

#include "engine/base/check.h"

namespace millrace::io {
namespace {

// RFC 4862 §5.3: an interface that speaks IPv6 has a link-local address.
NetOptions with_link_local(NetOptions options) {
  bool v6 = false;
  bool link_local = false;
  for (IpPrefix& prefix : options.addresses) {
    prefix.address.scope_id = 0;
    v6 |= prefix.address.is_v6();
    link_local |= is_link_local_v6(prefix.address);
  }
  if (v6 && !link_local) options.addresses.push_back({link_local_of(options.mac), 64});
  return options;
}

std::size_t pinned_neighbours(const NetOptions& options) {
  return options.gateways.size() + options.static_neighbours.size() +
         (options.loops_back ? options.addresses.size() : 0);
}

}  // namespace

Result<std::unique_ptr<NetLayer>, NetError> NetLayer::create(const NetOptions& options, Time now,
                                                             Rng& rng) {
  if (std::optional<NetError> error = check_options(options)) return Failure(std::move(*error));
  return std::unique_ptr<NetLayer>(
      new NetLayer(with_link_local(options), now, rng));  // tidy: allow, its constructor is private
}

NetLayer::NetLayer(const NetOptions& options, Time now, Rng& rng)
    : options_(options),
      own_(options.addresses, options.loops_back),
      mac_word_(load_be48(options.mac.bytes.data())),
      ethernet_bytes_(kEthernetBytes + (options.vlan ? kVlanTagBytes : 0)),
      neighbours_(options.neighbours, pinned_neighbours(options), now, rng, stats_),
      hops_(options.max_next_hops, rng),
      next_announcement_(options.addresses.size()),
      next_report_(options.addresses.size()),
      listener_due_(now),
      echo_due_(now),
      answer_due_(now) {
  if (options.announces) announce();
  for (const StaticNeighbour& one : options_.static_neighbours) {
    neighbours_.add_static(one.ip, one.mac);
  }
  if (!options_.loops_back) return;
  for (const IpPrefix& own : options_.addresses) neighbours_.add_static(own.address, options_.mac);
}

bool NetLayer::is_on_link(const IpAddress& ip) const {
  return std::any_of(options_.addresses.begin(), options_.addresses.end(),
                     [&](const IpPrefix& prefix) { return prefix.contains(ip); });
}

// The source for `remote`, whose packets go to `via` first: after RFC 6724 §5 in what applies
// to one link, the same scope, then the same prefix.
const IpAddress* NetLayer::source_for(const IpAddress& remote, const IpAddress& via) const {
  const IpAddress* best = nullptr;
  for (const IpPrefix& own : options_.addresses) {
    if (own.address.family != remote.family) continue;
    if (is_link_local_v6(own.address) != is_link_local_v6(remote)) continue;
    if (own.contains(via)) return &own.address;
    if (best == nullptr) best = &own.address;
  }
  return best;
}

std::optional<NetLayer::Way> NetLayer::find_way(const IpAddress& local,
                                                const IpAddress& remote) const {
  if (remote.is_unspecified() || remote.is_loopback() || is_multicast(remote)) return std::nullopt;
  if (is_v4_mapped(remote) || (remote.is_v4() && remote.bytes[0] >= 0xf0)) return std::nullopt;
  if (own_.owns(remote) && !options_.loops_back) return std::nullopt;
  for (const IpPrefix& own : options_.addresses) {
    if (own.is_broadcast(remote)) return std::nullopt;
  }
  Way way{.source = local, .via = remote};
  if (!is_on_link(remote) && neighbours_.state(remote) != NeighbourState::kStatic) {
    const auto gateway =
        std::find_if(options_.gateways.begin(), options_.gateways.end(),
                     [&](const IpAddress& one) { return one.family == remote.family; });
    if (gateway == options_.gateways.end()) return std::nullopt;
    way.via = *gateway;
  }
  way.via.scope_id = 0;
  way.is_gateway =
      std::any_of(options_.gateways.begin(), options_.gateways.end(), [&](const IpAddress& one) {
        return one.family == way.via.family && one.bytes == way.via.bytes;
      });
  if (local.family == IpAddress::Family::kNone) {
    const IpAddress* const source = source_for(remote, way.via);
    if (source == nullptr) return std::nullopt;
    way.source = *source;
  } else if (local.family != remote.family || !own_.owns(local)) {
    return std::nullopt;
  }
  return way;
}

NextHopResult NetLayer::next_hop(Time now, const IpAddress& local, const IpAddress& remote) {
  NextHop* const hop = hops_.find(local, remote);
  if (hop != nullptr && neighbours_.use(now, hop->neighbour, hop->generation)) return {.hop = hop};
  return make_hop(now, local, remote);
}

NextHopResult NetLayer::make_hop(Time now, const IpAddress& local, const IpAddress& remote) {
  const std::optional<Way> way = find_way(local, remote);
  if (!way) return {.refusal = NetDrop::kTxNoRoute};
  NetDrop refusal = NetDrop::kCount;
  const NeighbourTable::Index i = neighbours_.resolve(now, way->via, way->is_gateway, refusal);
  if (i == NeighbourTable::kNoIndex) return {.refusal = refusal};
  ++stats_.next_hop_misses;
  const bool resolved = neighbours_.resolved(i);
  NextHop hop = make_next_hop({.source = way->source,
                               .destination = remote,
                               .source_mac = options_.mac,
                               .destination_mac = resolved ? neighbours_.mac(i) : MacAddress{},
                               .resolved = resolved,
                               .vlan = options_.vlan,
                               .hop_limit = options_.hop_limit,
                               .mtu = options_.mtu,
                               .ip_offload = options_.ip_offload,
                               .udp_checksum = options_.udp_checksum});
  hop.neighbour = i;
  hop.generation = neighbours_.generation(i);
  return {.hop = hops_.put(local, remote, hop)};
}

bool NetLayer::park(const NextHop& hop, FrameToken token) {
  CHECK(!hop.resolved() && neighbours_.generation(hop.neighbour) == hop.generation);
  return neighbours_.park(hop.neighbour, token);
}

bool NetLayer::poll_parked(ParkedFrame& out) {
  return neighbours_.poll_parked(out.token, out.send, out.destination_mac);
}

std::size_t NetLayer::poll_frame(MutableByteSpan out) {
  CHECK(out.size() >= kControlFrameBytes);
  if (next_announcement_ < options_.addresses.size()) {
    return write_announcement(options_.addresses[next_announcement_++].address, out.data());
  }
  while (next_report_ < options_.addresses.size()) {
    const IpAddress& own = options_.addresses[next_report_++].address;
    if (own.is_v6()) return write_report(own, out.data());
  }
  Solicitation question;
  if (!neighbours_.poll_solicitation(question)) return 0;
  ++stats_.tx_solicitations;
  return write_question(question, out.data());
}

}  // namespace millrace::io
