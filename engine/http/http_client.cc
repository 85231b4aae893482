// SPDX-License-Identifier: Apache-2.0
#include "engine/http/http_client.h"

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "engine/http/deadline_timer.h"
#include "engine/http/media_type.h"

namespace millrace::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;
// The executor by its own type: the general one is dispatched at each step.
using Executor = asio::io_context::executor_type;

constexpr std::size_t kMaxReplyBytes = 256u << 10;
constexpr std::size_t kReplyBytes = 4u << 10;  // A reply to an offer, in one read.

struct Job {
  bhttp::verb method = bhttp::verb::get;
  std::string path;
  std::string content_type;
  std::string body;
  Client::Done done;
};

class ClientImpl;

// Lane is one connection of the client: it takes a job at a time and keeps its socket between
// them. It is the client's thread's, but for `state` and, while it is idle, all that `send_now`
// touches: that is under the client's mutex.
class Lane {
 public:
  enum class State : std::uint8_t {
    kClosed,
    kIdle,  // Connected; whatever comes in next wakes the client's thread.
    kBusy,
  };

  Lane(ClientImpl& client, asio::io_context& context)
      : client_(client), resolver_(context), socket_(context) {
    buffer_.reserve(kReplyBytes);
  }

  // Under the mutex, these four.
  State state() const { return state_; }
  void take() { state_ = State::kBusy; }
  // Sends the whole request of `job` from any thread, or none of it: then the job stays the
  // caller's. The lane must be idle.
  bool send_now(Job& job);
  Deadline deadline() const;

  // The lane was taken.
  void run(Job job);
  // Ends what is under way.
  void expire();

 private:
  void prepare(Job job);
  void set_deadline();
  void connect();
  void exchange();
  void await_reply();
  void read_reply();
  void fail(const char* step, error_code error);
  void finish(Reply reply);
  void close();

  ClientImpl& client_;
  asio::ip::basic_resolver<tcp, Executor> resolver_;
  asio::basic_stream_socket<tcp, Executor> socket_;
  beast::flat_buffer buffer_;
  Job job_;
  bhttp::request<bhttp::string_body> request_;
  std::optional<bhttp::response_parser<bhttp::string_body>> parser_;
  Deadline deadline_ = kNoDeadline;
  // Of connections: what was begun on an earlier one has no say any more.
  unsigned life_ = 0;
  State state_ = State::kClosed;
  bool expired_ = false;
  char first_byte_ = 0;  // Of a reply, as seen before it is read.
  bool kept_ = false;    // The socket served an earlier job: the server may have closed it.
};

class ClientImpl final : public Client {
 public:
  explicit ClientImpl(ClientOptions options) : options_(std::move(options)) {
    for (unsigned i = 0; i < options_.connections; ++i) {
      lanes_.push_back(std::make_unique<Lane>(*this, context_));
    }
    const int event = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
    submitted_.assign(event);
    await_submissions();
    thread_ = std::thread([this] { context_.run(); });
  }
  ~ClientImpl() override {
    context_.stop();
    thread_.join();
  }

  void post(std::string path, std::string content_type, std::string body, Done done) override {
    submit(Job{bhttp::verb::post, std::move(path), std::move(content_type), std::move(body),
               std::move(done)});
  }
  void remove(std::string path, Done done) override {
    submit(Job{bhttp::verb::delete_, std::move(path), {}, {}, std::move(done)});
  }

  const ClientOptions& options() const { return options_; }
  std::mutex& mutex() { return mutex_; }
  Deadline deadline_from_now() const { return std::chrono::steady_clock::now() + options_.timeout; }
  void watch(Deadline deadline) { deadlines_.watch(deadline); }
  // Gives what waits to lanes that are free.
  void dispatch() {
    for (const std::unique_ptr<Lane>& lane : lanes_) {
      Job job;
      {
        const std::lock_guard lock(mutex_);
        if (waiting_.empty()) return;
        if (lane->state() == Lane::State::kBusy) continue;
        lane->take();
        job = std::move(waiting_.front());
        waiting_.pop_front();
      }
      lane->run(std::move(job));
    }
  }

 private:
  // The caller's thread sends what an idle lane can take at once: the client's, which the reply
  // wakes, need not be woken for the request too. Nor by asio::post, with a lock in the hand that
  // the woken one wants: on one processor that is two switches more.
  void submit(Job job) {
    bool first = false;
    {
      const std::lock_guard lock(mutex_);
      first = waiting_.empty();
      if (first && send_now(job)) return;
      waiting_.push_back(std::move(job));
    }
    const std::uint64_t one = 1;
    if (first && ::write(submitted_.native_handle(), &one, sizeof(one)) < 0) {
      // The counter is full: the thread is being woken.
    }
  }
  bool send_now(Job& job) {
    for (const std::unique_ptr<Lane>& lane : lanes_) {
      if (lane->state() == Lane::State::kIdle) return lane->send_now(job);
    }
    return false;
  }
  void await_submissions() {
    submitted_.async_wait(asio::posix::descriptor_base::wait_read, [this](error_code error) {
      if (error) return;
      std::uint64_t count = 0;
      if (::read(submitted_.native_handle(), &count, sizeof(count)) < 0) {
        // Nothing there: woken for nothing.
      }
      await_submissions();
      dispatch();
    });
  }
  Deadline expire_lanes(Deadline now) {
    const std::lock_guard lock(mutex_);
    return expire_due(lanes_, now);
  }

