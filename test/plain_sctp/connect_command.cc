// SPDX-License-Identifier: Apache-2.0
#include "test/plain_sctp/connect_command.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "engine/cli/command_line.h"

namespace millrace::test {
namespace {

using sctp::EventKind;
using sctp::SendStatus;

// A message begins with its number; the rest follows from number and place.
constexpr std::uint32_t kNumberBytes = 4;
constexpr std::uint32_t kMaxBytes = 1 << 20;
constexpr std::uint32_t kFlushedAtOnce = 16;
// Where messages may be given up: no more echoes come after such a silence.
constexpr Duration kSilence = seconds(1);

Bytes payload_of(std::uint32_t number, std::uint32_t size) {
  Bytes payload(size);
  for (std::uint32_t at = 0; at < size; ++at) {
    payload[at] = static_cast<std::uint8_t>(at * 7 + number);
  }
  store_be32(payload.data(), number);
  return payload;
}

}  // namespace

ConnectCommand::ConnectCommand() {
  end_.add_settings(settings_, "UDP address to connect to");
  settings_.number("messages", "N", "Messages to send", 1, 10'000'000, messages_);
  settings_.number("size", "BYTES", "Size of each", kNumberBytes, kMaxBytes, size_);
  settings_.number("stream", "N", "Stream to send them on", 0, 65534, stream_);
  settings_.flag("unordered", "Send them unordered", end_.how.unordered);
  settings_.seconds_of("timeout", "How long to wait for the peer, and for each echo", 0.1, 3600,
                       patience_);
  end_.options.max_message_bytes = kMaxBytes;
}

int ConnectCommand::run() {
  seen_.resize(messages_);
  if (const auto error = end_.open(local_towards(end_.udp))) {
    return complain(*error, cli::kExitFailed);
  }
  std::optional<std::string> error = bring_up();
  if (!error) error = exchange();
  const int code = error ? complain(*error, cli::kExitFailed) : report();
  if (!error) error = shut_down();
  if (!end_.close()) return cli::kExitFailed;
  return error && code == cli::kExitOk ? complain(*error, cli::kExitFailed) : code;
}

std::optional<std::string> ConnectCommand::bring_up() {
  UdpEndpoint& endpoint = end_.endpoint();
  endpoint.set_remote(end_.udp);
  end_.association().connect(endpoint.now());
  const bool answered = endpoint.run_until(
      [&] {
        return was_stopped() || endpoint.count(EventKind::kConnected) != 0 ||
               endpoint.count(EventKind::kClosed) != 0;
      },
      patience_);
  if (was_stopped()) return "stopped";
  const RecordedEvent* const closed = endpoint.last(EventKind::kClosed);
  if (!answered || closed != nullptr) {
    return "no association with " + end_.udp.to_string() + ": " +
           (closed == nullptr ? "no answer" : std::string(to_string(closed->event.close_reason)));
  }
  const sctp::Event up = endpoint.last(EventKind::kConnected)->event;
  std::printf("up with %s: %u streams out, %u in\n", endpoint.remote().to_string().c_str(),
              up.outgoing_streams, up.incoming_streams);
  if (stream_ < up.outgoing_streams) return std::nullopt;
  return "--stream: " + std::to_string(stream_) + " is not among the " +
         std::to_string(up.outgoing_streams) + " streams of the association";
}

std::optional<std::string> ConnectCommand::exchange() {
  UdpEndpoint& endpoint = end_.endpoint();
  const Time start = progress_ = endpoint.now();
  endpoint.on_message = [this](const sctp::Event& event) { check(event.message); };
  endpoint.run_until(
      [&] {
        send_more();
        return is_finished();
      },
      std::chrono::hours(24));
  took_ = progress_ - start;
  if (was_stopped()) return "stopped";
  if (refused_) return refused_;
  const RecordedEvent* const closed = endpoint.last(EventKind::kClosed);
  if (closed == nullptr || came_back() >= messages_) return std::nullopt;
  return "the association ended early: " + std::string(to_string(closed->event.close_reason));
}

void ConnectCommand::send_more() {
  UdpEndpoint& endpoint = end_.endpoint();
  for (; sent_ < messages_ && !refused_; ++sent_) {
    const SendStatus status =
        end_.association().send(endpoint.now(), sctp::StreamId(stream_), sctp::kPpidBinary,
                                payload_of(sent_, size_), end_.how);
    if (status == SendStatus::kWouldBlock) break;
    if (status != SendStatus::kOk) refused_ = "message " + std::to_string(sent_) + " was refused";
    if (sent_ % kFlushedAtOnce == 0) endpoint.flush();
  }
  endpoint.flush();
}

void ConnectCommand::check(const sctp::MessageView& part) {
  const Bytes* const bytes = whole_.add(part);
  if (bytes == nullptr) return;
  progress_ = end_.endpoint().now();
  const std::uint32_t number = bytes->size() == size_ ? load_be32(bytes->data()) : messages_;
  if (number >= messages_ || *bytes != payload_of(number, size_)) {
    ++damaged_;
    return;
  }
  const bool in_order = end_.how.unordered || !last_ || number > *last_;
  const bool in_place = in_order && !seen_[number] && part.stream.value() == stream_;
  ++(in_place ? echoed_ : misplaced_);
  seen_[number] = true;
  last_ = number;
}

bool ConnectCommand::is_finished() {
  if (was_stopped() || refused_ || end_.association().is_closed()) return true;
  if (came_back() >= messages_) return true;
  const Duration silence = end_.endpoint().now() - progress_;
  const bool settled = sent_ == messages_ && end_.how.max_retransmits &&
                       end_.association().sender().all_acknowledged();
  return silence > (settled ? kSilence : patience_);
}

std::optional<std::string> ConnectCommand::shut_down() {
  UdpEndpoint& endpoint = end_.endpoint();
  endpoint.loss = 0;  // The last packet of all is not sent twice: the peer would wait long.
  end_.association().shutdown(endpoint.now());
  const auto over = [&] { return was_stopped() || endpoint.count(EventKind::kClosed) != 0; };
  if (endpoint.run_until(over, patience_) && !was_stopped()) return std::nullopt;
  return "the peer does not answer SHUTDOWN";
}

int ConnectCommand::report() const {
  const std::uint32_t missing = messages_ - std::min(messages_, came_back());
  std::printf("%" PRIu32 " of %" PRIu32 " messages of %" PRIu32
              " bytes came back in %.1f ms, %" PRIu32 " damaged, %" PRIu32
              " out of order or twice\n",
              echoed_, messages_, size_, std::chrono::duration<double, std::milli>(took_).count(),
              damaged_, misplaced_);
  std::fflush(stdout);
  const bool may_miss = end_.how.max_retransmits.has_value();
  return damaged_ + misplaced_ == 0 && (missing == 0 || may_miss) ? cli::kExitOk : cli::kExitLost;
}

}  // namespace millrace::test
