// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace millrace::engine {

// JsonObject appends one object to a text, member by member: traces have some 100,000 a
// second. Names and strings are this program's own, without anything to escape.
class JsonObject {
 public:
  explicit JsonObject(std::string& out) : out_(out) { out_ += '{'; }
  ~JsonObject() { out_ += '}'; }
  JsonObject(const JsonObject&) = delete;
  JsonObject& operator=(const JsonObject&) = delete;

  // Begins a member whose value is appended to the text next.
  std::string& member(std::string_view name) {
    if (!first_) out_ += ',';
    first_ = false;
    (out_ += '"').append(name) += "\":";
    return out_;
  }
  template <std::integral T>
  void number(std::string_view name, T value) {
    member(name) += std::to_string(value);
  }
  // Of milliseconds, to the nanosecond.
  void millis(std::string_view name, std::int64_t nanoseconds) {
    char text[48];
    std::snprintf(text, sizeof(text), "%.6f", static_cast<double>(nanoseconds) / 1e6);
    member(name) += text;
  }
  void text(std::string_view name, std::string_view value) {
    (member(name) += '"').append(value) += '"';
  }
  void flag(std::string_view name) { member(name) += "true"; }

 private:
  std::string& out_;
  bool first_ = true;
};

}  // namespace millrace::engine
