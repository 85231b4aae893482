// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/base/check.h"
#include "engine/base/time.h"

namespace millrace {

// HistogramShape is how values are put into buckets: exactly below 2^bits, and with 2^bits
// buckets to each doubling above, so that a bucket is never wider than 2^-bits of its
// values (7 bits: 0.8 %, 10 bits: 0.1 %). Memory is (max_bits - bits + 1) * 2^bits words:
// 34 KiB for the default. Values of 2^max_bits and more count in the last bucket.
struct HistogramShape {
  std::uint32_t bits = 7;
  std::uint32_t max_bits = 40;  // In nanoseconds: 18 minutes.

  constexpr std::size_t buckets() const { return std::size_t{max_bits - bits + 1} << bits; }
  constexpr std::size_t bucket_of(std::uint64_t value) const {
    const auto width = static_cast<std::uint32_t>(std::bit_width(value));
    if (width <= bits) return static_cast<std::size_t>(value);
    if (width > max_bits) return buckets() - 1;
    const std::uint32_t shift = width - bits - 1;
    return (std::size_t{shift} << bits) + static_cast<std::size_t>(value >> shift);
  }
  // The largest value that `bucket_of` puts into `bucket`, were there no upper limit.
  constexpr std::uint64_t upper_edge(std::size_t bucket) const {
    if (bucket >> bits == 0) return bucket;
    const std::size_t shift = (bucket >> bits) - 1;
    const std::uint64_t top = bucket - (shift << bits);
    return ((top + 1) << shift) - 1;
  }
  friend constexpr bool operator==(const HistogramShape&, const HistogramShape&) = default;
};

// Histogram counts durations in nanoseconds, or any other whole numbers, with a bounded
// relative error and fixed memory. One thread; merge the histograms of several shards
// into one to read them. Nothing but the constructor allocates.
class Histogram {
 public:
  explicit Histogram(HistogramShape shape = {});

  void record(std::uint64_t value, std::uint64_t times = 1) {
    counts_[shape_.bucket_of(value)] += times;
    count_ += times;
    sum_ += value * times;
    if (times == 0) return;
    if (value < min_) min_ = value;
    if (value > max_) max_ = value;
  }
  // A negative duration, which only a fault of a clock can make, counts as zero.
  void record(Duration value) {
    record(value.count() < 0 ? 0 : static_cast<std::uint64_t>(value.count()));
  }

  // Adds `other`, which must have the same shape.
  void merge(const Histogram& other);
  void clear();

  const HistogramShape& shape() const { return shape_; }
  std::uint64_t count() const { return count_; }
  std::uint64_t min() const { return count_ == 0 ? 0 : min_; }  // Exact.
  std::uint64_t max() const { return max_; }                    // Exact.
  double mean() const;  // Exact while the sum stays below 2^64. 0 when empty.

  // percentile returns a value v such that at least `percent` % of the samples are <= v:
  // with r = ceil(percent / 100 * count), at least 1, v is the upper edge of the bucket of
  // the r-th smallest sample, cut to the largest sample. So v is never below that sample
  // and exceeds it by less than 2^-bits; percentile(100) is max(). 0 when empty.
  std::uint64_t percentile(double percent) const;

 private:
  friend class SharedHistogram;

  HistogramShape shape_;
  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t min_ = UINT64_MAX;
  std::uint64_t max_ = 0;
};

// SharedHistogram is written by one thread and may be read by others at any time. Neither
// waits, and the writer pays plain loads and stores. A read taken during a `record` may
// miss that sample; its count is always the sum of its buckets.
class SharedHistogram {
 public:
  explicit SharedHistogram(HistogramShape shape = {});

  // The writing thread alone.
  void record(std::uint64_t value) {
    bump(counts_[shape_.bucket_of(value)], 1);
    bump(sum_, value);
    if (value < min_.load(std::memory_order_relaxed)) {
      min_.store(value, std::memory_order_relaxed);
    }
    if (value > max_.load(std::memory_order_relaxed)) {
      max_.store(value, std::memory_order_relaxed);
    }
  }
  void record(Duration value) {
    record(value.count() < 0 ? 0 : static_cast<std::uint64_t>(value.count()));
  }

  // Any thread: adds what has been recorded so far to `out`, which has the same shape.
  void read_into(Histogram& out) const;

 private:
  static void bump(std::atomic<std::uint64_t>& counter, std::uint64_t by) {
    counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }

  HistogramShape shape_;
  std::unique_ptr<std::atomic<std::uint64_t>[]> counts_;
  std::atomic<std::uint64_t> sum_{0};
  std::atomic<std::uint64_t> min_{UINT64_MAX};
  std::atomic<std::uint64_t> max_{0};
};

}  // namespace millrace
