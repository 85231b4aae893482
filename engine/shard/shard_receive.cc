// SPDX-License-Identifier: Apache-2.0
//
// From datagrams to messages: classify, look up, queue the records, open them in one
// batch, and hand the SCTP packets inside to their associations.
#include <algorithm>
#include <array>
#include <utility>

#include "engine/ice/stun_writer.h"
#include "engine/shard/copied_datagram.h"
#include "engine/shard/shard_core.h"

namespace millrace::engine {
namespace {

// RFC 7983 §7: the first byte tells the protocol.
constexpr bool is_stun(std::uint8_t first) { return first <= 3; }
constexpr bool is_dtls(std::uint8_t first) { return first >= 20 && first <= 63; }

constexpr std::size_t kAhead = 4;  // Records ahead of the one that is delivered.

ice::CandidatePair pair_of(const RxBuffer& buffer) { return {buffer.source, buffer.local}; }

bool shares_route(const RxBuffer& a, const RxBuffer& b) {
  return &a == &b || (a.socket == b.socket && a.source == b.source && a.local == b.local);
}

}  // namespace

void ShardCore::classify(Time now, std::span<io::RxView> burst) {
  burst_ = burst;
  routed_buffer_ = nullptr;
  path_news_ = false;
  counters_.datagrams_received += burst.size();
  for (std::uint32_t i = 0; i < burst.size(); ++i) {
    const io::RxView& view = burst[i];
    counters_.bytes_received += view.length;
    const std::uint8_t first = view.data[0];
    if (is_dtls(first)) {
      handle_dtls(now, i);
    } else if (is_stun(first)) {
      handle_stun(now, view);
    } else {
      drop(DropReason::kUnknownFirstByte);
    }
  }
}

// A coalesced buffer comes from one source, so its datagrams share one look-up; and where each
// datagram has a buffer of its own, those that follow each other mostly do.
ShardCore::Route ShardCore::route(Time now, const io::RxView& view) {
  if (routed_buffer_ != nullptr && shares_route(*view.buffer, *routed_buffer_)) return route_;
  routed_buffer_ = view.buffer;
  route_ = Route{};
  const RxBuffer& buffer = *view.buffer;
  route_.session = session_of_socket(buffer.socket);
  if (route_.session == nullptr) route_.session = claim_or_forward(now, view);
  if (route_.session == nullptr) return route_;
  const ice::CandidatePair pair = pair_of(buffer);
  Path& path = route_.session->path;
  if (path.accepts_dtls(pair)) {
    if (path.is_news(pair)) [[unlikely]]
      note_path(*route_.session, pair);
  } else {
    route_.refusal = path.kind() == Path::Kind::kAwaitingAnswer ? DropReason::kBeforeAnswer
                                                                : DropReason::kUnauthenticated;
  }
  return route_;
}

// Nothing authenticates a handshake, which may begin on several paths before one is nominated.
// Of an established session only a record that opens tells where its peer is.
void ShardCore::note_path(Session& session, const ice::CandidatePair& pair) {
  if (session.dtls && session.dtls->established()) {
    path_news_ = true;
  } else {
    session.path.note_handshake(pair);
  }
}

void ShardCore::note_paths(Time now, std::span<const crypto::OpenJob> jobs) {
  for (const crypto::OpenJob& job : jobs) {
    if (job.verdict != crypto::OpenVerdict::kOpened) continue;
    static_cast<Session*>(job.tag.owner)
        ->path.note_record(now, pair_of(*burst_[job.tag.index].buffer),
                           job.keys->is_newest(job.record));
  }
}

// What is no packet of a session's present path, a check on another or a late one, says nothing
// of it.
Session* ShardCore::sender_of(const io::RefusedSend& refused) {
  Session* session = session_of_socket(refused.socket);
  if (session == nullptr) {
    const Found found = table_.find(AddressKey(refused.remote));
    if (!found.handle.is_claimed() || found.handle.shard() != index_) return nullptr;
    session = slots_[found.handle.slot()].get();
    if (session == nullptr || session->entry != found.entry) return nullptr;
  }
  const ice::CandidatePair* const pair = session->path.selected();
  if (pair == nullptr || pair->remote != refused.remote) return nullptr;
  if (!session->sctp || !session->dtls->established()) return nullptr;
  return refused.bytes > session->dtls->record_keys()->overhead() ? session : nullptr;
}

void ShardCore::handle_refused(Time now, const io::RefusedSend& refused) {
  if (refused.router) return handle_router_word(now, refused);
  Session* const session = sender_of(refused);
  if (session == nullptr) return;
  const std::size_t overhead = session->dtls->record_keys()->overhead();
  session->sctp->association.handle_packet_refused(now, refused.bytes - overhead);
  touch(*session);
}

// RFC 8899 §4.6.1: addresses and ports are those of the session's path, and what is quoted is a
// record that it may have sealed, which who is not on the path can only guess.
void ShardCore::handle_router_word(Time now, const io::RefusedSend& refused) {
  const io::RouterWord& word = *refused.router;
  Session* const session = sender_of(refused);
  if (session == nullptr) {
    // Those who share a port all hear it.
    const Found found = table_.find(AddressKey(refused.remote));
    if (found.handle.is_claimed() && found.handle.shard() != index_) return;
    return drop(DropReason::kUnknownTooBig);
  }
  const std::size_t overhead = session->dtls->record_keys()->overhead();
  const bool possible = word.limit == 0 || word.limit > overhead;
  if (!possible || !session->path.accepts_dtls({refused.remote, word.local}) ||
      !session->dtls->record_keys()->may_have_sealed(ByteSpan(word.quote).first(word.quoted),
                                                     refused.bytes)) {
    return drop(DropReason::kUnknownTooBig);
  }
  session->sctp->association.handle_packet_too_big(now, refused.bytes - overhead,
                                                   word.limit == 0 ? 0 : word.limit - overhead);
  touch(*session);
}

Session* ShardCore::claim_or_forward(Time now, const io::RxView& view) {
  const Address& source = view.buffer->source;
  if (known_session_ != nullptr && known_source_ == source) return known_session_;
  const Found found = table_.find(AddressKey(source));
  if (found.handle.is_claimed()) {
    if (found.handle.shard() != index_) {
      forward(found.handle.shard(), view);
      // Each datagram of this buffer must go the same way.
      routed_buffer_ = nullptr;
      return nullptr;
    }
    Session* const session = slots_[found.handle.slot()].get();
    if (session != nullptr && session->entry == found.entry) {
      known_source_ = source;
      return known_session_ = session;
    }
  }
  if (!found.handle.is_pending()) {
    route_.refusal = DropReason::kUnknownSource;
    return nullptr;
  }
  auto* pending = static_cast<PendingSession*>(table_.payload(found.entry));
  if (pending == nullptr) return nullptr;  // Claimed or ended this instant.
  const bool authenticated = pending->static_peer
                                 ? *pending->static_peer == view.buffer->source
                                 : pending->ice.is_authenticated(pair_of(*view.buffer));
  if (!authenticated) {
    route_.refusal = DropReason::kUnauthenticated;
    return nullptr;
  }
  Session* const claimed = claim(now, found.entry);
  if (claimed == nullptr && free_slots_.empty()) route_.refusal = DropReason::kSessionLimit;
  return claimed;
}

void ShardCore::handle_dtls(Time now, std::uint32_t index) {
  const io::RxView& view = burst_[index];
  const Route way = route(now, view);
  if (way.refusal) drop(*way.refusal);
  if (way.session == nullptr || way.refusal) return;
  Session& session = *way.session;
  if (!session.dtls || session.phase == Session::Phase::kClosed) return;
  ++session.traffic.datagrams_received;
  session.traffic.bytes_received += view.length;
  // A datagram may be all headers; the queue must take as many jobs.
  if (jobs_.room() < view.length / crypto::kRecordHeaderBytes + 1) open_and_deliver(now);
  session.dtls->handle_datagram(now, {view.data, view.length}, jobs_, {&session, index});
  touch(session);
}

void ShardCore::open_and_deliver(Time now) {
  const std::span<crypto::OpenJob> jobs = jobs_.jobs();
  opened_.note(jobs.size());
  crypto::open_batch(jobs);
  if (path_news_) [[unlikely]]
    note_paths(now, jobs);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const crypto::OpenJob& job = jobs[i];
    // A large burst has pushed its first buffers' headers out of the nearest cache.
    if (i + kAhead < jobs.size()) __builtin_prefetch(burst_[jobs[i + kAhead].tag.index].buffer);
    Session& session = *static_cast<Session*>(job.tag.owner);
    const auto received = session.dtls->handle_opened(now, job);
    if (received != crypto::DtlsSession::Received::kApplicationData || !session.sctp ||
        session.phase == Session::Phase::kClosed) {
      continue;
    }
    session.received = true;
    if (session.traced) [[unlikely]]
      trace_packet(session, false, job.plaintext);
    session.sctp->association.handle_packet(now, job.plaintext,
                                            BufferRef(burst_[job.tag.index].buffer));
    drain_events(now, session);
  }
  jobs_.clear();
}

