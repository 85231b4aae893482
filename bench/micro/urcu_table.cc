// SPDX-License-Identifier: Apache-2.0
#include "bench/micro/urcu_table.h"

#include <memory>

#include "engine/base/check.h"

// Its headers are C.
#pragma GCC diagnostic ignored "-Wold-style-cast"
#include <urcu-qsbr.h>
// After the flavour that it is to use.
#include <urcu/rculfhash.h>

namespace millrace::bench {
namespace {

struct Node {
  cds_lfht_node link;
  rcu_head head;
  engine::AddressKey key;
};

Node* node_of(cds_lfht_node* link) { return caa_container_of(link, Node, link); }

int matches(cds_lfht_node* link, const void* key) {
  return node_of(link)->key == *static_cast<const engine::AddressKey*>(key);
}

void free_node(rcu_head* head) {
  const std::unique_ptr<Node> owned(caa_container_of(head, Node, head));
}

cds_lfht_node* look_up(cds_lfht* table, std::uint64_t hash, const engine::AddressKey& key) {
  cds_lfht_iter found;
  cds_lfht_lookup(table, hash, matches, &key, &found);
  return cds_lfht_iter_get_node(&found);
}

}  // namespace

// A fixed number of buckets, twice the keys, as the association table has.
UrcuTable::UrcuTable() : table_(cds_lfht_new(32768, 32768, 32768, 0, nullptr)) {
  CHECK(table_ != nullptr);
}

UrcuTable::~UrcuTable() {
  Member member(*this);
  cds_lfht_iter at;
  cds_lfht_node* link = nullptr;
  cds_lfht_for_each(table_, &at, link) {
    if (cds_lfht_del(table_, link) == 0) call_rcu(&node_of(link)->head, free_node);
  }
  rcu_barrier();
  CHECK(cds_lfht_destroy(table_, nullptr) == 0);
}

UrcuTable::Member::Member(UrcuTable& table) : table_(table) { rcu_register_thread(); }
UrcuTable::Member::~Member() { rcu_unregister_thread(); }

bool UrcuTable::Member::find(std::uint64_t hash, const engine::AddressKey& key) const {
  return look_up(table_.table_, hash, key) != nullptr;
}

void UrcuTable::Member::insert(std::uint64_t hash, const engine::AddressKey& key) {
  auto node = std::make_unique<Node>();
  node->key = key;
  cds_lfht_node_init(&node->link);
  cds_lfht_add(table_.table_, hash, &node.release()->link);
}

void UrcuTable::Member::erase(std::uint64_t hash, const engine::AddressKey& key) {
  cds_lfht_node* const link = look_up(table_.table_, hash, key);
  if (link != nullptr && cds_lfht_del(table_.table_, link) == 0) {
    call_rcu(&node_of(link)->head, free_node);
  }
}

void UrcuTable::Member::quiescent() { rcu_quiescent_state(); }

}  // namespace millrace::bench
