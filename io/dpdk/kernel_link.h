// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>

#include "io/net/mac_address.h"

namespace millrace::io {

// KernelLink is the kernel's interface that a device sends through (net_af_packet, net_af_xdp).
// What the drivers set of it stays set when the process has ended. So what it is to receive is
// asked for by a packet socket, which the kernel forgets with the process however that ends, and
// its MAC address is put back.
class KernelLink {
 public:
  // The interface of that number, as it is; null where the kernel tells nothing of it.
  static std::unique_ptr<KernelLink> find(unsigned index);
  // Puts the address back that it had, unless somebody else has set another meanwhile.
  ~KernelLink();
  KernelLink(const KernelLink&) = delete;
  KernelLink& operator=(const KernelLink&) = delete;

  // Somebody had asked it to receive all when it was found.
  bool was_promiscuous() const { return was_promiscuous_; }
  // False where the kernel refuses.
  bool receive_groups();
  bool receive_all();
  // The address that is about to be set.
  void note_address(const MacAddress& mac) { set_ = mac; }

 private:
  KernelLink(int socket, unsigned index) : socket_(socket), index_(index) {}
  bool listen(unsigned short what);
  std::optional<MacAddress> address() const;

  const int socket_;
  const unsigned index_;
  bool was_promiscuous_ = false;
  MacAddress found_;
  std::optional<MacAddress> set_;
};

}  // namespace millrace::io
