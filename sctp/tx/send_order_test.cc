// SPDX-License-Identifier: Apache-2.0
#include "sctp/tx/send_order.h"

#include <gtest/gtest.h>

#include <vector>

namespace millrace::sctp {
namespace {

std::vector<std::size_t> drain(SendOrder& order) {
  std::vector<std::size_t> slots;
  while (!order.empty()) {
    slots.push_back(order.oldest());
    order.remove(order.oldest());
  }
  return slots;
}

SendOrder order_of(std::size_t capacity, const std::vector<std::size_t>& slots) {
  SendOrder order;
  order.grow(capacity, [](std::size_t slot) { return slot; });
  for (const std::size_t slot : slots) order.push_newest(slot);
  return order;
}

// RFC 8985 §6.2, step 5.
TEST(SendOrder, WhatLeavesAgainIsNewest) {
  SendOrder order = order_of(4, {3, 0, 1});
  order.remove(3);
  order.push_newest(3);
  EXPECT_EQ(drain(order), (std::vector<std::size_t>{0, 1, 3}));
}

TEST(SendOrder, EndsAndMiddleCanBeRemoved) {
  SendOrder order = order_of(8, {0, 1, 2, 3, 4});
  for (const std::size_t slot : {0u, 2u, 4u}) order.remove(slot);
  EXPECT_EQ(drain(order), (std::vector<std::size_t>{1, 3}));
  order.push_newest(7);
  EXPECT_EQ(drain(order), (std::vector<std::size_t>{7}));
}

TEST(SendOrder, GrowingKeepsTheOrderAndMovesTheSlots) {
  SendOrder order = order_of(4, {2, 3, 0, 1});
  order.grow(8, [](std::size_t slot) { return slot < 2 ? slot + 4 : slot; });
  EXPECT_EQ(drain(order), (std::vector<std::size_t>{2, 3, 4, 5}));
}

TEST(SendOrder, TheLastSlotOfTheLargestRingIsASlot) {
  SendOrder order = order_of(SendOrder::kMaxCapacity, {SendOrder::kMaxCapacity - 1, 0});
  EXPECT_EQ(drain(order), (std::vector<std::size_t>{SendOrder::kMaxCapacity - 1, 0}));
}

}  // namespace
}  // namespace millrace::sctp
