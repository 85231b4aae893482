// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/bench_steps.h"

#include <algorithm>
#include <utility>

#include "crypto/record_codec.h"
#include "engine/base/timer_wheel.h"
#include "engine/cli/bench_ends.h"
#include "engine/cli/bench_sctp_steps.h"
#include "engine/reference/hello.h"
#include "engine/reference/ports.h"
#include "engine/table/table_member.h"
#include "sctp/crc32c.h"

namespace millrace::cli {
namespace {

constexpr Address kLoopback{IpAddress{.bytes = {127, 0, 0, 1}, .family = IpAddress::Family::kV4},
                            0};

double ns_of(Duration span) { return static_cast<double>(span.count()); }

// Calls `work`, which returns how often it did what is measured, for `each`.
template <class Work>
double cost_of(Duration each, Work&& work) {
  for (int i = 0; i < 3; ++i) work();  // Into the caches.
  std::uint64_t done = 0;
  const Time begin = reference::monotonic_now();
  Time now = begin;
  for (; now - begin < each; now = reference::monotonic_now()) done += work();
  return ns_of(now - begin) / static_cast<double>(std::max<std::uint64_t>(done, 1));
}

// Records is a burst of records and the keys of both ends.
class Records {
 public:
  Records() {
    crypto::TrafficKeys keys;
    keys.write.key.fill(7);
    keys.write.iv.fill(9);
    keys.read = keys.write;
    sealing_ = pool_.make(keys);
    opening_ = pool_.make(keys);
    memory_.resize(kBurst * kDatagram);
    for (std::size_t i = 0; i < kBurst; ++i) {
      crypto::SealJob seal;
      seal.keys = sealing_.get();
      seal.record = memory_.data() + i * kDatagram;
      seal.plaintext_length = static_cast<std::uint32_t>(kDatagram - sealing_->overhead());
      seals_.push_back(seal);
      crypto::OpenJob open;
      open.keys = opening_.get();
      open.record = {seal.record, kDatagram};
      opens_.push_back(open);
    }
  }

  std::uint64_t seal() {
    crypto::seal_batch(seals_);
    return kBurst;
  }
  std::uint64_t open() {
    crypto::open_batch(opens_);
    return kBurst;
  }

 private:
  crypto::RecordKeysPool pool_;
  crypto::RecordKeysPtr sealing_;
  crypto::RecordKeysPtr opening_;
  std::vector<std::uint8_t> memory_;
  std::vector<crypto::SealJob> seals_;
  std::vector<crypto::OpenJob> opens_;
};

void measure_records(Duration each, std::vector<Step>& steps) {
  Records records;
  steps.push_back(
      {"seal the record", StepSide::kSender, cost_of(each, [&] { return records.seal(); })});
  // A record opens once, so each round needs another sealing; only the opening counts.
  Duration opening{};
  std::uint64_t opened = 0;
  while (opening < each) {
    records.seal();
    const Time begin = reference::monotonic_now();
    opened += records.open();
    opening += reference::monotonic_now() - begin;
  }
  steps.push_back(
      {"open the record", StepSide::kReceiver, ns_of(opening) / static_cast<double>(opened)});
}

// One thread sends a run and receives it, in turn; each half has its own clock.
template <class Sender, class Receiver>
void measure_datagrams(Sender& sender, Receiver& receiver, Duration each,
                       std::vector<Step>& steps) {
  std::vector<std::uint8_t> memory(kBurst * kDatagram);
  reference::GsoRun run;
  run.data = memory.data();
  run.bytes = memory.size();
  run.prepare(kDatagram);
  Duration sending{};
  Duration receiving{};
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  while (sending + receiving < 2 * each) {
    const Time begin = reference::monotonic_now();
    if (!sender.send_runs({&run, 1})) break;
    const Time middle = reference::monotonic_now();
    sent += kBurst;
    receiver.receive([&](const reference::Arrival& arrival) { received += arrival.datagrams(); });
    sending += middle - begin;
    receiving += reference::monotonic_now() - middle;
  }
  const auto per = [](Duration span, std::uint64_t n) {
    return ns_of(span) / static_cast<double>(std::max<std::uint64_t>(n, 1));
  };
  steps.push_back({"UDP send, GSO", StepSide::kSender, per(sending, sent)});
  steps.push_back({"UDP receive, GRO", StepSide::kReceiver, per(receiving, received)});
}

void measure_io(const StepOptions& options, std::vector<Step>& steps) {
  auto listener = reference::RawSocket::listen(kLoopback, kSocketBuffer);
  if (!listener) return;
  auto dialler = reference::RawSocket::connect(listener->local_address(), kSocketBuffer);
  if (!dialler) return;
  reference::Options port;
  port.uring = options.uring;
  using Done = Result<bool, io::IoError>;
  const auto done = reference::with_port<bool>(*dialler, port, false, true, [&](auto& out) -> Done {
    return reference::with_port<bool>(*listener, port, true, true, [&](auto& in) -> Done {
      measure_datagrams(out, in, options.each, steps);
      return true;
    });
  });
  static_cast<void>(done.ok());
}

double measure_lookup(Duration each) {
  constexpr std::uint32_t kSessions = 1000;
  engine::TableOptions options;
  options.max_sessions = kSessions;
  options.key = SipKey{1, 2};
  engine::AssociationTable table(options);
  engine::TableMember member(table);
  std::vector<engine::AddressKey> keys;
  for (std::uint32_t i = 0; i < kSessions; ++i) {
    const IpAddress ip =
        IpAddress::v4(10, 0, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i));
    keys.emplace_back(Address{ip, 4000});
    const engine::TableResult made = member.create(nullptr, nullptr);
    CHECK(made.ok() && member.add_address(made.entry, keys.back()).ok());
    CHECK(member.claim(made.entry, 0, i).status == engine::ClaimStatus::kWon);
  }
  return cost_of(each, [&] {
    std::uint64_t found = 0;
    for (const engine::AddressKey& key : keys) found += member.find(key) ? 1u : 0u;
    return found;
  });
}

double measure_timer(Duration each) {
  constexpr std::uint32_t kTimers = 1000;
  Time now{seconds(1)};
  TimerWheel wheel(kTimers, now);
  return cost_of(each, [&] {
    now += microseconds(10);
    for (std::uint32_t id = 0; id < kTimers; ++id) wheel.schedule(id, now + milliseconds(20));
    return std::uint64_t{kTimers};
  });
}

double measure_checksum(Duration each) {
  std::vector<std::uint8_t> packet(kDatagram);
  return cost_of(each, [&] {
    // What it returns goes into the next, so that none can be left out.
    for (std::size_t i = 0; i < kBurst; ++i) store_be32(packet.data(), sctp::crc32c(packet));
    return std::uint64_t{kBurst};
  });
}

}  // namespace

