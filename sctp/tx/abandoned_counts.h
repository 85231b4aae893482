// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace millrace::sctp {

// AbandonedMessages counts those given up before their delivery, each once (RFC 7496 §4.3):
// `unsent` before any part of it had been sent, `sent` after.
struct AbandonedMessages {
  std::uint64_t unsent = 0;
  std::uint64_t sent = 0;
  friend bool operator==(const AbandonedMessages&, const AbandonedMessages&) = default;
};

// AbandonedCounts has them for the association (RFC 7496 §4.4) and for each of its streams,
// named by their index in the send queue. Memory comes with the first.
class AbandonedCounts {
 public:
  void note(std::uint32_t stream, bool sent) {
    if (stream >= streams_.size()) streams_.resize(stream + 1);
    ++(sent ? streams_[stream].sent : streams_[stream].unsent);
    ++(sent ? total_.sent : total_.unsent);
  }
  const AbandonedMessages& total() const { return total_; }
  AbandonedMessages of(std::uint32_t stream) const {
    return stream < streams_.size() ? streams_[stream] : AbandonedMessages();
  }
  // The stream begins a new life.
  void forget(std::uint32_t stream) {
    if (stream < streams_.size()) streams_[stream] = {};
  }

 private:
  AbandonedMessages total_;
  std::vector<AbandonedMessages> streams_;
};

}  // namespace millrace::sctp
