// SPDX-License-Identifier: Apache-2.0
#include "sctp/packet/forward_tsn_chunk.h"

namespace millrace::sctp {

void ForwardTsnChunk::write(MutableByteSpan out) const {
  CHECK(out.size() == size());
  ByteWriter writer = begin_chunk(out, ChunkType::kForwardTsn);
  writer.u32(new_cumulative_tsn.value());
  for (const SkippedStream& entry : skipped) {
    writer.u16(entry.stream.value());
    writer.u16(entry.ssn.value());
  }
}

}  // namespace millrace::sctp
