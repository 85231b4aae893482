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
      window_(options.window_bytes, options.max_window_bytes, options.budget),
      tsns_(UnwrappedTsn::first(options.peer_initial_tsn).previous()),
      store_(pool),
      waiting_(options.hash_seed),
      advertised_(options.window_bytes),
      promised_(options.window_bytes),
      sack_delay_(options.sack_delay) {
  if (!options.i_data) return;
  interleaved_ = std::make_unique<InterleavedMessages>(store_, ready_, options.max_message_bytes,
                                                       options.hash_seed);
  interleaved_->set_part_bytes(part_bytes());
}

DataReceiver::~DataReceiver() = default;

DataResult DataReceiver::handle_data(Time now, const DataChunkView& data, const BufferRef& buffer) {
  UnwrappedTsn tsn;
  const DataResult result = admit(now, data.header, data.payload.size(), tsn);
  if (result != DataResult::kAccepted) return result;
  HeldChunk& chunk = store_.add(now, tsn, data.payload, buffer);
  chunk.ppid = data.header.ppid;
  chunk.stream = data.header.stream;
  chunk.ssn = data.header.ssn;
  chunk.flags = data.header.flags;
  return reassemble(tsn) ? DataResult::kAccepted : DataResult::kViolation;
}

DataResult DataReceiver::handle_data(Time now, const IDataChunkView& data,
                                     const BufferRef& buffer) {
  UnwrappedTsn tsn;
  const DataResult result = admit(now, data.header, data.payload.size(), tsn);
  if (result != DataResult::kAccepted) return result;
  HeldChunk& chunk = store_.add(now, tsn, data.payload, buffer);
  chunk.ppid = data.header.ppid;
  chunk.stream = data.header.stream;
  chunk.flags = data.header.flags;
  const bool fits = interleaved_->add(tsn, data.header);
  stats_.stale_messages = interleaved_->stale_messages();
  return fits ? DataResult::kAccepted : DataResult::kViolation;
}

// What DATA and I-DATA have in common. kAccepted: it is new, and to be held under `tsn`.
template <class Header>
inline DataResult DataReceiver::admit(Time now, const Header& header, std::size_t payload_bytes,
                                      UnwrappedTsn& tsn) {
  release_lent();
  ++stats_.data_chunks_received;
  packet_has_data_ = true;
  settled_ = false;
  if (payload_bytes == 0) return DataResult::kNoUserData;
  // RFC 7053 §5.1.
  if (header.flags.immediate) sack_now_ = true;
  tsn = UnwrappedTsn::nearest(tsns_.cumulative(), header.tsn);
  if (tsns_.contains(tsn)) {
    note_duplicate(header.tsn);
    return DataResult::kDuplicate;
  }
  const DataResult result =
      accept(now, tsn, header.stream, Header::kBytes + padded_to_four(payload_bytes));
  if (result == DataResult::kAccepted) {
    stats_.data_bytes_received += payload_bytes;
  } else if (result == DataResult::kOutsideWindow) {
    ++stats_.outside_window;
    sack_now_ = true;
  }
  return result;
}

[[gnu::always_inline]] inline DataResult DataReceiver::accept(Time now, UnwrappedTsn tsn,
                                                              StreamId stream,
                                                              std::size_t wire_bytes) {
  const std::uint64_t ahead = tsn.distance_from(tsns_.cumulative());
  const bool is_next = ahead == 1;
  if (ahead > kMaxGapOffset) return DataResult::kOutsideWindow;
  // RFC 9260 §6.2: over the high-water mark only what fills the lowest gap is taken, and that
  // only where the application cannot free memory by reading. Twice the window of messages
  // that will not end is no longer the peer's good faith.
  if (held_bytes() >= window_.bytes() && is_full(now, wire_bytes)) {
    if (!is_next || may_read()) return DataResult::kOutsideWindow;
    if (held_bytes() >= 2 * window_.bytes()) return DataResult::kViolation;
  }
  // One chunk far ahead costs the places of all that lie before it.
  if (!is_next && ahead * ChunkStore::kPlaceBytes >= window_.bytes()) {
    return DataResult::kOutsideWindow;
  }
  if (!store_.has_place_for(tsn)) {
    return is_next && !may_read() ? DataResult::kViolation : DataResult::kOutsideWindow;
  }
  if (tsns_.insert(tsn) == ReceivedTsns::Insert::kTooManyRanges) {
    return DataResult::kOutsideWindow;
  }
  promised_ -= std::min(promised_, wire_bytes);
  // RFC 9260 §6.7: gaps are reported at once.
  if (tsns_.has_gaps()) sack_now_ = true;
  // RFC 9260 §6.5: acknowledged, answered by ERROR, and discarded.
  return stream.value() < options_.streams ? DataResult::kAccepted : DataResult::kInvalidStream;
}

// Whether what is held leaves no room though its buffers are given back where they are hardly
// used: of one burst, each packet may have pinned one of its own.
bool DataReceiver::is_full(Time now, std::size_t wire_bytes) {
  if (keeps_promise(held_bytes(), wire_bytes)) return false;
  store_.settle(now, options_.max_pin_time);
  const std::size_t cost = held_bytes();
  return cost >= window_.bytes() && !keeps_promise(cost, wire_bytes);
}

