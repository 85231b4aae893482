// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "bench/support/association_link.h"
#include "engine/base/block_pool.h"
#include "engine/base/timer_wheel.h"
#include "engine/table/table_member.h"
#include "millrace/simulation.h"
#include "sctp/packet/sack_chunk.h"
#include "sctp/tx/data_sender.h"

// The workloads that the microbenchmarks time and the gates count.
namespace millrace::bench {

// kBurstPath delivers whole flights at once, as GRO does on a path that is not the
// bottleneck: what bounds the run is the code. It has a delay, for without one a sender
// that never runs dry would hold the virtual clock still.
inline constexpr SimulationOptions kBurstPath{.delay = microseconds(100)};
// What costs are taken of: messages sent and received in step.
inline constexpr std::size_t kEvenBuffer = std::size_t{256} << 10;

// Packets that a 16 KiB message takes. Costs are given per such packet, per small message or
// per round trip, never per datagram: fewer acknowledgements are to count as a gain.
inline constexpr std::uint64_t kPacketsOf16k = 15;

// Sends messages of `message_bytes` from one association to the other until `n` have
// arrived; returns how many did.
std::uint64_t exchange_messages(AssociationLink& link, std::size_t message_bytes, std::uint64_t n);

// SackWork is a sender with 100-byte chunks outstanding and a SACK of `gaps` gap blocks
// about them, every second chunk missing.
class SackWork {
 public:
  explicit SackWork(std::size_t gaps);

  // Makes the sender anew. Not part of what is measured.
  void prepare();
  // Has it process the SACK: the first one marks every chunk it names, the same once more
  // changes nothing, which is what most of a long SACK does.
  void process();
  std::uint64_t run(int times);

 private:
  std::size_t gaps_;
  std::vector<std::uint8_t> chunk_;
  std::vector<std::uint8_t> scratch_;
  std::unique_ptr<BlockPool> pool_;
  std::unique_ptr<sctp::DataSender> sender_;
  Time now_{seconds(1)};
};

// TimerWork is a wheel with a deadline for each of `timers` ids, as sessions have.
class TimerWork {
 public:
  explicit TimerWork(std::size_t timers);

  // Moves every deadline later, as each packet's arrival does, `times` times.
  std::uint64_t rearm(int times);
  // Cancels every deadline and sets it again.
  std::uint64_t cancel_and_arm(int times);
  // Advances time until every deadline has fired and was set again.
  std::uint64_t expire(int times);

 private:
  Duration spread(std::uint32_t id) const { return microseconds(50'000 + id * 37 % 100'000); }

  Time now_{seconds(1)};
  TimerWheel wheel_;
};

// TableWork is an association table of claimed sessions and the addresses to look up.
class TableWork {
 public:
  explicit TableWork(std::size_t sessions);

  std::uint64_t find(int rounds);
  engine::AssociationTable& table() { return *table_; }
  engine::TableMember& member() { return *member_; }
  const std::vector<engine::AddressKey>& present() const { return present_; }
  const std::vector<engine::AddressKey>& absent() const { return absent_; }

  // The n-th of a family of IPv4 addresses, in no order that a hash would see.
  static Address address(std::uint32_t n);

 private:
  std::unique_ptr<engine::AssociationTable> table_;
  std::unique_ptr<engine::TableMember> member_;
  std::vector<engine::AddressKey> present_;
  std::vector<engine::AddressKey> absent_;
};

}  // namespace millrace::bench
