// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "engine/base/rng.h"
#include "sctp/packet/common_header.h"
#include "sctp/packet/packet_writer.h"
#include "sctp/rx/data_receiver.h"
#include "sctp/tx/data_sender.h"

namespace millrace::sctp::testing {

using Bytes = std::vector<std::uint8_t>;

// BufferHome makes receive buffers for tests and knows how many are still referenced.
class BufferHome final : public RxBufferHome {
 public:
  ~BufferHome() { CHECK(live_ == 0); }
  BufferRef make(ByteSpan bytes, std::size_t capacity) {
    auto owned = std::make_unique<Owned>();
    owned->bytes.assign(bytes.begin(), bytes.end());
    owned->header.home = this;
    owned->header.data = owned->bytes.data();
    owned->header.capacity = static_cast<std::uint32_t>(capacity);
    RxBuffer* const header = &owned->header;
    buffers_[header] = std::move(owned);
    ++live_;
    return BufferRef(header);
  }
  void release(RxBuffer& buffer) override {
    --live_;
    buffers_.erase(&buffer);
  }
  std::size_t live() const { return live_; }

 private:
  struct Owned {
    RxBuffer header;
    Bytes bytes;
  };
  std::map<RxBuffer*, std::unique_ptr<Owned>> buffers_;
  std::size_t live_ = 0;
};

// ReceivedMessage is a message copied out of its MessageView.
struct ReceivedMessage {
  StreamId stream;
  Ppid ppid;
  bool unordered = false;
  Bytes bytes;
};
inline ReceivedMessage copy_of(const MessageView& view) {
  ReceivedMessage message{view.stream, view.ppid, view.unordered, {}};
  for (const ByteSpan piece : view.pieces) {
    message.bytes.insert(message.bytes.end(), piece.begin(), piece.end());
  }
  return message;
}

struct NetworkOptions {
  double loss = 0;
  double duplication = 0;
  Duration delay = milliseconds(5);
  Duration jitter = Duration::zero();  // Uniform; more than the spacing reorders.
  double reordering = 0;               // The share of packets, both ways, that is held back
  Duration reordering_delay = {};      // for up to this; others pass them.
  std::uint64_t bytes_per_second = 0;  // Of the way to the receiver; 0: no bottleneck.
  std::size_t queue_bytes = 1 << 20;   // Drop-tail, in front of it.
  // The receiver's turns begin at multiples of this; zero: it takes each packet at once.
  Duration turn = Duration::zero();
  std::size_t socket_packets = ~std::size_t{0};  // What its socket holds between two turns.
};

// Transfer couples a DataSender to a DataReceiver through a seeded network in virtual
// time: DATA one way, SACK the other.
class Transfer {
 public:
  Transfer(DataSenderOptions sender_options, DataReceiverOptions receiver_options,
           NetworkOptions network, std::uint64_t seed)
      : network_(network),
        rng_(seed),
        sender_(sender_options, sender_pool_),
        receiver_(receiver_options, receiver_pool_),
        packet_bytes_(sender_options.max_packet_bytes) {
    sender_.establish(now_, receiver_options.window_bytes, receiver_options.streams, true);
  }
  // The last message lent holds a buffer.
  ~Transfer() { receiver_.settle(now_); }

  DataSender& sender() { return sender_; }
  DataReceiver& receiver() { return receiver_; }
  Time now() const { return now_; }
  BufferHome& buffers() { return home_; }
  std::vector<ReceivedMessage>& received() { return received_; }
  std::size_t sender_memory() const { return sender_pool_.used_bytes(); }
  void set_network(const NetworkOptions& network) { network_ = network; }
  void set_reading(bool reading) { reading_ = reading; }
  // Messages are counted and not kept.
  void set_keeping(bool keeping) { keeping_ = keeping; }
  std::uint64_t payload_received() const { return payload_received_; }
  // Of data packets whose number, from 0, makes it true, as often as they are sent.
  void drop_if(std::function<bool(std::size_t)> drop) { drop_ = std::move(drop); }
  std::size_t data_packets_sent() const { return data_packets_sent_; }
  std::size_t packets_sent() const { return packets_sent_; }

  // Packets that found the receiver's socket full.
  std::size_t socket_drops() const { return socket_drops_; }

  // Runs until `until`, be it that nothing happens.
  void advance(Time until) {
    run(until);
    now_ = std::max(now_, until);
  }

  // Runs until nothing is left to happen or `until` has come. Returns false for the latter.
  bool run(Time until) {
    flush();
    for (;;) {
      Time next = std::min(sender_.next_timeout(), receiver_.next_timeout());
      if (!wire_.empty()) next = std::min(next, wire_.begin()->first);
      if (next == kNever) return true;
      if (next > until) {
        now_ = std::max(now_, until);
        return false;
      }
      now_ = std::max(now_, next);
      step();
    }
  }

 private:
  struct Packet {
    bool to_receiver;
    Bytes bytes;
  };

