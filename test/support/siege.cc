// SPDX-License-Identifier: Apache-2.0
#include "test/support/siege.h"

#include <algorithm>

#include "engine/base/check.h"
#include "sctp/packet/chunk.h"
#include "sctp/packet/cookie_chunk.h"
#include "sctp/packet/data_chunk.h"
#include "sctp/packet/i_data_chunk.h"
#include "sctp/packet/init_chunk.h"
#include "sctp/packet/init_parameters.h"
#include "test/support/sctp_packets.h"

namespace millrace::test {
namespace {

using sctp::ChunkType;

// What one packet may bring forth, and one turn of the timers: far more than any needs.
constexpr int kMaxPackets = 4000;
constexpr int kMaxEvents = 100000;
constexpr std::uint32_t kFirstTsn = 1000;

}  // namespace

sctp::Options Siege::options(bool i_data) {
  sctp::Options options;
  options.receive_window_bytes = kWindow;
  options.send_buffer_bytes = kSendBuffer;
  options.heartbeat_interval = seconds(5);
  options.max_retransmits = 1000;  // So that silence does not end it.
  options.extensions.i_data = i_data;
  return options;
}

Siege::Siege(bool i_data, std::uint64_t seed, std::size_t window) : rng_(seed), window_(window) {
  sctp::Options settings = options(i_data);
  settings.receive_window_bytes = window;
  association_.emplace(settings, rng_, mac_, pool_);
  known_.i_data = i_data;
  known_.next_tsn = kFirstTsn;
  known_.next_request = kFirstTsn;
  set_up();
}

Siege::~Siege() = default;

void Siege::set_up() {
  static constexpr std::array kTypes{ChunkType::kForwardTsn, ChunkType::kReconfig,
                                     ChunkType::kIData, ChunkType::kIForwardTsn};
  std::array<std::uint8_t, 64> memory;
  sctp::TlvWriter parameters(memory);
  parameters.append(sctp::ForwardTsnSupportedParameter{});
  parameters.append(sctp::SupportedExtensionsParameter{kTypes});
  const sctp::InitFields init{.initiate_tag = sctp::VerificationTag(0x5EED),
                              .a_rwnd = 1 << 20,
                              .outbound_streams = 300,
                              .inbound_streams = 300,
                              .initial_tsn = sctp::Tsn(kFirstTsn),
                              .parameters = parameters.bytes()};
  const Bytes packet = make_packet(sctp::VerificationTag(), sctp::InitChunk{init});
  const BufferRef buffer = buffers_.make(packet);
  association_->handle_packet(now_, ByteSpan(buffer->data, packet.size()), buffer);
  drain();
  CHECK(!known_.cookie.empty());
  const Bytes echo = make_packet(tag_, sctp::CookieEchoChunk{known_.cookie});
  give(ByteSpan(echo).subspan(sctp::CommonHeader::kBytes));
  CHECK(association_->is_connected());
}

void Siege::give(ByteSpan chunks, bool stray) {
  Bytes packet(sctp::CommonHeader::kBytes + chunks.size());
  const bool init = !chunks.empty() && chunks[0] == static_cast<std::uint8_t>(ChunkType::kInit);
  sctp::VerificationTag tag = init ? sctp::VerificationTag() : tag_;
  if (stray) tag = sctp::VerificationTag(tag.value() ^ 0x5EED);
  sctp::CommonHeader{
      .source_port = 5000, .destination_port = 5000, .verification_tag = tag, .checksum = 0}
      .write(packet);
  std::copy(chunks.begin(), chunks.end(), packet.begin() + sctp::CommonHeader::kBytes);
  sctp::CommonHeader::store_checksum(packet.data() + sctp::CommonHeader::kChecksumOffset,
                                     sctp::packet_checksum(packet));
  if (around_packet) around_packet(true);
  {
    const BufferRef buffer = buffers_.make(packet);
    association_->handle_packet(now_, ByteSpan(buffer->data, packet.size()), buffer);
    drain();
  }
  if (around_packet) around_packet(false);
  check_memory();
}

void Siege::drain() {
  if (reading_) {
    sctp::Event event;
    for (int events = 0; association_->poll_event(event); ++events) CHECK(events < kMaxEvents);
  }
  association_->handle_burst_end(now_);
  std::array<std::uint8_t, 2048> out;
  int packets = 0;
  while (const std::size_t size = association_->poll_packet(now_, out)) {
    CHECK(++packets < kMaxPackets);
    learn(ByteSpan(out).first(size));
  }
}

// A driver that calls `handle_timeout` at `next_timeout` gets on.
void Siege::advance(Duration time) {
  const Time end = now_ + time;
  int idle = 0;
  while (association_->next_timeout() <= end) {
    const Time next = std::max(now_, association_->next_timeout());
    idle = next > now_ ? 0 : idle + 1;
    CHECK(idle < 16);
    now_ = next;
    association_->handle_timeout(now_);
    drain();
    check_memory();
  }
  now_ = end;
}

void Siege::send(std::uint16_t stream, std::size_t bytes, const sctp::SendOptions& options) {
  const Bytes payload(std::min<std::size_t>(bytes, 100000), 7);
  const auto status =
      association_->send(now_, sctp::StreamId(stream), sctp::kPpidBinary, payload, options);
  if (status == sctp::SendStatus::kOk) sent_bytes_ += payload.size() + 256;
  drain();
}

void Siege::reset(std::uint16_t stream) {
  association_->reset_streams(now_, std::array{sctp::StreamId(stream)});
  drain();
}

void Siege::shut_down() {
  association_->shutdown(now_);
  drain();
}

// Twice the window is what the receiver takes of messages without end; what it sends is the
// application's, with what blocks and records waste.
void Siege::check_memory() { CHECK(pool_.used_bytes() <= 2 * window_ + 2 * sent_bytes_ + 65536); }

void Siege::learn(ByteSpan packet) {
  for (const sctp::ChunkView& chunk : chunks_of(packet)) learn_chunk(chunk);
}

void Siege::learn_chunk(const sctp::ChunkView& chunk) {
  const auto see_tsn = [&](sctp::Tsn tsn) {
    if (sctp::Tsn(known_.victim_next - 1).precedes(tsn)) known_.victim_next = tsn.value() + 1;
  };
  if (const auto init_ack = sctp::InitAckChunk::parse(chunk.bytes)) {
    const auto parameters = sctp::InitParameters::parse(init_ack->parameters);
    if (parameters && parameters->state_cookie) {
      known_.cookie.assign(parameters->state_cookie->begin(), parameters->state_cookie->end());
    }
    if (tag_.is_zero()) {
      tag_ = init_ack->initiate_tag;
      known_.victim_next = init_ack->initial_tsn.value();
      known_.victim_acked = known_.victim_next - 1;
      known_.victim_request = known_.victim_next;
    }
  } else if (const auto data = sctp::DataChunkView::parse(chunk.bytes)) {
    see_tsn(data->header.tsn);
  } else if (const auto i_data = sctp::IDataChunkView::parse(chunk.bytes)) {
    see_tsn(i_data->header.tsn);
  } else if (chunk.type == ChunkType::kHeartbeat && chunk.bytes.size() > 8) {
    known_.heartbeat.assign(chunk.bytes.begin() + 8, chunk.bytes.end());
  } else if (chunk.type == ChunkType::kReconfig && chunk.bytes.size() >= 12) {
    const std::uint16_t type = load_be16(chunk.bytes.data() + 4);
    if (type != 16) known_.victim_request = load_be32(chunk.bytes.data() + 8);
  }
}

void take_step(Siege& siege, Attacker& attacker, Rng& rng) {
  switch (rng.below(24)) {
    case 0:
    case 1: {
      sctp::SendOptions options{.unordered = rng.below(3) == 0};
      if (rng.below(3) == 0) options.max_retransmits = static_cast<std::uint16_t>(rng.below(3));
      return siege.send(static_cast<std::uint16_t>(rng.below(5)),
                        1 + rng.below(rng.below(4) == 0 ? 60000 : 900), options);
    }
    case 2:
      return siege.reset(static_cast<std::uint16_t>(rng.below(5)));
    case 3:
    case 4:
      return siege.advance(microseconds(rng.below(100000)));
    case 5:
      return siege.advance(rng.below(20) == 0 ? Duration(seconds(20)) : Duration(seconds(1)));
    case 6:
      siege.set_reading(rng.below(4) != 0);
      return;
    case 7:
      if (rng.below(100) == 0) siege.shut_down();
      return;
    default:
      return siege.give(attacker.chunks(siege.knowledge()), rng.below(50) == 0);
  }
}

}  // namespace millrace::test
