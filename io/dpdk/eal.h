// SPDX-License-Identifier: Apache-2.0
//
// DPDK's environment (EAL), of which a process has one: started once, with memory for all
// devices to come; devices are attached to it by name. Its threads are not used: shards
// bring their own and register them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "io/datapath.h"

namespace millrace::io {

// EalOptions are the settings of the whole process; what the first start stated holds.
struct EalOptions {
  // false: ordinary memory, which virtual devices do with and network cards do not.
  bool huge_pages = false;
  std::size_t memory_mb = 0;         // For all devices; 0: 256 without huge pages, else as needed.
  std::vector<std::string> devices;  // Cards by PCI address; virtual devices need no mention.
  std::vector<std::string> extra;    // Further arguments, as EAL takes them.
};

// EalLogTarget has DPDK's lines after set-up go to `log`, from any thread, as long as it lives:
// once its destructor has returned, `log` is not called any more. Lines are the process's, not
// a device's, so each goes to one of the targets, the oldest. `log` may not open or close a
// device, nor make one of these; an empty one is no target.
class EalLogTarget {
 public:
  using Log = std::function<void(const std::string& line)>;
  explicit EalLogTarget(Log log);
  ~EalLogTarget();
  EalLogTarget(const EalLogTarget&) = delete;
  EalLogTarget& operator=(const EalLogTarget&) = delete;

 private:
  friend class EalLog;
  const Log log_;
};

// start_eal starts the EAL, or does nothing where it runs. It fails with one line: no huge
// pages, an argument that EAL does not take (of whose own lines the last is quoted).
std::optional<IoError> start_eal(const EalOptions& options);

// attach_device brings in a virtual device ("net_memif0,role=client") or a card
// ("0000:3b:00.0"), or finds it where it is there already, and returns its port number. The
// EAL must run.
Result<std::uint16_t, IoError> attach_device(const std::string& device);

// ClaimedPort is a port that is its owner's alone.
struct ClaimedPort {
  std::uint16_t id = 0;
  bool attached = false;  // By the claim itself; otherwise it was there, and nobody's.
};

// claim_device attaches a device for one owner. It fails where the process has it open already,
// or where somebody else owns its port (rte_eth_dev_owner_set).
Result<ClaimedPort, IoError> claim_device(const std::string& device);
// disclaim_port gives a claim up; the port stays as it is.
void disclaim_port(std::uint16_t id);
// close_port gives a claim up, closes the port and removes its device: the name is free, and a
// card can be attached again, here or elsewhere. What the driver does, `run` runs: it may have
// to be done in a certain thread.
using RunTask = std::function<void(const std::function<void()>& task)>;
void close_port(std::uint16_t id, const RunTask& run);

// EalSetUp is a stretch of set-up, within which DPDK's lines are not forwarded: what it says
// of a device that cannot do something is an answer, not a fault.
class EalSetUp {
 public:
  EalSetUp();
  ~EalSetUp();
  EalSetUp(const EalSetUp&) = delete;
  EalSetUp& operator=(const EalSetUp&) = delete;
  // The last line so far; empty where there was none.
  std::string last_line() const;
};

// is_card tells a PCI address ("0000:3b:00.0" or "3b:00.0", arguments behind a comma) from
// the name of a virtual device.
bool is_card(const std::string& device);

// register_eal_thread makes the calling thread known to DPDK, for the caches of its memory
// pools, until it ends. False where DPDK knows as many as it can: it works without caches.
bool register_eal_thread();

}  // namespace millrace::io
