// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "engine/http/http_client.h"
#include "millrace/engine.h"

namespace millrace::cli {

// Signaller brings offers to the other end and answers back.
class Signaller {
 public:
  // The answer, or in words why there is none. On any thread.
  using Done = std::function<void(Result<std::string, std::string> answer)>;

  virtual ~Signaller() = default;
  virtual void offer(const std::string& sdp, Done done) = 0;
};

// HttpSignaller POSTs to an address, as `millrace serve` expects it.
class HttpSignaller final : public Signaller {
 public:
  HttpSignaller(const http::Url& target, unsigned in_flight);
  void offer(const std::string& sdp, Done done) override;

 private:
  std::string path_;
  std::unique_ptr<http::Client> client_;
};

// LocalSignaller asks an engine of the same process.
class LocalSignaller final : public Signaller {
 public:
  explicit LocalSignaller(Engine& server) : server_(server) {}
  void offer(const std::string& sdp, Done done) override;

 private:
  Engine& server_;
};

}  // namespace millrace::cli
