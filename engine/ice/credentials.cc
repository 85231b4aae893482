// SPDX-License-Identifier: Apache-2.0
#include "engine/ice/credentials.h"

#include <algorithm>

namespace millrace::ice {
namespace {

// RFC 8839 §5.4: ice-char. 64 of them, so that six random bits choose one evenly.
constexpr std::string_view kIceChars =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static_assert(kIceChars.size() == 64);

std::string draw(Rng& rng, std::size_t chars) {
  std::string text;
  text.reserve(chars);
  for (std::size_t i = 0; i < chars; ++i) text += kIceChars[rng.next_u32() >> 26];
  return text;
}

bool is_accepted(char c) {
  return kIceChars.find(c) != std::string_view::npos || c == '-' || c == '_' || c == '=' ||
         c == '#';
}

bool is_valid(std::string_view text, std::size_t min_chars) {
  return text.size() >= min_chars && text.size() <= kCredentialMaxChars &&
         std::all_of(text.begin(), text.end(), is_accepted);
}

}  // namespace

Credentials make_credentials(Rng& rng) { return {.ufrag = draw(rng, 8), .pwd = draw(rng, 24)}; }

bool is_valid_ufrag(std::string_view text) { return is_valid(text, kUfragMinChars); }

bool is_valid_pwd(std::string_view text) { return is_valid(text, kPwdMinChars); }

}  // namespace millrace::ice
