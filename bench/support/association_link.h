// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/base/block_pool.h"
#include "engine/base/rng.h"
#include "engine/base/rx_buffer.h"
#include "sctp/association.h"
#include "test/support/test_mac.h"

namespace millrace::bench {

// AssociationLink is two associations whose packets go straight from one's `poll_packet`
// to the other's `handle_packet`, in bursts that share a buffer as GRO would have it: SCTP
// alone, without DTLS, datapath or shard. It allocates nothing itself once it is made.
class AssociationLink final : private RxBufferHome {
 public:
  static constexpr std::size_t kBurst = 54;

  AssociationLink();
  ~AssociationLink();

  // Queues messages of `bytes` until the sender takes no more.
  void fill(std::size_t bytes, const sctp::SendOptions& options = {});
  // One burst each way, and virtual time moves on. Returns the packets that passed.
  std::size_t exchange();

  std::uint64_t messages() const { return messages_; }  // Received.
  std::uint64_t payload_bytes() const { return payload_bytes_; }

 private:
  static constexpr std::size_t kSlotBytes = 1200;
  struct Buffer {
    RxBuffer header;
    std::unique_ptr<std::uint8_t[]> bytes;
  };

  void release(RxBuffer& buffer) override { free_.push_back(&buffer); }
  BufferRef take();
  std::size_t carry(sctp::Association& from, sctp::Association& to);

  Time now_{seconds(1)};
  test::TestMac mac_;
  SeededRng rng_{7};
  BlockPool pool_;
  std::vector<Buffer> buffers_;
  std::vector<RxBuffer*> free_;
  std::array<std::size_t, kBurst> sizes_{};
  std::vector<std::uint8_t> payload_;
  std::uint64_t messages_ = 0;
  std::uint64_t payload_bytes_ = 0;
  sctp::Association sender_;
  sctp::Association receiver_;
};

}  // namespace millrace::bench
