// SPDX-License-Identifier: Apache-2.0
#include "crypto/dtls_session.h"

#include <algorithm>
#include <array>
#include <utility>

#include "engine/base/check.h"

namespace millrace::crypto {
namespace {

// RFC 5246 §7.2.
constexpr std::uint8_t kAlertWarning = 1;
constexpr std::uint8_t kAlertFatal = 2;
constexpr std::uint8_t kAlertCloseNotify = 0;
// RFC 5246 §7.4.
constexpr std::uint8_t kMessageFinished = 20;
// The epoch of a session's records: DTLS 1.2 without renegotiation has no later one.
constexpr std::uint16_t kSessionEpoch = 1;

}  // namespace

// Handshake is what a session needs until the first application record has come.
struct DtlsSession::Handshake {
  Handshake(std::shared_ptr<const DtlsContext> shared, std::vector<Fingerprint> fingerprints)
      : context(std::move(shared)), expected(std::move(fingerprints)) {}

  std::shared_ptr<const DtlsContext> context;
  std::vector<Fingerprint> expected;
  std::unique_ptr<HandshakeFlight> flight;  // Null while it is away.
  bool fresh = false;                       // There is something for the SSL to do.
  std::size_t lent_cost = 0;                // Of the flight's input while it is away.
  PacketList input;                         // Records for the SSL.
  // All that ever came for the SSL, and the runs that it was given.
  std::size_t input_bytes_ever = 0;
  std::size_t encrypted_ever = 0;  // Records of epoch 1.
  std::size_t flights = 0;
  PacketList held;         // Early application data.
  PacketList output;       // Datagrams to send.
  PacketList last_flight;  // The server's, until the peer shows that it came.
  Time last_flight_sent{};
  Time retransmit_at = kNever;
  Time give_up_at = kNever;

