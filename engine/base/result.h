// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <utility>
#include <variant>

#include "engine/base/check.h"

namespace millrace {

// Failure wraps an error so that it converts to a `Result` of any value type:
// `return Failure(ConfigError{...});`.
template <class E>
struct Failure {
  E error;
  explicit Failure(E e) : error(std::move(e)) {}
};

// Result is a value or the error that prevented it. It is for set-up, configuration
// and handshakes; the packet path uses `std::optional` and drop counters instead.
// Reading the wrong side is a CHECK failure.
template <class T, class E>
class [[nodiscard]] Result {
 public:
  Result(T value)
      : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT(google-explicit-constructor)
  template <class F>
  Result(Failure<F> failure)  // NOLINT(google-explicit-constructor)
      : state_(std::in_place_index<1>, std::move(failure.error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & {
    CHECK(ok());
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    CHECK(ok());
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    CHECK(ok());
    return std::move(*std::get_if<0>(&state_));
  }
  const E& error() const {
    CHECK(!ok());
    return *std::get_if<1>(&state_);
  }
  T& operator*() & { return value(); }
  T* operator->() { return &value(); }

 private:
  std::variant<T, E> state_;
};

}  // namespace millrace
