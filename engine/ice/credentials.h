// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "engine/base/rng.h"

namespace millrace::ice {

// Credentials are the user-name fragment and the password that one agent chose for one
// session (RFC 8445 §5.3). The password is the HMAC key of checks sent *to* that agent.
struct Credentials {
  std::string ufrag;
  std::string pwd;

  friend bool operator==(const Credentials&, const Credentials&) = default;
};

inline constexpr std::size_t kUfragMinChars = 4;
inline constexpr std::size_t kPwdMinChars = 22;
inline constexpr std::size_t kCredentialMaxChars = 256;

// make_credentials draws a ufrag of 8 ice-chars (48 bits, so that a server's sessions do
// not collide) and a pwd of 24 (144 bits, RFC 8445 §5.3 asks for 128). `rng` must be a
// SystemRng outside tests: the password is a secret.
Credentials make_credentials(Rng& rng);

// is_valid_ufrag and is_valid_pwd check length and alphabet (RFC 8839 §5.4). Beside
// ice-char the characters "-", "_", "=" and "#" pass, which older stacks send.
bool is_valid_ufrag(std::string_view text);
bool is_valid_pwd(std::string_view text);

}  // namespace millrace::ice
