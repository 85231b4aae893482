// SPDX-License-Identifier: Apache-2.0
#include "engine/http/http_server.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <list>
#include <optional>
#include <string_view>
#include <thread>

#include "engine/base/address.h"
#include "engine/http/deadline_timer.h"
#include "engine/http/media_type.h"
#include "engine/http/request_target.h"

namespace millrace::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;
// The executor by its own type: the general one is dispatched at each step.
using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<tcp, Executor>;

constexpr milliseconds kAcceptPause{100};
constexpr std::size_t kOfferBytes = 4u << 10;  // An offer, in one read.
constexpr std::size_t kMaxQuoted = 64;         // Of what a client wrote, in an error.
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

using Header = bhttp::request_header<>;

// What is wrong with a header that is HTTP; nothing where it is right.
std::optional<std::string> fault_of(const Header& header) {
  const auto quoted = [](auto text) { return "'" + std::string(text.substr(0, kMaxQuoted)) + "'"; };
  // RFC 9112 §3.2: each of the three is to be answered 400.
  const std::size_t hosts = header.count(bhttp::field::host);
  if (hosts > 1) return "Host is there " + std::to_string(hosts) + " times";
  if (hosts == 0 && header.version() >= 11) return "Host is missing";
  if (const auto host = header[bhttp::field::host]; !is_valid_host({host.data(), host.size()})) {
    return "Host: " + quoted(host) + " is not HOST[:PORT]";
  }
  const auto target = header.target();
  if (!RequestTarget::parse({target.data(), target.size()})) {
    return quoted(target) + " is neither a path nor a URI of http";
  }
  return std::nullopt;
}

// RFC 9110 §10.1.1: in HTTP/1.0 it is to be ignored.
bool expects_continue(const Header& header) {
  return header.version() >= 11 &&
         bhttp::token_list(header[bhttp::field::expect]).exists("100-continue");
}

class ServerImpl;

// Connection is one client: read a header and its body, answer them, again. It owns itself through
// the operation in progress, or as `awaited_`, and tells the server when it is gone.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(ServerImpl& server, Socket socket);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void read();
  void close();
  Deadline deadline() const { return deadline_; }
  // The deadline has passed.
  void expire();

 private:
  void set_deadline(milliseconds patience);
  void on_header(error_code error);
  void send_continue();
  void read_body();
  void on_read(error_code error);
  // Ends what cannot be read; with an answer where that is the client's doing.
  void fail(error_code error);
  void refuse(error_code error);
  void answer();
  Respond make_respond(std::uint64_t turn);
  void on_answer(std::uint64_t turn, const MakeResponse& make);
  void write(Response response, bool keep_alive, unsigned version);

  ServerImpl& server_;
  Socket socket_;
  Deadline deadline_ = kNoDeadline;
  std::shared_ptr<Connection> awaited_;  // Itself, while an answer is awaited.
  std::uint64_t turn_ = 0;               // Counts requests.
  bool closed_ = false;
  beast::flat_buffer buffer_;
  std::optional<bhttp::request_parser<bhttp::string_body>> parser_;
  bhttp::response<bhttp::string_body> response_;
  std::list<Connection*>::iterator place_;
};

class ServerImpl final : public Server {
 public:
  ServerImpl(ServerOptions options, LaterHandler handler)
      : options_(std::move(options)),
        handler_(std::move(handler)),
        acceptor_(*context_),
        pause_(*context_) {}
  ~ServerImpl() override { stop(); }