void ShardCore::handle_stun(Time now, const io::RxView& view) {
  const RxBuffer& buffer = *view.buffer;
  const ByteSpan bytes(view.data, view.length);
  if (Session* const dialled = session_of_socket(buffer.socket)) {
    Session& session = *dialled;
    ice::IceControllingAgent* const agent = session.path.controlling();
    if (agent == nullptr) {
      drop(DropReason::kBeforeAnswer);
      return;
    }
    agent->handle_datagram(now, pair_of(buffer), bytes);
    routed_buffer_ = nullptr;  // The check may have authenticated the path.
    touch(session);
    return;
  }
  const std::optional<ice::StunMessageView> message = ice::StunMessageView::parse(bytes);
  // A lite agent sends no request, so no response is for it.
  if (!message || message->message_class() != ice::StunClass::kRequest) {
    drop(DropReason::kMalformedStun);
    return;
  }
  handle_check(now, view, *message);
}

// A check finds its session by the fragment that we chose: the address may be new.
void ShardCore::handle_check(Time now, const io::RxView& view,
                             const ice::StunMessageView& request) {
  const std::optional<UfragKey> ufrag = UfragKey::parse(ice::local_ufrag_of(request));
  const Found found = ufrag ? table_.find(*ufrag) : Found{};
  if (!found) {
    drop(DropReason::kUnknownUfrag);
    return;
  }
  if (found.handle.is_claimed()) {
    if (found.handle.shard() != index_) {
      forward(found.handle.shard(), view);
      return;
    }
    Session* const session = slots_[found.handle.slot()].get();
    if (session != nullptr && session->entry == found.entry) {
      answer_check(*session, now, view, request);
    }
    return;
  }
  auto* pending = static_cast<PendingSession*>(table_.payload(found.entry));
  if (pending == nullptr) return;
  const MutableByteSpan out = control_.begin();
  if (out.empty()) {
    drop(DropReason::kControlFull);
    return;
  }
  const ice::CandidatePair pair = pair_of(*view.buffer);
  const ice::CheckAnswer answer = pending->ice.handle_check(now, request, pair, world_.mac, out);
  if (answer.response_bytes != 0) {
    control_.push({view.buffer->socket, pair.remote, pair.local}, answer.response_bytes);
  }
  if (answer.verdict != ice::CheckVerdict::kAccepted) {
    drop(DropReason::kRefusedCheck);
    return;
  }
  enter_address(found.entry, pair.remote);
  routed_buffer_ = nullptr;
  // Where we are the DTLS client nothing will arrive first. The nominated pair decides which
  // shard has the session.
  const bool decides =
      answer.use_candidate || begins_with_first_check(world_.mailboxes.size(), pending->terms);
  if (decides && pending->terms.role == crypto::Role::kClient &&
      claim(now, found.entry) == nullptr && free_slots_.empty()) {
    drop(DropReason::kSessionLimit);
  }
}

