// SPDX-License-Identifier: Apache-2.0
#include "sctp/packet/i_forward_tsn_chunk.h"

namespace millrace::sctp {

void IForwardTsnChunk::write(MutableByteSpan out) const {
  CHECK(out.size() == size());
  ByteWriter writer = begin_chunk(out, ChunkType::kIForwardTsn);
  writer.u32(new_cumulative_tsn.value());
  for (const SkippedMessages& entry : skipped) {
    writer.u16(entry.stream.value());
    writer.u16(entry.unordered ? 1 : 0);
    writer.u32(entry.mid.value());
  }
}

}  // namespace millrace::sctp