  // What the input takes, wherever the flight is.
  std::size_t input_cost() const {
    return input.cost() + (flight ? flight->input_cost() : lent_cost);
  }
  bool has_room(const RecordView& record) const {
    return flights < kMaxFlights &&
           (record.header.epoch == 0 || encrypted_ever < kMaxEncryptedRecords) &&
           input_cost() + PacketList::cost_of(record.bytes) <= kMaxQueuedInputBytes &&
           input_bytes_ever + record.bytes.size() <= kMaxHandshakeInputBytes;
  }
};

DtlsSession::DtlsSession(std::shared_ptr<const DtlsContext> context, DtlsShard& shard, Role role,
                         std::vector<Fingerprint> expected)
    : shard_(shard),
      handshake_(std::make_unique<Handshake>(std::move(context), std::move(expected))),
      role_(role) {}

DtlsSession::~DtlsSession() = default;

void DtlsSession::start(Time now) {
  if (state_ != State::kNew) return;
  state_ = State::kConnecting;
  Handshake& handshake = *handshake_;
  handshake.give_up_at = now + handshake.context->options().handshake_timeout;
  handshake.flight =
      std::make_unique<HandshakeFlight>(handshake.context, role_, std::move(handshake.expected));
  handshake.fresh = role_ == Role::kClient;
}

void DtlsSession::handle_datagram(Time, MutableByteSpan datagram, OpenQueue& jobs, OpenTag tag) {
  if (state_ == State::kNew || state_ == State::kClosed) {
    drop(DropReason::kClosed);
    return;
  }
  RecordReader reader(datagram);
  while (const std::optional<RecordView> record = reader.next()) {
    if (state_ == State::kConnecting) {
      queue_record(*record);
    } else if (record->header.epoch != kSessionEpoch) {
      drop(DropReason::kUnexpectedEpoch);
    } else if (OpenJob* const job = jobs.add()) {
      job->keys = keys_.get();
      job->session = this;
      job->record = {record->bytes.data(), record->bytes.size()};
      job->tag.owner = tag.owner;
      job->tag.index = tag.index;
    } else {
      drop(DropReason::kQueueFull);
    }
  }
  if (const auto reason = reader.drop_reason()) drop(*reason);
}

void DtlsSession::queue_record(const RecordView& record) {
  const RecordHeader& header = record.header;
  if (header.epoch > kSessionEpoch) return drop(DropReason::kUnexpectedEpoch);
  // Every suite's tag is as long: no peer has sealed this.
  if (header.epoch == kSessionEpoch && header.length < kAeadTagBytes) {
    return drop(DropReason::kUnauthentic);
  }
  if (header.type == ContentType::kApplicationData) {
    // RFC 6347 §4.1: the record layer may hold what comes ahead of the Finished.
    return header.epoch == 0 ? drop(DropReason::kUnexpectedType) : hold_record(record.bytes);
  }
  Handshake& handshake = *handshake_;
  if (!handshake.has_room(record)) return drop(DropReason::kHandshakeOverrun);
  handshake.input.append(record.bytes);
  handshake.input_bytes_ever += record.bytes.size();
  if (header.epoch == kSessionEpoch) ++handshake.encrypted_ever;
  handshake.fresh = true;
}

void DtlsSession::hold_record(ByteSpan record) {
  PacketList& held = handshake_->held;
  if (held.cost() + PacketList::cost_of(record) > kMaxHeldBytes) {
    return drop(DropReason::kEarlyOverrun);
  }
  held.append(record);
  ++shard_.counters.early_records_held;
}

bool DtlsSession::flight_ready() const {
  return state_ == State::kConnecting && handshake_->fresh && handshake_->flight != nullptr;
}

std::unique_ptr<HandshakeFlight> DtlsSession::take_flight(Time now) {
  CHECK(flight_ready());
  Handshake& handshake = *handshake_;
  handshake.fresh = false;
  handshake.retransmit_at = kNever;
  handshake.flight->now_ = now;
  handshake.flight->input_.append(handshake.input);
  handshake.input.clear();
  handshake.lent_cost = handshake.flight->input_cost();
  ++handshake.flights;
  ++shard_.counters.flights;
  return std::move(handshake.flight);
}

void DtlsSession::return_flight(Time now, std::unique_ptr<HandshakeFlight> flight) {
  CHECK(flight != nullptr);
  if (state_ != State::kConnecting) return;
  Handshake& handshake = *handshake_;
  CHECK(handshake.flight == nullptr);
  handshake.lent_cost = 0;
  handshake.output.append(flight->output_);
  switch (flight->outcome_) {
    case HandshakeFlight::Outcome::kUnderWay:
      flight->output_.clear();
      handshake.retransmit_at = flight->deadline_;
      handshake.flight = std::move(flight);
      break;
    case HandshakeFlight::Outcome::kComplete:
      establish(now, *flight);
      break;
    case HandshakeFlight::Outcome::kFailed:
      ++shard_.counters.handshakes_failed;
      finish(flight->reason_);
      break;
  }
}

void DtlsSession::establish(Time now, HandshakeFlight& flight) {
  Handshake& handshake = *handshake_;
  keys_ = shard_.keys.make(*flight.keys_);
  for (const std::uint64_t sequence : flight.fed_) keys_->seed_replay(sequence);
  if (role_ == Role::kServer) {
    // RFC 6347 §4.2.4: in a full handshake the server sends the last flight.
    handshake.last_flight = std::move(flight.output_);
    handshake.last_flight_sent = now;
  }
  // What came for the SSL and it did not read, in the flight or here, may be a repeated Finished
  // or an alert; the record layer opens it like any other record. The rest is of epoch 0 and past.
  for (std::size_t i = flight.refeed_; i < flight.encrypted_.size(); ++i) {
    hold_record(flight.encrypted_[i]);
  }
  for (std::size_t i = 0; i < handshake.input.size(); ++i) {
    const ByteSpan record = handshake.input[i];
    if (load_be16(record.data() + 3) == kSessionEpoch) hold_record(record);
  }
  handshake.input.clear();
  handshake.retransmit_at = kNever;
  handshake.give_up_at = kNever;
  state_ = State::kEstablished;
  ++shard_.counters.handshakes_completed;
  settle();
}

void DtlsSession::settle() {
  if (state_ == State::kConnecting || state_ == State::kNew || !handshake_) return;
  const Handshake& handshake = *handshake_;
  if (handshake.output.empty() && handshake.held.empty() && handshake.last_flight.empty()) {
    handshake_.reset();
  }
}

DtlsSession::Received DtlsSession::handle_opened(Time now, const OpenJob& job) {
  const auto dropped = [this](DropReason reason) {
    drop(reason);
    return Received::kDropped;
  };
  if (state_ != State::kEstablished) return dropped(DropReason::kClosed);
  if (job.verdict == OpenVerdict::kReplayed) return dropped(DropReason::kReplayed);
  if (job.verdict != OpenVerdict::kOpened) {
    check_limits();
    return dropped(DropReason::kUnauthentic);
  }
  switch (job.type) {
    case ContentType::kApplicationData:
      if (handshake_) {
        handshake_->last_flight.clear();
        settle();
      }
      return Received::kApplicationData;
    case ContentType::kAlert:
      return handle_alert(job.plaintext);
    case ContentType::kHandshake:
      return handle_handshake(now, job.plaintext);
    case ContentType::kChangeCipherSpec:
      break;
  }
  return dropped(DropReason::kUnexpectedType);
}

DtlsSession::Received DtlsSession::handle_alert(ByteSpan alert) {
  if (alert.size() != 2 || (alert[0] != kAlertWarning && alert[0] != kAlertFatal)) {
    drop(DropReason::kMalformed);
    return Received::kDropped;
  }
  if (alert[1] == kAlertCloseNotify) {
    // RFC 5246 §7.2.1: answered with a close_notify of one's own.
    alert_pending_ = true;
    finish(CloseReason::kCloseNotify);
  } else if (alert[0] == kAlertFatal) {
    finish(CloseReason::kPeerAlert);
  }
  return Received::kControl;
}

DtlsSession::Received DtlsSession::handle_handshake(Time now, ByteSpan message) {
  // RFC 6347 §4.2.4: a repeated Finished asks for the last flight. HelloRequest and all
  // else would be a renegotiation, and stays without an answer.
  if (message.empty() || message[0] != kMessageFinished || !handshake_ ||
      handshake_->last_flight.empty()) {
    drop(DropReason::kStaleHandshake);
    return Received::kDropped;
  }
  Handshake& handshake = *handshake_;
  if (now - handshake.last_flight_sent >= kLastFlightInterval && handshake.output.empty()) {
    handshake.last_flight_sent = now;
    handshake.output.append(handshake.last_flight);
    ++shard_.counters.last_flight_repeats;
  }
  return Received::kControl;
}

std::size_t DtlsSession::poll_held(MutableByteSpan out) {
  if (!handshake_ || state_ != State::kEstablished) return 0;
  PacketList& held = handshake_->held;
  std::size_t length = 0;
  while (length == 0 && !held.empty()) {
    const ByteSpan record = held[0];
    if (record.size() <= out.size()) {
      length = record.size();
      copy_payload(out.first(length), record, copy_counters().held);
    } else {
      drop(DropReason::kEarlyOverrun);
    }
    held.pop_front();
  }
  settle();
  return length;
}

std::size_t DtlsSession::poll_datagram(Time, MutableByteSpan out) {
  check_limits();
  if (handshake_ && !handshake_->output.empty()) {
    PacketList& output = handshake_->output;
    const ByteSpan datagram = output[0];
    CHECK(datagram.size() <= out.size());
    std::copy(datagram.begin(), datagram.end(), out.begin());
    const std::size_t length = datagram.size();
    output.pop_front();
    settle();
    return length;
  }
  return alert_pending_ ? poll_alert(out) : 0;
}

std::size_t DtlsSession::last_flight_waiting() const {
  if (state_ != State::kEstablished || !handshake_ || handshake_->output.size() != 1) return 0;
  return handshake_->output.bytes();
}

std::size_t DtlsSession::poll_alert(MutableByteSpan out) {
  alert_pending_ = false;
  SealJob job{.keys = keys_.get(),
              .record = out.data(),
              .plaintext_length = 2,
              .type = ContentType::kAlert};
  CHECK(out.size() >= kMaxAlertBytes);
  out[keys_->header_bytes()] = kAlertWarning;
  out[keys_->header_bytes() + 1] = kAlertCloseNotify;
  seal_batch({&job, 1});
  return job.record_length;
}

Time DtlsSession::next_timeout() const {
  if (state_ != State::kConnecting) return kNever;
  return std::min(handshake_->give_up_at, handshake_->retransmit_at);
}

void DtlsSession::handle_timeout(Time now) {
  if (state_ != State::kConnecting) return;
  Handshake& handshake = *handshake_;
  if (now >= handshake.give_up_at) {
    ++shard_.counters.handshakes_failed;
    finish(CloseReason::kHandshakeTimeout);
  } else if (now >= handshake.retransmit_at) {
    handshake.retransmit_at = kNever;
    handshake.fresh = true;
  }
}

void DtlsSession::close(Time) {
  if (state_ == State::kClosed) return;
  alert_pending_ = state_ == State::kEstablished;
  finish(CloseReason::kLocal);
}

void DtlsSession::finish(CloseReason reason) {
  state_ = State::kClosed;
  reason_ = reason;
  if (!handshake_) return;
  // What the handshake still has to say is its alert; all else goes.
  handshake_->flight.reset();
  handshake_->input.clear();
  handshake_->held.clear();
  handshake_->last_flight.clear();
  settle();
}

void DtlsSession::check_limits() {
  if (state_ == State::kEstablished && keys_->worn_out()) finish(CloseReason::kKeysWornOut);
}

std::size_t DtlsSession::handshake_memory() const {
  if (!handshake_) return 0;
  const Handshake& handshake = *handshake_;
  return sizeof(Handshake) + handshake.input_cost() + handshake.held.cost() +
         handshake.output.cost() + handshake.last_flight.cost();
}

}  // namespace millrace::crypto
