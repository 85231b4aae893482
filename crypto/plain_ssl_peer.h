// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "crypto/certificate.h"
#include "crypto/dtls_test_support.h"
#include "crypto/handshake_flight.h"

namespace millrace::crypto {

// PlainSslPeer is BoringSSL's DTLS as any other program would use it: no key of it is
// ever exported, and it reads and writes application data itself. For tests.
class PlainSslPeer {
 public:
  struct Options {
    Role role = Role::kClient;
    bool with_certificate = true;
    bool rsa = false;          // A certificate of RSA instead of P-256.
    bool offers_srtp = true;   // As the browsers do even with data channels alone.
    bool large_hello = false;  // Some 1400 bytes, as with ML-KEM: two fragments.
    bool dtls10_only = false;
    std::uint32_t mtu_bytes = 1200;
    std::string ciphers = "";  // BoringSSL's default list if empty.
  };
  explicit PlainSslPeer(const Options& options);
  ~PlainSslPeer();
  PlainSslPeer(const PlainSslPeer&) = delete;
  PlainSslPeer& operator=(const PlainSslPeer&) = delete;

  void receive(ByteSpan datagram);
  std::vector<Bytes> drain();
  void write(std::string_view text);
  void shutdown();

  bool established() const { return established_; }
  bool failed() const { return failed_; }
  bool closed() const { return closed_; }
  const std::vector<std::string>& received() const { return received_; }
  Fingerprint fingerprint() const;

 private:
  struct Inside;
  void advance();

  std::unique_ptr<Inside> inside_;
  std::vector<std::string> received_;
  bool established_ = false;
  bool failed_ = false;
  bool closed_ = false;
};

}  // namespace millrace::crypto
