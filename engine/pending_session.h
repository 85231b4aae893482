// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
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
  // `a=sctp-init` of both descriptions: what ours says, and the peer's. Null where one of the two
  // has none; SCTP then sets itself up by packets. By pointer, for a session outlives its use.
  sctp::LocalInit local_init;
  std::shared_ptr<const sctp::PeerInit> peer_init;
};

// begins_with_first_check tells whether a session that answers an offer begins DTLS, where the
// offer leaves the choice, and at once (decision 0013). In general it is passive: browsers begin
// once a check was answered, and their first record tells which shard the kernel sends them to.
// Where there is one shard that is no question, and with SCTP set up by the descriptions who
// begins has the channel a round trip earlier: the other end, the DTLS server, finishes last and
// may send at once.
inline bool begins_with_first_check(std::size_t shards, const RemoteTerms& terms) {
  return shards == 1 && terms.peer_init != nullptr;
}

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
