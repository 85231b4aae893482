// SPDX-License-Identifier: Apache-2.0
//
// Captures and traces: copies of what a turn has seen, for the record thread. All of it is
// off the path of a session that nobody records.
#include <string>
#include <utility>

#include "engine/shard/shard_core.h"

namespace millrace::engine {
namespace {

constexpr std::size_t kMaxTraces = 64;  // At once; each has a ring of 2 MiB.

}  // namespace

void ShardCore::capture_received(std::span<const io::RxView> burst) {
  CaptureLane& lane = world_.capture->lane(index_);
  for (const io::RxView& view : burst) {
    const RxBuffer& buffer = *view.buffer;
    const Address local{buffer.local, sockets_.local_address(buffer.socket).port};
    lane.take(now_, false, local, buffer.source, {view.data, view.length});
  }
}

void ShardCore::capture_sent(const io::Destination& to, ByteSpan datagram) {
  Address local = sockets_.local_address(to.socket);
  if (to.local.family != IpAddress::Family::kNone) local.ip = to.local;
  world_.capture->lane(index_).take(now_, true, local, to.remote, datagram);
}

void ShardCore::begin_trace(Session& session, std::shared_ptr<SessionTrace> trace) {
  if (trace == nullptr) return;
  end_trace(session);
  if (traces_.size() >= kMaxTraces) {
    world_.log("trace: " + std::to_string(kMaxTraces) + " sessions of the shard have one already");
    return trace->end(now_);
  }
  traces_[session.slot] = std::move(trace);
  session.traced = true;
}

void ShardCore::trace_session(
    SessionId id,
    const std::function<std::shared_ptr<SessionTrace>(Time now, std::string_view vantage)>& make) {
  Session* const session = find(id);
  if (session == nullptr) return;
  const bool client = session->terms.role == crypto::Role::kClient;
  begin_trace(*session, make(now_, !session->dtls ? "unknown" : client ? "client" : "server"));
  touch(*session);
}

void ShardCore::trace_packet(Session& session, bool sent, ByteSpan packet) {
  traces_[session.slot]->packet(now_, sent, packet);
}

void ShardCore::trace_state(Session& session) {
  if (!session.sctp) return;
  const sctp::Association& association = session.sctp->association;
  traces_[session.slot]->sample(now_, association.metrics(), association.stats());
}

void ShardCore::end_trace(Session& session) {
  if (!std::exchange(session.traced, false)) return;
  const auto found = traces_.find(session.slot);
  found->second->end(now_);
  traces_.erase(found);
}

}  // namespace millrace::engine