const char* to_string(StepSide side) {
  switch (side) {
    case StepSide::kSender:
      return "sender";
    case StepSide::kReceiver:
      return "receiver";
    case StepSide::kApart:
      break;
  }
  return "apart";
}

double StepCosts::sum_ns(StepSide side) const {
  double sum = 0;
  for (const Step& step : steps) sum += step.side == side ? step.ns : 0;
  return sum;
}

double StepCosts::ceiling_mbps() const {
  const double slower = std::max(sum_ns(StepSide::kSender), sum_ns(StepSide::kReceiver));
  return slower > 0 ? payload_bytes * 8e3 / slower : 0;
}

StepCosts measure_steps(const StepOptions& options) {
  StepCosts costs;
  std::vector<Step> io;
  std::vector<Step> records;
  measure_io(options, io);
  measure_records(options.each, records);
  const SctpCosts sctp = measure_sctp(options.each);
  costs.payload_bytes = sctp.payload_bytes;
  const auto add = [&](const char* name, StepSide side, double ns) {
    costs.steps.push_back({name, side, ns});
  };
  const auto add_those_of = [&](const std::vector<Step>& from, StepSide side) {
    for (const Step& step : from) {
      if (step.side == side) costs.steps.push_back(step);
    }
  };
  std::vector<Step> kernel;
  if (!options.device.empty()) {
    for (const Step& step : io)
      kernel.push_back({step.name + " instead", StepSide::kApart, step.ns});
    io = options.device;
  }
  // In the order of a packet's way.
  add("message into the send queue", StepSide::kSender, sctp.queue_ns);
  add("SCTP packet build", StepSide::kSender, sctp.build_ns);
  add_those_of(records, StepSide::kSender);
  add_those_of(io, StepSide::kSender);
  add("SACK processing", StepSide::kSender, sctp.sack_process_ns);
  add_those_of(io, StepSide::kReceiver);
  add_those_of(records, StepSide::kReceiver);
  add("SCTP packet parse, reassembly", StepSide::kReceiver, sctp.parse_ns);
  add("message to the application", StepSide::kReceiver, sctp.deliver_ns);
  add("SACK build", StepSide::kReceiver, sctp.sack_build_ns);
  add_those_of(kernel, StepSide::kApart);
  add("table look-up, once a buffer", StepSide::kApart, measure_lookup(options.each));
  add("timer moved, once a turn", StepSide::kApart, measure_timer(options.each));
  add("CRC32c of 1200 bytes", StepSide::kApart, measure_checksum(options.each));
  return costs;
}

}  // namespace millrace::cli