  // Packets of one turn lie in the socket together, for they bear one time.
  Time arrival(Time at) {
    if (network_.turn <= Duration::zero()) return at;
    const auto turns =
        (at.time_since_epoch().count() + network_.turn.count() - 1) / network_.turn.count();
    return Time(Duration(turns * network_.turn.count()));
  }
  bool socket_has_room(Time at) {
    if (network_.turn <= Duration::zero()) return true;
    if (at != socket_turn_) {
      socket_turn_ = at;
      in_socket_ = 0;
    }
    return ++in_socket_ <= network_.socket_packets;
  }
  void step() {
    while (!wire_.empty() && wire_.begin()->first <= now_) {
      const Packet packet = std::move(wire_.begin()->second);
      wire_.erase(wire_.begin());
      packet.to_receiver ? deliver_data(packet.bytes) : deliver_sack(packet.bytes);
    }
    if (now_ >= sender_.next_timeout()) static_cast<void>(sender_.handle_timeout(now_));
    receiver_.handle_timeout(now_);
    receiver_.settle(now_);
    flush();
  }
  void deliver_data(const Bytes& bytes) {
    const BufferRef buffer = home_.make(bytes, 2048);
    ChunkReader reader({buffer->data + CommonHeader::kBytes, bytes.size() - CommonHeader::kBytes});
    while (const auto chunk = reader.next()) {
      if (const auto data = DataChunkView::parse(chunk->bytes)) {
        const DataResult result = receiver_.handle_data(now_, *data, buffer);
        CHECK(result != DataResult::kViolation && result != DataResult::kNoUserData);
      } else if (const auto forward = ForwardTsnChunkView::parse(chunk->bytes)) {
        receiver_.handle_forward_tsn(*forward);
      } else {
        CHECK(false);
      }
      read();
    }
    receiver_.end_packet(now_);
  }
  void read() {
    MessageView view;
    while (reading_ && receiver_.poll_message(view)) {
      if (keeping_) received_.push_back(copy_of(view));
      for (const ByteSpan piece : view.pieces) payload_received_ += piece.size();
    }
  }
  void deliver_sack(const Bytes& bytes) {
    ChunkReader reader(ByteSpan(bytes).subspan(CommonHeader::kBytes));
    while (const auto chunk = reader.next()) {
      const auto sack = SackChunkView::parse(chunk->bytes);
      CHECK(sack.has_value());
      static_cast<void>(sender_.handle_sack(now_, *sack));
    }
  }
  void flush() {
    read();
    for (;;) {
      Bytes bytes(packet_bytes_);
      PacketWriter writer(bytes, CommonHeader{});
      const bool drained = sender_.is_drained(now_);
      if (!sender_.append_chunks(now_, writer)) break;
      CHECK(!drained);
      bytes.resize(writer.finish());
      post(true, std::move(bytes));
    }
    if (receiver_.sack_due(now_)) {
      Bytes bytes(packet_bytes_);
      PacketWriter writer(bytes, CommonHeader{});
      CHECK(receiver_.append_sack(writer));
      bytes.resize(writer.finish());
      post(false, std::move(bytes));
    }
  }
  // How long a packet waits for those before it and is sent for; nothing if it was dropped.
  std::optional<Duration> pass_bottleneck(std::size_t bytes) {
    if (network_.bytes_per_second == 0) return Duration::zero();
    const auto rate = static_cast<double>(network_.bytes_per_second);
    const Time start = std::max(now_, bottleneck_free_at_);
    const auto queued = std::chrono::duration<double>(start - now_).count() * rate;
    if (queued + static_cast<double>(bytes) > static_cast<double>(network_.queue_bytes)) {
      return std::nullopt;
    }
    const auto nanos = static_cast<std::int64_t>(static_cast<double>(bytes) * 1e9 / rate);
    bottleneck_free_at_ = start + Duration(nanos);
    return bottleneck_free_at_ - now_;
  }
  double chance() { return static_cast<double>(rng_.below(1u << 30)) / (1u << 30); }
  void post(bool to_receiver, Bytes bytes) {
    ++packets_sent_;
    if (to_receiver && drop_ && drop_(data_packets_sent_)) {
      ++data_packets_sent_;
      return;
    }
    if (to_receiver) ++data_packets_sent_;
    if (chance() < network_.loss) return;
    const std::optional<Duration> queueing =
        to_receiver ? pass_bottleneck(bytes.size()) : Duration::zero();
    if (!queueing) return;
    const int copies = chance() < network_.duplication ? 2 : 1;
    for (int i = 0; i < copies; ++i) {
      Duration jitter = Duration::zero();
      if (network_.jitter > Duration::zero()) {
        jitter = Duration(static_cast<std::int64_t>(
            rng_.below(static_cast<std::uint64_t>(network_.jitter.count()))));
      }
      if (network_.reordering > 0 && chance() < network_.reordering) {
        jitter += Duration(static_cast<std::int64_t>(
            chance() * static_cast<double>(network_.reordering_delay.count())));
      }
      Time at = now_ + *queueing + network_.delay + jitter;
      if (to_receiver) {
        at = arrival(at);
        if (!socket_has_room(at)) {
          ++socket_drops_;
          continue;
        }
      }
      wire_.emplace(at, Packet{to_receiver, bytes});
    }
  }

  NetworkOptions network_;
  SeededRng rng_;
  Time now_{milliseconds(1)};
  BlockPool sender_pool_;
  BlockPool receiver_pool_;
  BufferHome home_;
  DataSender sender_;
  DataReceiver receiver_;
  std::size_t packet_bytes_;
  std::multimap<Time, Packet> wire_;
  std::vector<ReceivedMessage> received_;
  std::size_t packets_sent_ = 0;
  std::size_t data_packets_sent_ = 0;
  std::uint64_t payload_received_ = 0;
  Time bottleneck_free_at_{};
  Time socket_turn_{};
  std::size_t in_socket_ = 0;
  std::size_t socket_drops_ = 0;
  std::function<bool(std::size_t)> drop_;
  bool reading_ = true;
  bool keeping_ = true;
};

}  // namespace millrace::sctp::testing
