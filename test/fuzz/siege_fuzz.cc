// SPDX-License-Identifier: Apache-2.0
// An attacker inside an association (test/support/siege.h), by the input's word. The input is a
// byte of settings and then records: an operation, a length of 16 bits, so many bytes. The
// mutator knows that form, and plays the records up to where it inserts a packet, so that what
// it makes up fits the state that the association is in by then.
#include <array>
#include <cstdint>
#include <vector>

#include "test/support/siege.h"

extern "C" __attribute__((weak)) std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size,
                                                              std::size_t max_size);

namespace millrace {
namespace {

using test::Attacker;
using test::Bytes;
using test::Siege;

enum : std::uint8_t { kGive, kGiveStray, kAdvance, kSend, kReset, kRead, kShutdown, kOperations };

struct Record {
  std::uint8_t operation = kGive;
  Bytes bytes;
};

struct Script {
  std::uint8_t settings = 0;
  std::vector<Record> records;
};

constexpr std::size_t kMaxRecords = 300;

Script parse(ByteSpan input) {
  ByteReader in(input);
  Script script{.settings = in.u8().value_or(0), .records = {}};
  while (script.records.size() < kMaxRecords) {
    const auto operation = in.u8();
    const auto size = in.u16();
    if (!operation || !size) break;
    const ByteSpan bytes =
        in.take(std::min<std::size_t>(*size, in.remaining())).value_or(ByteSpan());
    script.records.push_back(
        {static_cast<std::uint8_t>(*operation % kOperations), Bytes(bytes.begin(), bytes.end())});
  }
  return script;
}

std::size_t write(const Script& script, std::uint8_t* data, std::size_t max_size) {
  if (max_size == 0) return 0;
  data[0] = script.settings;
  std::size_t used = 1;
  for (const Record& record : script.records) {
    if (record.bytes.size() > 0xFFFF || used + 3 + record.bytes.size() > max_size) break;
    data[used] = record.operation;
    store_be16(data + used + 1, static_cast<std::uint16_t>(record.bytes.size()));
    std::copy(record.bytes.begin(), record.bytes.end(), data + used + 3);
    used += 3 + record.bytes.size();
  }
  return used;
}

void play(Siege& siege, const Record& record) {
  ByteReader in(record.bytes);
  switch (record.operation) {
    case kGive:
    case kGiveStray:
      return siege.give(
          ByteSpan(record.bytes).first(std::min<std::size_t>(record.bytes.size(), 1400)),
          record.operation == kGiveStray);
    case kAdvance:
      return siege.advance(milliseconds(in.u16().value_or(1)));
    case kSend: {
      const std::uint8_t how = in.u8().value_or(0);
      sctp::SendOptions options{.unordered = (how & 8) != 0};
      if ((how & 16) != 0) options.max_retransmits = how >> 6;
      if ((how & 32) != 0) options.max_lifetime = milliseconds(how);
      if ((how & 48) == 0 && (how & 64) != 0) options.priority = how >> 7;
      return siege.send(how & 7, 1 + in.u16().value_or(0), options);
    }
    case kReset:
      return siege.reset(in.u8().value_or(0) & 7);
    case kRead:
      return siege.set_reading((in.u8().value_or(0) & 3) != 0);
    default:
      return in.u8().value_or(0) == 0x55 ? siege.shut_down() : void();
  }
}

bool has_i_data(const Script& script) { return (script.settings & 1) != 0; }

Bytes packet_for(const Script& script, std::size_t at, Rng& rng) {
  Siege siege(has_i_data(script), 1);
  for (std::size_t i = 0; i < at; ++i) play(siege, script.records[i]);
  return Attacker(rng, (script.settings & 2) != 0).chunks(siege.knowledge());
}

Record make_record(const Script& script, std::size_t at, Rng& rng) {
  const auto operation = static_cast<std::uint8_t>(rng.below(3) == 0 ? rng.below(kOperations) : 0);
  if (operation <= kGiveStray) return {operation, packet_for(script, at, rng)};
  Bytes bytes(3);
  rng.fill(bytes);
  if (operation == kShutdown) bytes[0] = rng.below(8) == 0 ? 0x55 : 0;
  return {operation, bytes};
}

void mutate(Script& script, Rng& rng) {
  const std::size_t at = rng.below(script.records.size() + 1);
  if (at == script.records.size() || rng.below(2) == 0) {
    const auto place = script.records.begin() + static_cast<std::ptrdiff_t>(at);
    script.records.insert(place, make_record(script, at, rng));
    return;
  }
  Record& record = script.records[at];
  switch (rng.below(6)) {
    case 0:
      script.records.erase(script.records.begin() + static_cast<std::ptrdiff_t>(at));
      return;
    case 1: {
      const Record again = record;
      script.records.insert(script.records.begin() + static_cast<std::ptrdiff_t>(at), again);
      return;
    }
    case 2:
      std::swap(record, script.records[rng.below(script.records.size())]);
      return;
    case 3:
      script.settings ^= static_cast<std::uint8_t>(1 + rng.below(3));
      return;
    case 4:
      if (LLVMFuzzerMutate != nullptr && !record.bytes.empty()) {
        const std::size_t size = record.bytes.size();
        record.bytes.resize(size + 32);
        record.bytes.resize(LLVMFuzzerMutate(record.bytes.data(), size, record.bytes.size()));
        return;
      }
      [[fallthrough]];
    default:
      return Attacker(rng, false).damage(record.bytes);
  }
}

}  // namespace
}  // namespace millrace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const millrace::Script script = millrace::parse({data, size});
  millrace::Siege siege(millrace::has_i_data(script), 1);
  for (const millrace::Record& record : script.records) millrace::play(siege, record);
  siege.set_reading(true);
  siege.advance(millrace::seconds(1));
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned int seed) {
  millrace::SeededRng rng(seed);
  millrace::Script script = millrace::parse({data, size});
  for (std::uint64_t i = rng.below(3) + 1; i > 0; --i) millrace::mutate(script, rng);
  return millrace::write(script, data, max_size);
}
