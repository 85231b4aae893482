// SPDX-License-Identifier: Apache-2.0
#include "engine/settings.h"

#include <sched.h>

#include <algorithm>
#include <climits>
#include <utility>

#include "crypto/random.h"
#include "engine/host_addresses.h"
#include "sctp/dcep/dcep_message.h"
#include "sctp/send_options.h"

namespace millrace::engine {
namespace {

// A DTLS record adds at most this much to an SCTP packet (AES-GCM).
constexpr std::size_t kRecordOverheadBytes = 37;
// RFC 9260 §6.1 wants 512 bytes of path MTU at least; the upper end is what a 9000-byte
// device carries.
constexpr std::size_t kMinDatagramBytes = 508;
constexpr std::size_t kMaxDatagramBytes = 8972;
constexpr std::size_t kMaxShards = 256;
// A dialling session's socket has so many places (io::kSocketSlotBits).
constexpr std::size_t kMaxSessions = 1u << 20;

std::optional<Error> check_path_mtu(const EngineOptions& options) {
  const std::string start = std::to_string(options.datagram_bytes);
  if (options.min_datagram_bytes < kMinDatagramBytes ||
      options.min_datagram_bytes > options.datagram_bytes) {
    return Error{"min_datagram_bytes: " + std::to_string(options.min_datagram_bytes) +
                 " is not in 508 to datagram_bytes, " + start};
  }
  if (options.max_datagram_bytes < options.datagram_bytes ||
      options.max_datagram_bytes > kMaxDatagramBytes) {
    return Error{"max_datagram_bytes: " + std::to_string(options.max_datagram_bytes) +
                 " is not in datagram_bytes, " + start + ", to 8972"};
  }
  return std::nullopt;
}

constexpr std::uint64_t kMinFixedRateBits = 8'000;
constexpr std::uint64_t kMaxFixedRateBits = 1'000'000'000'000;

// Of the timers sctp/ judges what has become of them, see `Settings::from`.
std::optional<Error> check_sctp(const SctpOptions& sctp) {
  if (sctp.max_message_bytes == 0 || sctp.max_message_bytes > sctp::kMaxMessageBytes) {
    return Error{"sctp.max_message_bytes: " + std::to_string(sctp.max_message_bytes) +
                 " is not in 1 to 1073741824"};
  }
  if (sctp.fixed_rate_bits < kMinFixedRateBits || sctp.fixed_rate_bits > kMaxFixedRateBits) {
    return Error{"sctp.fixed_rate_bits: " + std::to_string(sctp.fixed_rate_bits) +
                 " is not in 8000 to 1000000000000"};
  }
  return std::nullopt;
}

sctp::CongestionAlgorithm algorithm_of(CongestionControl control) {
  switch (control) {
    case CongestionControl::kCubic:
      break;
    case CongestionControl::kNewReno:
      return sctp::CongestionAlgorithm::kNewReno;
    case CongestionControl::kBbr:
      return sctp::CongestionAlgorithm::kBbr;
    case CongestionControl::kTfrc:
      return sctp::CongestionAlgorithm::kTfrc;
    case CongestionControl::kFixedRate:
      return sctp::CongestionAlgorithm::kFixedRate;
  }
  return sctp::CongestionAlgorithm::kCubic;
}

std::optional<Error> check_ranges(const EngineOptions& options) {
  if (options.shards < 1 || options.shards > kMaxShards) {
    return Error{"shards: " + std::to_string(options.shards) + " is not in 1 to 256"};
  }
  if (options.datagram_bytes < kMinDatagramBytes || options.datagram_bytes > kMaxDatagramBytes) {
    return Error{"datagram_bytes: " + std::to_string(options.datagram_bytes) +
                 " is not in 508 to 8972"};
  }
  if (options.path_mtu_discovery) {
    if (std::optional<Error> error = check_path_mtu(options)) return error;
  }
  if (options.certificate_file.empty() != options.key_file.empty()) {
    return Error{"certificate_file and key_file: give both or neither"};
  }
  if (options.max_sessions < 1 || options.max_sessions > kMaxSessions) {
    return Error{"max_sessions: " + std::to_string(options.max_sessions) +
                 " is not in 1 to 1048576"};
  }
  for (const int cpu : options.cpus) {
    if (cpu < 0 || cpu >= CPU_SETSIZE) {
      return Error{"cpus: " + std::to_string(cpu) + " is not in 0 to " +
                   std::to_string(CPU_SETSIZE - 1)};
    }
  }
  if (options.handshake_workers > kMaxShards) {
    return Error{"handshake_workers: " + std::to_string(options.handshake_workers) +
                 " is not in 0 to 256"};
  }
  if (options.socket_buffer_bytes > INT_MAX) {
    return Error{"socket_buffer_bytes: " + std::to_string(options.socket_buffer_bytes) +
                 " is not in 0 to 2147483647"};
  }
  if (options.handshake_timeout <= milliseconds(0) || options.consent_timeout <= milliseconds(0)) {
    return Error{"handshake_timeout and consent_timeout: 0 ms is too short"};
  }
  if (options.io == IoBackend::kSim && options.simulation == nullptr) {
    return Error{"io: the simulated network needs `simulation`"};
  }
  if ((options.io == IoBackend::kDpdk) != (options.device != nullptr)) {
    return Error{"io: kDpdk and `device` go together"};
  }
  return check_sctp(options.sctp);
}

std::vector<IpAddress> device_addresses(const PacketDevice& device) {
  std::vector<IpAddress> out;
  for (const std::string& text : device.addresses()) {
    if (const auto ip = IpAddress::parse(text)) out.push_back(*ip);
  }
  return out;
}

std::optional<Error> parse_addresses(const EngineOptions& options, Settings& settings) {
  if (!options.listen.empty()) {
    settings.listen = Address::parse(options.listen);
    if (!settings.listen) {
      return Error{"listen: '" + options.listen + "' is not ADDRESS:PORT with a numeric address"};
    }
  }
  for (const std::string& text : options.announce) {
    const std::optional<IpAddress> ip = IpAddress::parse(text);
    if (!ip) return Error{"announce: '" + text + "' is not a numeric address"};
    settings.announce.push_back(*ip);
  }
  if (settings.announce.empty() && settings.listen) {
    if (!settings.listen->ip.is_unspecified()) {
      settings.announce.push_back(settings.listen->ip);
    } else {
      settings.announce = options.device ? device_addresses(*options.device) : host_addresses();
      // A socket bound to 0.0.0.0 is not reached over IPv6.
      if (settings.listen->ip.is_v4()) {
        std::erase_if(settings.announce, [](const IpAddress& ip) { return !ip.is_v4(); });
      }
    }
  }
  return std::nullopt;
}

// The SCTP packet that a DTLS record carries in a datagram.
std::size_t packet_bytes(std::size_t datagram_bytes) {
  return (datagram_bytes - kRecordOverheadBytes) / 4 * 4;
}

sctp::StreamScheduling scheduling_of(StreamScheduling scheduling) {
  switch (scheduling) {
    case StreamScheduling::kFirstComeFirstServed:
      return sctp::StreamScheduling::kFirstComeFirstServed;
    case StreamScheduling::kRoundRobin:
      return sctp::StreamScheduling::kRoundRobin;
    case StreamScheduling::kWeightedFair:
      break;
    case StreamScheduling::kStrictPriority:
      return sctp::StreamScheduling::kStrictPriority;
  }
  return sctp::StreamScheduling::kWeightedFair;
}

// The profile's timers, and over them what was set to something of its own.
void set_timers(const SctpOptions& from, sctp::Options& to) {
  const SctpOptions usual;
  const bool latency = from.profile == Profile::kLatency;
  sctp::apply_profile(latency ? sctp::Profile::kLatency : sctp::Profile::kInternet, to);
  const auto own = [&](auto member) { return !latency || from.*member != usual.*member; };
  if (own(&SctpOptions::rto_initial)) to.rto_initial = from.rto_initial;
  if (own(&SctpOptions::rto_min)) to.rto_min = from.rto_min;
  if (own(&SctpOptions::rto_max)) to.rto_max = from.rto_max;
  if (own(&SctpOptions::sack_delay)) to.sack_delay = from.sack_delay;
  if (own(&SctpOptions::heartbeat_interval)) to.heartbeat_interval = from.heartbeat_interval;
  if (own(&SctpOptions::max_retransmissions)) {
    to.max_retransmits = static_cast<int>(from.max_retransmissions);
    to.linear_timeouts = std::min(to.linear_timeouts, to.max_retransmits);
  }
  // Who moves a bound need not move the first time-out with it.
  to.rto_initial = std::max(std::min(to.rto_initial, to.rto_max), to.rto_min);
}

sctp::Options sctp_options(const EngineOptions& options) {
  const SctpOptions& from = options.sctp;
  sctp::Options to;
  to.max_packet_bytes = packet_bytes(options.datagram_bytes);
  to.path_mtu.enabled = options.path_mtu_discovery;
  to.path_mtu.min_packet_bytes = packet_bytes(options.min_datagram_bytes);
  to.path_mtu.max_packet_bytes = packet_bytes(options.max_datagram_bytes);
  to.receive_window_bytes = from.receive_window_bytes;
  to.max_receive_window_bytes = from.max_receive_window_bytes;
  // A peer may open a channel whatever size of message it may send on it.
  to.max_received_message_bytes = std::max(from.max_message_bytes, sctp::OpenMessage::kMaxBytes);
  to.partial_delivery_bytes = from.partial_delivery_bytes;
  to.extensions.i_data = from.interleaving;
  to.send_buffer_bytes = from.send_buffer_bytes;
  to.stream_send_buffer_bytes = from.channel_send_buffer_bytes;
  to.scheduling = scheduling_of(from.scheduling);
  set_timers(from, to);
  to.congestion = algorithm_of(from.congestion_control);
  to.congestion_rate = from.fixed_rate_bits / 8;
  crypto::random_bytes(to.cookie_key);
  return to;
}

}  // namespace

Result<Settings, Error> Settings::from(EngineOptions options) {
  if (std::optional<Error> error = check_ranges(options)) return Failure(*error);
  Settings settings;
  if (std::optional<Error> error = parse_addresses(options, settings)) return Failure(*error);
  settings.sctp = sctp_options(options);
  if (const std::string problem = sctp::problem_of(settings.sctp); !problem.empty()) {
    return Failure(Error{"sctp." + problem});
  }
  settings.options = std::move(options);
  return settings;
}

}  // namespace millrace::engine
