// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/bytes.h"

namespace millrace::crypto {

// random_bytes fills `out` for use as a key: of a state cookie, of a hash table. It draws
// from BoringSSL's generator, cannot fail and may be called from any thread.
void random_bytes(MutableByteSpan out);

}  // namespace millrace::crypto
