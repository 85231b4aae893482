// SPDX-License-Identifier: Apache-2.0
#include "bench/impair/impaired_path.h"

#include <algorithm>

namespace millrace::impair {

ImpairedPath::ImpairedPath(const Impairment& impairment)
    : impairment_(impairment), rng_(impairment.seed) {
  held_back_.reserve(kMaxParcels);
}

bool ImpairedPath::chance(double probability) {
  if (probability <= 0) return false;
  return static_cast<double>(rng_.next() >> 11) * 0x1p-53 < probability;
}

Time ImpairedPath::transmit(Time now, std::size_t bytes) {
  if (impairment_.rate_mbps <= 0) return now;
  const auto span_of = [&](std::size_t n) {
    return Duration(
        static_cast<Duration::rep>(static_cast<double>(n) * 8e3 / impairment_.rate_mbps));
  };
  busy_until_ = std::max(busy_until_, now);
  if (busy_until_ - now > span_of(impairment_.queue_bytes)) return kNever;
  busy_until_ += span_of(bytes + kHeaderBytes);
  return busy_until_;
}

unsigned ImpairedPath::push(Time now, const Parcel& parcel) {
  ++counts_.arrived;
  if (chance(impairment_.loss)) {
    ++counts_.lost;
    return 0;
  }
  const Time sent = transmit(now, parcel.bytes);
  if (sent == kNever || line_.size() + held_back_.size() + 2 > kMaxParcels) {
    ++counts_.overflowed;
    return 0;
  }
  const Time due = sent + impairment_.delay;
  if (chance(impairment_.reorder)) {
    ++counts_.reordered;
    held_back_.push_back({due + kHoldBack, order_++, parcel});
    std::push_heap(held_back_.begin(), held_back_.end(), later);
  } else {
    line_.push_back({due, order_++, parcel});
  }
  if (!chance(impairment_.duplicate)) return 1;
  ++counts_.duplicated;
  line_.push_back({due, order_++, parcel});
  return 2;
}

bool ImpairedPath::held_back_first() const {
  if (held_back_.empty()) return false;
  return line_.empty() || later(line_.front(), held_back_.front());
}

bool ImpairedPath::poll(Time now, Parcel& out) {
  if (next_timeout() > now) return false;
  if (held_back_first()) {
    out = held_back_.front().parcel;
    std::pop_heap(held_back_.begin(), held_back_.end(), later);
    held_back_.pop_back();
  } else {
    out = line_.front().parcel;
    line_.pop_front();
  }
  ++counts_.delivered;
  counts_.delivered_bytes += out.bytes;
  return true;
}

Time ImpairedPath::next_timeout() const {
  if (held_back_first()) return held_back_.front().at;
  return line_.empty() ? kNever : line_.front().at;
}

}  // namespace millrace::impair
