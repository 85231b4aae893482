// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "engine/base/bytes.h"
#include "sctp/types.h"

namespace millrace::engine {

// append_chunks appends the chunks of a packet, behind its common header, as JSON objects
// with commas between them. With `highest_sent`, which it brings up to date, DATA that is
// not above it is marked as a retransmission. Payload is never written.
void append_chunks(std::string& out, ByteSpan chunks, std::optional<sctp::Tsn>* highest_sent);

}  // namespace millrace::engine
