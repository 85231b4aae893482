// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "engine/base/address.h"
#include "engine/pending_session.h"
#include "engine/sdp/description.h"
#include "engine/settings.h"
#include "millrace/engine.h"

namespace millrace::engine {

// terms_of reads from a description what DTLS and SCTP need to know of its author, given
// the a=setup that we state or stated.
RemoteTerms terms_of(const sdp::RemoteDescription& remote, sdp::Setup ours);

// make_offer describes a session that dials from `local`, a socket of its own.
std::string make_offer(const Settings& settings, SessionId id, const ice::Credentials& local_ice,
                       const Address& local);

// make_answer describes a server session at `port` of the announced addresses.
std::string make_answer(const Settings& settings, SessionId id, const ice::Credentials& local_ice,
                        std::uint16_t port, sdp::Setup setup, const sdp::RemoteDescription& offer);

// signal_error maps a fault of a description to what a front end answers.
SignalError signal_error(const sdp::SdpError& error);

}  // namespace millrace::engine
