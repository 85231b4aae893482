// SPDX-License-Identifier: Apache-2.0
#include "engine/http/request_target.h"

#include <gtest/gtest.h>

#include <string>

namespace millrace::http {
namespace {

TEST(RequestTarget, IsAPathOrTheUriOfOne) {
  const struct {
    const char* target;
    const char* path;
    const char* query;
  } kCases[] = {
      {"/offer", "/offer", ""},
      {"/stats?a=b?c", "/stats", "a=b?c"},
      {"//x/y", "//x/y", ""},
      {"*", "*", ""},
      // RFC 9112 §3.2.2.
      {"http://host/offer", "/offer", ""},
      {"HTTPS://host:8080/offer?a=http://b", "/offer", "a=http://b"},
      {"http://[::1]:80/", "/", ""},
      {"http://host", "/", ""},
      {"http://host?a", "/", "a"},
  };
  for (const auto& [target, path, query] : kCases) {
    const auto parsed = RequestTarget::parse(target);
    ASSERT_TRUE(parsed) << target;
    EXPECT_EQ(parsed->path, path) << target;
    EXPECT_EQ(parsed->query, query) << target;
  }
}

TEST(RequestTarget, IsNothingElse) {
  for (const char* target : {"", "offer", "?a", "host:80", "ftp://host/offer", "http:/offer",
                             "http:///offer", "http://:80/", "http://user@host/", "http://h:x/"}) {
    EXPECT_FALSE(RequestTarget::parse(target)) << target;
  }
}

// RFC 9110 §7.2.
TEST(Host, IsANameOrAnAddressAndPerhapsAPort) {
  for (const char* host : {"", "x", "example.com:8080", "example.com:", "127.0.0.1", "[::1]",
                           "[::1]:80", "a_b~c", "%c3%a4"}) {
    EXPECT_TRUE(is_valid_host(host)) << host;
  }
  for (const char* host : {"a b", "a/b", "http://a", "u@a", "a:b", "a:80:80", "::1", "[::1", "[]",
                           "[::1]80", "[x/y]", "%c", "%zz", "a,\tb", "\xc3\xa4"}) {
    EXPECT_FALSE(is_valid_host(host)) << host;
  }
}

}  // namespace
}  // namespace millrace::http
