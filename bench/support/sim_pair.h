// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "millrace/engine.h"
#include "millrace/simulation.h"

namespace millrace::bench {

// Traffic is what the client of a SimPair sends over the one channel of each session.
struct Traffic {
  std::size_t message_bytes = 16384;
  bool ordered = true;
  std::optional<std::uint16_t> max_retransmits{};
  // 0: one way, as much as `send` takes. Else the server echoes, and so many are under way.
  int echoes = 0;
  // 0: the default. Less makes a run even: a large buffer is filled in lumps.
  std::size_t send_buffer_bytes = 0;
  std::size_t sessions = 1;
};

// SimPair is two engines in virtual time, from ICE to SCTP and with their shipped defaults,
// under load from client to server. A run is a function of the seed but for what comes from
// keys: no count depends on them.
class SimPair {
 public:
  SimPair(const SimulationOptions& network, const Traffic& traffic);
  ~SimPair();

  // Lets virtual time pass; the load goes on. It must be more than nothing.
  void run_for(Duration time);
  // Runs until `n` more messages have come through (echoed ones: come back). False after
  // a minute of virtual time.
  bool run_messages(std::uint64_t n);

  Time now() const;
  std::uint64_t messages() const;       // Come through, or back.
  std::uint64_t payload_bytes() const;  // Of those.
  std::uint64_t datagrams() const;      // Sent, both ways.

 private:
  class Client;
  class Server;

  void connect();

  std::shared_ptr<Simulation> simulation_;
  Server* at_server_ = nullptr;
  Client* at_client_ = nullptr;
  std::unique_ptr<Engine> server_;
  std::unique_ptr<Engine> client_;
  bool echoing_;
};

}  // namespace millrace::bench
