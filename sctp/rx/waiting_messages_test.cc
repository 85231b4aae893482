// SPDX-License-Identifier: Apache-2.0
#include "sctp/rx/waiting_messages.h"

#include <gtest/gtest.h>

#include <map>
#include <utility>

#include "engine/base/rng.h"

namespace millrace::sctp {
namespace {

TEST(WaitingMessages, AgreeWithAMapWhateverTheSeed) {
  for (const std::uint64_t seed : {0u, 1u, 77u}) {
    SeededRng rng(seed + 1);
    WaitingMessages waiting(seed);
    std::map<std::pair<StreamId, std::uint16_t>, UnwrappedTsn> model;
    for (std::uint64_t i = 0; i < 20000; ++i) {
      const StreamId stream(static_cast<std::uint16_t>(rng.below(8)));
      const auto number = static_cast<std::uint16_t>(65500 + rng.below(100));
      const UnwrappedTsn tsn = UnwrappedTsn().plus(i);
      if (rng.below(2) == 0) {
        ASSERT_EQ(waiting.insert(stream, Ssn(number), tsn),
                  model.emplace(std::pair(stream, number), tsn).second);
        continue;
      }
      const auto found = model.find({stream, number});
      const auto taken = waiting.take(stream, Ssn(number));
      ASSERT_EQ(taken.has_value(), found != model.end());
      if (taken) {
        ASSERT_EQ(*taken, found->second);
        model.erase(found);
      }
      ASSERT_EQ(waiting.empty(), model.empty());
    }
  }
}

}  // namespace
}  // namespace millrace::sctp
