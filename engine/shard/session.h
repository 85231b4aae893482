// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "crypto/dtls_session.h"
#include "engine/base/slab_pool.h"
#include "engine/base/time.h"
#include "engine/pending_session.h"
#include "engine/shard/path.h"
#include "millrace/channel.h"
#include "millrace/types.h"
#include "sctp/association.h"
#include "sctp/dcep/data_channels.h"

namespace millrace::engine {

// Sctp is an association and the data channels on it.
struct Sctp {
  Sctp(const sctp::Options& options, sctp::DtlsRole role, const sctp::ChannelLimits& limits,
       Rng& rng, const Mac& mac, BlockPool& pool, const std::optional<sctp::LocalInit>& signalled)
      : association(options, rng, mac, pool, signalled), channels(association, role, limits) {}

  // Tells of the pair that packets leave on from here on: another path has another MTU.
  void note_path(const ice::CandidatePair& pair) {
    if (pair == sent_on) return;
    if (sent_on.remote.port != 0) association.handle_path_change();
    sent_on = pair;
  }

  sctp::Association association;
  sctp::DataChannels channels;
  // What the shard notes of a channel; another generation's is void.
  struct Note {
    std::uint32_t generation = 0;
    bool open = false;               // The handler was told.
    std::uint64_t word = 0;          // The application's.
    std::optional<Channel> channel;  // As the handler is told of it.
  };
  std::vector<Note> notes;  // By ChannelHandle::slot.
  // Channels whose `send` said kWouldBlock since there was room last, and those of the
  // time before, who are being told.
  std::vector<sctp::ChannelHandle> blocked;
  std::vector<sctp::ChannelHandle> unblocked;
  ice::CandidatePair sent_on;  // The last packets; none yet while its port is 0.
};

// Session is one peer as its shard keeps it: the state of each layer, outermost first.
// The stages of ShardCore act on it; it has no behaviour of its own. It is destroyed only
// at the end of a turn, so a pointer to it is good for the turn.
struct Session {
  enum class Phase : std::uint8_t {
    kOffered,      // We made an offer; the answer has not come.
    kConnecting,   // ICE and DTLS.
    kAssociating,  // SCTP set-up.
    kOpen,
    kClosing,  // SHUTDOWN under way.
    kClosed,   // The handler was told; a last alert may be on its way out.
  };

  Session(SessionId session_id, std::uint32_t session_slot, io::SocketId socket)
      : slot(session_slot), id(session_id), path(socket) {}

  // What every packet touches comes first, in a cache line and a half.
  const std::uint32_t slot;  // Place in its shard, and id of its timer.
  Phase phase = Phase::kConnecting;
  bool dirty = false;     // In the shard's list of sessions touched this turn.
  bool received = false;  // SCTP packets came in this turn.
  bool dtls_started = false;
  bool more_to_send = false;     // A turn's budget ended before the data did.
  bool unserved = false;         // It did not even begin, and nothing has changed since.
  bool flight_waits = false;     // For a packet to go with; until the end of the turn.
  bool control_blocked = false;  // The control queue had no room for all.
  bool alert_due = false;        // SCTP is over; close_notify follows its last packet.
  bool silent = false;           // Consent is lost: nothing may be sent.
  bool draining = false;         // Events are being handed to the handler.
  bool over = false;             // `close_reason` is set; the handler is told once drained.
  bool handshaking = false;      // DTLS has begun and is not established.
  bool owns_socket = false;      // The dialling side's: closed with the session.
  bool traced = false;           // The shard has a trace of it.
  CloseReason close_reason = CloseReason::kLocal;
  // Set once DTLS is established.
  SlabPool<Sctp>::Ptr sctp;
  // Set once the peer's fingerprint and our role are known.
  std::optional<crypto::DtlsSession> dtls;
  // Datagrams of DTLS that came, and those with handshake and alerts that left; the packets of
  // the association are its own to count.
  struct Traffic {
    std::uint64_t datagrams_received = 0;
    std::uint64_t bytes_received = 0;
    std::uint32_t control_datagrams_sent = 0;
    std::uint32_t control_bytes_sent = 0;
  } traffic;
  Time heard{};            // The handshake ended, or SCTP packets came last.
  Time deadline = kNever;  // Of set-up; then of closing.
  // A handshake flight that found its worker's queue full.
  std::unique_ptr<crypto::HandshakeFlight> flight;
  const SessionId id;
  EntryRef entry;  // In the association table, for one that others dialled.
  Path path;

  RemoteTerms terms;
  std::unique_ptr<ice::Credentials> local;  // Of an offer, until the answer comes.
  std::uint64_t user_data = 0;
};

// Ten thousand idle sessions are 80 MB: what is added here is paid for so many times.
static_assert(sizeof(Session) <= 2144);
static_assert(sizeof(Sctp) <= 4608);

}  // namespace millrace::engine
