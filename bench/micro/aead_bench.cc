// SPDX-License-Identifier: Apache-2.0
//
// Records sealed and opened as the shard does it: header, nonce, AEAD, replay window.
#include <string>
#include <vector>

#include "bench/micro/report.h"
#include "crypto/record_codec.h"
#include "engine/base/check.h"

namespace millrace::bench {
namespace {

using crypto::AeadBackend;
using crypto::CipherSuite;

struct Case {
  CipherSuite suite;
  AeadBackend backend;
  std::size_t bytes;  // Of plaintext in a record.
  std::size_t batch;
};

// Records is as many records as the cache holds with ease, and both ends' keys.
class Records {
 public:
  explicit Records(const Case& what) : what_(what), pool_(what.backend) {
    crypto::TrafficKeys keys;
    keys.suite = what.suite;
    keys.write.key.fill(7);
    keys.write.iv.fill(9);
    sealing_ = pool_.make(keys);
    keys.read = keys.write;
    opening_ = pool_.make(keys);
    const std::size_t slot = (sealing_->overhead() + what.bytes + 63) / 64 * 64;
    const std::size_t count = what.batch * ((63 + what.batch) / what.batch);
    memory_.resize(slot * count);
    for (std::size_t i = 0; i < count; ++i) {
      crypto::SealJob seal;
      seal.keys = sealing_.get();
      seal.record = memory_.data() + i * slot;
      seal.plaintext_length = static_cast<std::uint32_t>(what.bytes);
      seals_.push_back(seal);
      crypto::OpenJob open;
      open.keys = opening_.get();
      open.record = {seal.record, sealing_->overhead() + what.bytes};
      opens_.push_back(open);
    }
  }

  std::uint64_t seal() {
    for (std::size_t i = 0; i < seals_.size(); i += what_.batch) {
      crypto::seal_batch(std::span(seals_).subspan(i, what_.batch));
    }
    return seals_.size();
  }
  std::uint64_t open() {
    for (std::size_t i = 0; i < opens_.size(); i += what_.batch) {
      crypto::open_batch(std::span(opens_).subspan(i, what_.batch));
    }
    return opens_.size();
  }
  bool all_opened() const {
    for (const crypto::OpenJob& job : opens_) {
      if (job.verdict != crypto::OpenVerdict::kOpened) return false;
    }
    return true;
  }

 private:
  const Case what_;
  crypto::RecordKeysPool pool_;
  crypto::RecordKeysPtr sealing_;
  crypto::RecordKeysPtr opening_;
  std::vector<std::uint8_t> memory_;
  std::vector<crypto::SealJob> seals_;
  std::vector<crypto::OpenJob> opens_;
};

void seal(benchmark::State& state, const Case& what) {
  Records records(what);
  measure(state, [&] { return records.seal(); });
}

// Opening is in place, so the records are sealed anew in between.
void open(benchmark::State& state, const Case& what) {
  Records records(what);
  TimedPart part(state);
  std::uint64_t opened = 0;
  for (auto _ : state) {
    records.seal();
    part.start();
    opened += records.open();
    part.stop();
  }
  CHECK(records.all_opened());
  report(state, part.cost(), opened);
}

const char* name_of(CipherSuite suite) {
  switch (suite) {
    case CipherSuite::kAes128GcmSha256:
      return "aes128gcm";
    case CipherSuite::kAes256GcmSha384:
      return "aes256gcm";
    case CipherSuite::kChaCha20Poly1305Sha256:
      break;
  }
  return "chacha20";
}

void add(const Case& what) {
  const std::string tail = std::string(name_of(what.suite)) + "/" +
                           std::string(crypto::backend_name(what.backend)) + "/" +
                           std::to_string(what.bytes) + "/batch" + std::to_string(what.batch);
  benchmark::RegisterBenchmark(("Seal/" + tail).c_str(), seal, what);
  benchmark::RegisterBenchmark(("Open/" + tail).c_str(), open, what)->UseManualTime();
}

// Every size in the largest batch; every batch at a small and the usual size.
const int registered = [] {
  for (const auto suite : {CipherSuite::kAes128GcmSha256, CipherSuite::kAes256GcmSha384,
                           CipherSuite::kChaCha20Poly1305Sha256}) {
    for (const auto backend : {AeadBackend::kVaes512, AeadBackend::kVaes, AeadBackend::kIpsecMb,
                               AeadBackend::kBoringSsl}) {
      if (!crypto::backend_available(backend)) continue;
      // Its own is AES-GCM alone.
      const bool own = backend == AeadBackend::kVaes512 || backend == AeadBackend::kVaes;
      if (own && suite == CipherSuite::kChaCha20Poly1305Sha256) continue;
      for (const std::size_t bytes : {64u, 128u, 256u, 512u, 1200u, 9000u}) {
        add({suite, backend, bytes, 54});
      }
      if (suite != CipherSuite::kAes128GcmSha256) continue;
      for (const std::size_t batch : {1u, 8u, 32u}) {
        add({suite, backend, 100, batch});
        add({suite, backend, 1200, batch});
      }
    }
  }
  return 0;
}();

}  // namespace
}  // namespace millrace::bench
