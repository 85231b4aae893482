// SPDX-License-Identifier: Apache-2.0
//
// Datagrams larger than the interface: lost with DF, and fragmented where that is allowed. Each
// test is a process in a network namespace of its own, whose loopback has an MTU of 1500.
#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/datapath_fixture.h"

namespace millrace::io {
namespace {

constexpr std::size_t kMtu = 1500;
constexpr int kUnavailable = 77;

// True if this process is alone with a loopback of kMtu.
bool enter_network() {
  if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return false;
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  request.ifr_name[0] = 'l';
  request.ifr_name[1] = 'o';
  request.ifr_mtu = kMtu;
  bool done = fd >= 0 && ioctl(fd, SIOCSIFMTU, &request) == 0;
  request.ifr_flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING;
  done = done && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
  if (fd >= 0) close(fd);
  return done;
}

template <class Pair>
class FragmentsTest : public DatapathTest<Pair> {
 protected:
  void SetUp() override {}
  // Runs `check` there; it returns what it found wrong.
  void run_apart(const std::function<std::string()>& check) {
    std::array<int, 2> pipe_fds{};
    ASSERT_EQ(pipe(pipe_fds.data()), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      if (!enter_network()) _exit(kUnavailable);
      this->use({});
      if (!this->pair_->available()) _exit(kUnavailable);
      const std::string wrong = check();
      const ssize_t written = write(pipe_fds[1], wrong.data(), wrong.size());
      _exit(wrong.empty() && written == 0 ? 0 : 1);
    }
    close(pipe_fds[1]);
    std::array<char, 512> text{};
    const ssize_t length = read(pipe_fds[0], text.data(), text.size());
    close(pipe_fds[0]);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == kUnavailable) {
      GTEST_SKIP() << "no namespaces, or no io_uring, in this sandbox";
    }
    EXPECT_EQ(status, 0) << std::string(text.data(),
                                        static_cast<std::size_t>(std::max<ssize_t>(length, 0)));
  }
  bool send_fragmentable(const Destination& to, std::size_t bytes, std::uint8_t seed) {
    TxRun run = this->a().reserve(to, bytes, 1);
    if (run.empty()) return false;
    const auto payload = pattern(bytes, seed);
    std::copy(payload.begin(), payload.end(), run.next().begin());
    run.push(bytes);
    run.allow_fragments();
    this->a().commit(run);
    return true;
  }
  std::string check_family(const IpAddress& ip) {
    const SocketId from = this->open(this->a(), ip);
    const SocketId to = this->open(this->b(), ip);
    this->start();
    const Destination target{from, this->b().local_address(to), {}};
    // RFC 8899 §3 (2): a probe above the interface's MTU is lost, and the socket goes on.
    if (!this->send(this->a(), target, 3000, {3000})) return "no room";
    this->a().flush();
    if (!this->receive(this->b(), 1).empty()) return "a datagram with DF came in fragments";
    if (this->a().stats().dropped(IoDrop::kTxTooBig) != 1) return "it was not counted as too big";
    const std::span<const RefusedSend> refused = this->a().refused_sends();
    if (refused.size() != 1 || refused[0].socket != from || refused[0].bytes != 3000 ||
        refused[0].remote != target.remote) {
      return "it was not told";
    }
    // So is each of a segmented send.
    this->send(this->a(), target, 2000, {2000, 2000, 2000});
    this->a().flush();
    if (!this->receive(this->b(), 1).empty()) return "a segment with DF came in fragments";
    this->receive(this->a(), 1);  // A ring tells with what is received.
    if (this->a().refused_sends().empty()) return "segments were not told";
    if (!this->a().refused_sends().empty()) return "told twice";
    // RFC 9260 §6.9: what may be fragmented arrives, between others that keep their DF.
    this->send(this->a(), target, 1000, {1000, 1000});
    this->send_fragmentable(target, 3000, 50);
    this->send_fragmentable(target, 8000, 60);
    this->send(this->a(), target, 3000, {3000, 2000}, 7);
    this->send(this->a(), target, 900, {900});
    this->a().flush();
    std::vector<std::size_t> lengths;
    for (const Received& received : this->receive(this->b(), 5)) {
      lengths.push_back(received.bytes.size());
      if (received.bytes.size() == 8000 && received.bytes != pattern(8000, 60)) return "damaged";
    }
    std::sort(lengths.begin(), lengths.end());
    if (lengths != std::vector<std::size_t>{900, 1000, 1000, 3000, 8000}) {
      std::string text = "received:";
      for (const std::size_t length : lengths) text += " " + std::to_string(length);
      return text;
    }
    return this->a().stats().gso_unavailable ? "GSO was given up" : "";
  }
};

using FragmentPairs = ::testing::Types<
#ifdef MILLRACE_IO_URING
    KernelPair<UringDatapath>,
#endif
    KernelPair<SocketDatapath>, SlotPair<KernelPair<SocketDatapath>>>;
TYPED_TEST_SUITE(FragmentsTest, FragmentPairs);

TYPED_TEST(FragmentsTest, AreForThoseWhoMayOverIpv4) {
  this->run_apart([this] { return this->check_family(*IpAddress::parse("127.0.0.1")); });
}

TYPED_TEST(FragmentsTest, AreForThoseWhoMayOverIpv6) {
  this->run_apart([this] { return this->check_family(*IpAddress::parse("::1")); });
}

}  // namespace
}  // namespace millrace::io
