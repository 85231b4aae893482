// SPDX-License-Identifier: Apache-2.0
#include "test/plain_sctp/plain_end.h"

#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <utility>

#include "io/kernel_address.h"

namespace millrace::test {
namespace {

constexpr std::size_t kWindow = std::size_t{16} << 20;

volatile std::sig_atomic_t stopped = 0;

}  // namespace

int complain(const std::string& message, int code) {
  std::fprintf(stderr, "%s: %s\n", kProgram, message.c_str());
  return code;
}

void stop_by_signals() {
  struct sigaction action {};
  action.sa_handler = [](int) { stopped = 1; };
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

bool was_stopped() { return stopped != 0; }

PlainEnd::PlainEnd() {
  options.extensions.i_data = true;
  options.receive_window_bytes = options.send_buffer_bytes = kWindow;
}

void PlainEnd::add_settings(cli::Settings& settings, const std::string& udp_help) {
  cli::Setting address;
  address.name = "udp";
  address.placeholder = "ADDR:PORT";
  address.help = udp_help;
  address.fallback = udp.to_string();
  address.expected = "an IP address with a port from 1 to 65535";
  address.assign = [this](const std::string& text) {
    const std::optional<Address> value = Address::parse(text);
    if (!value || value->port == 0) return false;
    udp = *value;
    return true;
  };
  settings.add(std::move(address));
  settings.choice("i-data", "Offer I-DATA (RFC 8260); in use where both ends do", "on",
                  {{"on", [this] { options.extensions.i_data = true; }},
                   {"off", [this] { options.extensions.i_data = false; }}});
  settings.number(
      "max-retransmits", "N", "Give a message up after so many retransmissions (RFC 7496)", 0,
      65535,
      [this](std::uint64_t value) { how.max_retransmits = static_cast<std::uint32_t>(value); },
      "reliable");
  settings.number(
      "streams", "N", "Streams offered each way", 1, 65535,
      [this](std::uint64_t value) {
        options.outgoing_streams = options.incoming_streams = static_cast<std::uint16_t>(value);
      },
      "65535");
  settings.number("sctp-port", "N", "SCTP port of this end", 1, 65535, options.local_port);
  settings.number("peer-sctp-port", "N", "SCTP port of the other end", 1, 65535,
                  options.remote_port);
  settings.number("loss", "PERCENT",
                  "Packets lost on purpose, each way; none by `connect` once it shuts down", 0, 90,
                  loss_percent_);
  settings.number(
      "seed", "N", "Of tags, TSNs and losses", 0, UINT64_MAX,
      [this](std::uint64_t value) { seed_ = value; }, "another one each time");
  settings.text("pcap", "FILE",
                "Write the packets as pcapng; Wireshark takes UDP port 9899 for SCTP, others by "
                "Decode As",
                pcap_);
}

std::optional<std::string> PlainEnd::open(const Address& local) {
  const Result<int, std::string> socket = open_udp(local);
  if (!socket) return "--udp: " + socket.error();
  endpoint_ =
      std::make_unique<UdpEndpoint>(options, socket.value(), seed_ ? *seed_ : SystemRng().next());
  endpoint_->loss = static_cast<double>(loss_percent_) / 100;
  if (pcap_.empty()) return std::nullopt;
  capture_ = Capture::create(pcap_, endpoint_->address());
  if (capture_ == nullptr) return "--pcap: cannot write '" + pcap_ + "'";
  endpoint_->on_packet = [this](bool outbound, const Address& remote, ByteSpan packet) {
    capture_->add(outbound, remote, packet);
  };
  return std::nullopt;
}

bool PlainEnd::close() {
  if (!association().is_closed()) {
    association().abort(endpoint_->now(), "the program ends");
    endpoint_->flush();
  }
  if (capture_ == nullptr || capture_->finish()) return true;
  complain("--pcap: '" + pcap_ + "' is not whole: the disk may be full", 0);
  return false;
}

const Bytes* WholeMessages::add(const sctp::MessageView& part) {
  Bytes& begun = begun_[part.stream];
  if (part.aborted) {
    begun.clear();
    return nullptr;
  }
  const Bytes bytes = bytes_of(part);
  begun.insert(begun.end(), bytes.begin(), bytes.end());
  if (!part.last) return nullptr;
  whole_ = std::exchange(begun, {});
  return &whole_;
}

Address local_towards(const Address& remote) {
  io::KernelAddress kernel;
  socklen_t length = io::to_kernel(remote, remote.ip.is_v6(), kernel);
  const int probe = ::socket(remote.ip.is_v6() ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const bool found = ::connect(probe, &kernel.any, length) == 0;
  length = sizeof(kernel);
  std::optional<Address> local;
  if (found && ::getsockname(probe, &kernel.any, &length) == 0) {
    local = io::from_kernel(kernel, length);
  }
  ::close(probe);
  if (!local) local = Address{.ip = {.bytes = {}, .scope_id = 0, .family = remote.ip.family}};
  local->port = 0;
  return *local;
}

}  // namespace millrace::test
