// SPDX-License-Identifier: Apache-2.0
#include "sctp/dcep/data_channels.h"

#include "sctp/dcep/basic_data_channels_inl.h"

namespace millrace::sctp {

template class BasicDataChannels<Association>;

}  // namespace millrace::sctp