  std::optional<Error> bind() {
    const std::optional<Address> address = Address::parse(options_.listen);
    if (!address) {
      return Error{"http: '" + options_.listen + "' is not ADDRESS:PORT with a numeric address"};
    }
    error_code error;
    const tcp::endpoint endpoint(asio::ip::make_address(address->ip.to_string(), error),
                                 address->port);
    if (!error) acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error) return Error{"http: cannot listen on " + options_.listen + ": " + error.message()};
    return std::nullopt;
  }

  void start() override {
    accept();
    thread_ = std::thread([this] { context_->run(); });
  }

  void stop() override {
    if (!thread_.joinable()) return;
    asio::post(*context_, [this] {
      stopping_ = true;
      error_code ignored;
      acceptor_.close(ignored);
      pause_.cancel();
      deadlines_.stop();
      // Each leaves the list as its last operation ends, which is after this loop.
      for (Connection* const connection : connections_) connection->close();
    });
    thread_.join();
  }

  std::string address() const override {
    error_code error;
    const tcp::endpoint endpoint = acceptor_.local_endpoint(error);
    if (error) return options_.listen;
    const std::string host = endpoint.address().to_string();
    return (endpoint.address().is_v6() ? "[" + host + "]" : host) + ":" +
           std::to_string(endpoint.port());
  }

  const ServerOptions& options() const { return options_; }
  void handle(const Request& request, Respond respond) const {
    handler_(request, std::move(respond));
  }
  const std::shared_ptr<asio::io_context>& context() const { return context_; }

  std::list<Connection*>::iterator add(Connection& connection) {
    connections_.push_front(&connection);
    return connections_.begin();
  }
  void watch(Deadline deadline) { deadlines_.watch(deadline); }
  void remove(std::list<Connection*>::iterator place) {
    connections_.erase(place);
    if (waiting_ && !stopping_) accept();
  }

 private:
  void accept() {
    waiting_ = connections_.size() >= options_.max_connections;
    if (waiting_) return;
    acceptor_.async_accept([this](error_code error, Socket socket) {
      if (stopping_ || error == asio::error::operation_aborted) return;
      if (error) return pause();
      error_code ignored;
      socket.set_option(tcp::no_delay(true), ignored);
      std::make_shared<Connection>(*this, std::move(socket))->read();
      accept();
    });
  }

  // Out of descriptors, most likely: a loop without a pause would only burn.
  void pause() {
    pause_.expires_after(kAcceptPause);
    pause_.async_wait([this](error_code error) {
      if (!error && !stopping_) accept();
    });
  }

  ServerOptions options_;
  LaterHandler handler_;
  // Answers that are still owed hold it, too.
  std::shared_ptr<asio::io_context> context_ = std::make_shared<asio::io_context>(1);
  asio::basic_socket_acceptor<tcp, Executor> acceptor_;
  asio::steady_timer pause_;
  DeadlineTimer deadlines_{*context_,
                           [this](Deadline now) { return expire_due(connections_, now); }};
  std::list<Connection*> connections_;
  bool waiting_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

Connection::Connection(ServerImpl& server, Socket socket)
    : server_(server),
      socket_(std::move(socket)),
      buffer_(server.options().max_header_bytes + server.options().max_body_bytes),
      place_(server.add(*this)) {
  buffer_.reserve(std::min(kOfferBytes, buffer_.max_size()));
}

Connection::~Connection() { server_.remove(place_); }

void Connection::set_deadline(milliseconds patience) {
  deadline_ = std::chrono::steady_clock::now() + patience;
  server_.watch(deadline_);
}

void Connection::read() {
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(server_.options().max_header_bytes));
  parser_->body_limit(server_.options().max_body_bytes);
  set_deadline(server_.options().request_timeout);
  bhttp::async_read_header(
      socket_, buffer_, *parser_,
      [self = shared_from_this()](error_code error, std::size_t) { self->on_header(error); });
}

void Connection::on_header(error_code error) {
  if (closed_) return;  // Its time was up as the header came.
  if (error) return fail(error);
  if (const auto fault = fault_of(parser_->get())) {
    return write(error_response(400, *fault), false, 11);
  }
  if (parser_->is_done()) return answer();
  // RFC 9110 §10.1.1: who has begun to send the body does not wait.
  if (buffer_.size() == 0 && expects_continue(parser_->get())) return send_continue();
  read_body();
}

// It counts against the time for the whole request: who does not read it is not waited for.
void Connection::send_continue() {
  asio::async_write(socket_, asio::buffer(kContinue.data(), kContinue.size()),
                    [self = shared_from_this()](error_code error, std::size_t) {
                      if (!error && !self->closed_) self->read_body();
                    });
}

void Connection::read_body() {
  bhttp::async_read(
      socket_, buffer_, *parser_,
      [self = shared_from_this()](error_code error, std::size_t) { self->on_read(error); });
}

void Connection::close() {
  closed_ = true;
  deadline_ = kNoDeadline;
  error_code ignored;
  socket_.close(ignored);
  // Who calls may be going through the connections.
  if (awaited_) asio::post(*server_.context(), [self = std::move(awaited_)] {});
}

void Connection::expire() {
  if (!awaited_) return close();
  deadline_ = kNoDeadline;
  asio::post(*server_.context(), [self = shared_from_this(), turn = turn_] {
    self->on_answer(turn, [] { return error_response(503, "no answer in time"); });
  });
}

