// SPDX-License-Identifier: Apache-2.0
#include "sctp/out_of_band_init.h"

#include <array>

#include "sctp/packet/chunk.h"
#include "sctp/packet/tlv.h"
#include "sctp/setup_terms.h"

namespace millrace::sctp {

LocalInit LocalInit::draw(Rng& rng) { return {fresh_tag(rng), Tsn(rng.next_u32())}; }

std::optional<PeerInit> PeerInit::parse(ByteSpan bytes) {
  // Some write the padding behind the last parameter as well.
  ChunkReader reader(bytes);
  const auto chunk = reader.next();
  if (!chunk || reader.next() || reader.malformed()) return std::nullopt;
  auto init = InitChunk::parse(chunk->bytes);
  if (!init || init->initiate_tag.is_zero() || !has_valid_fields(*init)) return std::nullopt;
  const auto parameters = InitParameters::parse(init->parameters);
  if (!parameters || parameters->host_name) return std::nullopt;
  init->parameters = {};
  return PeerInit{*init, *parameters};
}

std::vector<std::uint8_t> make_init(const Options& options, const LocalInit& local) {
  std::array<std::uint8_t, kMaxInitParameterBytes> memory;
  TlvWriter parameters(memory);
  append_extensions(options.extensions, parameters);
  const InitChunk chunk{
      init_fields(options, local.initiate_tag, local.initial_tsn, parameters.bytes())};
  std::vector<std::uint8_t> bytes(chunk.size());
  chunk.write(bytes);
  return bytes;
}

}  // namespace millrace::sctp
