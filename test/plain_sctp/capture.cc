// SPDX-License-Identifier: Apache-2.0
#include "test/plain_sctp/capture.h"

#include <chrono>

namespace millrace::test {

std::unique_ptr<Capture> Capture::create(const std::string& path, const Address& local) {
  std::FILE* const file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) return nullptr;
  std::setvbuf(file, nullptr, _IONBF, 0);
  std::unique_ptr<Capture> capture(new Capture(file, local));
  engine::pcapng::append_section_header(capture->block_, "millrace-plain-sctp");
  engine::pcapng::append_interface(capture->block_, local.to_string());
  capture->write();
  return capture;
}

void Capture::add(bool outbound, const Address& remote, ByteSpan packet) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  engine::pcapng::append_packet(
      block_, {.unix_ns = static_cast<std::uint64_t>(std::chrono::nanoseconds(now).count()),
               .outbound = outbound,
               .source = outbound ? local_ : remote,
               .destination = outbound ? remote : local_,
               .payload = packet});
  write();
}

void Capture::write() {
  std::fwrite(block_.data(), 1, block_.size(), file_.get());
  block_.clear();
}

bool Capture::finish() { return std::ferror(file_.get()) == 0; }

}  // namespace millrace::test
