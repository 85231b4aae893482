// SPDX-License-Identifier: Apache-2.0
// One end of an association that usrsctp has, over UDP (RFC 6951), ordered about by lines on
// its standard input; what happens it says in lines on its standard output:
//
//   listen | connect UDP-PORT      once, first. Answers "ready", then "up OUT IN"
//   send STREAM BYTES COUNT HOW    HOW: ordered, unordered; or with a limit, as "ordered:rtx:0"
//   echo                           "echoing": from here on every message goes back as it came
//   reset STREAM                   "reset out", and on the other side "reset in"
//   add OUT IN                     more streams: "streams OUT IN"
//   abort | shutdown | exit        "lost", "closed"; `exit` says nothing to anybody
//   count                          "count MESSAGES BYTES DAMAGED"
#include <arpa/inet.h>
#include <usrsctp.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr std::uint16_t kSctpPort = 5000;
constexpr std::uint32_t kPpidBinary = 53;
constexpr int kInterleavingSupported = 0x00001206;  // In the library, not in its header.
constexpr std::size_t kReadBytes = std::size_t{1} << 20;

std::mutex output;

void say(const std::string& line) {
  const std::lock_guard lock(output);
  std::cout << line << std::endl;
}

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

template <class T>
void set(struct socket* socket, int level, int option, const T& value) {
  if (usrsctp_setsockopt(socket, level, option, &value, sizeof(value)) != 0) {
    fail(("option " + std::to_string(option)).c_str());
  }
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

struct Message {
  std::vector<std::uint8_t> bytes;
  sctp_rcvinfo info{};
};

// Peer is the socket and what is known of it.
class Peer {
 public:
  Peer(std::uint16_t udp_port, bool interleaving) {
    usrsctp_init(udp_port, nullptr, nullptr);
    usrsctp_sysctl_set_sctp_no_csum_on_loopback(0);
    usrsctp_sysctl_set_sctp_ecn_enable(0);
    usrsctp_sysctl_set_sctp_asconf_enable(0);
    usrsctp_sysctl_set_sctp_auth_enable(0);
    usrsctp_sysctl_set_sctp_blackhole(2);
    socket_ = usrsctp_socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP, nullptr, nullptr, 0, nullptr);
    if (socket_ == nullptr) fail("socket");
    configure(interleaving);
    const sockaddr_in local = loopback(kSctpPort);
    if (usrsctp_bind(socket_, generic(&local), sizeof(local)) != 0) fail("bind");
  }

  void listen() {
    if (usrsctp_listen(socket_, 1) != 0) fail("listen");
    say("ready");
    struct socket* const accepted = usrsctp_accept(socket_, nullptr, nullptr);
    if (accepted == nullptr) fail("accept");
    socket_ = accepted;
    receive();
  }
  void connect(std::uint16_t udp_port) {
    const sockaddr_in remote = loopback(kSctpPort);
    sctp_udpencaps encaps{};
    std::memcpy(&encaps.sue_address, &remote, sizeof(remote));
    encaps.sue_port = htons(udp_port);
    set(socket_, IPPROTO_SCTP, SCTP_REMOTE_UDP_ENCAPS_PORT, encaps);
    say("ready");
    sockaddr_in to = remote;
    if (usrsctp_connect(socket_, generic(&to), sizeof(to)) != 0) fail("connect");
    receive();
  }

  void send(std::uint16_t stream, std::size_t bytes, int count, const std::string& how) {
    std::vector<std::uint8_t> payload(bytes);
    sctp_sendv_spa spa{};
    spa.sendv_flags = SCTP_SEND_SNDINFO_VALID;
    spa.sendv_sndinfo.snd_sid = stream;
    spa.sendv_sndinfo.snd_ppid = htonl(kPpidBinary);
    if (how.rfind("unordered", 0) == 0) spa.sendv_sndinfo.snd_flags |= SCTP_UNORDERED;
    if (const std::size_t at = how.find(":rtx:"); at != std::string::npos) {
      spa.sendv_flags |= SCTP_SEND_PRINFO_VALID;
      spa.sendv_prinfo.pr_policy = SCTP_PR_SCTP_RTX;
      spa.sendv_prinfo.pr_value = static_cast<std::uint32_t>(std::stoul(how.substr(at + 5)));
    }
    for (int i = 0; i < count; ++i) {
      for (std::size_t at = 0; at < bytes; ++at) {
        payload[at] = static_cast<std::uint8_t>(at * 7 + bytes);
      }
      if (usrsctp_sendv(socket_, payload.data(), bytes, nullptr, 0, &spa, sizeof(spa),
                        SCTP_SENDV_SPA, 0) < 0) {
        return say("unsent");
      }
    }
    say("sent");
  }
  void reset(std::uint16_t stream) {
    std::vector<std::uint8_t> memory(sizeof(sctp_reset_streams) + sizeof(std::uint16_t));
    auto* const request = reinterpret_cast<sctp_reset_streams*>(memory.data());
    request->srs_flags = SCTP_STREAM_RESET_OUTGOING;
    request->srs_number_streams = 1;
    request->srs_stream_list[0] = stream;
    if (usrsctp_setsockopt(socket_, IPPROTO_SCTP, SCTP_RESET_STREAMS, request,
                           static_cast<socklen_t>(memory.size())) != 0) {
      say("reset refused");
    }
  }
  void add(std::uint16_t out, std::uint16_t in) {
    sctp_add_streams request{};
    request.sas_outstrms = out;
    request.sas_instrms = in;
    set(socket_, IPPROTO_SCTP, SCTP_ADD_STREAMS, request);
  }
  void abort() {
    const linger at_once{1, 0};
    set(socket_, SOL_SOCKET, SO_LINGER, at_once);
    usrsctp_close(socket_);
  }
  void shutdown() { usrsctp_shutdown(socket_, SHUT_WR); }
  void echo() {
    echo_ = true;
    say("echoing");
  }
  void count() {
    say("count " + std::to_string(messages_) + " " + std::to_string(bytes_) + " " +
        std::to_string(damaged_));
  }

 private:
  static sockaddr* generic(const sockaddr_in* address) {
    return const_cast<sockaddr*>(reinterpret_cast<const sockaddr*>(address));
  }

  void configure(bool interleaving) {
    constexpr std::uint16_t kEvents[] = {SCTP_ASSOC_CHANGE, SCTP_STREAM_RESET_EVENT,
                                         SCTP_STREAM_CHANGE_EVENT, SCTP_SHUTDOWN_EVENT};
    for (const std::uint16_t type : kEvents) {
      sctp_event event{};
      event.se_assoc_id = SCTP_ALL_ASSOC;
      event.se_type = type;
      event.se_on = 1;
      set(socket_, IPPROTO_SCTP, SCTP_EVENT, event);
    }
    set(socket_, IPPROTO_SCTP, SCTP_RECVRCVINFO, 1);
    set(socket_, IPPROTO_SCTP, SCTP_NODELAY, 1);
    set(socket_, SOL_SOCKET, SO_RCVBUF, 4 << 20);
    set(socket_, SOL_SOCKET, SO_SNDBUF, 4 << 20);
    sctp_initmsg streams{};
    streams.sinit_num_ostreams = streams.sinit_max_instreams = 64;
    set(socket_, IPPROTO_SCTP, SCTP_INITMSG, streams);
    sctp_assoc_value resets{};
    resets.assoc_id = SCTP_ALL_ASSOC;
    resets.assoc_value = SCTP_ENABLE_RESET_STREAM_REQ | SCTP_ENABLE_CHANGE_ASSOC_REQ;
    set(socket_, IPPROTO_SCTP, SCTP_ENABLE_STREAM_RESET, resets);
    if (!interleaving) return;
    set(socket_, IPPROTO_SCTP, SCTP_FRAGMENT_INTERLEAVE, 2);
    sctp_assoc_value on{};
    on.assoc_id = SCTP_ALL_ASSOC;
    on.assoc_value = 1;
    set(socket_, IPPROTO_SCTP, kInterleavingSupported, on);
  }

  void receive() {
    std::thread([this] { receive_all(); }).detach();
  }

  void receive_all() {
    std::vector<std::uint8_t> memory(kReadBytes);
    // Parts of messages of several streams may alternate where they are interleaved.
    std::vector<Message> begun(65536);
    for (;;) {
      sctp_rcvinfo info{};
      socklen_t info_bytes = sizeof(info);
      unsigned info_type = 0;
      int flags = 0;
      const ssize_t got = usrsctp_recvv(socket_, memory.data(), memory.size(), nullptr, nullptr,
                                        &info, &info_bytes, &info_type, &flags);
      if (got <= 0) return say("closed");
      if ((flags & MSG_NOTIFICATION) != 0) {
        hear(memory.data());
        continue;
      }
      Message& message = begun[info.rcv_sid];
      message.info = info;
      message.bytes.insert(message.bytes.end(), memory.begin(), memory.begin() + got);
      if ((flags & MSG_EOR) != 0) take(message);
    }
  }

  void take(Message& message) {
    ++messages_;
    bytes_ += message.bytes.size();
    for (std::size_t at = 0; at < message.bytes.size(); ++at) {
      if (message.bytes[at] == static_cast<std::uint8_t>(at * 7 + message.bytes.size())) continue;
      ++damaged_;
      break;
    }
    if (echo_) {
      sctp_sndinfo back{};
      back.snd_sid = message.info.rcv_sid;
      back.snd_ppid = message.info.rcv_ppid;
      back.snd_flags = message.info.rcv_flags & SCTP_UNORDERED;
      usrsctp_sendv(socket_, message.bytes.data(), message.bytes.size(), nullptr, 0, &back,
                    sizeof(back), SCTP_SENDV_SNDINFO, 0);
    }
    message.bytes.clear();
  }

  void hear(const std::uint8_t* bytes) {
    const auto* const any = reinterpret_cast<const union sctp_notification*>(bytes);
    switch (any->sn_header.sn_type) {
      case SCTP_ASSOC_CHANGE: {
        const auto& change = any->sn_assoc_change;
        if (change.sac_state == SCTP_COMM_UP) {
          say("up " + std::to_string(change.sac_outbound_streams) + " " +
              std::to_string(change.sac_inbound_streams));
        }
        if (change.sac_state == SCTP_COMM_LOST) say("lost");
        if (change.sac_state == SCTP_RESTART) say("restart");
        if (change.sac_state == SCTP_SHUTDOWN_COMP) say("closed");
        break;
      }
      case SCTP_STREAM_RESET_EVENT: {
        const std::uint16_t flags = any->sn_strreset_event.strreset_flags;
        if ((flags & (SCTP_STREAM_RESET_DENIED | SCTP_STREAM_RESET_FAILED)) != 0) {
          say("reset refused");
        } else if ((flags & SCTP_STREAM_RESET_INCOMING_SSN) != 0) {
          say("reset in");
        } else {
          say("reset out");
        }
        break;
      }
      case SCTP_STREAM_CHANGE_EVENT:
        say("streams " + std::to_string(any->sn_strchange_event.strchange_outstrms) + " " +
            std::to_string(any->sn_strchange_event.strchange_instrms));
        break;
      case SCTP_SHUTDOWN_EVENT:
        say("shutdown");
        break;
      default:
        break;
    }
  }

  struct socket* socket_ = nullptr;
  std::atomic<bool> echo_{false};
  std::atomic<std::uint64_t> messages_{0};
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<std::uint64_t> damaged_{0};
};

void obey(Peer& peer, const std::string& line) {
  std::istringstream words(line);
  std::string verb, how;
  std::uint16_t a = 0, b = 0;
  std::size_t bytes = 0;
  int count = 0;
  words >> verb;
  if (verb == "listen") std::thread([&peer] { peer.listen(); }).detach();
  if (verb == "connect" && words >> a) std::thread([&peer, a] { peer.connect(a); }).detach();
  if (verb == "send" && words >> a >> bytes >> count >> how) peer.send(a, bytes, count, how);
  if (verb == "echo") peer.echo();
  if (verb == "reset" && words >> a) peer.reset(a);
  if (verb == "add" && words >> a >> b) peer.add(a, b);
  if (verb == "abort") peer.abort();
  if (verb == "shutdown") peer.shutdown();
  if (verb == "count") peer.count();
  if (verb == "exit") std::_Exit(0);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: usrsctp_peer UDP-PORT [interleaving]\n", stderr);
    return 2;
  }
  Peer peer(static_cast<std::uint16_t>(std::atoi(argv[1])), argc > 2);
  std::string line;
  while (std::getline(std::cin, line)) obey(peer, line);
  std::_Exit(0);
}