void Connection::on_read(error_code error) {
  if (closed_) return;  // Its time was up as the request came.
  if (error) return fail(error);
  answer();
}

void Connection::fail(error_code error) {
  if (error == bhttp::error::end_of_stream) {
    error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_both, ignored);
    return;
  }
  if (error.category() == bhttp::make_error_code(bhttp::error::bad_method).category()) {
    refuse(error);
  }
}

void Connection::refuse(error_code error) {
  if (error == bhttp::error::body_limit) {
    return write(
        error_response(413, "the body is larger than " +
                                std::to_string(server_.options().max_body_bytes) + " bytes"),
        false, 11);
  }
  if (error == bhttp::error::header_limit || error == bhttp::error::buffer_overflow) {
    return write(
        error_response(431, "the header is larger than " +
                                std::to_string(server_.options().max_header_bytes) + " bytes"),
        false, 11);
  }
  write(error_response(400, "not HTTP/1.1: " + error.message()), false, 11);
}

void Connection::answer() {
  const bhttp::request<bhttp::string_body>& message = parser_->get();
  Request request;
  request.method = std::string(message.method_string());
  // It has been parsed before, for `fault_of`.
  const auto target = RequestTarget::parse({message.target().data(), message.target().size()});
  request.path = std::string(target->path);
  request.query = std::string(target->query);
  request.content_type = media_type(std::string(message[bhttp::field::content_type]));
  request.body = std::move(parser_->get().body());
  const std::uint64_t turn = ++turn_;
  awaited_ = shared_from_this();
  set_deadline(server_.options().answer_timeout);
  server_.handle(request, make_respond(turn));
}

Respond Connection::make_respond(std::uint64_t turn) {
  return [connection = weak_from_this(), context = server_.context(), turn](MakeResponse make) {
    asio::post(*context, [connection, turn, make = std::move(make)] {
      if (const auto self = connection.lock()) self->on_answer(turn, make);
    });
  };
}

void Connection::on_answer(std::uint64_t turn, const MakeResponse& make) {
  if (!awaited_ || turn != turn_ || closed_) return;
  const std::shared_ptr<Connection> self = std::move(awaited_);
  write(make(), parser_->get().keep_alive(), parser_->get().version());
}

void Connection::write(Response response, bool keep_alive, unsigned version) {
  const bool head = parser_->get().method() == bhttp::verb::head;
  response_ = {};
  response_.version(version);
  response_.result(response.status);
  response_.set(bhttp::field::server, "millrace");
  if (!response.content_type.empty()) {
    response_.set(bhttp::field::content_type, response.content_type);
    response_.set(bhttp::field::cache_control, "no-store");
    response_.set("X-Content-Type-Options", "nosniff");
  }
  if (!response.location.empty()) response_.set(bhttp::field::location, response.location);
  if (!response.allow.empty()) response_.set(bhttp::field::allow, response.allow);
  if (!server_.options().cors_origin.empty()) {
    response_.set(bhttp::field::access_control_allow_origin, server_.options().cors_origin);
    response_.set(bhttp::field::access_control_allow_methods, "GET, POST, DELETE, OPTIONS");
    response_.set(bhttp::field::access_control_allow_headers, "Content-Type");
    response_.set(bhttp::field::access_control_expose_headers, "Location");
  }
  response_.keep_alive(keep_alive);
  response_.content_length(response.body.size());
  if (!head) response_.body() = std::move(response.body);
  set_deadline(server_.options().request_timeout);
  bhttp::async_write(socket_, response_,
                     [self = shared_from_this(), keep_alive](error_code error, std::size_t) {
                       if (!error && keep_alive) return self->read();
                       error_code ignored;
                       self->socket_.shutdown(tcp::socket::shutdown_send, ignored);
                     });
}

}  // namespace

Result<std::unique_ptr<Server>, Error> Server::create(ServerOptions options, Handler handler) {
  return create_later(std::move(options), [handler = std::move(handler)](const Request& request,
                                                                         const Respond& respond) {
    respond([response = handler(request)] { return response; });
  });
}

Result<std::unique_ptr<Server>, Error> Server::create_later(ServerOptions options,
                                                            LaterHandler handler) {
  auto server = std::make_unique<ServerImpl>(std::move(options), std::move(handler));
  if (std::optional<Error> error = server->bind()) return Failure(*error);
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace millrace::http
