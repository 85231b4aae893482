// SPDX-License-Identifier: Apache-2.0
#include "engine/base/histogram.h"

#include <algorithm>
#include <cmath>

namespace millrace {

namespace {

void check_shape(const HistogramShape& shape) {
  CHECK(shape.bits >= 1 && shape.bits < shape.max_bits && shape.max_bits <= 63);
}

}  // namespace

Histogram::Histogram(HistogramShape shape) : shape_(shape) {
  check_shape(shape);
  counts_.resize(shape.buckets());
}

void Histogram::merge(const Histogram& other) {
  CHECK(shape_ == other.shape_);
  for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
}

void Histogram::clear() {
  std::fill(counts_.begin(), counts_.end(), 0);
  count_ = sum_ = max_ = 0;
  min_ = UINT64_MAX;
}

double Histogram::mean() const {
  return count_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(count_);
}

std::uint64_t Histogram::percentile(double percent) const {
  if (count_ == 0) return 0;
  // 99.9 is not a binary fraction: without the tolerance 99.9 % of 1000 would be 999 and
  // a bit, hence the 1000th sample.
  const double exact = percent / 100 * static_cast<double>(count_);
  const double rank = std::ceil(exact * (1 - 1e-12));
  if (!(rank < static_cast<double>(count_))) return max_;
  const auto wanted = rank < 1 ? 1 : static_cast<std::uint64_t>(rank);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i + 1 < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen >= wanted) return std::min(shape_.upper_edge(i), max_);
  }
  return max_;
}

SharedHistogram::SharedHistogram(HistogramShape shape) : shape_(shape) {
  check_shape(shape);
  counts_ = std::make_unique<std::atomic<std::uint64_t>[]>(shape.buckets());
}

void SharedHistogram::read_into(Histogram& out) const {
  CHECK(shape_ == out.shape_);
  std::size_t lowest = shape_.buckets();
  std::size_t highest = 0;
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < shape_.buckets(); ++i) {
    const std::uint64_t n = counts_[i].load(std::memory_order_relaxed);
    if (n == 0) continue;
    out.counts_[i] += n;
    count += n;
    lowest = std::min(lowest, i);
    highest = i;
  }
  if (count == 0) return;
  out.count_ += count;
  out.sum_ += sum_.load(std::memory_order_relaxed);
  // The extremes may lag behind the counts by a sample; the buckets then speak for them.
  const std::uint64_t min = min_.load(std::memory_order_relaxed);
  const std::uint64_t max = max_.load(std::memory_order_relaxed);
  out.min_ = std::min({out.min_, min, shape_.upper_edge(lowest)});
  out.max_ = std::max(out.max_, shape_.bucket_of(max) < highest ? shape_.upper_edge(highest) : max);
}

}  // namespace millrace
