// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "engine/base/address.h"
#include "engine/base/result.h"
#include "engine/base/rng.h"
#include "engine/pending_session.h"
#include "engine/sdp/description.h"
#include "engine/settings.h"
#include "millrace/engine.h"
#include "sctp/out_of_band_init.h"

namespace millrace::engine {

// terms_of reads from a description what DTLS and SCTP need to know of its author; `role` is the
// caller's to set. An error: an a=sctp-init that holds no valid INIT. Without
// SctpOptions::init_in_sdp it is passed over.
Result<RemoteTerms, SignalError> terms_of(const Settings& settings,
                                          const sdp::RemoteDescription& remote);

// role_of tells our role in DTLS from the a=setup that we state or stated and the peer's.
crypto::Role role_of(sdp::Setup ours, sdp::Setup theirs);

// LocalTerms are what is drawn for one session of ours.
struct LocalTerms {
  SessionId id = SessionId::kNone;
  ice::Credentials ice;
  sctp::LocalInit init;

  static LocalTerms draw(SessionId id, Rng& rng);
};

// make_offer describes a session that dials from `local`, a socket of its own.
std::string make_offer(const Settings& settings, const LocalTerms& terms, const Address& local);

// make_answer describes a server session at `port` of the announced addresses. It has
// a=sctp-init where the offer has.
std::string make_answer(const Settings& settings, const LocalTerms& terms, std::uint16_t port,
                        sdp::Setup setup, const sdp::RemoteDescription& offer);

// signal_error maps a fault of a description to what a front end answers.
SignalError signal_error(const sdp::SdpError& error);

}  // namespace millrace::engine
