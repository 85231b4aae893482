// SPDX-License-Identifier: Apache-2.0
//
// Look-ups by address among 10,000 sessions: the association table beside a mutex around
// std::unordered_map and, where it is installed, liburcu's hash table. All hash keys alike.
#include <array>
#include <atomic>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

#include "bench/micro/report.h"
#include "bench/micro/urcu_table.h"
#include "bench/micro/workloads.h"
#include "engine/base/check.h"

namespace millrace::bench {
namespace {

constexpr std::size_t kSessions = 10'000;
constexpr std::size_t kBatch = 32;
constexpr SipKey kHashKey{1, 2};

engine::AddressKey writer_key(std::uint32_t n) {
  return engine::AddressKey(TableWork::address(0x200'0000 + n % 64));
}

// Each contender has sessions 0 to kSessions - 1, and for each thread a Reader that is told
// at the end of a batch; `churn` adds and removes a session from a thread of its own.
class OurTable {
 public:
  using Reader = engine::TableMember;

  engine::AssociationTable& shared() { return work_.table(); }
  static bool find(Reader& reader, const engine::AddressKey& key) {
    return static_cast<bool>(reader.find(key));
  }
  static void end_batch(Reader& reader) { reader.quiescent(); }
  static void churn(Reader& writer, std::uint32_t n) {
    const engine::TableResult made = writer.create(nullptr, nullptr);
    if (made.ok()) {
      CHECK(writer.add_address(made.entry, writer_key(n)).ok());
      const engine::Claim claim = writer.claim(made.entry, 1, n & 1023);
      CHECK(writer.remove(made.entry, claim.handle));
    }
    writer.quiescent();
  }
  // The member that made the table reads no more.
  OurTable() { work_.member().pause(); }
  ~OurTable() { work_.member().resume(); }

  const TableWork& keys() const { return work_; }

 private:
  TableWork work_{kSessions};
};

struct KeyHash {
  std::size_t operator()(const engine::AddressKey& key) const { return key.hash(kHashKey); }
};

class LockedMap {
 public:
  struct Shared {
    std::mutex mutex;
    std::unordered_map<engine::AddressKey, std::uint32_t, KeyHash> map;
  };
  class Reader {
   public:
    explicit Reader(Shared& shared) : shared_(shared) {}
    Shared& shared() { return shared_; }

   private:
    Shared& shared_;
  };

  LockedMap() {
    for (const engine::AddressKey& key : keys_.present()) shared_.map.emplace(key, 1u);
  }
  Shared& shared() { return shared_; }
  static bool find(Reader& reader, const engine::AddressKey& key) {
    const std::lock_guard lock(reader.shared().mutex);
    return reader.shared().map.contains(key);
  }
  static void end_batch(Reader&) {}
  static void churn(Reader& writer, std::uint32_t n) {
    {
      const std::lock_guard lock(writer.shared().mutex);
      writer.shared().map.emplace(writer_key(n), n);
    }
    const std::lock_guard lock(writer.shared().mutex);
    writer.shared().map.erase(writer_key(n));
  }
  const TableWork& keys() const { return keys_; }

 private:
  TableWork keys_{kSessions};
  Shared shared_;
};

#ifdef MILLRACE_BENCH_URCU
class Urcu {
 public:
  using Reader = UrcuTable::Member;

  Urcu() {
    UrcuTable::Member member(table_);
    for (const engine::AddressKey& key : keys_.present()) {
      member.insert(key.hash(kHashKey), key);
    }
  }
  UrcuTable& shared() { return table_; }
  static bool find(Reader& reader, const engine::AddressKey& key) {
    return reader.find(key.hash(kHashKey), key);
  }
  static void end_batch(Reader& reader) { reader.quiescent(); }
  static void churn(Reader& writer, std::uint32_t n) {
    const engine::AddressKey key = writer_key(n);
    writer.insert(key.hash(kHashKey), key);
    writer.erase(key.hash(kHashKey), key);
    writer.quiescent();
  }
  const TableWork& keys() const { return keys_; }

 private:
  TableWork keys_{kSessions};
  UrcuTable table_;
};
#endif

template <class Contender>
void find(benchmark::State& state, bool present, bool writing) {
  Contender contender;
  const auto& keys = present ? contender.keys().present() : contender.keys().absent();
  std::atomic<bool> stop{false};
  std::optional<std::jthread> writer;
  if (writing) {
    writer.emplace([&] {
      typename Contender::Reader member(contender.shared());
      for (std::uint32_t n = 0; !stop.load(std::memory_order_relaxed); ++n) {
        Contender::churn(member, n);
      }
    });
  }
  {
    typename Contender::Reader reader(contender.shared());
    std::size_t at = 0;
    measure(state, [&] {
      std::uint64_t found = 0;
      for (std::size_t i = 0; i < kBatch; ++i) {
        found += Contender::find(reader, keys[at]) ? 1u : 0u;
        at = at + 1 == keys.size() ? 0 : at + 1;
      }
      Contender::end_batch(reader);
      CHECK(found == (present ? kBatch : 0));
      return kBatch;
    });
  }
  stop = true;
}

template <class Contender>
void add(const std::string& name) {
  const std::string prefix = "Table/" + name;
  benchmark::RegisterBenchmark((prefix + "/hit").c_str(), find<Contender>, true, false);
  benchmark::RegisterBenchmark((prefix + "/miss").c_str(), find<Contender>, false, false);
  benchmark::RegisterBenchmark((prefix + "/hit_with_writer").c_str(), find<Contender>, true, true)
      ->UseRealTime();
}

const int registered = [] {
  add<OurTable>("millrace");
  add<LockedMap>("mutex_unordered_map");
#ifdef MILLRACE_BENCH_URCU
  add<Urcu>("urcu_lfht");
#endif
  return 0;
}();

void find_batch(benchmark::State& state) {
  OurTable table;
  const auto& keys = table.keys().present();
  engine::TableMember reader(table.shared());
  std::array<engine::Found, kBatch> found;
  std::size_t at = 0;
  measure(state, [&] {
    reader.find_batch(std::span(keys).subspan(at, kBatch), found);
    CHECK(found[kBatch - 1]);
    at = at + 2 * kBatch > keys.size() ? 0 : at + kBatch;
    reader.quiescent();
    return kBatch;
  });
}
BENCHMARK(find_batch)->Name("Table/millrace/hit_batch32");

}  // namespace
}  // namespace millrace::bench
