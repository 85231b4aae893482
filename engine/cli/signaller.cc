// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/signaller.h"

#include <utility>

namespace millrace::cli {
namespace {

constexpr unsigned kCreated = 201;
constexpr std::size_t kQuotedBytes = 200;

}  // namespace

HttpSignaller::HttpSignaller(const http::Url& target, unsigned in_flight) : path_(target.path) {
  http::ClientOptions options;
  options.target = target;
  options.connections = in_flight;
  client_ = http::Client::create(std::move(options));
}

void HttpSignaller::offer(const std::string& sdp, Done done) {
  client_->post(path_, "application/sdp", sdp, [done = std::move(done)](http::Reply reply) {
    if (!reply.error.empty()) return done(Failure(std::move(reply.error)));
    if (reply.status != kCreated || reply.content_type != "application/sdp") {
      return done(Failure("the offer was answered with " + std::to_string(reply.status) + " " +
                          reply.content_type + ": " + reply.body.substr(0, kQuotedBytes)));
    }
    done(std::move(reply.body));
  });
}

void LocalSignaller::offer(const std::string& sdp, Done done) {
  auto answer = server_.accept_offer(sdp);
  if (!answer.ok()) return done(Failure(answer.error().reason));
  done(std::move(answer.value().sdp));
}

}  // namespace millrace::cli
