// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sctp/association.h"
#include "sctp/dcep/basic_data_channels.h"

namespace millrace::sctp {

// DataChannels is the data channels of an Association; see BasicDataChannels for the
// order of calls.
using DataChannels = BasicDataChannels<Association>;
extern template class BasicDataChannels<Association>;

}  // namespace millrace::sctp
