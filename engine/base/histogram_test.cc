// SPDX-License-Identifier: Apache-2.0
#include "engine/base/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <thread>
#include <vector>

#include "engine/base/rng.h"

namespace millrace {
namespace {

constexpr double kPercents[] = {0, 1, 25, 50, 90, 99, 99.9, 99.99, 100};

// What `percentile` documents, from the sorted samples themselves.
std::uint64_t order_statistic(const std::vector<std::uint64_t>& sorted, double percent) {
  const double rank = std::ceil(percent * static_cast<double>(sorted.size()) / 100 - 1e-9);
  return sorted[rank < 1 ? 0 : static_cast<std::size_t>(rank) - 1];
}

TEST(HistogramShape, EveryBucketEndsWhereTheNextBegins) {
  constexpr HistogramShape kShape{.bits = 3, .max_bits = 12};
  for (std::uint64_t value = 0; value + 1 < (1u << 12); ++value) {
    const std::size_t bucket = kShape.bucket_of(value);
    const std::size_t next = kShape.bucket_of(value + 1);
    ASSERT_LE(value, kShape.upper_edge(bucket));
    ASSERT_EQ(next, value == kShape.upper_edge(bucket) ? bucket + 1 : bucket) << value;
    ASSERT_LT(static_cast<double>(kShape.upper_edge(bucket) - value),
              std::max(1.0, static_cast<double>(value) / 8));
  }
  EXPECT_EQ(kShape.bucket_of((1u << 12) - 1), kShape.buckets() - 1);
  EXPECT_EQ(kShape.bucket_of(UINT64_MAX), kShape.buckets() - 1);
}

TEST(Histogram, AnEmptyOneIsAllZero) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.min(), 0u);
  EXPECT_EQ(histogram.max(), 0u);
  EXPECT_EQ(histogram.mean(), 0);
  EXPECT_EQ(histogram.percentile(50), 0u);
}

TEST(Histogram, SmallValuesAreExact) {
  Histogram histogram;
  for (std::uint64_t v = 1; v <= 100; ++v) histogram.record(v);
  EXPECT_EQ(histogram.percentile(0), 1u);
  EXPECT_EQ(histogram.percentile(50), 50u);
  EXPECT_EQ(histogram.percentile(50.5), 51u);
  EXPECT_EQ(histogram.percentile(99), 99u);
  EXPECT_EQ(histogram.percentile(100), 100u);
  EXPECT_EQ(histogram.min(), 1u);
  EXPECT_DOUBLE_EQ(histogram.mean(), 50.5);
}

TEST(Histogram, ADecimalPercentDoesNotSlipToTheNextSample) {
  Histogram histogram;
  histogram.record(1, 999);
  histogram.record(100, 1);
  EXPECT_EQ(histogram.percentile(99.9), 1u);
  EXPECT_EQ(histogram.percentile(99.91), 100u);
}

TEST(Histogram, PercentilesAreNeverBelowTheSampleAndLessThanTheErrorAbove) {
  SeededRng rng(1);
  for (const std::uint32_t bits : {7u, 10u}) {
    Histogram histogram({.bits = bits, .max_bits = 40});
    std::vector<std::uint64_t> samples;
    for (int i = 0; i < 50'000; ++i) {
      samples.push_back(rng.next() >> (24 + rng.below(40)));
      histogram.record(samples.back());
    }
    std::sort(samples.begin(), samples.end());
    for (const double percent : kPercents) {
      const std::uint64_t exact = order_statistic(samples, percent);
      const std::uint64_t told = histogram.percentile(percent);
      EXPECT_GE(told, exact) << percent;
      EXPECT_LE(static_cast<double>(told - exact),
                std::ldexp(static_cast<double>(exact), -static_cast<int>(bits)))
          << percent;
    }
    EXPECT_EQ(histogram.min(), samples.front());
    EXPECT_EQ(histogram.max(), samples.back());
  }
}

TEST(Histogram, MergingEqualsRecordingInOne) {
  SeededRng rng(2);
  Histogram all, a, b;
  for (int i = 0; i < 10'000; ++i) {
    const std::uint64_t v = rng.next() >> (30 + rng.below(30));
    all.record(v);
    (i % 3 == 0 ? a : b).record(v);
  }
  a.merge(b);
  a.merge(Histogram());
  for (const double percent : kPercents) EXPECT_EQ(a.percentile(percent), all.percentile(percent));
  EXPECT_EQ(a.count(), all.count());
  EXPECT_EQ(a.min(), all.min());
  EXPECT_EQ(a.max(), all.max());
  EXPECT_EQ(a.mean(), all.mean());
  a.clear();
  EXPECT_EQ(a.count(), 0u);
  EXPECT_EQ(a.percentile(50), 0u);
}

TEST(Histogram, ValuesBeyondTheRangeKeepCountAndMaximum) {
  Histogram histogram({.bits = 7, .max_bits = 20});
  histogram.record(std::uint64_t{5'000'000});
  histogram.record(std::uint64_t{10});
  EXPECT_EQ(histogram.percentile(50), 10u);
  EXPECT_EQ(histogram.percentile(99), 5'000'000u);
  EXPECT_EQ(histogram.count(), 2u);
}

TEST(Histogram, ANegativeDurationCountsAsZero) {
  Histogram histogram;
  histogram.record(Duration(-5));
  EXPECT_EQ(histogram.max(), 0u);
  EXPECT_EQ(histogram.count(), 1u);
}

TEST(SharedHistogram, GivesWhatItsWriterRecorded) {
  SharedHistogram shared;
  Histogram plain, read;
  for (std::uint64_t v = 100; v < 100'000; v += 77) {
    shared.record(v);
    plain.record(v);
  }
  shared.read_into(read);
  for (const double percent : kPercents)
    EXPECT_EQ(read.percentile(percent), plain.percentile(percent));
  EXPECT_EQ(read.min(), plain.min());
  EXPECT_EQ(read.max(), plain.max());
  EXPECT_EQ(read.mean(), plain.mean());
}

TEST(SharedHistogram, CanBeReadWhileItIsWritten) {
  SharedHistogram shared;
  std::thread writer([&] {
    for (std::uint64_t v = 1; v <= 100'000; ++v) shared.record(v);
  });
  std::uint64_t last = 0;
  while (last < 100'000) {
    Histogram read;
    shared.read_into(read);
    EXPECT_GE(read.count(), last);
    EXPECT_LE(read.percentile(50), 51'000u);
    EXPECT_LE(read.percentile(50), read.percentile(100));
    last = read.count();
    std::this_thread::yield();
  }
  writer.join();
  EXPECT_EQ(last, 100'000u);
}

}  // namespace
}  // namespace millrace
