// SPDX-License-Identifier: Apache-2.0
//
// The HTTP server and client over real loopback sockets.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "engine/base/address.h"
#include "engine/http/http_client.h"
#include "engine/http/http_server.h"

namespace millrace::http {
namespace {

// RawClient sends what no client would.
class RawClient {
 public:
  explicit RawClient(const std::string& address) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(Address::parse(address)->port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
  }
  ~RawClient() { ::close(fd_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  void send(const std::string& text) {
    EXPECT_EQ(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  // One read; empty when the server has closed.
  std::string receive() {
    char bytes[4096];
    const ssize_t got = ::recv(fd_, bytes, sizeof(bytes), 0);
    return got <= 0 ? std::string() : std::string(bytes, static_cast<std::size_t>(got));
  }
  std::string receive_all() {
    std::string all;
    for (std::string some = receive(); !some.empty(); some = receive()) all += some;
    return all;
  }

 private:
  int fd_;
};

class HttpTest : public testing::Test {
 protected:
  void start(ServerOptions options = {}) {
    options.listen = "127.0.0.1:0";
    auto server = Server::create(options, [](const Request& request) {
      if (request.path == "/missing") return error_response(404, "nothing \"here\"");
      Response response;
      response.status = request.method == "POST" ? 201 : 200;
      response.content_type = "text/plain";
      response.body = request.method + " " + request.content_type + " " + request.body;
      response.location = request.method == "POST" ? "/made" : "";
      return response;
    });
    ASSERT_TRUE(server.ok());
    server_ = std::move(server).value();
    server_->start();
  }

  std::unique_ptr<Client> client(milliseconds timeout = milliseconds(5000)) {
    ClientOptions options;
    options.target = *Url::parse("http://" + server_->address() + "/");
    options.connections = 2;
    options.timeout = timeout;
    return Client::create(options);
  }

  static Reply post(Client& client, const std::string& path, const std::string& body) {
    std::promise<Reply> promise;
    client.post(path, "Text/Plain; q=1", body, [&](Reply reply) { promise.set_value(reply); });
    return promise.get_future().get();
  }

  std::unique_ptr<Server> server_;
};

TEST_F(HttpTest, AnswersRequestsOfAClient) {
  start();
  const auto dialler = client();
  for (int i = 0; i < 10; ++i) {
    const Reply reply = post(*dialler, "/x?y=z", "body");
    EXPECT_EQ(reply.error, "");
    EXPECT_EQ(reply.status, 201u);
    EXPECT_EQ(reply.location, "/made");
    EXPECT_EQ(reply.content_type, "text/plain");
    EXPECT_EQ(reply.body, "POST text/plain body");
  }
  std::promise<Reply> removed;
  dialler->remove("/x", [&](Reply reply) { removed.set_value(reply); });
  EXPECT_EQ(removed.get_future().get().body, "DELETE  ");
}

TEST_F(HttpTest, WritesReasonsAsJson) {
  start();
  const Reply reply = post(*client(), "/missing", "");
  EXPECT_EQ(reply.status, 404u);
  EXPECT_EQ(reply.body, "{\"error\":\"nothing \\\"here\\\"\"}\n");
}

TEST_F(HttpTest, QuotesBytesThatAreNotUtf8) {
  EXPECT_EQ(error_response(400, "\xff").body, "{\"error\":\"\xef\xbf\xbd\"}\n");
}

TEST_F(HttpTest, KeepsAConnectionForSeveralRequests) {
  start();
  RawClient raw(server_->address());
  for (int i = 0; i < 3; ++i) {
    raw.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(raw.receive().substr(0, 15), "HTTP/1.1 200 OK");
  }
}

TEST_F(HttpTest, RefusesBodiesAndHeadersAboveTheirLimit) {
  ServerOptions options;
  options.max_body_bytes = 100;
  options.max_header_bytes = 200;
  start(options);
  RawClient body(server_->address());
  body.send("POST / HTTP/1.1\r\nContent-Length: 101\r\n\r\n");
  EXPECT_EQ(body.receive_all().substr(0, 12), "HTTP/1.1 413");
  RawClient header(server_->address());
  header.send("GET / HTTP/1.1\r\nX: " + std::string(300, 'x') + "\r\n\r\n");
  EXPECT_EQ(header.receive_all().substr(0, 12), "HTTP/1.1 431");
}

TEST_F(HttpTest, RefusesWhatIsNotHttp) {
  start();
  for (const char* text : {"\r\n\r\n\r\n", "GET\r\n\r\n", "\x16\x03\x01 hello hello\r\n\r\n"}) {
    RawClient raw(server_->address());
    raw.send(text);
    EXPECT_EQ(raw.receive_all().substr(0, 12), "HTTP/1.1 400") << text;
  }
}

// RFC 9112 §3.2.
TEST_F(HttpTest, RefusesAHostThatIsMissingRepeatedOrInvalid) {
  start();
  for (const char* field : {"", "Host: x\r\nHost: x\r\n", "Host: a b\r\n", "Host: x:y\r\n"}) {
    RawClient raw(server_->address());
    raw.send(std::string("GET / HTTP/1.1\r\n") + field + "\r\n");
    const std::string reply = raw.receive_all();
    EXPECT_EQ(reply.substr(0, 12), "HTTP/1.1 400") << field;
    EXPECT_NE(reply.find("{\"error\":\"Host"), std::string::npos) << reply;
  }
  RawClient old(server_->address());
  old.send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_EQ(old.receive_all().substr(0, 12), "HTTP/1.0 200");
}

// RFC 9112 §3.2.2.
TEST_F(HttpTest, ServesATargetInAbsoluteForm) {
  start();
  RawClient raw(server_->address());
  raw.send("POST http://host/missing?x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(raw.receive().substr(0, 12), "HTTP/1.1 404");
  raw.send("GET ftp://host/missing HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(raw.receive_all().substr(0, 12), "HTTP/1.1 400");
}

constexpr char kExpectant[] =
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-Continue\r\n\r\n";

// RFC 9110 §10.1.1.
TEST_F(HttpTest, TellsAClientThatWaitsToSendItsBody) {
  start();
  RawClient raw(server_->address());
  for (int i = 0; i < 2; ++i) {
    raw.send(kExpectant);
    EXPECT_EQ(raw.receive(), "HTTP/1.1 100 Continue\r\n\r\n");
    raw.send("body");
    const std::string reply = raw.receive();
    EXPECT_EQ(reply.substr(0, 12), "HTTP/1.1 201");
    EXPECT_NE(reply.find("POST  body"), std::string::npos) << reply;
  }
}

// RFC 9110 §10.1.1: with its body here, without one, of HTTP/1.0, or refused as it is.
TEST_F(HttpTest, TellsNothingToAClientThatNeedNotWait) {
  ServerOptions options;
  options.max_body_bytes = 100;
  start(options);
  const std::string expect = "Expect: 100-continue\r\n";
  const struct {
    std::string request;
    const char* status;
  } kCases[] = {
      {kExpectant + std::string("body"), "HTTP/1.1 201"},
      {"GET / HTTP/1.1\r\nHost: x\r\n" + expect + "\r\n", "HTTP/1.1 200"},
      {"POST / HTTP/1.1\r\nContent-Length: 4\r\n" + expect + "\r\n", "HTTP/1.1 400"},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n" + expect + "\r\n", "HTTP/1.1 413"},
  };
  for (const auto& [request, status] : kCases) {
    RawClient raw(server_->address());
    raw.send(request);
    EXPECT_EQ(raw.receive().substr(0, 12), status) << request;
  }
  RawClient old(server_->address());
  old.send("POST / HTTP/1.0\r\nContent-Length: 4\r\n" + expect + "\r\n");
  std::this_thread::sleep_for(milliseconds(20));
  old.send("body");
  EXPECT_EQ(old.receive().substr(0, 12), "HTTP/1.0 201");
}

TEST_F(HttpTest, DropsAClientThatWasToldToSendItsBodyAndDoesNot) {
  ServerOptions options;
  options.request_timeout = milliseconds(100);
  start(options);
  RawClient raw(server_->address());
  raw.send(kExpectant);
  EXPECT_EQ(raw.receive(), "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(raw.receive(), "");
}

TEST_F(HttpTest, DropsAClientThatIsTooSlow) {
  ServerOptions options;
  options.request_timeout = milliseconds(100);
  start(options);
  RawClient raw(server_->address());
  raw.send("GET / HTTP/1.1\r\nHost:");
  EXPECT_EQ(raw.receive(), "");
}

TEST_F(HttpTest, TakesNoMoreConnectionsThanItsLimit) {
  ServerOptions options;
  options.max_connections = 1;
  options.request_timeout = milliseconds(200);
  start(options);
  RawClient first(server_->address());
  RawClient second(server_->address());
  second.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  // It is answered as soon as the first, which says nothing, has been dropped.
  EXPECT_EQ(second.receive_all().substr(0, 12), "HTTP/1.1 200");
  EXPECT_EQ(first.receive(), "");
}

TEST_F(HttpTest, ClientDialsAgainWhenAKeptConnectionWasClosed) {
  ServerOptions options;
  options.request_timeout = milliseconds(50);
  start(options);
  const auto dialler = client();
  EXPECT_EQ(post(*dialler, "/", "1").status, 201u);
  std::this_thread::sleep_for(milliseconds(200));
  EXPECT_EQ(post(*dialler, "/", "2").status, 201u);
}

// An idle connection's request is sent by the caller's thread; who finds none waits for the
// client's.
TEST_F(HttpTest, ClientServesManyThreadsAndEachGetsItsOwnAnswer) {
  start();
  const auto dialler = client();
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const std::string body = std::to_string(1000 * t + i);
        right += post(*dialler, "/", body).body == "POST text/plain " + body ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 200);
}

// Some while they are closed, and none is lost for it.
TEST_F(HttpTest, ClientLosesNoRequestToConnectionsThatEndBetweenThem) {
  ServerOptions options;
  options.request_timeout = milliseconds(5);
  start(options);
  const auto dialler = client();
  for (int i = 0; i < 60; ++i) {
    EXPECT_EQ(post(*dialler, "/", std::to_string(i)).status, 201u);
    std::this_thread::sleep_for(microseconds(4000 + 50 * i));
  }
}

TEST_F(HttpTest, ClientTellsWhyThereIsNoAnswer) {
  start();
  const auto dialler = client();
  server_->stop();
  const Reply reply = post(*dialler, "/", "");
  EXPECT_NE(reply.error.find("cannot connect to 127.0.0.1:"), std::string::npos) << reply.error;
}

TEST_F(HttpTest, StopsWithConnectionsOpen) {
  start();
  RawClient idle(server_->address());
  idle.send("GET / HTTP/1.1\r\n");
  server_->stop();
  EXPECT_EQ(idle.receive(), "");
}

// LaterTest has a server whose answers come from another thread.
class LaterTest : public testing::Test {
 protected:
  void start(ServerOptions options, LaterHandler handler) {
    options.listen = "127.0.0.1:0";
    auto server = Server::create_later(options, std::move(handler));
    ASSERT_TRUE(server.ok());
    server_ = std::move(server).value();
    server_->start();
  }
  static MakeResponse text(std::string body) {
    return [body = std::move(body)] {
      Response response;
      response.body = body;
      return response;
    };
  }
  std::unique_ptr<Server> server_;
};

TEST_F(LaterTest, AnswersFromAnotherThreadAndTheFirstAnswerCounts) {
  std::vector<std::thread> threads;
  start({}, [&](const Request& request, Respond respond) {
    threads.emplace_back([query = request.query, respond = std::move(respond)] {
      respond(text("first " + query));
      respond(text("second"));
    });
  });
  RawClient raw(server_->address());
  for (int i = 0; i < 3; ++i) {
    raw.send("GET /x?a=b?c HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string reply = raw.receive();
    EXPECT_EQ(reply.substr(0, 15), "HTTP/1.1 200 OK");
    EXPECT_NE(reply.find("first a=b?c"), std::string::npos) << reply;
  }
  server_->stop();
  for (std::thread& thread : threads) thread.join();
}

TEST_F(LaterTest, GivesUpOnAnAnswerThatDoesNotCome) {
  ServerOptions options;
  options.answer_timeout = milliseconds(50);
  std::vector<Respond> kept;
  start(options, [&](const Request&, Respond respond) { kept.push_back(std::move(respond)); });
  RawClient raw(server_->address());
  raw.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(raw.receive().substr(0, 12), "HTTP/1.1 503");
  kept.front()(text("too late"));
  raw.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(raw.receive().substr(0, 12), "HTTP/1.1 503") << "the late answer is not this request's";
}

TEST_F(LaterTest, TakesAnAnswerAfterItsEnd) {
  std::promise<Respond> owed;
  start({}, [&](const Request&, Respond respond) { owed.set_value(std::move(respond)); });
  RawClient raw(server_->address());
  raw.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const Respond respond = owed.get_future().get();
  server_->stop();
  EXPECT_EQ(raw.receive(), "");
  server_.reset();
  respond(text("to nobody"));
}

TEST_F(HttpTest, NamesTheAddressThatIsInUse) {
  start();
  ServerOptions options;
  options.listen = server_->address();
  const auto second = Server::create(options, {});
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.error().message.find(server_->address()), std::string::npos);
}

TEST(Url, ParsesItsParts) {
  const auto url = Url::parse("http://[::1]:8080/offer");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->host, "::1");
  EXPECT_EQ(url->port, "8080");
  EXPECT_EQ(url->path, "/offer");
  EXPECT_EQ(url->authority(), "[::1]:8080");
  EXPECT_EQ(Url::parse("http://example.com")->path, "/");
  EXPECT_EQ(Url::parse("http://example.com/x")->port, "80");
}

TEST(Url, RefusesWhatIsNone) {
  for (const char* text :
       {"", "example.com", "https://x/", "http://", "http://:80/", "http://x:/", "http://x:99999/",
        "http://x:8a/", "http://[::1", "http://[::1]8/", "http://a b/", "http://x/\r\nHost: y"}) {
    EXPECT_FALSE(Url::parse(text)) << text;
  }
}

}  // namespace
}  // namespace millrace::http
