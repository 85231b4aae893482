// SPDX-License-Identifier: Apache-2.0
#include "test/sim/link.h"

#include <algorithm>
#include <cmath>

namespace millrace::sim {

std::size_t one_bdp(const LinkOptions& link, Duration rtt) {
  const double seconds_of = std::chrono::duration<double>(rtt).count();
  const auto bytes = static_cast<std::size_t>(link.bits_per_second / 8 * seconds_of);
  return std::max(bytes, 10 * link.mtu_bytes);
}

Link::Passage Link::pass(Time now, std::size_t wire_bytes) {
  Passage passage;
  ++stats_.offered;
  if (wire_bytes > options_.mtu_bytes) return ++stats_.mtu_drops, passage;
  passage.departure = now;
  if (bits_per_second_ > 0) {
    const std::size_t queued = queued_bytes(now) + wire_bytes;
    if (queued > options_.queue_bytes) return ++stats_.queue_drops, passage;
    stats_.max_queue_bytes = std::max(stats_.max_queue_bytes, queued);
    const double nanos = static_cast<double>(wire_bytes) * 8e9 / bits_per_second_;
    free_at_ = std::max(now, free_at_) + Duration(std::llround(nanos));
    passage.departure = free_at_;
  }
  if (in_outage(passage.departure)) return ++stats_.outage_drops, passage;
  if (happens(options_.loss)) return ++stats_.lost, passage;
  passage.copies = 1;
  if (happens(options_.duplicate)) {
    ++stats_.duplicated;
    passage.copies = 2;
  }
  if (happens(options_.corrupt)) {
    ++stats_.corrupted;
    passage.corrupt = true;
  }
  for (int i = 0; i < passage.copies; ++i) {
    if (!happens(options_.reorder)) continue;
    ++stats_.reordered;
    passage.late[static_cast<std::size_t>(i)] = Duration(
        static_cast<Duration::rep>(draw() * static_cast<double>(options_.reorder_by.count())) + 1);
  }
  return passage;
}

Link::Passage Link::pass_in_fragments(Time now, std::size_t wire_bytes) {
  if (wire_bytes <= options_.mtu_bytes) return pass(now, wire_bytes);
  // RFC 791 §3.2: all but the last carry a multiple of eight bytes.
  const std::size_t most = (options_.mtu_bytes - kIpHeaderBytes) / 8 * 8;
  Passage whole;
  whole.copies = 1;
  for (std::size_t rest = wire_bytes - kIpHeaderBytes; rest > 0;) {
    const std::size_t part = std::min(rest, most);
    const Passage passage = pass(now, part + kIpHeaderBytes);
    rest -= part;
    if (passage.copies == 0) whole.copies = 0;
    whole.corrupt = whole.corrupt || passage.corrupt;
    whole.departure = std::max(whole.departure, passage.departure);
    whole.late[0] = std::max(whole.late[0], passage.late[0]);
  }
  return whole;
}

std::size_t Link::queued_bytes(Time now) const {
  const double nanos = static_cast<double>(wait(now).count());
  return static_cast<std::size_t>(nanos * bits_per_second_ / 8e9);
}

bool Link::in_outage(Time at) {
  if (outages_.empty()) return false;
  const Duration since_start = at - kOrigin;
  while (outage_ < outages_.size() &&
         outages_[outage_].from + outages_[outage_].length <= since_start) {
    ++outage_;
  }
  return outage_ < outages_.size() && outages_[outage_].from <= since_start;
}

double Link::set_rate(Time now, double bits_per_second) {
  const double factor =
      bits_per_second_ > 0 && bits_per_second > 0 ? bits_per_second_ / bits_per_second : 0.0;
  free_at_ = rescale(free_at_, now, factor);
  bits_per_second_ = bits_per_second;
  return factor;
}

Time Link::rescale(Time departure, Time now, double factor) {
  if (departure <= now) return departure;
  return now + Duration(std::llround(static_cast<double>((departure - now).count()) * factor));
}

}  // namespace millrace::sim
