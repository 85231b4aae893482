// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "engine/base/bytes.h"
#include "engine/base/rng.h"
#include "sctp/options.h"
#include "sctp/packet/init_chunk.h"
#include "sctp/packet/init_parameters.h"
#include "sctp/types.h"

// INIT chunks exchanged by signalling (draft-hancke-tsvwg-snap, `a=sctp-init` in SDP): each
// end knows the other's before the first packet, so that the association is established as
// soon as DTLS is, two round trips earlier.
namespace millrace::sctp {

// LocalInit is what an association must later be true to, once its INIT has been signalled.
struct LocalInit {
  VerificationTag initiate_tag;
  Tsn initial_tsn;

  // A tag that is random and never zero (RFC 9260 §5.3.1), and a random TSN.
  static LocalInit draw(Rng& rng);
};

// PeerInit is what a valid INIT of a peer says. Nothing in it points into the chunk that it was
// read from: `fields.parameters` is empty.
struct PeerInit {
  InitFields fields;
  PeerExtensions extensions;

  // Nothing where `chunk` is not one whole INIT, or one that RFC 9260 §3.3.2 has refused: a
  // tag of zero, no streams, too small a window, a host name, malformed parameters.
  static std::optional<PeerInit> parse(ByteSpan chunk);
};

// make_init returns the INIT chunk, without common header, that an association with these
// options and numbers sends.
std::vector<std::uint8_t> make_init(const Options& options, const LocalInit& local);

}  // namespace millrace::sctp
