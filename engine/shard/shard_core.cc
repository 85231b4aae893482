// SPDX-License-Identifier: Apache-2.0
#include "engine/shard/shard_core.h"

#include <algorithm>
#include <utility>

#include "engine/shard/shard_stats.h"

namespace millrace::engine {
namespace {

// A turn's share for messages of other threads and for timers: what is left over waits
// for the next turn, so that neither starves the packets.
constexpr std::size_t kInboxBudget = 256;
constexpr std::size_t kForwardBudget = 256;
constexpr std::size_t kTimerBudget = 1024;
constexpr std::size_t kBacklogTimers = 32;
constexpr std::size_t kOpenJobs = 2048;
constexpr Duration kPublishInterval = milliseconds(100);
constexpr std::size_t kSummedAtOnce = 256;  // Sessions, each time counters are posted.
constexpr Duration kPendingSweep = seconds(1);
constexpr Duration kCloseTimeout = seconds(5);

}  // namespace

ShardCore::ShardCore(unsigned index, ShardWorld world, SocketPort& sockets)
    : index_(index),
      world_(world),
      inbox_(*world.mailboxes[index]),
      sockets_(sockets),
      context_(*this),
      table_(world.directory.table()),
      dtls_{crypto::RecordKeysPool(crypto::best_backend(), world.dtls->options().key_limits), {}},
      wheel_(world.settings.options.max_sessions, sockets.read_clock()),
      jobs_(kOpenJobs) {
  const std::size_t capacity = world.settings.options.max_sessions;
  slots_.resize(capacity);
  free_slots_.reserve(capacity);
  for (std::size_t slot = capacity; slot > 0; --slot) {
    free_slots_.push_back(static_cast<std::uint32_t>(slot - 1));
  }
  touched_.reserve(256);
  if (index == 0) next_sweep_ = Time{};
  table_.pause();
}

ShardCore::~ShardCore() {
  // It may use its channels to the last.
  handler_.reset();
  table_.resume();
}

void ShardCore::begin_turn(Time now) {
  now_ = now;
  ++counters_.turns;
}

void ShardCore::touch(Session& session) {
  session.unserved = false;
  if (session.dirty) return;
  session.dirty = true;
  touched_.push_back(&session);
}

Session* ShardCore::find(SessionId id) {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : slots_[found->second].get();
}

void ShardCore::take_messages(Time now) {
  ShardMessage message;
  for (std::size_t n = 0; n < kInboxBudget && inbox_.take(message); ++n) {
    handle_message(now, message);
    message = std::monostate{};
  }
  // Ahead of the datagrams, some of which come from where these are about.
  AddressClaim claim;
  for (std::size_t n = 0; n < kInboxBudget && inbox_.take(claim); ++n) handle_claim(claim);
  ForwardedDatagram datagram;
  for (std::size_t n = 0; n < kForwardBudget && inbox_.take(datagram); ++n) {
    RxBuffer origin;
    origin.socket = listening_;
    origin.source = datagram.source;
    origin.local = datagram.local;
    process_copy(now, datagram.bytes, origin, true);
  }
}

void ShardCore::handle_message(Time now, ShardMessage& message) {
  if (auto* task = std::get_if<Task>(&message)) {
    (*task)();
  } else if (auto* flight = std::get_if<FlightReturn>(&message)) {
    if (Session* const session = find(flight->session)) {
      land_flight(now, *session, std::move(flight->flight));
    }
  }
}

// What an overdue timer waits for may have arrived already and stand in the kernel's queue. A
// thread that has fallen behind and ran all its timers first would send again what the peer
// has long acknowledged, when it has the least time for it, and fall behind for good.
void ShardCore::fire_timers(Time now, bool backlog) {
  wheel_.advance(now, backlog ? kBacklogTimers : kTimerBudget, [&](TimerWheel::Id slot) {
    Session* const session = slots_[slot].get();
    if (session == nullptr) return;
    session->path.handle_timeout(now);
    if (session->dtls) session->dtls->handle_timeout(now);
    if (session->sctp) session->sctp->association.handle_timeout(now);
    touch(*session);
  });
}

void ShardCore::run_chores(Time now) {
  if (now >= handler_wakeup_) {
    handler_wakeup_ = kNever;
    handler_->on_wakeup(now);
  }
  if (now >= next_publish_) publish_stats();
  if (now >= next_sweep_) {
    next_sweep_ = now + kPendingSweep;
    world_.directory.expire_pending(now, world_.settings.options.handshake_timeout);
  }
}

void ShardCore::settle(Time now) {
  std::size_t kept = 0;
  for (Session* const session : touched_) {
    // There was no packet for the last flight to go with.
    if (std::exchange(session->flight_waits, false)) poll_dtls(now, *session);
    // The last packet goes ahead of close_notify, and both ahead of the session's end.
    if (session->alert_due && !session->more_to_send) {
      session->alert_due = false;
      session->dtls->close(now);
      poll_control(now, *session);
    }
    if (session->traced) [[unlikely]]
      trace_state(*session);
    session->dirty = false;
    // What just left, where somebody waits to hear of it: he is told at once, not by its SACK.
    const bool news = session->sctp && session->sctp->association.has_progress() &&
                      session->phase != Session::Phase::kClosed;
    const bool advance = session->flight || news || std::exchange(session->control_blocked, false);
    if (session->more_to_send || advance) {
      session->dirty = true;
      session->unserved &= !advance;
      touched_[kept++] = session;
    } else if (session->phase == Session::Phase::kClosed) {
      closed_.push_back(session);
    } else {
      rearm(*session);
    }
  }
  touched_.resize(kept);
}

void ShardCore::rearm(Session& session) {
  Time due = std::min(session.deadline, session.path.next_timeout());
  if (session.dtls) due = std::min(due, session.dtls->next_timeout());
  if (session.sctp) due = std::min(due, session.sctp->association.next_timeout());
  wheel_.schedule(session.slot, due);
}

void ShardCore::destroy_closed() {
  for (Session* const session : closed_) destroy(*session);
  closed_.clear();
}

void ShardCore::destroy(Session& session) {
  end_handshake(session);
  end_trace(session);
  wheel_.cancel(session.slot);
  if (session.entry != EntryRef{}) table_.remove(session.entry, table_.handle(session.entry));
  if (session.owns_socket) disown_socket(session);
  by_id_.erase(session.id);
  live_.store(by_id_.size(), std::memory_order_relaxed);
  world_.directory.forget(session.id);
  const std::uint32_t slot = session.slot;
  retired_sctp_.add(session);
  slots_[slot].reset();
  free_slots_.push_back(slot);
  routed_buffer_ = nullptr;
  known_session_ = nullptr;
}

Time ShardCore::next_deadline() const {
  const Time due = earliest(wheel_.next_expiry(), handler_wakeup_, next_sweep_);
  // An idle shard need not wake to post counters that have not changed.
  const bool chores = counters_.turns != published_turns_ || pool_.has_surplus();
  return chores ? std::min(due, next_publish_) : due;
}

void ShardCore::before_sleep() { table_.pause(); }
void ShardCore::after_sleep() { table_.resume(); }

void ShardCore::close_session(SessionId id) {
  if (Session* const session = find(id)) begin_close(*session);
}

void ShardCore::close_all(bool at_once) {
  for (const auto& session : slots_) {
    if (session == nullptr || session->phase == Session::Phase::kClosed) continue;
    if (at_once) {
      if (session->sctp) session->sctp->association.abort(now_, "shutting down");
      finish(*session, CloseReason::kLocal);
    } else {
      begin_close(*session);
    }
  }
}

void ShardCore::begin_close(Session& session) {
  if (session.phase == Session::Phase::kClosing || session.phase == Session::Phase::kClosed) return;
  touch(session);
  if (session.phase != Session::Phase::kOpen) return finish(session, CloseReason::kLocal);
  session.phase = Session::Phase::kClosing;
  session.deadline = now_ + kCloseTimeout;
  session.sctp->association.shutdown(now_);
}

void ShardCore::count_sent(std::size_t datagrams, std::size_t bytes) {
  counters_.datagrams_sent += datagrams;
  counters_.bytes_sent += bytes;
}

void ShardCore::publish_last() {
  summed_ = 0;
  sum_sctp(slots_.size());
  publish_stats();
}

// Every association has counters of its own, and with thousands a sum is no trifle: it goes on
// over several turns. A total never falls, though a session may end between two of them.
void ShardCore::sum_sctp(std::size_t slots) {
  if (summed_ == 0) sctp_sum_ = retired_sctp_;
  const std::size_t end = std::min(summed_ + slots, slots_.size());
  for (; summed_ < end; ++summed_) {
    if (slots_[summed_] != nullptr) sctp_sum_.add(*slots_[summed_]);
  }
  if (summed_ < slots_.size()) return;
  summed_ = 0;
  sctp_totals_.raise_to(sctp_sum_);
}

void ShardCore::publish_stats() {
  next_publish_ = now_ + kPublishInterval;
  pool_.trim();
  published_turns_ = counters_.turns;
  counters_.sessions = by_id_.size();
  counters_.payload_copied_in_order = copy_counters().in_order;
  counters_.payload_copied_held = copy_counters().held;
  counters_.records_per_seal_p50 = sealed_.median();
  counters_.records_per_open_p50 = opened_.median();
  sum_sctp(kSummedAtOnce);
  const DropTotals drops{drops_, dtls_.counters, sctp_totals_, sockets_.io_stats()};
  board_.post(flatten(counters_, drops));
}

}  // namespace millrace::engine
