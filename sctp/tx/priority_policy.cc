// SPDX-License-Identifier: Apache-2.0
// The Priority Policy of RFC 7496 §3.2, of DataSender and its queue: messages of a lower priority
// make room for one that finds none.
#include <algorithm>

#include "sctp/tx/data_sender.h"

namespace millrace::sctp {
namespace {

bool gives_way(const OutgoingMessage& message, const SendQueue::Yielding& which) {
  if (!message.yields() || message.limit < which.from || message.abandoned) return false;
  return message.sent == 0 || which.begun;
}

// `a` goes before `b`, of equal priority.
bool goes_before(const OutgoingMessage& a, const OutgoingMessage& b) {
  // What was begun has taken some of the network's time already.
  if ((a.sent == 0) != (b.sent == 0)) return a.sent == 0;
  return static_cast<std::int32_t>(a.arrival - b.arrival) < 0;
}

}  // namespace

// Nothing is given up unless that makes room enough.
bool DataSender::make_room(Time now, const Applicant& applicant) {
  // Without the peer's FORWARD TSN limits are ignored; what was begun needs a TSN to be skipped.
  if (established_ && !forward_tsn_) return false;
  const bool begun = !outstanding_.full() && outstanding_.half_sent().empty();
  const SendQueue::Yielding which{applicant.yielding_from, begun};
  Shortage missing = shortage(applicant);
  if (missing.own > 0 && queue_.yielding_cost(*applicant.stream, which) < missing.own) return false;
  if (queue_.yielding_cost(which) < missing.total) return false;
  while (missing.any()) {
    OutgoingMessage* const message = missing.own > 0
                                         ? queue_.first_yielding(*applicant.stream, which)
                                         : queue_.first_yielding(which);
    if (message == nullptr) break;
    give_up(*message);
    missing = shortage(applicant);
  }
  update_thresholds();
  note_ack_point(now);
  return !missing.any();
}

void DataSender::give_up(OutgoingMessage& message) {
  if (message.sent > 0) {
    outstanding_.abandon(message);
    drop_rest_of_abandoned();
  } else {
    abandoned_.note(message.stream_index, false);
    message.abandoned = true;
    queue_.drop_unbegun(&message);
  }
}

std::size_t SendQueue::yielding_cost(const SendStream& stream, const Yielding& which) const {
  const YieldingMessages& sum = stream.yielding;
  if (sum.count == 0 || sum.last < which.from) return 0;
  if (sum.first >= which.from) {
    const OutgoingMessage& head = *stream.head;
    return sum.cost - (head.yields() && !gives_way(head, which) ? charge_of(head) : 0);
  }
  std::size_t cost = 0;
  for (const OutgoingMessage* at = stream.head; at != nullptr; at = at->next) {
    if (gives_way(*at, which)) cost += charge_of(*at);
  }
  return cost;
}

std::size_t SendQueue::yielding_cost(const Yielding& which) const {
  std::size_t cost = 0;
  for (const std::uint32_t index : limited_) cost += yielding_cost(streams_[index], which);
  return cost;
}

OutgoingMessage* SendQueue::first_yielding(SendStream& stream, const Yielding& which) {
  YieldingMessages& sum = stream.yielding;
  if (sum.count == 0 || sum.last < which.from) return nullptr;
  OutgoingMessage* first = nullptr;
  std::uint32_t last_priority = 0;
  for (OutgoingMessage* at = stream.head; at != nullptr; at = at->next) {
    if (at->yields()) last_priority = std::max(last_priority, at->limit);
    if (!gives_way(*at, which)) continue;
    const bool better = first == nullptr || at->limit > first->limit ||
                        (at->limit == first->limit && goes_before(*at, *first));
    if (better) first = at;
    // Whatever follows is younger and of no lower priority.
    if (first->limit == sum.last && first->sent == 0) return first;
  }
  sum.last = last_priority;
  return first;
}

OutgoingMessage* SendQueue::first_yielding(const Yielding& which) {
  OutgoingMessage* first = nullptr;
  for (const std::uint32_t index : limited_) {
    OutgoingMessage* const own = first_yielding(streams_[index], which);
    if (own == nullptr) continue;
    const bool better = first == nullptr || own->limit > first->limit ||
                        (own->limit == first->limit && goes_before(*own, *first));
    if (better) first = own;
  }
  return first;
}

}  // namespace millrace::sctp
