// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/base/bytes.h"
#include "engine/base/rng.h"
#include "sctp/options.h"
#include "sctp/packet/init_chunk.h"
#include "sctp/packet/init_parameters.h"
#include "sctp/packet/tlv.h"
#include "sctp/types.h"

// What an end offers in INIT and INIT-ACK, what it takes of the other's, and what follows for
// both (RFC 9260 §5.1), whichever way the chunks travel.
namespace millrace::sctp {

// Parameters of an INIT or INIT-ACK: the cookie, extensions and what was unrecognised.
inline constexpr std::size_t kMaxInitParameterBytes = 640;

// RFC 9260 §5.3.1: random, and never zero.
VerificationTag fresh_tag(Rng& rng);

// RFC 9260 §3.3.2: whether the fixed fields allow an association at all.
bool has_valid_fields(const InitFields& init);

// What both ends offered.
Extensions in_common(const Extensions& offered, const PeerExtensions& peer);

// The fields of this end's INIT or INIT-ACK.
InitFields init_fields(const Options& options, VerificationTag tag, Tsn initial_tsn,
                       ByteSpan parameters);

// The parameters that offer `extensions`.
void append_extensions(const Extensions& extensions, TlvWriter& out);

}  // namespace millrace::sctp
