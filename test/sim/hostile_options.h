// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "engine/base/rng.h"
#include "sctp/options.h"
#include "test/support/association_pair.h"

namespace millrace::test {

// What hostile runs draw their terms from: every one is a function of the generator's state.

// random_ends draws the options of two ends, which differ. With `checksum` at least one of them
// does without the zero checksum (RFC 9653), so that CRC32c stands between them and a path that
// corrupts.
std::array<sctp::Options, 2> random_ends(Rng& rng, bool checksum, sctp::ReceiveBudget& budget);

// redraw_manner changes what an end that begins anew may do otherwise than before: timers,
// congestion control, scheduling, I-DATA.
void redraw_manner(Rng& rng, sctp::Options& options);

// random_path draws a path: loss up to 30 %, duplicates, reordering, an MTU; corruption if asked.
LinkOptions random_path(Rng& rng, bool corrupts);

}  // namespace millrace::test
