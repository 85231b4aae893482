// SPDX-License-Identifier: Apache-2.0
#include "engine/base/text_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

namespace millrace {
namespace {

TEST(TextFile, IsReadWholeUpToItsBound) {
  char path[] = "/tmp/millrace-text-XXXXXX";
  ::close(::mkstemp(path));
  EXPECT_EQ(read_text_file(path).value(), "");
  std::ofstream(path) << std::string("a\0b\n", 4);
  EXPECT_EQ(read_text_file(path, 4).value(), std::string("a\0b\n", 4));
  EXPECT_EQ(read_text_file(path, 3).error(), "'" + std::string(path) + "' has more than 3 bytes");
  ::unlink(path);
  EXPECT_EQ(read_text_file(path).error(),
            "cannot read '" + std::string(path) + "': No such file or directory");
}

TEST(TextFile, IsNoDirectoryAndNoEndlessDevice) {
  EXPECT_EQ(read_text_file("/").error(), "cannot read '/': Is a directory");
  EXPECT_EQ(read_text_file("/dev/zero").error(), "'/dev/zero' has more than 1048576 bytes");
}

}  // namespace
}  // namespace millrace
