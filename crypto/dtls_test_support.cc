// SPDX-License-Identifier: Apache-2.0
#include "crypto/dtls_test_support.h"

#include <algorithm>

namespace millrace::crypto {

Bytes from_hex(std::string_view hex) {
  Bytes bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(
        static_cast<std::uint8_t>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

std::string to_hex(ByteSpan bytes) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

Bytes without_records(Bytes datagram, const std::function<bool(const RecordView&)>& unwanted) {
  Bytes kept;
  RecordReader reader(datagram);
  while (const auto record = reader.next()) {
    if (!unwanted(*record)) kept.insert(kept.end(), record->bytes.begin(), record->bytes.end());
  }
  return kept;
}

bool carries(const RecordView& record, std::uint8_t message_type) {
  return record.header.type == ContentType::kHandshake && record.header.epoch == 0 &&
         record.bytes.size() > kRecordHeaderBytes &&
         record.bytes[kRecordHeaderBytes] == message_type;
}

ByteSpan bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

const Certificate& shared_certificate(int which) {
  static const std::array<Certificate, 3> kCertificates = {
      Certificate::generate(1'800'000'000).value(), Certificate::generate(1'800'000'000).value(),
      Certificate::generate(1'800'000'000).value()};
  return kCertificates.at(static_cast<std::size_t>(which));
}

std::shared_ptr<const DtlsContext> make_context(int which, DtlsOptions options, KeyLog* key_log) {
  return DtlsContext::create(shared_certificate(which), std::move(options), key_log).value();
}

void NonceWatch::see(ByteSpan datagram) {
  Bytes copy(datagram.begin(), datagram.end());
  RecordReader reader(copy);
  while (const auto record = reader.next()) {
    if (record->header.epoch == 0) continue;
    const std::uint64_t number =
        std::uint64_t{record->header.epoch} << 48 | record->header.sequence;
    const Bytes bytes(record->bytes.begin(), record->bytes.end());
    const auto [at, inserted] = seen_.emplace(number, bytes);
    if (!inserted && at->second != bytes) reused_ = true;
  }
}

DtlsEnd::DtlsEnd(std::shared_ptr<const DtlsContext> context, Role role,
                 std::vector<Fingerprint> expected, AeadBackend backend)
    : shard{RecordKeysPool(backend, context->options().key_limits), {}},
      session(std::make_unique<DtlsSession>(std::move(context), shard, role, std::move(expected))) {
}

void DtlsEnd::receive(Time now, ByteSpan datagram) {
  Bytes copy(datagram.begin(), datagram.end());
  open(now, copy);
}

void DtlsEnd::open(Time now, MutableByteSpan datagram) {
  queue_.clear();
  session->handle_datagram(now, datagram, queue_);
  open_batch(queue_.jobs());
  for (const OpenJob& job : queue_.jobs()) {
    if (job.session->handle_opened(now, job) == DtlsSession::Received::kApplicationData) {
      received.emplace_back(job.plaintext.begin(), job.plaintext.end());
    }
  }
}

std::vector<Bytes> DtlsEnd::drain(Time now) {
  while (session->flight_ready()) {
    std::unique_ptr<HandshakeFlight> flight = session->take_flight(now);
    flight->run();
    session->return_flight(now, std::move(flight));
  }
  std::array<std::uint8_t, 16384> buffer;
  while (const std::size_t n = session->poll_held(buffer)) open(now, std::span(buffer).first(n));
  std::vector<Bytes> datagrams;
  while (const std::size_t n = session->poll_datagram(now, buffer)) {
    datagrams.emplace_back(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(n));
    largest_datagram = std::max(largest_datagram, n);
    nonces.see(datagrams.back());
  }
  return datagrams;
}

Bytes DtlsEnd::seal(std::string_view text) {
  RecordKeys* const keys = session->record_keys();
  Bytes record(keys->overhead() + text.size());
  std::copy(text.begin(), text.end(),
            record.begin() + static_cast<std::ptrdiff_t>(keys->header_bytes()));
  SealJob job{.keys = keys,
              .record = record.data(),
              .plaintext_length = static_cast<std::uint32_t>(text.size())};
  seal_batch({&job, 1});
  record.resize(job.record_length);
  nonces.see(record);
  return record;
}

DtlsPair::DtlsPair(const Options& options) {
  const std::vector<Fingerprint> of_client = {shared_certificate(0).fingerprint(options.hash)};
  const std::vector<Fingerprint> of_server = {shared_certificate(1).fingerprint(options.hash)};
  ends[0] = std::make_unique<DtlsEnd>(make_context(0, options.client), Role::kClient, of_server,
                                      options.backends[0]);
  ends[1] = std::make_unique<DtlsEnd>(make_context(1, options.server), Role::kServer, of_client,
                                      options.backends[1]);
}

void DtlsPair::start() {
  for (const auto& end : ends) end->session->start(now);
}

void DtlsPair::transmit(int from, Bytes datagram) {
  const std::size_t index = sent[static_cast<std::size_t>(from)]++;
  if (!network) {
    in_flight.emplace_back(from, std::move(datagram));
    return;
  }
  for (Bytes& delivered : network(from, index, std::move(datagram))) {
    in_flight.emplace_back(from, std::move(delivered));
  }
}

bool DtlsPair::step() {
  bool moved = false;
  for (int side = 0; side < 2; ++side) {
    for (Bytes& datagram : ends[static_cast<std::size_t>(side)]->drain(now)) {
      transmit(side, std::move(datagram));
      moved = true;
    }
  }
  while (!in_flight.empty()) {
    const auto [from, datagram] =
        newest_first ? std::move(in_flight.back()) : std::move(in_flight.front());
    newest_first ? in_flight.pop_back() : in_flight.pop_front();
    ends[static_cast<std::size_t>(1 - from)]->receive(now, datagram);
    moved = true;
  }
  return moved;
}

bool DtlsPair::run(const std::function<bool()>& done, Duration limit) {
  const Time end = now + limit;
  while (!done()) {
    if (step()) continue;
    const Time next = std::min(ends[0]->session->next_timeout(), ends[1]->session->next_timeout());
    if (done() || next == kNever || next > end) break;
    now = std::max(now, next);
    for (const auto& side : ends) side->session->handle_timeout(now);
  }
  return done();
}

bool DtlsPair::establish() {
  start();
  return run([this] { return client().session->established() && server().session->established(); });
}

void DtlsPair::send(int from, std::string_view text) {
  transmit(from, ends[static_cast<std::size_t>(from)]->seal(text));
}

}  // namespace millrace::crypto
