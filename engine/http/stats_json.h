// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "millrace/engine.h"

namespace millrace::http {

// session_stats_json writes a session as W3C's getStats reports it: "stats" is a list of
// dictionaries with `id`, `type`, `timestamp` and the members that webrtc-stats names, in its
// units. "association" has what that has no name for, durations in seconds. `unix_ms` is the
// timestamp.
std::string session_stats_json(const SessionStats& stats, double unix_ms);

// session_page_json writes a list; "next", where there is more, goes on from there.
std::string session_page_json(const SessionPage& page);

}  // namespace millrace::http
