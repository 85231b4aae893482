// SPDX-License-Identifier: Apache-2.0
//
// Making an engine: certificate, key log, and shards over the datapath that was asked for.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <mutex>
#include <utility>

#include "engine/base/text_file.h"
#include "engine/engine_impl.h"
#include "engine/shard/packet_device_impl.h"
#include "engine/shard/shard.h"
#include "io/sim_datapath.h"
#include "io/socket_datapath.h"
#ifdef MILLRACE_IO_URING
#include "io/uring_datapath.h"
#endif

namespace millrace {
namespace engine {
namespace {

Result<crypto::Certificate, Error> load_certificate(const EngineOptions& options) {
  if (options.certificate_file.empty()) {
    auto made = crypto::Certificate::generate(std::time(nullptr));
    if (!made.ok()) return Failure(Error{"certificate: " + made.error()});
    return std::move(made).value();
  }
  auto certificate = read_text_file(options.certificate_file);
  if (!certificate.ok()) return Failure(Error{"certificate_file: " + certificate.error()});
  auto key = read_text_file(options.key_file);
  if (!key.ok()) return Failure(Error{"key_file: " + key.error()});
  auto parsed = crypto::Certificate::from_pem(certificate.value(), key.value());
  if (!parsed.ok()) return Failure(Error{"certificate_file: " + parsed.error()});
  return std::move(parsed).value();
}

// FileKeyLog appends key log lines to a file, each at once, for a capture to be read.
class FileKeyLog final : public crypto::KeyLog {
 public:
  FileKeyLog(const EngineOptions& options, OutputFile file)
      : failed_(EngineImpl::recording_failed(options)), file_(std::move(file)) {}
  void write_line(std::string_view line) override {
    const std::string text = std::string(line) + '\n';
    const std::lock_guard lock(mutex_);
    file_.write({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    if (const auto failure = file_.take_failure()) failed_(*failure);
  }

 private:
  const std::function<void(const Error&)> failed_;
  std::mutex mutex_;
  OutputFile file_;
};

Result<EngineImpl::KeyLogs, Error> open_key_logs(const EngineOptions& options) {
  EngineImpl::KeyLogs logs;
  if (!options.key_log_file.empty()) {
    auto file = OutputFile::create("key_log_file", options.key_log_file, OutputFile::Mode::kAppend);
    if (!file.ok()) return Failure(file.error());
    logs.file = std::make_unique<FileKeyLog>(options, std::move(file).value());
  }
  if (options.pcap_file.empty()) return logs;
  Capture::Options capture;
  capture.path = options.pcap_file;
  capture.max_bytes = options.pcap_bytes;
  capture.shards = options.shards;
  capture.unix_offset = EngineImpl::unix_offset(options);
  capture.next = logs.file.get();
  auto made = Capture::create(capture);
  if (!made.ok()) return Failure(made.error());
  logs.capture = std::move(made).value();
  return logs;
}

template <class D>
std::unique_ptr<ShardRunner> runner(unsigned index, const ShardWorld& world,
                                    std::unique_ptr<D> datapath, const Clock& clock) {
  return std::make_unique<Shard<D>>(index, world, std::move(datapath), clock);
}

}  // namespace

ShardWorld EngineImpl::world() {
  return ShardWorld{settings_,
                    dtls_,
                    mac_,
                    directory_,
                    workers_,
                    mailboxes_,
                    [this](const std::string& line) { log(line); },
                    key_logs_.capture.get(),
                    &tracer_};
}

Result<std::unique_ptr<ShardRunner>, Error> EngineImpl::make_shard(unsigned index) {
  if (io_ == IoBackend::kDpdk) {
    auto& device = static_cast<PacketDeviceImpl&>(*settings_.options.device);
    if (device.queues() != settings_.options.shards) {
      return Failure(Error{"device: it has " + std::to_string(device.queues()) +
                           " queue pairs, and there are " +
                           std::to_string(settings_.options.shards) + " shards"});
    }
    return device.make_shard(index, world(), *clock_);
  }
  if (!simulation_) return make_kernel_shard(index);
  const IpAddress host = settings_.listen ? settings_.listen->ip : simulation_->next_host();
  auto shard = runner(
      index, world(),
      std::make_unique<io::SimDatapath>(simulation_->network(), std::vector<IpAddress>{host}),
      *clock_);
  shard->core().set_host(host.to_string());
  return shard;
}

Result<std::unique_ptr<ShardRunner>, Error> EngineImpl::make_kernel_shard(unsigned index) {
  const io::KernelOptions options;
  // Who never sleeps has no use for what tells a sleeper (decision 0006).
  if (io_ == IoBackend::kAuto && settings_.options.wait == WaitPolicy::kSpin) {
    io_ = IoBackend::kSockets;
  }
#ifdef MILLRACE_IO_URING
  if (io_ == IoBackend::kAuto || io_ == IoBackend::kUring) {
    auto datapath = io::UringDatapath::create(options);
    if (datapath.ok()) {
      io_ = IoBackend::kUring;
      return runner(index, world(), std::move(datapath).value(), *clock_);
    }
    if (io_ == IoBackend::kUring) return Failure(Error{datapath.error().message});
    log(datapath.error().message + "; using sockets");
  }
#else
  if (io_ == IoBackend::kUring) return Failure(Error{"io: this build has no io_uring"});
#endif
  io_ = IoBackend::kSockets;
  auto datapath = io::SocketDatapath::create(options);
  if (!datapath.ok()) return Failure(Error{datapath.error().message});
  return runner(index, world(), std::move(datapath).value(), *clock_);
}

}  // namespace engine

Result<std::unique_ptr<Engine>, Error> Engine::create(EngineOptions options,
                                                      MakeHandler make_handler) {
  auto settings = engine::Settings::from(std::move(options));
  if (!settings.ok()) return Failure(settings.error());
  const EngineOptions& checked = settings.value().options;
  auto certificate = engine::load_certificate(checked);
  if (!certificate.ok()) return Failure(certificate.error());
  settings.value().fingerprint =
      certificate.value().fingerprint(crypto::HashAlgorithm::kSha256).to_string();

  auto key_logs = engine::open_key_logs(checked);
  if (!key_logs.ok()) return Failure(key_logs.error());
  engine::EngineImpl::KeyLogs& logs = key_logs.value();
  crypto::KeyLog* const key_log = logs.capture ? logs.capture.get() : logs.file.get();
  crypto::DtlsOptions dtls_options;
  dtls_options.handshake_timeout = checked.handshake_timeout;
  dtls_options.small_mtu_bytes = static_cast<std::uint32_t>(checked.min_datagram_bytes);
  // Who states less knows the path.
  dtls_options.mtu_bytes =
      std::min(dtls_options.mtu_bytes, static_cast<std::uint32_t>(checked.datagram_bytes));
  auto dtls = crypto::DtlsContext::create(std::move(certificate).value(), dtls_options, key_log);
  if (!dtls.ok()) return Failure(Error{dtls.error()});
  io::raise_file_limit(checked.max_sessions + 256);

  auto engine = std::make_unique<engine::EngineImpl>(std::move(settings).value(), std::move(logs),
                                                     dtls.value());
  if (std::optional<Error> error = engine->make_shards(make_handler)) return Failure(*error);
  return std::unique_ptr<Engine>(std::move(engine));
}

const char* to_string(CloseReason reason) {
  switch (reason) {
    case CloseReason::kLocal:
      return "closed here";
    case CloseReason::kPeer:
      return "closed by the peer";
    case CloseReason::kConsentLost:
      return "consent lost";
    case CloseReason::kPeerTimeout:
      return "peer out of reach";
    case CloseReason::kHandshakeTimeout:
      return "set-up timed out";
    case CloseReason::kFingerprintMismatch:
      return "fingerprint mismatch";
    case CloseReason::kHandshakeFailed:
      return "handshake failed";
    case CloseReason::kProtocolViolation:
      return "protocol violation";
    case CloseReason::kIceFailed:
      return "no path to the peer";
    case CloseReason::kResourceLimit:
      return "resource limit";
  }
  return "unknown";
}

}  // namespace millrace
