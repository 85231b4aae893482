// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "engine/table/table_member.h"

namespace millrace::engine::table_test {

// Payload knows which session it was made for and counts how many of it live.
class Payload final : public PendingPayload {
 public:
  Payload(std::uint32_t number, std::atomic<int>* alive) : number_(number), alive_(alive) {
    if (alive_ != nullptr) ++*alive_;
  }
  ~Payload() override {
    number_ = UINT32_MAX;
    if (alive_ != nullptr) --*alive_;
  }
  std::uint32_t number() const { return number_; }

 private:
  std::uint32_t number_;
  std::atomic<int>* alive_;
};

inline std::unique_ptr<Payload> payload(std::uint32_t number, std::atomic<int>* alive = nullptr) {
  return std::make_unique<Payload>(number, alive);
}
inline std::uint32_t number_of(const PendingPayload* payload) {
  return static_cast<const Payload*>(payload)->number();
}

// The n-th of a family of keys; both families of addresses occur.
inline AddressKey address_key(std::uint32_t n) {
  Address address;
  address.port = static_cast<std::uint16_t>(1024 + n % 50'000);
  address.ip = IpAddress::v4(10, static_cast<std::uint8_t>(n >> 16),
                             static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n));
  if (n % 3 == 0) {
    address.ip.family = IpAddress::Family::kV6;
    address.ip.bytes[15] = 1;
  }
  return AddressKey(address);
}
inline UfragKey ufrag_key(std::uint32_t n) {
  return UfragKey::parse("ufrag" + std::to_string(n)).value();
}

}  // namespace millrace::engine::table_test
