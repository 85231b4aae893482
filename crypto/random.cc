// SPDX-License-Identifier: Apache-2.0
#include "crypto/random.h"

#include <openssl/rand.h>

namespace millrace::crypto {

void random_bytes(MutableByteSpan out) { RAND_bytes(out.data(), out.size()); }

}  // namespace millrace::crypto
