// SPDX-License-Identifier: Apache-2.0
#include "test/interop/millrace_ledger.h"

#include <algorithm>
#include <utility>

namespace millrace::interop {

void Ledger::note(Message message, Time now) {
  message.at = now;
  ++sent.messages;
  sent.bytes += message.data.size();
  outstanding_bytes_ += message.data.size();
  outstanding_.emplace(message.index, std::move(message));
}

void Ledger::accept(bool text, const std::string& data) {
  if (data.size() < kTagged) return accept_by_content(text, data);
  const auto tag = tag_of(text, data);
  if (!tag || *tag >= sent.messages) {
    ++damaged;
    return;
  }
  accept_tagged(*tag, text, data);
}

void Ledger::accept_tagged(std::size_t tag, bool text, const std::string& data) {
  for (Messages* const messages : {&outstanding_, &expired_}) {
    const auto found = messages->find(tag);
    if (found == messages->end()) continue;
    if (found->second.text == text && found->second.data == data) return settle(*messages, found);
    ++damaged;
    return;
  }
  ++duplicated;
}

// Too short for a tag: the oldest message of the same content, preferably one in order.
void Ledger::accept_by_content(bool text, const std::string& data) {
  Messages* where = nullptr;
  Messages::iterator first;
  for (Messages* const messages : {&outstanding_, &expired_}) {
    for (auto at = messages->begin(); at != messages->end(); ++at) {
      if (at->second.text != text || at->second.data != data) continue;
      if (at->first >= next_) return settle(*messages, at);
      if (where == nullptr) {
        where = messages;
        first = at;
      }
    }
  }
  if (where != nullptr) return settle(*where, first);
  ++damaged;
}

void Ledger::settle(Messages& from, Messages::iterator at) {
  const std::size_t index = at->first;
  ++received.messages;
  received.bytes += at->second.data.size();
  if (&from == &outstanding_) outstanding_bytes_ -= at->second.data.size();
  if (ordered_ && index < next_) ++out_of_order;
  next_ = std::max(next_, index + 1);
  from.erase(at);
}

void Ledger::expire(Time now, Duration age) {
  for (auto at = outstanding_.begin(); at != outstanding_.end();) {
    if (now - at->second.at < age) {
      ++at;
      continue;
    }
    outstanding_bytes_ -= at->second.data.size();
    expired_.insert(std::move(*at));
    at = outstanding_.erase(at);
  }
}

}  // namespace millrace::interop
