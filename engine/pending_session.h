// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "crypto/fingerprint.h"
#include "crypto/handshake_flight.h"
#include "engine/base/address.h"
#include "engine/base/time.h"
#include "engine/ice/pending_pairs.h"
#include "engine/table/association_table.h"
#include "millrace/types.h"
#include "sctp/out_of_band_init.h"

namespace millrace::engine {

// RemoteTerms are what signalling told of the peer that DTLS and SCTP need.
struct RemoteTerms {
  std::vector<crypto::Fingerprint> fingerprints;
  crypto::Role role = crypto::Role::kServer;  // Ours.
  std::uint16_t sctp_port = 5000;
  std::size_t max_message_bytes = 65536;  // What the peer takes.
  // `a=sctp-init` of both descriptions: what ours says, and the peer's INIT, a valid one; it is
  // empty where one of the two has none, and SCTP then sets itself up by packets.
  sctp::LocalInit local_init;
  std::vector<std::uint8_t> peer_init;
};

// PendingSession is a session that signalling has made and no shard has claimed. Any
// shard may answer its checks; the one that receives the first DTLS record from an
// authenticated path claims it. All but the paths in `ice` is immutable.
class PendingSession final : public PendingPayload {
 public:
  PendingSession(SessionId session, ice::Credentials local, std::string remote_ufrag,
                 RemoteTerms remote, Time now)
      : id(session),
        ice(std::move(local), std::move(remote_ufrag), now),
        terms(std::move(remote)),
        created(now) {}

  const SessionId id;
  ice::PendingSession ice;
  const RemoteTerms terms;
  const Time created;
  // Set for a session without ICE: the one address that DTLS is taken from.
  std::optional<Address> static_peer;
};

}  // namespace millrace::engine
