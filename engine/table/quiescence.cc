// SPDX-License-Identifier: Apache-2.0
#include "engine/table/quiescence.h"

#include <algorithm>

#include "engine/base/check.h"

namespace millrace::engine {

Quiescence::Quiescence(std::size_t max_members)
    : max_members_(max_members), members_(std::make_unique<Member[]>(max_members)) {}

std::size_t Quiescence::join() {
  const std::lock_guard lock(mutex_);
  std::size_t member = 0;
  while (member < max_members_ && members_[member].taken) ++member;
  CHECK(member < max_members_);
  members_[member].taken = true;
  resume(member);
  return member;
}

void Quiescence::leave(std::size_t member) {
  pause(member);
  const std::lock_guard lock(mutex_);
  members_[member].taken = false;
}

void Quiescence::pause(std::size_t member) {
  members_[member].seen.store(0, std::memory_order_release);
}

void Quiescence::resume(std::size_t member) {
  members_[member].seen.store(epoch_.load(std::memory_order_acquire), std::memory_order_relaxed);
  // An exchange with every `retire`, all of which have one order: one before this is seen with
  // its unlinking; one after this sees, in `elapsed`, that the member is back.
  epoch_.fetch_add(0, std::memory_order_acq_rel);
}

bool Quiescence::elapsed(Epoch epoch) {
  Epoch known = safe_.load(std::memory_order_acquire);
  if (epoch <= known) return true;
  Epoch safe = epoch_.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < max_members_; ++i) {
    const Epoch seen = members_[i].seen.load(std::memory_order_acquire);
    if (seen != 0) safe = std::min(safe, seen);
  }
  while (known < safe && !safe_.compare_exchange_weak(known, safe, std::memory_order_acq_rel,
                                                      std::memory_order_acquire)) {
  }
  return epoch <= safe;
}

}  // namespace millrace::engine
