// SPDX-License-Identifier: Apache-2.0
#include "crypto/aead_ops.h"

namespace millrace::crypto {

const AeadOps* ipsec_mb_aead(CipherSuite) { return nullptr; }

}  // namespace millrace::crypto