  ClientOptions options_;
  asio::io_context context_{1};
  asio::posix::basic_stream_descriptor<Executor> submitted_{context_};
  DeadlineTimer deadlines_{context_, [this](Deadline now) { return expire_lanes(now); }};
  std::mutex mutex_;
  std::deque<Job> waiting_;  // Under `mutex_`.
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::thread thread_;
};

void Lane::prepare(Job job) {
  job_ = std::move(job);
  request_ = {job_.method, job_.path, 11};
  request_.set(bhttp::field::host, client_.options().target.authority());
  request_.set(bhttp::field::user_agent, "millrace");
  if (!job_.content_type.empty()) request_.set(bhttp::field::content_type, job_.content_type);
  request_.body() = job_.body;
  request_.prepare_payload();
}

bool Lane::send_now(Job& job) {
  prepare(std::move(job));
  error_code error;
  bhttp::write(socket_, request_, error);
  if (error) {
    // What was sent of it is no request. The client's thread sees the end, and closes.
    ::shutdown(socket_.native_handle(), SHUT_RDWR);
    job = std::move(job_);
    return false;
  }
  take();
  kept_ = true;
  expired_ = false;
  deadline_ = client_.deadline_from_now();
  return true;
}

void Lane::run(Job job) {
  prepare(std::move(job));
  kept_ = socket_.is_open();
  if (kept_) return exchange();
  connect();
}

// An idle lane may be given a job behind the timer's back: the timer looks in on it.
Deadline Lane::deadline() const {
  if (state_ == State::kClosed) return kNoDeadline;
  return state_ == State::kBusy ? deadline_ : client_.deadline_from_now();
}

void Lane::set_deadline() {
  const std::lock_guard lock(client_.mutex());
  expired_ = false;
  deadline_ = client_.deadline_from_now();
  client_.watch(deadline_);
}

void Lane::expire() {
  expired_ = true;
  deadline_ = kNoDeadline;
  resolver_.cancel();
  error_code ignored;
  socket_.close(ignored);
}

void Lane::close() {
  ++life_;
  error_code ignored;
  socket_.close(ignored);
}

void Lane::connect() {
  const Url& target = client_.options().target;
  set_deadline();
  resolver_.async_resolve(target.host, target.port, [this](error_code error, const auto& found) {
    // A name may be found in the moment that time is up.
    if (error || expired_) return fail("look up", error);
    asio::async_connect(socket_, found, [this](error_code failed, const tcp::endpoint&) {
      if (failed || expired_) return fail("connect to", failed);
      error_code ignored;
      socket_.set_option(tcp::no_delay(true), ignored);
      socket_.non_blocking(true, ignored);
      await_reply();
      exchange();
    });
  });
}

void Lane::exchange() {
  set_deadline();
  bhttp::async_write(socket_, request_, [this, life = life_](error_code error, std::size_t) {
    if (error && life == life_) fail("write to", error);
  });
}

// Once for each reply, and before its request is sent. On an idle lane it is the server's end of
// the connection that is heard.
void Lane::await_reply() {
  // A look at its first byte, and no wait for one: that would arm epoll anew each time, which then
  // tells at once that the socket can be written to.
  const auto arrived = [this, life = life_](error_code error, std::size_t) {
    if (life != life_) return;
    {
      const std::lock_guard lock(client_.mutex());
      if (state_ == State::kIdle) {
        state_ = State::kClosed;
        return close();
      }
    }
    if (error) return fail("read from", error);
    read_reply();
  };
  socket_.async_receive(asio::buffer(&first_byte_, 1), tcp::socket::message_peek, arrived);
}

void Lane::read_reply() {
  buffer_.clear();
  parser_.emplace();
  parser_->body_limit(kMaxReplyBytes);
  const auto done = [this, life = life_](error_code error, std::size_t) {
    if (life != life_) return;
    if (error) return fail("read from", error);
    const auto& message = parser_->get();
    Reply reply;
    reply.status = message.result_int();
    reply.content_type = media_type(std::string(message[bhttp::field::content_type]));
    reply.location = std::string(message[bhttp::field::location]);
    reply.body = std::move(parser_->get().body());
    if (message.keep_alive()) {
      await_reply();
    } else {
      close();
    }
    finish(std::move(reply));
  };
  bhttp::async_read(socket_, buffer_, *parser_, done);
}

void Lane::fail(const char* step, error_code error) {
  close();
  if (expired_) error = beast::error::timeout;
  // A kept connection may have been closed while it was idle: that is no failure yet.
  if (std::exchange(kept_, false) && !expired_) return connect();
  Reply reply;
  reply.error = std::string("cannot ") + step + " " + client_.options().target.authority() + ": " +
                error.message();
  finish(std::move(reply));
}

void Lane::finish(Reply reply) {
  const Client::Done done = std::move(job_.done);
  {
    const std::lock_guard lock(client_.mutex());
    state_ = socket_.is_open() ? State::kIdle : State::kClosed;
  }
  if (done) done(std::move(reply));
  client_.dispatch();
}

}  // namespace

std::unique_ptr<Client> Client::create(ClientOptions options) {
  return std::make_unique<ClientImpl>(std::move(options));
}

}  // namespace millrace::http
