// SPDX-License-Identifier: Apache-2.0
//
// What an engine tells of its shards and sessions.
#include <algorithm>
#include <utility>

#include "engine/engine_impl.h"
#include "engine/shard/shard_core.h"

namespace millrace::engine {
namespace {

// A cursor is a shard and a slot of it.
SessionCursor cursor_of(unsigned shard, std::uint32_t slot) {
  return SessionCursor{std::uint64_t{shard} << 32 | slot};
}

SignalError busy() { return {SignalError::Kind::kFull, "the shard's inbox is full"}; }

}  // namespace

EngineStats EngineImpl::stats() const {
  EngineStats stats;
  for (const std::unique_ptr<ShardRunner>& shard : shards_) {
    stats.shards.push_back(unflatten(shard->core().stats_board().read()));
  }
  stats.sessions_pending = directory_.pending_count();
  return stats;
}

void EngineImpl::session_stats(SessionId session, SessionStatsDone done) {
  const auto place = directory_.find(session);
  if (!place) {
    return done(Failure(SignalError{SignalError::Kind::kUnknown, "no such session"}));
  }
  if (!place->shard) {
    SessionStats pending;
    pending.session = session;
    pending.state = "pending";
    pending.at = now();
    pending.transport.dtls_state = "new";
    pending.transport.dtls_role = "unknown";
    pending.transport.ice_role = "controlled";
    pending.transport.ice_state = "new";
    return done(std::move(pending));
  }
  const unsigned shard = *place->shard;
  const bool posted = post(
      shard, [this, shard, session, done] { shards_[shard]->core().session_stats(session, done); });
  if (!posted) done(Failure(busy()));
}

void EngineImpl::list_sessions(SessionCursor from, std::size_t limit, SessionPageDone done) {
  const std::uint64_t shard = static_cast<std::uint64_t>(from) >> 32;
  const auto slot = static_cast<std::uint32_t>(static_cast<std::uint64_t>(from));
  if (shard >= shards() || slot > settings_.options.max_sessions) {
    return done(Failure(SignalError{SignalError::Kind::kMalformed, "not a cursor of this engine"}));
  }
  limit = std::clamp<std::size_t>(limit, 1, kMaxSessionPage);
  const auto index = static_cast<unsigned>(shard);
  const bool posted = post(index, [this, index, slot, limit, done] {
    SessionPage page;
    const auto next = shards_[index]->core().list_sessions(slot, limit, page.sessions);
    if (next) {
      page.next = cursor_of(index, *next);
    } else if (index + 1 < shards()) {
      page.next = cursor_of(index + 1, 0);
    }
    done(std::move(page));
  });
  if (!posted) done(Failure(busy()));
}

std::optional<Error> EngineImpl::trace_session(SessionId session, const std::string& path) {
  const auto place = directory_.find(session);
  if (!place || !place->shard) return Error{"session: it is on no shard"};
  auto file = OutputFile::create("path", path);
  if (!file.ok()) return file.error();
  const unsigned shard = *place->shard;
  auto kept = std::make_shared<OutputFile>(std::move(file).value());
  const bool posted = post(shard, [this, shard, session, kept] {
    shards_[shard]->core().trace_session(session, [&](Time now, std::string_view vantage) {
      return tracer_.begin(static_cast<std::uint64_t>(session), now, vantage, std::move(*kept));
    });
  });
  if (!posted) return Error{busy().reason};
  return std::nullopt;
}

}  // namespace millrace::engine