// To hold data costs more than the peer counts. What it was told that it may send is taken for
// half of the window more, lest it find congestion where there is none.
bool DataReceiver::keeps_promise(std::size_t cost, std::size_t wire_bytes) const {
  return wire_bytes <= promised_ && cost < window_.bytes() + window_.bytes() / 2;
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
  if (first_data_ || packets_since_sack_ >= 2 || sack_delay_.usual() <= Duration::zero()) {
    sack_now_ = true;
  } else if (sack_at_ == kNever) {
    sack_at_ = sack_delay_.due(now);
  }
  first_data_ = false;
}

bool DataReceiver::poll_message(MessageView& message) {
  release_lent();
  if (ready_.empty()) return may_hold_part() && lend_part(message);
  if (ready_.at_reset()) return false;
  const UnwrappedTsn first = ready_.pop();
  if (first == ReadyMessages::kPart) return lend(ready_.pop_part(), message);
  collect_pieces(first);
  const HeldChunk& head = store_.at(first);
  message = {.stream = head.stream,
             .ppid = head.ppid,
             .unordered = head.flags.unordered,
             .last = true,
             .aborted = false,
             .offset = 0,
             .size = lent_bytes_,
             .pieces = pieces_};
  ++stats_.messages_received;
  return true;
}

bool DataReceiver::poll_reset() {
  if (!ready_.at_reset()) return false;
  ready_.pop();
  return true;
}

bool DataReceiver::lend(const DeliveredPart& part, MessageView& message) {
  pieces_.clear();
  lent_bytes_ = 0;
  if (!part.aborted) collect_pieces(part.first);
  message = {.stream = part.stream,
             .ppid = part.ppid,
             .unordered = part.unordered,
             .last = part.last,
             .aborted = part.aborted,
             .offset = part.offset,
             .size = lent_bytes_,
             .pieces = pieces_};
  if (part.last) ++stats_.messages_received;
  return true;
}

// Lends the chunks of the run, or list, that begins at `first`.
void DataReceiver::collect_pieces(UnwrappedTsn first) {
  pieces_.clear();
  std::size_t size = 0;
  const auto add = [&](const HeldChunk& chunk) {
    pieces_.emplace_back(chunk.data, chunk.size);
    size += chunk.size;
  };
  if (!interleaved_) {
    const UnwrappedTsn last = store_.other_end(first);
    for (UnwrappedTsn tsn = first; tsn <= last; tsn = tsn.next()) add(store_.at(tsn));
  } else {
    for (std::uint32_t tsn = first.wrap().value();;) {
      const HeldChunk& chunk = store_.at(Tsn(tsn));
      add(chunk);
      if (chunk.other_end == tsn) break;
      tsn = chunk.other_end;
    }
  }
  lent_ = first;
  lent_bytes_ = size;
}

void DataReceiver::give_back() {
  const UnwrappedTsn first = *lent_;
  lent_.reset();
  if (interleaved_) {
    store_.remove_list(first);
  } else {
    store_.remove_run(first, store_.other_end(first));
  }
  offer_window_update();
}

void DataReceiver::settle(Time now, std::optional<Duration> round_trip) {
  settled_ = true;
  release_lent();
  store_.settle(now, options_.max_pin_time);
  const std::uint64_t came =
      stats_.data_bytes_received + ChunkStore::kPlaceBytes * stats_.data_chunks_received;
  const std::size_t held = held_bytes();
  if (window_.observe(now, came - std::min<std::uint64_t>(came, held), round_trip) &&
      interleaved_) {
    interleaved_->set_part_bytes(part_bytes());
  }
  if (shrink_at_ == kNever && (window_.has_grown() || store_.is_roomy())) {
    shrink_at_ = now + ReceiveWindow::kShrinkInterval;
  }
}

void DataReceiver::give_memory_back(Time now) {
  release_lent();
  const bool quiet = window_.is_quiet();
  window_.shrink(held_bytes());
  if (interleaved_) interleaved_->set_part_bytes(part_bytes());
  if (quiet && store_.empty()) {
    store_.trim();
    ready_.trim();
    waiting_.trim();
    if (interleaved_) interleaved_->trim();
    pieces_ = std::vector<ByteSpan>();
  }
  shrink_at_ =
      window_.has_grown() || store_.is_roomy() ? now + ReceiveWindow::kShrinkInterval : kNever;
}

void DataReceiver::offer_window_update() {
  // RFC 9260 §6.2: a window that was shut is announced when a good part of it is free.
  if (advertised_ < window_.bytes() / 4 && held_bytes() <= window_.bytes() / 2) {
    sack_now_ = true;
  }
}

std::uint32_t DataReceiver::a_rwnd() const {
  const std::size_t cost = held_bytes();
  const std::size_t left = cost >= window_.bytes() ? 0 : window_.bytes() - cost;
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

bool DataReceiver::append_sack(PacketWriter& packet) {
  release_lent();
  SackChunk sack{.cumulative_tsn_ack = tsns_.cumulative().wrap(),
                 .a_rwnd = a_rwnd(),
                 .gap_blocks = gap_blocks(),
                 .duplicates = duplicates_};
  if (!sack.fit(packet.space()) || !packet.append(sack)) return false;
  advertised_ = sack.a_rwnd;
  // What was promised before may be on its way.
  promised_ = std::max(promised_, advertised_);
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
  if (now >= store_.next_settle(options_.max_pin_time)) {
    release_lent();
    store_.settle(now, options_.max_pin_time);
  }
  if (now >= shrink_at_) give_memory_back(now);
}

Time DataReceiver::next_timeout() const {
  return earliest(sack_at_, store_.next_settle(options_.max_pin_time), shrink_at_);
}

Tsn DataReceiver::cumulative_tsn() const { return tsns_.cumulative().wrap(); }

}  // namespace millrace::sctp
