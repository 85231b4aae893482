// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <utility>

namespace millrace::http {

using Deadline = std::chrono::steady_clock::time_point;
inline constexpr Deadline kNoDeadline = Deadline::max();

// expire_due ends those of `watched` whose deadline has passed, and returns the earliest of the
// rest; none may leave `watched` meanwhile.
template <class Watched>
Deadline expire_due(const Watched& watched, Deadline now) {
  Deadline next = kNoDeadline;
  for (const auto& one : watched) {
    if (one->deadline() <= now) {
      one->expire();
    } else {
      next = std::min(next, one->deadline());
    }
  }
  return next;
}

// DeadlineTimer watches over the deadlines of many connections with one timer that is hardly ever
// set: most are met, and the next is mostly later. A timer for each operation would be set four
// times a request, and setting one costs as much as reading the request.
// One thread: that of the context.
class DeadlineTimer {
 public:
  // `expire` ends what is due and returns the earliest deadline of the rest, or kNoDeadline.
  using Expire = std::function<Deadline(Deadline now)>;

  DeadlineTimer(boost::asio::io_context& context, Expire expire)
      : timer_(context), expire_(std::move(expire)) {}

  // Sees to it that `expire` runs once `deadline` has passed.
  void watch(Deadline deadline) {
    if (stopped_ || deadline >= set_to_) return;
    set_to_ = deadline;
    timer_.expires_at(deadline);
    timer_.async_wait([this](boost::system::error_code error) {
      if (error || stopped_) return;  // Set anew, or the end.
      set_to_ = kNoDeadline;
      watch(expire_(std::chrono::steady_clock::now()));
    });
  }
  void stop() {
    stopped_ = true;
    timer_.cancel();
  }

 private:
  boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                    boost::asio::wait_traits<std::chrono::steady_clock>,
                                    boost::asio::io_context::executor_type>
      timer_;
  Expire expire_;
  Deadline set_to_ = kNoDeadline;
  bool stopped_ = false;
};

}  // namespace millrace::http
