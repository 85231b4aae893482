// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "crypto/handshake_flight.h"
#include "engine/base/address.h"
#include "engine/base/mpsc_ring.h"
#include "engine/table/session_handle.h"
#include "io/waker.h"
#include "millrace/types.h"

namespace millrace::engine {

// Task runs on the shard's thread.
using Task = std::function<void()>;

// FlightReturn brings a handshake back from its worker.
struct FlightReturn {
  SessionId session = SessionId::kNone;
  std::unique_ptr<crypto::HandshakeFlight> flight;
};

// ForwardedDatagram is one that arrived at a shard that does not own its session: the
// peer's address changed, and with it the kernel's choice of socket.
struct ForwardedDatagram {
  std::vector<std::uint8_t> bytes;
  Address source;
  IpAddress local;
};

// AddressClaim asks that `remote` lead to `entry`, whose check was authenticated from there: first
// of the shard whose session has the address, which gives it up; then of the one that has `entry`.
struct AddressClaim {
  EntryRef entry;
  Address remote;
  bool given_up = false;
};

using ShardMessage = std::variant<std::monostate, Task, FlightReturn>;

// Mailbox is a shard's inbox: any thread posts, the shard's thread drains. Bounded; a
// post that finds it full is refused and never waits. Datagrams and claims, which a peer may send
// at will, have room of their own and crowd out no task.
class Mailbox {
 public:
  // Datagrams that may wait, and the longest: 8 MB in all.
  static constexpr std::size_t kForwards = 1024;
  static constexpr std::size_t kForwardBytes = 8972;

  // Claims that may wait: 16 KB. A peer's next check makes one that found no room anew.
  static constexpr std::size_t kClaims = 256;

  explicit Mailbox(std::size_t capacity) : ring_(capacity) {}

  // Any thread, once `attach` was called.
  bool post(ShardMessage&& message) {
    if (!ring_.try_push(std::move(message))) return false;
    waker_.wake();
    return true;
  }
  bool forward(ForwardedDatagram&& datagram) {
    if (!forwards_.try_push(std::move(datagram))) return false;
    waker_.wake();
    return true;
  }
  bool claim(const AddressClaim& wanted) {
    if (!claims_.try_push(wanted)) return false;
    waker_.wake();
    return true;
  }
  // The shard's thread.
  bool take(ShardMessage& out) { return ring_.try_pop(out); }
  bool take(ForwardedDatagram& out) { return forwards_.try_pop(out); }
  bool take(AddressClaim& out) { return claims_.try_pop(out); }
  bool empty() const { return ring_.empty() && forwards_.empty() && claims_.empty(); }

  // Before any post.
  void attach(io::Waker waker) { waker_ = std::move(waker); }

 private:
  MpscRing<ShardMessage> ring_;
  MpscRing<ForwardedDatagram> forwards_{kForwards};
  MpscRing<AddressClaim> claims_{kClaims};
  io::Waker waker_;
};

}  // namespace millrace::engine
