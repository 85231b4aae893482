// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>

#include "engine/base/address.h"
#include "engine/base/result.h"
#include "engine/base/time.h"
#include "io/datapath.h"

namespace millrace::engine {

class ShardCore;

// Clock is what a shard reads once a turn: CLOCK_MONOTONIC, or a simulation's.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Time now() const = 0;
};

// monotonic_clock is CLOCK_MONOTONIC.
const Clock& monotonic_clock();

// ShardRunner is a shard whatever its datapath, as the engine handles it.
class ShardRunner {
 public:
  virtual ~ShardRunner() = default;

  virtual ShardCore& core() = 0;
  // Binds the socket that all sessions of the server side share. Before `start`.
  virtual Result<Address, io::IoError> open_listening(const Address& local,
                                                      const io::SocketOptions& options) = 0;
  // Makes the calling thread the shard's.
  virtual void start() = 0;
  virtual bool run_once() = 0;
  // Turns and waits, by the options' policy, until `stop` is set and the waker used.
  virtual void run(const std::atomic<bool>& stop) = 0;
  // For an embedder's own loop, in place of `run`: one turn. False: there is nothing to do
  // until `native_handle` is readable or the deadline has come.
  virtual bool poll() = 0;
  virtual io::Waker waker() const = 0;
  // After `start`, by its thread.
  virtual int native_handle() = 0;
};

}  // namespace millrace::engine
