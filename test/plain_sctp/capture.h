// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdio>
#include <memory>
#include <string>

#include "engine/base/address.h"
#include "engine/base/bytes.h"
#include "engine/record/pcapng.h"

namespace millrace::test {

// Capture is a pcapng file of one UDP address's packets, whole and in order. A packet is in the
// file when `add` returns, so that a run that is killed leaves what it did.
class Capture {
 public:
  // Null where the file cannot be written.
  static std::unique_ptr<Capture> create(const std::string& path, const Address& local);

  void add(bool outbound, const Address& remote, ByteSpan packet);
  // False where something of it was not written. Nothing is added after it.
  bool finish();

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  Capture(std::FILE* file, const Address& local) : file_(file), local_(local) {}
  void write();

  std::unique_ptr<std::FILE, Close> file_;
  Address local_;
  engine::pcapng::Buffer block_;
};

}  // namespace millrace::test
