// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "engine/base/mpsc_ring.h"
#include "engine/shard/mailbox.h"

namespace millrace::engine {

// HandshakeWorkers runs handshake flights on threads of its own, so that 0.3 ms of
// public-key work never sits in a shard's turn. It may have none: flights then run within
// the turn, which simulations need.
class HandshakeWorkers {
 public:
  // Flights that may wait at a worker; beyond it a shard keeps the flight and tries again.
  static constexpr std::size_t kQueue = 1024;

  explicit HandshakeWorkers(unsigned threads);
  ~HandshakeWorkers();
  HandshakeWorkers(const HandshakeWorkers&) = delete;
  HandshakeWorkers& operator=(const HandshakeWorkers&) = delete;

  bool empty() const { return workers_.empty(); }

  // Takes a flight; it comes back as a FlightReturn in `home`, which must live until
  // `stop`. False, and `flight` is untouched, when the worker's queue is full. CHECKs that there is
  // a worker.
  bool submit(SessionId session, std::unique_ptr<crypto::HandshakeFlight>& flight, Mailbox& home);

  // Joins the threads. Flights that still wait are dropped. Called once all shards stopped.
  void stop();

 private:
  struct Job {
    SessionId session = SessionId::kNone;
    std::unique_ptr<crypto::HandshakeFlight> flight;
    Mailbox* home = nullptr;
  };
  struct Worker {
    MpscRing<Job> queue{kQueue};
    std::atomic<std::uint32_t> posted{0};
    std::thread thread;
  };

  void run(Worker& worker);

  std::vector<std::unique_ptr<Worker>> workers_;
  std::atomic<unsigned> next_{0};
  std::atomic<bool> stopping_{false};
};

}  // namespace millrace::engine
