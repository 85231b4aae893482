// SPDX-License-Identifier: Apache-2.0
#include "io/tx_pool.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <vector>

namespace millrace::io {
namespace {

// A pool over one real socket; the tests answer for the kernel.
class TxPoolTest : public ::testing::Test {
 protected:
  void SetUp() override {
    socket_ = sockets_.open({*IpAddress::parse("127.0.0.1"), 0}, {}, false, stats_).value();
  }
  void queue(TxPool& pool, const std::vector<std::size_t>& lengths, std::size_t pitch = 1200) {
    TxRun run =
        pool.reserve({socket_, sockets_.local_address(socket_), {}}, pitch, lengths.size(), stats_);
    ASSERT_EQ(run.size(), lengths.size());
    for (const std::size_t length : lengths) run.push(length);
    pool.commit(run, sockets_, stats_);
  }
  std::uint16_t pop(TxPool& pool) {
    const std::uint16_t send = pool.queue().front();
    pool.queue().pop_front();
    return send;
  }
  void finish(TxPool& pool) {
    while (!pool.queue().empty()) pool.complete(pop(pool), 0, stats_);
  }

  IoStats stats_;
  SocketTable sockets_;
  SocketId socket_ = kNoSocket;
};

TEST_F(TxPoolTest, BytesBackToBackShareAVectorAndOthersAreGathered) {
  TxPool pool(2, true);
  queue(pool, {1200, 1200, 1200, 40});
  EXPECT_EQ(pool.at(pool.queue().front()).header.msg_iovlen, 1u);
  EXPECT_EQ(pool.at(pool.queue().front()).bytes, 3640u);
  queue(pool, {800, 800, 40});
  EXPECT_EQ(pool.queue().size(), 2u);
  EXPECT_EQ(pool.at(pool.queue()[1]).header.msg_iovlen, 3u);
  EXPECT_EQ(pool.at(pool.queue()[1]).segment_bytes, 800u);
  finish(pool);
}

TEST_F(TxPoolTest, TransientErrorsAreTriedAgainABoundedNumberOfTimes) {
  TxPool pool(2, true);
  queue(pool, {1200, 1200});
  int tries = 0;
  for (bool again = true; again; ++tries) again = pool.complete(pop(pool), -ENOBUFS, stats_);
  EXPECT_EQ(tries, TxPool::kMaxTries);
  EXPECT_EQ(stats_.dropped(IoDrop::kTxNoBuffer), 2u);
  EXPECT_EQ(stats_.tx_retries, static_cast<std::uint64_t>(tries - 1));
  EXPECT_TRUE(pool.queue().empty());
}

TEST_F(TxPoolTest, ErrorsAreCountedByReasonForEveryDatagram) {
  TxPool pool(2, true);
  const std::pair<int, IoDrop> cases[] = {
      {EMSGSIZE, IoDrop::kTxTooBig},          {ECONNREFUSED, IoDrop::kTxUnreachable},
      {EHOSTUNREACH, IoDrop::kTxUnreachable}, {EPERM, IoDrop::kTxNotPermitted},
      {ECANCELED, IoDrop::kTxClosedSocket},   {EFAULT, IoDrop::kTxError}};
  for (const auto& [error, reason] : cases) {
    const std::uint64_t before = stats_.dropped(reason);
    queue(pool, {1200, 1200, 7});
    EXPECT_FALSE(pool.complete(pop(pool), -error, stats_));
    EXPECT_EQ(stats_.dropped(reason), before + 3) << error;
  }
}

TEST_F(TxPoolTest, RefusedGsoIsSentOneByOneAndGivenUp) {
  TxPool pool(2, true);
  queue(pool, {1200, 1200, 7});
  EXPECT_FALSE(pool.complete(pop(pool), -EIO, stats_));
  EXPECT_TRUE(stats_.gso_unavailable);
  EXPECT_EQ(stats_.tx_datagrams, 3u);
  queue(pool, {1200, 1200, 7});
  EXPECT_EQ(pool.queue().size(), 3u);
  finish(pool);
}

TEST_F(TxPoolTest, OneChunkServesAQuietShardForEver) {
  TxPool pool(4, true);
  const std::uint8_t* first = nullptr;
  for (int i = 0; i < 1000; ++i) {
    TxRun run = pool.reserve({socket_, sockets_.local_address(socket_), {}}, 1200, 4, stats_);
    if (first == nullptr) first = run.segment(0).data();
    EXPECT_EQ(run.segment(0).data(), first);
    run.push(1200);
    pool.commit(run, sockets_, stats_);
    finish(pool);
  }
}

TEST_F(TxPoolTest, SocketsLateSendsAreDiscardedAndOthersKept) {
  TxPool pool(4, true);
  queue(pool, {100});
  const SocketId other = socket_;
  socket_ = sockets_.open({*IpAddress::parse("127.0.0.1"), 0}, {}, false, stats_).value();
  queue(pool, {100, 100});
  pool.discard_socket(socket_, stats_);
  ASSERT_EQ(pool.queue().size(), 1u);
  EXPECT_EQ(pool.at(pool.queue().front()).socket, other);
  EXPECT_EQ(stats_.dropped(IoDrop::kTxClosedSocket), 2u);
  finish(pool);
}

}  // namespace
}  // namespace millrace::io
