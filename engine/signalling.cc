// SPDX-License-Identifier: Apache-2.0
#include "engine/signalling.h"

#include <algorithm>
#include <utility>

namespace millrace::engine {
namespace {

sdp::LocalDescription describe(const Settings& settings, SessionId id,
                               const ice::Credentials& local_ice) {
  sdp::LocalDescription local;
  // RFC 8829 §5.2.1: the uppermost bit of the session id stays zero.
  local.session_id = static_cast<std::uint64_t>(id) >> 1;
  local.ice = local_ice;
  if (const auto fingerprint = sdp::Fingerprint::parse(settings.fingerprint)) {
    local.fingerprints.push_back(*fingerprint);
  }
  local.sctp_port = settings.sctp.local_port;
  local.max_message_size = settings.options.sctp.max_message_bytes;
  return local;
}

}  // namespace

RemoteTerms terms_of(const sdp::RemoteDescription& remote, sdp::Setup ours) {
  RemoteTerms terms;
  for (const sdp::Fingerprint& fingerprint : remote.fingerprints) {
    const auto parsed = crypto::Fingerprint::parse(fingerprint.to_string());
    if (parsed) terms.fingerprints.push_back(*parsed);
  }
  terms.role =
      sdp::is_dtls_client(ours, remote.setup) ? crypto::Role::kClient : crypto::Role::kServer;
  terms.sctp_port = remote.sctp_port;
  // RFC 8841 §6.1: zero means that the peer takes any size.
  terms.max_message_bytes = remote.max_message_size == 0 ? SIZE_MAX : remote.max_message_size;
  return terms;
}

std::string make_offer(const Settings& settings, SessionId id, const ice::Credentials& local_ice,
                       const Address& local) {
  sdp::LocalDescription description = describe(settings, id, local_ice);
  description.setup = sdp::Setup::kActpass;
  description.candidates.push_back(ice::make_host_candidate(local, 0));
  return sdp::build_offer(description);
}

std::string make_answer(const Settings& settings, SessionId id, const ice::Credentials& local_ice,
                        std::uint16_t port, sdp::Setup setup, const sdp::RemoteDescription& offer) {
  sdp::LocalDescription description = describe(settings, id, local_ice);
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
