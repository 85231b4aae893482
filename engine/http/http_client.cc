// SPDX-License-Identifier: Apache-2.0
#include "engine/http/http_client.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <deque>
#include <iterator>
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
constexpr std::size_t kReadBytes = 4u << 10;  // A reply to an offer, in one read.

struct Job {
  bhttp::verb method = bhttp::verb::get;
  std::string path;
  std::string content_type;
  std::string body;
  Client::Done done;
};

class ClientImpl;

// Lane is one connection of the client: it takes a job at a time and keeps its socket
// between them.
class Lane {
 public:
  Lane(ClientImpl& client, asio::io_context& context)
      : client_(client), resolver_(context), socket_(context) {
    buffer_.reserve(kReadBytes);
  }

  bool busy() const { return busy_; }
  Deadline deadline() const { return busy_ ? deadline_ : kNoDeadline; }
  void run(Job job);
  // Ends what is under way.
  void expire();

 private:
  void set_deadline();
  void connect();
  void close();
  void exchange();
  void fail(const char* step, error_code error);
  void finish(Reply reply);

  ClientImpl& client_;
  asio::ip::basic_resolver<tcp, Executor> resolver_;
  asio::basic_stream_socket<tcp, Executor> socket_;
  beast::flat_buffer buffer_;
  Job job_;
  bhttp::request<bhttp::string_body> request_;
  std::optional<bhttp::response_parser<bhttp::string_body>> parser_;
  Deadline deadline_ = kNoDeadline;
  bool expired_ = false;
  bool busy_ = false;
  bool kept_ = false;  // The socket served an earlier job: the server may have closed it.
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
  void watch(Deadline deadline) { deadlines_.watch(deadline); }
  void dispatch() {
    for (const std::unique_ptr<Lane>& lane : lanes_) {
      if (waiting_.empty()) return;
      if (lane->busy()) continue;
      Job job = std::move(waiting_.front());
      waiting_.pop_front();
      lane->run(std::move(job));
    }
  }

 private:
  // asio::post would wake this thread with a lock in its hand that the woken one wants: on one
  // processor that is two switches more.
  void submit(Job job) {
    bool first = false;
    {
      const std::lock_guard lock(mutex_);
      first = inbox_.empty();
      inbox_.push_back(std::move(job));
    }
    const std::uint64_t one = 1;
    if (first && ::write(submitted_.native_handle(), &one, sizeof(one)) < 0) {
      // The counter is full: the thread is being woken.
    }
  }
  void await_submissions() {
    submitted_.async_wait(asio::posix::descriptor_base::wait_read, [this](error_code error) {
      if (error) return;
      std::uint64_t count = 0;
      if (::read(submitted_.native_handle(), &count, sizeof(count)) < 0) {
        // Nothing there: woken for nothing.
      }
      {
        const std::lock_guard lock(mutex_);
        std::move(inbox_.begin(), inbox_.end(), std::back_inserter(waiting_));
        inbox_.clear();
      }
      await_submissions();
      dispatch();
    });
  }

  ClientOptions options_;
  asio::io_context context_{1};
  asio::posix::basic_stream_descriptor<Executor> submitted_{context_};
  DeadlineTimer deadlines_{context_, [this](Deadline now) { return expire_due(lanes_, now); }};
  std::mutex mutex_;
  std::vector<Job> inbox_;  // Under `mutex_`.
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::deque<Job> waiting_;
  std::thread thread_;
};

void Lane::run(Job job) {
  busy_ = true;
  job_ = std::move(job);
  request_ = {job_.method, job_.path, 11};
  request_.set(bhttp::field::host, client_.options().target.authority());
  request_.set(bhttp::field::user_agent, "millrace");
  if (!job_.content_type.empty()) request_.set(bhttp::field::content_type, job_.content_type);
  request_.body() = job_.body;
  request_.prepare_payload();
  kept_ = socket_.is_open();
  if (kept_) return exchange();
  connect();
}

void Lane::set_deadline() {
  expired_ = false;
  deadline_ = std::chrono::steady_clock::now() + client_.options().timeout;
  client_.watch(deadline_);
}

void Lane::expire() {
  expired_ = true;
  deadline_ = kNoDeadline;
  resolver_.cancel();
  close();
}

void Lane::close() {
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
      exchange();
    });
  });
}

void Lane::exchange() {
  set_deadline();
  bhttp::async_write(socket_, request_, [this](error_code error, std::size_t) {
    if (error) return fail("write to", error);
    buffer_.clear();
    parser_.emplace();
    parser_->body_limit(kMaxReplyBytes);
    bhttp::async_read(socket_, buffer_, *parser_, [this](error_code failed, std::size_t) {
      if (failed) return fail("read from", failed);
      const auto& message = parser_->get();
      Reply reply;
      reply.status = message.result_int();
      reply.content_type = media_type(std::string(message[bhttp::field::content_type]));
      reply.location = std::string(message[bhttp::field::location]);
      reply.body = std::move(parser_->get().body());
      if (!message.keep_alive()) close();
      finish(std::move(reply));
    });
  });
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
  busy_ = false;
  const Client::Done done = std::move(job_.done);
  if (done) done(std::move(reply));
  client_.dispatch();
}

}  // namespace

std::unique_ptr<Client> Client::create(ClientOptions options) {
  return std::make_unique<ClientImpl>(std::move(options));
}

}  // namespace millrace::http
