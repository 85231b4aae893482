// SPDX-License-Identifier: Apache-2.0
#include "io/control_message.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/udp.h>

#include <array>
#include <cstring>

#include "io/io_error.h"
#include "io/kernel_address.h"

namespace millrace::io {
namespace {

IpAddress parsed(const char* text) { return *IpAddress::parse(text); }

TEST(ControlMessage, ReadsBackWhatItWrites) {
  for (const bool v6 : {false, true}) {
    alignas(cmsghdr) std::array<std::uint8_t, kTxControlBytes> bytes{};
    const IpAddress local = v6 ? parsed("2001:db8::7") : parsed("192.0.2.7");
    const std::size_t used = write_control(bytes.data(), 1200, local, v6);
    ASSERT_LE(used, kTxControlBytes);
    if (v6) {
      EXPECT_EQ(read_control(bytes.data(), used).local, local);
    } else {
      // The source to send from and the destination received lie in different fields.
      in_pktinfo info;
      std::memcpy(&info, bytes.data() + CMSG_SPACE(sizeof(std::uint16_t)) + CMSG_LEN(0),
                  sizeof(info));
      EXPECT_EQ(from_kernel(info.ipi_spec_dst), local);
    }
  }
}

TEST(ControlMessage, EveryTruncationIsReadSafely) {
  alignas(cmsghdr) std::array<std::uint8_t, kTxControlBytes> bytes{};
  const std::size_t used = write_control(bytes.data(), 1200, parsed("::1"), true);
  for (std::size_t n = 0; n < used; ++n) {
    const RxControl control = read_control(bytes.data(), n);
    EXPECT_EQ(control.segment_bytes, 0u);
    if (n < CMSG_SPACE(2) + CMSG_LEN(sizeof(in6_pktinfo))) {
      EXPECT_EQ(control.local, IpAddress{});
    }
  }
}

TEST(ControlMessage, LengthsThatLieEndTheWalk) {
  for (const std::size_t lie : {0ul, 1ul, 15ul, 65ul, ~0ul}) {
    alignas(cmsghdr) std::array<std::uint8_t, kTxControlBytes> bytes{};
    cmsghdr header{};
    header.cmsg_len = lie;
    header.cmsg_level = SOL_UDP;
    header.cmsg_type = UDP_GRO;
    std::memcpy(bytes.data(), &header, sizeof(header));
    EXPECT_EQ(read_control(bytes.data(), bytes.size()).segment_bytes, 0u) << lie;
  }
}

TEST(KernelAddress, MapsIpv4ForIpv6SocketsAndBack) {
  const Address v4 = *Address::parse("192.0.2.1:5000");
  const Address v6 = *Address::parse("[2001:db8::1]:5000");
  KernelAddress out;
  EXPECT_EQ(to_kernel(v4, false, out), sizeof(sockaddr_in));
  EXPECT_EQ(from_kernel(out, sizeof(sockaddr_in)), v4);
  EXPECT_EQ(to_kernel(v4, true, out), sizeof(sockaddr_in6));
  EXPECT_EQ(from_kernel(out, sizeof(sockaddr_in6)), v4);
  EXPECT_EQ(to_kernel(v6, true, out), sizeof(sockaddr_in6));
  EXPECT_EQ(from_kernel(out, sizeof(sockaddr_in6)), v6);
  EXPECT_FALSE(from_kernel(out, sizeof(sockaddr_in6) - 1));
  EXPECT_EQ(to_kernel(v6, false, out), 0u);
  EXPECT_EQ(to_kernel({}, true, out), 0u);
}

TEST(IoError, IsOneLineOfPlainWords) {
  EXPECT_EQ(io_error("bind udp [::]:1", EACCES).message, "bind udp [::]:1: permission denied");
}

TEST(IoDrop, EveryReasonHasAName) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(IoDrop::kCount); ++i) {
    EXPECT_NE(drop_name(static_cast<IoDrop>(i)), "unknown");
  }
}

}  // namespace
}  // namespace millrace::io
