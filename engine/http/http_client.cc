// SPDX-License-Identifier: Apache-2.0
#include "engine/http/http_client.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <deque>
#include <thread>
#include <utility>
#include <vector>

#include "engine/http/media_type.h"

namespace millrace::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;

constexpr std::size_t kMaxReplyBytes = 256u << 10;

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
      : client_(client), resolver_(context), stream_(context) {}

  bool busy() const { return busy_; }
  void run(Job job);

 private:
  void connect();
  void exchange();
  void fail(const char* step, error_code error);
  void finish(Reply reply);

  ClientImpl& client_;
  tcp::resolver resolver_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  Job job_;
  bhttp::request<bhttp::string_body> request_;
  std::optional<bhttp::response_parser<bhttp::string_body>> parser_;
  bool busy_ = false;
  bool kept_ = false;  // The socket served an earlier job: the server may have closed it.
};

class ClientImpl final : public Client {
 public:
  explicit ClientImpl(ClientOptions options)
      : options_(std::move(options)), work_(asio::make_work_guard(context_)) {
    for (unsigned i = 0; i < options_.connections; ++i) {
      lanes_.push_back(std::make_unique<Lane>(*this, context_));
    }
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
  void submit(Job job) {
    asio::post(context_, [this, job = std::move(job)]() mutable {
      waiting_.push_back(std::move(job));
      dispatch();
    });
  }

  ClientOptions options_;
  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
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
  kept_ = stream_.socket().is_open();
  if (kept_) return exchange();
  connect();
}

void Lane::connect() {
  const Url& target = client_.options().target;
  resolver_.async_resolve(
      target.host, target.port, [this](error_code error, const tcp::resolver::results_type& found) {
        if (error) return fail("look up", error);
        stream_.expires_after(client_.options().timeout);
        stream_.async_connect(found, [this](error_code failed, const tcp::endpoint&) {
          if (failed) return fail("connect to", failed);
          error_code ignored;
          stream_.socket().set_option(tcp::no_delay(true), ignored);
          exchange();
        });
      });
}

void Lane::exchange() {
  stream_.expires_after(client_.options().timeout);
  bhttp::async_write(stream_, request_, [this](error_code error, std::size_t) {
    if (error) return fail("write to", error);
    buffer_.clear();
    parser_.emplace();
    parser_->body_limit(kMaxReplyBytes);
    bhttp::async_read(stream_, buffer_, *parser_, [this](error_code failed, std::size_t) {
      if (failed) return fail("read from", failed);
      const auto& message = parser_->get();
      Reply reply;
      reply.status = message.result_int();
      reply.content_type = media_type(std::string(message[bhttp::field::content_type]));
      reply.location = std::string(message[bhttp::field::location]);
      reply.body = std::move(parser_->get().body());
      if (!message.keep_alive()) stream_.close();
      finish(std::move(reply));
    });
  });
}

void Lane::fail(const char* step, error_code error) {
  stream_.close();
  // A kept connection may have been closed while it was idle: that is no failure yet.
  if (std::exchange(kept_, false)) return connect();
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
