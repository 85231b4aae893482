// SPDX-License-Identifier: Apache-2.0
#include "test/plain_sctp/listen_command.h"

#include <cinttypes>
#include <cstdio>

#include "engine/cli/command_line.h"

namespace millrace::test {
namespace {

using sctp::CloseReason;
using sctp::EventKind;
using sctp::SendStatus;

// What is kept for a peer that reads more slowly than it sends.
constexpr std::size_t kMaxQueuedBytes = std::size_t{64} << 20;
constexpr Duration kNoLimit = std::chrono::hours(24 * 365);

}  // namespace

ListenCommand::ListenCommand() {
  end_.add_settings(settings_, "UDP address to listen at");
  settings_.flag("again", "Wait for another association after each one", again_);
}

int ListenCommand::run() {
  // What cannot be sent back is no mistake of the peer's: its messages may be as large as ours.
  end_.options.max_message_bytes = end_.options.max_received_message_bytes;
  if (const auto error = end_.open(end_.udp)) return complain(*error, cli::kExitFailed);
  std::printf("listening at %s\n", end_.endpoint().address().to_string().c_str());
  std::fflush(stdout);
  end_.endpoint().on_message = [this](const sctp::Event& event) { take(event.message); };
  int code = serve();
  while (again_ && !was_stopped()) {
    end_.endpoint().begin_anew();
    end_.endpoint().events.clear();
    code = serve();
  }
  return end_.close() ? code : cli::kExitFailed;
}

int ListenCommand::serve() {
  UdpEndpoint& endpoint = end_.endpoint();
  forget();
  restarts_ = 0;
  echoed_ = echoed_bytes_ = dropped_ = 0;
  endpoint.run_until([&] { return was_stopped() || endpoint.count(EventKind::kConnected) != 0; },
                     kNoLimit);
  if (was_stopped()) return cli::kExitOk;
  const sctp::Event up = endpoint.last(EventKind::kConnected)->event;
  std::printf("up with %s: %u streams out, %u in\n", endpoint.remote().to_string().c_str(),
              up.outgoing_streams, up.incoming_streams);
  std::fflush(stdout);
  endpoint.run_until(
      [&] {
        send_back();
        return was_stopped() || endpoint.count(EventKind::kClosed) != 0;
      },
      kNoLimit);
  std::string reason = "stopped";
  int code = cli::kExitOk;
  if (const RecordedEvent* const closed = endpoint.last(EventKind::kClosed)) {
    const CloseReason why = closed->event.close_reason;
    reason = to_string(why);
    if (why != CloseReason::kPeerShutdown && why != CloseReason::kPeerAborted) {
      code = cli::kExitFailed;
    }
  }
  std::printf("over (%s): %" PRIu64 " messages of %" PRIu64 " bytes echoed, %" PRIu64 " dropped\n",
              reason.c_str(), echoed_, echoed_bytes_, dropped_);
  std::fflush(stdout);
  return code;
}

void ListenCommand::forget() {
  whole_ = {};
  queue_.clear();
  queued_bytes_ = 0;
}

// A peer that begins anew is owed nothing that it sent before.
void ListenCommand::heed_restarts() {
  const std::size_t restarts = end_.endpoint().count(EventKind::kRestarted);
  if (restarts == restarts_) return;
  restarts_ = restarts;
  forget();
}

void ListenCommand::take(const sctp::MessageView& part) {
  heed_restarts();
  const Bytes* const bytes = whole_.add(part);
  if (bytes == nullptr) return;
  if (queued_bytes_ + bytes->size() > kMaxQueuedBytes) {
    ++dropped_;
    return;
  }
  queued_bytes_ += bytes->size();
  queue_.push_back({part.stream, part.ppid, part.unordered, *bytes});
}

void ListenCommand::send_back() {
  heed_restarts();
  UdpEndpoint& endpoint = end_.endpoint();
  for (; !queue_.empty(); queue_.pop_front()) {
    const Echo& echo = queue_.front();
    sctp::SendOptions how = end_.how;
    how.unordered = echo.unordered;
    const SendStatus status =
        end_.association().send(endpoint.now(), echo.stream, echo.ppid, echo.bytes, how);
    if (status == SendStatus::kWouldBlock) break;
    queued_bytes_ -= echo.bytes.size();
    if (status != SendStatus::kOk) {
      ++dropped_;
      continue;
    }
    ++echoed_;
    echoed_bytes_ += echo.bytes.size();
  }
  endpoint.flush();
}

}  // namespace millrace::test