void ShardCore::answer_check(Session& session, Time now, const io::RxView& view,
                             const ice::StunMessageView& request) {
  ice::IceLiteAgent* const agent = session.path.lite();
  const MutableByteSpan out = control_.begin();
  if (agent == nullptr || out.empty()) {
    drop(DropReason::kControlFull);
    return;
  }
  const ice::CandidatePair pair = pair_of(*view.buffer);
  agent->note_heard(session.heard);
  const ice::CheckAnswer answer = agent->handle_check(now, request, pair, world_.mac, out);
  if (answer.response_bytes != 0) control_.push(session.path.to(pair), answer.response_bytes);
  if (answer.verdict != ice::CheckVerdict::kAccepted) {
    drop(DropReason::kRefusedCheck);
    return;
  }
  if (const std::optional<Address> left = agent->take_evicted()) {
    table_.remove_address(session.entry, AddressKey(*left));
    known_session_ = nullptr;
  }
  enter_address(session.entry, pair.remote);
  routed_buffer_ = nullptr;
  touch(session);
}

// Makes `remote` lead to the session whose check was authenticated from there. Where it
// led to another one the latest check decides: a peer that begins anew from its old port
// is not locked out until the old session's consent ends, and who was robbed of an address
// by a forged source has it back with its next check. From another shard's session it has to be
// claimed: only the owner takes an address away.
void ShardCore::enter_address(EntryRef entry, const Address& remote) {
  known_session_ = nullptr;
  const AddressKey key(remote);
  TableResult entered = table_.add_address(entry, key);
  if (entered.status == TableStatus::kTaken) {
    const SessionHandle holder = entered.holder.handle;
    if (holder.is_claimed() && holder.shard() != index_) {
      return pass_on(holder.shard(), {.entry = entry, .remote = remote});
    }
    if (may_lose_address(entered.holder)) {
      table_.remove_address(entered.holder.entry, key);
      entered = table_.add_address(entry, key);
    }
  }
  if (!entered.ok()) drop(DropReason::kTableFull);
}

