// SPDX-License-Identifier: Apache-2.0
#include "engine/signalling.h"

#include <algorithm>
#include <utility>

#include "crypto/base64.h"
#include "sctp/packet/chunk.h"
#include "sctp/packet/init_chunk.h"
#include "sctp/setup_terms.h"

namespace millrace::engine {
namespace {

// Of what a peer wrote, in an error.
constexpr std::size_t kMaxQuoted = 64;
constexpr char kNoInit[] = "not an SCTP INIT in base 64";

// What is wrong with bytes that `PeerInit::parse` has refused.
std::string fault_of_init(ByteSpan bytes) {
  sctp::ChunkReader reader(bytes);
  const auto chunk = reader.next();
  if (!chunk || reader.next() || reader.malformed()) return kNoInit;
  const auto init = sctp::InitChunk::parse(chunk->bytes);
  if (!init) return kNoInit;
  // RFC 9260 §3.3.2.
  const std::string refused = "an SCTP INIT that cannot be taken: ";
  if (init->initiate_tag.is_zero()) return refused + "its initiate tag is 0";
  if (init->outbound_streams == 0) return refused + "it has no outbound streams";
  if (init->inbound_streams == 0) return refused + "it has no inbound streams";
  if (!sctp::has_valid_fields(*init)) {
    return refused + "its a_rwnd of " + std::to_string(init->a_rwnd) + " is too small";
  }
  return refused + "its parameters are malformed, or name a host";
}

sdp::LocalDescription describe(const Settings& settings, const LocalTerms& terms, bool with_init) {
  sdp::LocalDescription local;
  // RFC 8829 §5.2.1: the uppermost bit of the session id stays zero.
  local.session_id = static_cast<std::uint64_t>(terms.id) >> 1;
  local.ice = terms.ice;
  if (with_init && settings.options.sctp.init_in_sdp) {
    local.sctp_init = crypto::encode_base64(sctp::make_init(settings.sctp, terms.init));
  }
  if (const auto fingerprint = sdp::Fingerprint::parse(settings.fingerprint)) {
    local.fingerprints.push_back(*fingerprint);
  }
  local.sctp_port = settings.sctp.local_port;
  local.max_message_size = settings.options.sctp.max_message_bytes;
  return local;
}

}  // namespace

LocalTerms LocalTerms::draw(SessionId id, Rng& rng) {
  return {id, ice::make_credentials(rng), sctp::LocalInit::draw(rng)};
}

Result<RemoteTerms, SignalError> terms_of(const Settings& settings,
                                          const sdp::RemoteDescription& remote) {
  RemoteTerms terms;
  for (const sdp::Fingerprint& fingerprint : remote.fingerprints) {
    const auto parsed = crypto::Fingerprint::parse(fingerprint.to_string());
    if (parsed) terms.fingerprints.push_back(*parsed);
  }
  terms.sctp_port = remote.sctp_port;
  // RFC 8841 §6.1: zero means that the peer takes any size.
  terms.max_message_bytes = remote.max_message_size == 0 ? SIZE_MAX : remote.max_message_size;
  if (!remote.sctp_init || !settings.options.sctp.init_in_sdp) return terms;
  // draft-hancke-tsvwg-snap: what is not base 64, or not a valid INIT, is an error.
  const auto bytes = crypto::decode_base64(*remote.sctp_init);
  const auto parsed = bytes ? sctp::PeerInit::parse(*bytes) : std::nullopt;
  if (!parsed) {
    const std::string fault = bytes ? fault_of_init(*bytes) : std::string(kNoInit);
    return Failure(
        SignalError{SignalError::Kind::kMalformed,
                    "a=sctp-init: '" + remote.sctp_init->substr(0, kMaxQuoted) + "' is " + fault});
  }
  terms.peer_init = std::make_shared<const sctp::PeerInit>(*parsed);
  return terms;
}

crypto::Role role_of(sdp::Setup ours, sdp::Setup theirs) {
  return sdp::is_dtls_client(ours, theirs) ? crypto::Role::kClient : crypto::Role::kServer;
}

std::string make_offer(const Settings& settings, const LocalTerms& terms, const Address& local) {
  sdp::LocalDescription description = describe(settings, terms, true);
  description.setup = sdp::Setup::kActpass;
  description.candidates.push_back(ice::make_host_candidate(local, 0));
  return sdp::build_offer(description);
}

std::string make_answer(const Settings& settings, const LocalTerms& terms, std::uint16_t port,
                        sdp::Setup setup, const sdp::RemoteDescription& offer) {
  sdp::LocalDescription description = describe(settings, terms, offer.sctp_init.has_value());
  description.ice_lite = true;
  description.setup = setup;
  std::uint16_t rank = 0;
  for (const IpAddress& ip : settings.announce) {
    description.candidates.push_back(ice::make_host_candidate(Address{ip, port}, rank++));
  }
  return sdp::build_answer(description, offer);
}

SignalError signal_error(const sdp::SdpError& error) {
  const auto kind = error.code == sdp::SdpError::Code::kTooLarge ? SignalError::Kind::kTooLarge
                                                                 : SignalError::Kind::kMalformed;
  return SignalError{kind, error.to_string()};
}

}  // namespace millrace::engine
