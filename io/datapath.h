// SPDX-License-Identifier: Apache-2.0
//
// The datapath seam: UDP datagrams in and out in bursts, with the memory that holds
// them. A datapath knows nothing of protocols. It belongs to one shard and every call
// but `create`, `open_socket` before `start`, and `Waker::wake` is made by the thread
// that called `start`.
//
// Life cycle: create, open_socket..., start (in the shard's thread), turns, destroy
// (once every RxBuffer reference is dropped and every TxRun is committed).
//
// A turn:
//   n = rx_burst(views)         borrow up to views.size() datagrams
//   ... take a BufferRef for what outlives the turn ...
//   rx_done()                   give back the buffers nobody holds
//   run = reserve(to, 1200, k)  any number of runs may be open at once
//   ... write segment(i), run.push(length) ...
//   commit(run)                 queue; what was not pushed is given back
//   flush()                     hand the queue to the kernel or the network
//   wait(until)                 block policy only
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "engine/base/address.h"
#include "engine/base/bytes.h"
#include "engine/base/result.h"
#include "engine/base/rx_buffer.h"
#include "engine/base/time.h"
#include "io/io_stats.h"
#include "io/refused_sends.h"
#include "io/tx_run.h"
#include "io/waker.h"

namespace millrace::io {

// RxView is one received datagram, a view into `buffer`. It may be written to (records
// are opened in place) within its own bounds only: its neighbours may be other
// datagrams. Source, local address, ECN bits and socket are in the buffer's header.
//
// It is borrowed: the datapath itself holds one reference per buffer (not per view)
// from `rx_burst` until `rx_done`. Who needs the bytes longer takes a
// `BufferRef(view.buffer)` before `rx_done`.
struct RxView {
  std::uint8_t* data = nullptr;
  std::uint32_t length = 0;
  RxBuffer* buffer = nullptr;
};

// SocketOptions are the settings of one UDP socket. Buffer sizes are wishes: what the
// kernel grants may be less, and that is no error.
struct SocketOptions {
  bool reuse_port = false;  // Several shards on one address; all bind before traffic.
  // Of the first of them: it fails where another program of this user shares the address
  // already, and port 0 finds a port that nobody has. The kernel looks after neither by itself.
  bool first_of_port = false;
  std::uint32_t receive_buffer_bytes = 4u << 20;
  std::uint32_t send_buffer_bytes = 4u << 20;
  std::uint32_t busy_poll_us = 0;  // SO_BUSY_POLL; 0 leaves the kernel's default.
  // The one peer that the socket is for, where port 0 leaves a choice: a device that spreads what
  // it receives over queues is given a port whose datagrams from there come to this shard's.
  std::optional<Address> peer = std::nullopt;
};

// IoError is why a set-up call failed, in one line that names the value at fault:
// "bind udp 127.0.0.1:5000: address already in use".
struct IoError {
  std::string message;
  int code = 0;  // errno, or 0.
};

// Datapath is one shard's UDP sockets (or queue pair) and the owner of packet memory.
// The shard is a template over it, so a burst costs no virtual call.
//
// One over a device with several queues may have `bool is_home(SocketId, const Address& peer)
// const` besides: false where what `peer` sends to the socket is known to come to another shard's
// queue, to be handed over. SocketOptions::peer makes a socket that is.
template <class D>
concept Datapath = requires(D d, const D c, std::span<RxView> in, const Destination& to, TxRun& run,
                            const Address& local, const SocketOptions& options, SocketId socket) {
  // Binds a UDP socket. Port 0 chooses one; `local_address` tells which. IPv6 wildcard
  // sockets take IPv4 too, and show it as IPv4.
  { d.open_socket(local, options) } -> std::same_as<Result<SocketId, IoError>>;
  // Unbinds at once. Views already returned stay valid, and a few datagrams that had
  // left the kernel may still come with the old id. An unknown id is ignored.
  { d.close_socket(socket) } -> std::same_as<void>;
  // The bound address; empty (family kNone) for an id that is not open.
  { c.local_address(socket) } -> std::same_as<Address>;

  // Makes the calling thread the owner. Required once, before any call below.
  { d.start() } -> std::same_as<void>;

  // Fills a prefix of `in` and returns its length; never blocks. What a GRO buffer
  // holds beyond `in.size()` comes first in the next burst. Calls `rx_done` for the
  // burst before, if the caller has not.
  { d.rx_burst(in) } -> std::same_as<std::size_t>;
  { d.rx_done() } -> std::same_as<void>;

  // Reserves up to `n` writable segments of `segment_bytes` each towards `to`. May
  // return fewer, or an empty run when memory or queue room is short (backpressure:
  // try again in the next turn). Never blocks. CHECKs that
  // 1 <= segment_bytes <= kMaxDatagramBytes and n >= 1.
  { d.reserve(to, std::size_t{}, std::size_t{}) } -> std::same_as<TxRun>;
  // Queues the pushed segments as one datagram each, in order, and gives the rest
  // back; `run` is empty afterwards. A run with nothing pushed is a cancellation.
  { d.commit(run) } -> std::same_as<void>;
  // Hands over what is queued, once a turn. What the kernel refuses for want of memory
  // is tried again on later calls, a bounded number of times, then counted as a drop.
  { d.flush() } -> std::same_as<void>;

  // What was not sent for its size, known at the latest in the turn after `flush`. Ask once a
  // turn, after `rx_burst`.
  { d.refused_sends() } -> std::same_as<std::span<const RefusedSend>>;

  // Flushes, then sleeps until a datagram may have arrived, CLOCK_MONOTONIC reaches `until`
  // (kNever: without limit), or a Waker was used since the last return. Spurious returns
  // are allowed. The simulator never sleeps.
  { d.wait(Time{}) } -> std::same_as<void>;
  // A handle to end `wait` from any thread; it may outlive the datapath.
  { c.waker() } -> std::same_as<Waker>;
  // A descriptor that polls readable when `wait` would return early, for an embedder's
  // own loop; -1 in the simulator. Ask once, after `start`. The loop brackets its poll: `if
  // (begin_wait()) poll(...); end_wait();`, so that wakers know that a system call is needed. False
  // from `begin_wait` means that a wake is pending: do not sleep.
  { d.native_handle() } -> std::same_as<int>;
  { d.begin_wait() } -> std::same_as<bool>;
  { d.end_wait() } -> std::same_as<void>;

  { c.stats() } -> std::same_as<const IoStats&>;
};

// raise_file_limit raises RLIMIT_NOFILE to at least `descriptors`, as far as the hard
// limit allows (and beyond it where the process may), and returns the limit in force.
std::size_t raise_file_limit(std::size_t descriptors);

}  // namespace millrace::io
