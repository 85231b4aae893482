// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "engine/base/spsc_ring.h"

namespace millrace::engine {

// Quiescence tells when memory that readers may have seen can be used again (QSBR:
// quiescent-state based reclamation). Whoever unlinks something takes a number with `retire`; once
// every member that is not paused has been quiescent after that, `elapsed` holds
// for the number, and what members read before happens before the caller's next write.
class Quiescence {
 public:
  using Epoch = std::uint64_t;

  explicit Quiescence(std::size_t max_members);

  // Takes a place, not paused. CHECKs that there is one.
  std::size_t join();
  void leave(std::size_t member);

  // The member keeps no reference from before. One load, unless something was retired.
  void quiescent(std::size_t member) {
    std::atomic<Epoch>& seen = members_[member].seen;
    // Acquire: having seen the number, it sees that the thing is unlinked.
    const Epoch epoch = epoch_.load(std::memory_order_acquire);
    if (epoch == seen.load(std::memory_order_relaxed)) return;
    // Release: its reads so far happen before the use of what they read.
    seen.store(epoch, std::memory_order_release);
  }
  // The member keeps no reference and takes none until `resume`.
  void pause(std::size_t member);
  void resume(std::size_t member);

  // Called after unlinking. Any thread.
  Epoch retire() { return epoch_.fetch_add(1, std::memory_order_acq_rel) + 1; }
  bool elapsed(Epoch epoch);

 private:
  struct alignas(kCacheLineBytes) Member {
    std::atomic<Epoch> seen{0};  // 0: paused, or nobody.
    bool taken = false;          // Guarded by `mutex_`.
  };

  const std::size_t max_members_;
  const std::unique_ptr<Member[]> members_;
  std::mutex mutex_;
  alignas(kCacheLineBytes) std::atomic<Epoch> epoch_{1};
  alignas(kCacheLineBytes) std::atomic<Epoch> safe_{0};  // Every epoch up to it has elapsed.
};

}  // namespace millrace::engine