// A claim goes to the shard that has the address, and from there to the one that wants it; no
// further, or two of them could chase each other for ever.
void ShardCore::handle_claim(const AddressClaim& claim) {
  known_session_ = nullptr;
  const AddressKey key(claim.remote);
  if (!claim.given_up) {
    const Found holder = table_.find(key);
    if (holder && holder.entry != claim.entry) {
      if (!may_lose_address(holder)) return drop(DropReason::kTableFull);
      table_.remove_address(holder.entry, key);
    }
  }
  const SessionHandle claimant = table_.handle(claim.entry);
  if (!claimant) return;  // It has ended meanwhile.
  if (claimant.is_claimed() && claimant.shard() != index_) {
    return pass_on(claimant.shard(),
                   {.entry = claim.entry, .remote = claim.remote, .given_up = true});
  }
  if (!table_.add_address(claim.entry, key).ok()) drop(DropReason::kTableFull);
}

void ShardCore::pass_on(unsigned shard, const AddressClaim& claim) {
  if (!world_.mailboxes[shard]->claim(claim)) drop(DropReason::kForwardFull);
}

// A session without ICE keeps its one address: it has no check to win it back with.
bool ShardCore::may_lose_address(const Found& holder) const {
  if (holder.handle.is_pending()) {
    const auto* pending = static_cast<const PendingSession*>(table_.payload(holder.entry));
    return pending != nullptr && !pending->static_peer;
  }
  if (holder.handle.shard() != index_) return false;
  const Session* const session = slots_[holder.handle.slot()].get();
  return session != nullptr && session->entry == holder.entry &&
         session->path.kind() == Path::Kind::kLite;
}

void ShardCore::forward(unsigned shard, const io::RxView& view) {
  if (view.length > Mailbox::kForwardBytes) return drop(DropReason::kForwardFull);
  ForwardedDatagram message{
      {view.data, view.data + view.length}, view.buffer->source, view.buffer->local};
  if (world_.mailboxes[shard]->forward(std::move(message))) {
    ++counters_.datagrams_forwarded;
  } else {
    drop(DropReason::kForwardFull);
  }
}

// Runs one datagram that did not come from the datapath through the receiving stages.
void ShardCore::process_copy(Time now, ByteSpan datagram, const RxBuffer& origin, bool tells_path) {
  const BufferRef copy = CopiedDatagram::make(datagram, origin);
  io::RxView view{copy->data, static_cast<std::uint32_t>(datagram.size()), copy.get()};
  classify(now, std::span(&view, 1));
  path_news_ = path_news_ && tells_path;
  open_and_deliver(now);
  burst_ = {};
  routed_buffer_ = nullptr;
}

}  // namespace millrace::engine
