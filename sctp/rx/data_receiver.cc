// SPDX-License-Identifier: Apache-2.0
#include "sctp/rx/data_receiver.h"

#include <algorithm>

namespace millrace::sctp {
namespace {

// Less than this is not worth advertising (silly window syndrome, RFC 9260 §6.2).
constexpr std::size_t kSmallestWindow = 2048;
// RFC 9260 §3.3.4: the reach of a gap block.
constexpr std::uint64_t kMaxGapOffset = 65535;

}  // namespace

DataReceiver::DataReceiver(const DataReceiverOptions& options, BlockPool& pool)
    : options_(options),
      tsns_(UnwrappedTsn::first(options.peer_initial_tsn).previous()),
      store_(pool),
      waiting_(options.hash_seed),
      advertised_(options.window_bytes) {}

DataReceiver::~DataReceiver() = default;

DataResult DataReceiver::handle_data(Time now, const DataChunkView& data, const BufferRef& buffer) {
  release_lent();
  ++stats_.data_chunks_received;
  packet_has_data_ = true;
  if (data.payload.empty()) return DataResult::kNoUserData;
  // RFC 7053 §5.1.
  if (data.header.flags.immediate) sack_now_ = true;
  const UnwrappedTsn tsn = UnwrappedTsn::nearest(tsns_.cumulative(), data.header.tsn);
  if (tsns_.contains(tsn)) {
    note_duplicate(data.header.tsn);
    return DataResult::kDuplicate;
  }
  const DataResult result = accept(now, tsn, data, buffer);
  if (result == DataResult::kOutsideWindow) {
    ++stats_.outside_window;
    sack_now_ = true;
  }
  return result;
}

DataResult DataReceiver::accept(Time now, UnwrappedTsn tsn, const DataChunkView& data,
                                const BufferRef& buffer) {
  const bool is_next = tsn == tsns_.cumulative().next();
  if (tsn.distance_from(tsns_.cumulative()) > kMaxGapOffset) return DataResult::kOutsideWindow;
  // RFC 9260 §6.2: over the high-water mark only what fills the lowest gap is taken, and
  // that only where the application cannot free memory by reading. Twice the window of
  // messages that will not end is no longer the peer's good faith.
  const std::size_t cost = store_.cost();
  if (cost >= options_.window_bytes) {
    if (!is_next || ready_head_ < ready_.size()) return DataResult::kOutsideWindow;
    if (cost >= 2 * options_.window_bytes) return DataResult::kViolation;
  }
  if (!store_.has_place_for(tsn)) {
    return is_next ? DataResult::kViolation : DataResult::kOutsideWindow;
  }
  if (tsns_.insert(tsn) == ReceivedTsns::Insert::kTooManyRanges) {
    return DataResult::kOutsideWindow;
  }
  // RFC 9260 §6.7: gaps are reported at once.
  if (tsns_.has_gaps()) sack_now_ = true;
  // RFC 9260 §6.5: acknowledged, answered by ERROR, and discarded.
  if (data.header.stream.value() >= options_.streams) return DataResult::kInvalidStream;
  stats_.data_bytes_received += data.payload.size();
  store_.add(now, tsn, data, buffer);
  return reassemble(tsn) ? DataResult::kAccepted : DataResult::kViolation;
}

void DataReceiver::note_duplicate(Tsn tsn) {
  // RFC 9260 §6.2: reported without delay.
  ++stats_.duplicates;
  sack_now_ = true;
  if (duplicates_.size() < kMaxDuplicates) duplicates_.push_back(tsn);
}

void DataReceiver::end_packet(Time now) {
  if (!packet_has_data_) return;
  packet_has_data_ = false;
  ++packets_since_sack_;
  // RFC 9260 §6.2: every second packet, or after the delay; §5.1 wants the first at once.
  if (first_data_ || packets_since_sack_ >= 2 || options_.sack_delay <= Duration::zero()) {
    sack_now_ = true;
  } else if (sack_at_ == kNever) {
    sack_at_ = now + options_.sack_delay;
  }
  first_data_ = false;
}

bool DataReceiver::poll_message(MessageView& message) {
  release_lent();
  if (ready_head_ == ready_.size()) return false;
  const UnwrappedTsn first = ready_[ready_head_++];
  if (ready_head_ == ready_.size()) {
    ready_.clear();
    ready_head_ = 0;
  }
  const UnwrappedTsn last = store_.other_end(first);
  pieces_.clear();
  std::size_t size = 0;
  for (UnwrappedTsn tsn = first; tsn <= last; tsn = tsn.next()) {
    const HeldChunk& chunk = store_.at(tsn);
    pieces_.emplace_back(chunk.data, chunk.size);
    size += chunk.size;
  }
  const HeldChunk& head = store_.at(first);
  message = {.stream = head.stream,
             .ppid = head.ppid,
             .unordered = head.flags.unordered,
             .last = true,
             .aborted = false,
             .offset = 0,
             .size = size,
             .pieces = pieces_};
  lent_ = first;
  ++stats_.messages_received;
  return true;
}

void DataReceiver::release_lent() {
  if (!lent_) return;
  const UnwrappedTsn first = *lent_;
  lent_.reset();
  store_.remove_run(first, store_.other_end(first));
  offer_window_update();
}

void DataReceiver::settle(Time now) {
  release_lent();
  store_.settle(now, options_.max_pin_time);
}

void DataReceiver::offer_window_update() {
  // RFC 9260 §6.2: a window that was shut is announced when a good part of it is free.
  if (advertised_ < options_.window_bytes / 4 && store_.cost() <= options_.window_bytes / 2) {
    sack_now_ = true;
  }
}

std::uint32_t DataReceiver::a_rwnd() const {
  const std::size_t cost = store_.cost();
  const std::size_t left = cost >= options_.window_bytes ? 0 : options_.window_bytes - cost;
  if (left < kSmallestWindow) return 0;
  return static_cast<std::uint32_t>(std::min<std::size_t>(left, 0xFFFFFFFF));
}

bool DataReceiver::sack_due(Time now) const { return sack_now_ || now >= sack_at_; }

bool DataReceiver::sack_pending() const {
  return sack_now_ || packets_since_sack_ > 0 || packet_has_data_;
}

std::span<const GapAckBlock> DataReceiver::gap_blocks() {
  gap_blocks_.clear();
  const UnwrappedTsn cumulative = tsns_.cumulative();
  for (const ReceivedTsns::Range& range : tsns_.ranges()) {
    // `accept` takes nothing beyond kMaxGapOffset.
    gap_blocks_.push_back({static_cast<std::uint16_t>(range.first.distance_from(cumulative)),
                           static_cast<std::uint16_t>(range.last.distance_from(cumulative))});
  }
  return gap_blocks_;
}

bool DataReceiver::append_sack(Time now, PacketWriter& packet) {
  static_cast<void>(now);
  release_lent();
  SackChunk sack{.cumulative_tsn_ack = tsns_.cumulative().wrap(),
                 .a_rwnd = a_rwnd(),
                 .gap_blocks = gap_blocks(),
                 .duplicates = duplicates_};
  if (!sack.fit(packet.space()) || !packet.append(sack)) return false;
  advertised_ = sack.a_rwnd;
  duplicates_.clear();
  packets_since_sack_ = 0;
  sack_now_ = false;
  sack_at_ = kNever;
  ++stats_.sacks_sent;
  return true;
}

void DataReceiver::handle_timeout(Time now) {
  if (now >= sack_at_) {
    sack_now_ = true;
    sack_at_ = kNever;
  }
  if (now >= store_.next_settle(options_.max_pin_time)) settle(now);
}

Time DataReceiver::next_timeout() const {
  return std::min(sack_at_, store_.next_settle(options_.max_pin_time));
}

Tsn DataReceiver::cumulative_tsn() const { return tsns_.cumulative().wrap(); }

std::size_t DataReceiver::held_bytes() const { return store_.cost(); }

}  // namespace millrace::sctp
