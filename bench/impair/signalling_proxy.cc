// SPDX-License-Identifier: Apache-2.0
#include "bench/impair/signalling_proxy.h"

#include <future>
#include <utility>

namespace millrace::impair {
namespace {

// The server's own thread waits: it has nothing else to do.
http::Reply wait_for(const std::function<void(http::Client::Done)>& start) {
  auto promise = std::make_shared<std::promise<http::Reply>>();
  start([promise](http::Reply reply) { promise->set_value(std::move(reply)); });
  return promise->get_future().get();
}

http::Response pass_on(const http::Reply& reply) {
  if (!reply.error.empty()) return http::error_response(502, reply.error);
  http::Response response;
  response.status = reply.status;
  response.content_type = reply.content_type;
  response.body = reply.body;
  response.location = reply.location;
  return response;
}

}  // namespace

SignallingProxy::SignallingProxy(const http::Url& target, const Address& proxy, RouteBook& routes)
    : path_(target.path),
      proxy_(proxy),
      routes_(routes),
      client_(http::Client::create({.target = target, .connections = 1})) {}

http::Response SignallingProxy::handle(const http::Request& request) {
  if (request.method == "POST") return offer(request);
  if (request.method == "DELETE") return remove(request);
  http::Response response = http::error_response(405, "POST an offer, or DELETE a session");
  response.allow = "POST, DELETE";
  return response;
}

http::Response SignallingProxy::offer(const http::Request& request) {
  const http::Reply reply = wait_for([&](http::Client::Done done) {
    client_->post(path_, request.content_type, without_candidates(request.body), std::move(done));
  });
  http::Response response = pass_on(reply);
  if (response.status != 200 && response.status != 201) return response;
  const RewrittenAnswer answer = rewrite_answer(reply.body, proxy_);
  if (answer.server && !answer.server_ufrag.empty()) {
    routes_.add(answer.server_ufrag, *answer.server);
  } else if (routes_.learns()) {
    return http::error_response(502, "the answer has no UDP candidate");
  }
  response.body = answer.sdp;
  return response;
}

http::Response SignallingProxy::remove(const http::Request& request) {
  return pass_on(
      wait_for([&](http::Client::Done done) { client_->remove(request.path, std::move(done)); }));
}

}  // namespace millrace::impair
