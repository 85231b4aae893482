// SPDX-License-Identifier: Apache-2.0
#pragma once

#ifdef MILLRACE_BENCH_URCU

#include <cstdint>

#include "engine/table/table_key.h"

struct cds_lfht;

namespace millrace::bench {

// UrcuTable is liburcu's lock-free hash table (rculfhash) in its fastest set-up: readers
// by quiescent states, as the association table's are.
class UrcuTable {
 public:
  UrcuTable();
  ~UrcuTable();
  UrcuTable(const UrcuTable&) = delete;
  UrcuTable& operator=(const UrcuTable&) = delete;

  // Member is one thread's access.
  class Member {
   public:
    explicit Member(UrcuTable& table);
    ~Member();
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;

    bool find(std::uint64_t hash, const engine::AddressKey& key) const;
    void insert(std::uint64_t hash, const engine::AddressKey& key);
    void erase(std::uint64_t hash, const engine::AddressKey& key);
    void quiescent();

   private:
    UrcuTable& table_;
  };

 private:
  cds_lfht* table_;
};

}  // namespace millrace::bench

#endif
