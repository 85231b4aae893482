// SPDX-License-Identifier: Apache-2.0
#include "engine/record/capture.h"

#include <algorithm>
#include <utility>

namespace millrace::engine {
namespace {

// Many times what a handshake takes from the packet with the last of its key exchange to the
// keys; what a burst of packets may make of it in memory.
constexpr std::chrono::milliseconds kHold{1000};
constexpr std::size_t kMaxHeldBytes = std::size_t{64} << 20;
constexpr std::size_t kStatisticsBytes = 64;

// Head is what stands before the payload in a lane's ring.
struct Head {
  std::int64_t time = 0;
  Address local;
  Address remote;
  bool outbound = false;
};
static_assert(std::is_trivially_copyable_v<Head>);

template <class Bytes>
void wipe(Bytes& bytes) {
  std::fill(bytes.begin(), bytes.end(), typename Bytes::value_type{});
  // The compiler must believe that somebody reads it.
  asm volatile("" : : "r"(bytes.data()) : "memory");
}

Address of_family(const Address& address, const Address& other) {
  if (address.ip.family == other.ip.family) return address;
  Address out{{}, address.port};
  out.ip.family = other.ip.family;
  return out;
}

}  // namespace

void CaptureLane::take(Time now, bool outbound, const Address& local, const Address& remote,
                       ByteSpan payload) {
  if (full_.load(std::memory_order_relaxed)) return;
  const Head head{now.time_since_epoch().count(), local, remote, outbound};
  const ByteSpan bytes(reinterpret_cast<const std::uint8_t*>(&head), sizeof(head));
  ring_.push({bytes, payload});
}

Result<std::shared_ptr<Capture>, Error> Capture::create(const Options& options) {
  auto file = OutputFile::create("pcap_file", options.path);
  if (!file.ok()) return Failure(file.error());
  return std::make_shared<Capture>(options, std::move(file).value());
}

Capture::Capture(const Options& options, OutputFile file)
    : options_(options), file_(std::move(file)) {
  for (unsigned i = 0; i < options.shards; ++i) {
    lanes_.push_back(std::make_unique<CaptureLane>(full_));
  }
}

void Capture::write_head() {
  pcapng::Buffer head;
  pcapng::append_section_header(head, "millrace");
  pcapng::append_interface(head, "millrace");
  if (!file_.write(head)) full_ = true;
}

void Capture::write_line(std::string_view line) {
  if (options_.next != nullptr) options_.next->write_line(line);
  if (full_.load(std::memory_order_relaxed)) return;
  const std::lock_guard lock(mutex_);
  lines_.emplace_back(line);
}

bool Capture::drain(bool last) {
  if (finished_) return false;
  const Clock::time_point now = Clock::now();
  if (file_.size() == 0 && !full_) write_head();
  for (const std::unique_ptr<CaptureLane>& lane : lanes_) {
    lane->ring_.consume([&](ByteSpan record) { hold(record, now); });
  }
  // Behind the packets that were there, so that no secret can come after what it opens.
  write_secrets();
  write_held(now, last);
  if (last) finish();
  return !last;
}

void Capture::hold(ByteSpan record, Clock::time_point now) {
  if (full_.load(std::memory_order_relaxed)) {
    ++left_out_;
    return;
  }
  Head head;
  std::copy_n(record.begin(), sizeof(head), reinterpret_cast<std::uint8_t*>(&head));
  pcapng::Packet packet;
  packet.unix_ns = static_cast<std::uint64_t>(head.time + options_.unix_offset.count());
  packet.outbound = head.outbound;
  const Address local = of_family(head.local, head.remote);
  packet.source = head.outbound ? local : head.remote;
  packet.destination = head.outbound ? head.remote : local;
  packet.payload = record.subspan(sizeof(head));
  Held held{now, {}};
  pcapng::append_packet(held.block, packet);
  held_bytes_ += held.block.size();
  newest_ = std::max(newest_, packet.unix_ns);
  held_.emplace(packet.unix_ns, std::move(held));
}

void Capture::write_secrets() {
  std::vector<std::string> lines;
  {
    const std::lock_guard lock(mutex_);
    lines.swap(lines_);
  }
  for (std::string& line : lines) {
    pcapng::Buffer block;
    block.reserve(line.size() + 64);
    line.push_back('\n');
    pcapng::append_secrets(block, line);
    wipe(line);
    const bool fits = file_.size() + block.size() + kStatisticsBytes <= options_.max_bytes;
    if (fits && !full_ && !file_.write(block)) full_ = true;
    wipe(block);
  }
}

void Capture::write_held(Clock::time_point now, bool all) {
  pcapng::Buffer out;
  while (!held_.empty()) {
    const auto next = held_.begin();
    if (!all && next->second.since + kHold > now && held_bytes_ <= kMaxHeldBytes) break;
    const pcapng::Buffer& block = next->second.block;
    if (file_.size() + out.size() + block.size() + kStatisticsBytes > options_.max_bytes) {
      full_ = true;
      left_out_ += held_.size();
      held_.clear();
      held_bytes_ = 0;
      break;
    }
    out.insert(out.end(), block.begin(), block.end());
    ++received_;
    held_bytes_ -= block.size();
    held_.erase(next);
    if (out.size() < kWriteBytes) continue;
    if (!file_.write(out)) full_ = true;
    out.clear();
  }
  if (!out.empty() && !file_.write(out)) full_ = true;
}

void Capture::finish() {
  finished_ = true;
  std::uint64_t dropped = left_out_;
  for (const std::unique_ptr<CaptureLane>& lane : lanes_) dropped += lane->ring_.dropped();
  pcapng::Buffer out;
  pcapng::append_statistics(out, newest_, received_ + dropped, dropped);
  file_.write(out);
}

}  // namespace millrace::engine
