// SPDX-License-Identifier: Apache-2.0
#include "test/sim/traffic.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "engine/base/bytes.h"
#include "engine/base/check.h"

namespace millrace::sim {
namespace {

constexpr std::size_t kHeaderBytes = 16;
// Above this a message is handed over instead of copied.
constexpr std::size_t kCopiedBytes = std::size_t{256} << 10;

void release(void* /*context*/, std::span<const std::uint8_t> bytes) noexcept {
  std::unique_ptr<const std::uint8_t[]> owned(bytes.data());
}

}  // namespace

Time Traffic::due_of(std::uint64_t number) const {
  if (options_.messages_per_second <= 0) return start_;
  const double nanos = static_cast<double>(number) * 1e9 / options_.messages_per_second;
  return start_ + Duration(std::llround(nanos));
}

Time Traffic::next_due() const {
  return next_number_ >= options_.count ? kNever : due_of(next_number_);
}

void Traffic::write_header(std::uint8_t* bytes, Time due) const {
  store_be64(bytes, static_cast<std::uint64_t>(due.time_since_epoch().count()));
  store_be64(bytes + 8, next_number_);
}

bool Traffic::send_one(Time now, sctp::Association& association) {
  // A bulk sender's message is due when it is taken.
  const Time due = options_.messages_per_second > 0 ? due_of(next_number_) : now;
  sctp::SendOptions options;
  options.unordered = options_.unordered;
  options.max_retransmits = options_.max_retransmits;
  options.max_lifetime = options_.max_lifetime;
  const sctp::StreamId stream(options_.stream);
  sctp::SendStatus status{};
  if (options_.message_bytes <= kCopiedBytes) {
    payload_.resize(options_.message_bytes);
    write_header(payload_.data(), due);
    status = association.send(now, stream, sctp::kPpidBinary, payload_, options);
  } else {
    auto bytes = std::make_unique<std::uint8_t[]>(options_.message_bytes);
    write_header(bytes.get(), due);
    OwnedBytes owned({bytes.release(), options_.message_bytes}, release, nullptr);
    status = association.send(now, stream, sctp::kPpidBinary, std::move(owned), options);
  }
  if (status == sctp::SendStatus::kWouldBlock) return false;
  CHECK(status == sctp::SendStatus::kOk);
  ++next_number_;
  ++report_.sent;
  return true;
}

void Traffic::receive(Time now, const sctp::MessageView& message) {
  if (message.aborted) return;
  if (now >= measure_from_) report_.delivered_bytes += message.size;
  if (message.offset == 0) {
    CHECK(!message.pieces.empty() && message.pieces.front().size() >= kHeaderBytes);
    const std::uint8_t* const header = message.pieces.front().data();
    receiving_due_ = Time(Duration(static_cast<Duration::rep>(load_be64(header))));
    const std::uint64_t number = load_be64(header + 8);
    const bool reliable = !options_.max_retransmits && !options_.max_lifetime;
    const bool in_order = reliable ? number == expected_ : number >= expected_;
    if (!options_.unordered && !in_order) ++report_.disorder;
    expected_ = number + 1;
  }
  if (!message.last) return;
  ++report_.delivered;
  newest_due_ = std::max(newest_due_, receiving_due_);
  if (receiving_due_ >= measure_from_) report_.latency.record(now - receiving_due_);
}

// Of a sender with a rate: the message that follows the newest arrived was due after `time`.
bool Traffic::last_due_before(Time time) const {
  if (options_.messages_per_second <= 0) return false;
  const Duration interval(std::llround(1e9 / options_.messages_per_second));
  return newest_due_ + interval >= time;
}

}  // namespace millrace::sim
