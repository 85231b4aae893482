// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/mac.h"

namespace millrace::crypto {

// BoringMac computes keyed hashes with BoringSSL. It has no state: one object serves
// every thread.
class BoringMac final : public Mac {
 public:
  Sha1Digest hmac_sha1(ByteSpan key, ByteSpan a, ByteSpan b) const override;
  Sha256Digest hmac_sha256(ByteSpan key, ByteSpan a, ByteSpan b) const override;
};

}  // namespace millrace::crypto
