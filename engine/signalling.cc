// SPDX-License-Identifier: Apache-2.0
#include "engine/signalling.h"

#include <algorithm>
#include <utility>

#include "crypto/base64.h"

namespace millrace::engine {
namespace {

// Of what a peer wrote, in an error.
constexpr std::size_t kMaxQuoted = 64;

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
  if (remote.sctp_init.empty() || !settings.options.sctp.init_in_sdp) return terms;
  // draft-hancke-tsvwg-snap: what is not base 64, or not a valid INIT, is an error.
  const auto init = crypto::decode_base64(remote.sctp_init);
  const auto parsed = init ? sctp::PeerInit::parse(*init) : std::nullopt;
  if (!parsed) {
    return Failure(SignalError{SignalError::Kind::kMalformed,
                               "a=sctp-init: '" + remote.sctp_init.substr(0, kMaxQuoted) +
                                   "' is not an SCTP INIT in base 64"});
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
  sdp::LocalDescription description = describe(settings, terms, !offer.sctp_init.empty());
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
