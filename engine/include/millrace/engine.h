// SPDX-License-Identifier: Apache-2.0
//
// millrace: WebRTC data channels (UDP, ICE, DTLS, SCTP, DCEP) for programs that count
// microseconds. An Engine runs shards, one thread each, that share nothing; a Handler per
// shard receives the events on that thread. Sessions come from an SDP offer or answer, or
// from an address and a fingerprint. README.md has an example.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "millrace/channel.h"
#include "millrace/handler.h"
#include "millrace/packet_device.h"
#include "millrace/session_stats.h"
#include "millrace/stats.h"
#include "millrace/types.h"

namespace millrace {

class Simulation;

// SctpOptions are the settings of every association; defaults serve both a LAN and the
// Internet.
struct SctpOptions {
  // kLatency: times below that are left as they are here become those of that profile.
  Profile profile = Profile::kInternet;
  milliseconds rto_initial{500};
  milliseconds rto_min{50};  // 1 ms to 1 s.
  milliseconds rto_max{10'000};
  // Of a lone packet; 0 to 200 ms. Up to five times as long, and 200 ms at most, where data that
  // is sent at a steady pace will carry it.
  milliseconds sack_delay{20};
  CongestionControl congestion_control = CongestionControl::kCubic;
  std::uint64_t fixed_rate_bits = 100'000'000;  // A second, of kFixedRate alone.
  // HEARTBEAT of sessions without ICE; 0: none. With ICE, consent checks do its work.
  milliseconds heartbeat_interval{15'000};
  unsigned max_retransmissions = 10;  // Association.Max.Retrans.
  // INIT goes by SDP (`a=sctp-init`) to peers that take it so: set-up is two round trips
  // shorter (draft-hancke-tsvwg-snap).
  bool init_in_sdp = true;
  StreamScheduling scheduling = StreamScheduling::kWeightedFair;
  // The receive window of a session to begin with. It grows to what the session reads in a
  // round trip asks for, up to the second number, out of what the sessions of a shard share;
  // where that number is the smaller one, it does not grow.
  std::size_t receive_window_bytes = 8u << 20;
  std::size_t max_receive_window_bytes = 64u << 20;
  std::size_t receive_budget_bytes = 1u << 30;
  // What `send` holds of a session, and of one of its channels, before it says kWouldBlock: of
  // messages not yet sent, at what they cost. A quarter more is kept for channels that have
  // nothing in it. No channel's bound: 0.
  std::size_t send_buffer_bytes = 8u << 20;
  std::size_t channel_send_buffer_bytes = 4u << 20;
  std::size_t max_message_bytes = 256u << 10;  // Advertised; at most 1 GiB.
  // Messages up to this size, and to half of the window, come whole, unless many at once
  // fill the window; larger ones come in parts, see MessageView.
  std::size_t partial_delivery_bytes = 256u << 10;
  bool interleaving = true;  // I-DATA (RFC 8260), with peers that offer it.
};

// EngineOptions. Addresses are numeric: "0.0.0.0:5000", "[::]:0".
struct EngineOptions {
  unsigned shards = 1;
  IoBackend io = IoBackend::kAuto;
  WaitPolicy wait = WaitPolicy::kBlock;
  microseconds spin{50};           // For kSpinThenBlock.
  std::vector<int> cpus;           // Shard i is pinned to cpus[i % size]; empty: not pinned.
  unsigned handshake_workers = 1;  // Threads for public-key work; 0: within the turn.

  // The one UDP address of all sessions that others dial; empty: this engine only dials.
  std::string listen;
  // Addresses to announce as host candidates; empty: the listening address, or every
  // address of the host where that is a wildcard.
  std::vector<std::string> announce;
  // Of those that others dial, pending ones included, and of each shard.
  std::size_t max_sessions = 16'384;
  milliseconds consent_timeout{30'000};    // RFC 7675 §5.1.
  milliseconds handshake_timeout{30'000};  // From signalling to SCTP up.

  // PEM files; both or neither. Neither: ECDSA P-256 made at start.
  std::string certificate_file;
  std::string key_file;
  // NSS key log (SSLKEYLOGFILE); empty: none. For captures, never in production.
  std::string key_log_file;
  // pcapng of all datagrams, with the secrets that open them; empty: none. As `key_log_file`.
  // The file ends before it grows beyond `pcap_bytes`.
  std::string pcap_file;
  std::uint64_t pcap_bytes = std::uint64_t{1} << 30;
  // Traces of the first `trace_sessions` sessions: `trace_file`, then "<trace_file>.2" and so
  // on; empty: none. See Engine::trace_session.
  std::string trace_file;
  unsigned trace_sessions = 1;

  SctpOptions sctp;
  // UDP payload of the packets sent. With path MTU discovery (RFC 8899) it is where a session
  // starts, and it is then raised to what the path carries, between the two bounds; without,
  // it stays.
  std::size_t datagram_bytes = 1200;
  // Of sessions whose peer lists PAD (RFC 4820), which a probe carries, among its extensions, as
  // millrace does: others may fall over it, and browsers do not take what it would find.
  bool path_mtu_discovery = true;
  std::size_t min_datagram_bytes = 508;
  // Ethernet's by default. Up to 8972 between ends that are known to take them: Chromium ends
  // a session at the first datagram above 2048 bytes, so a probe is no safe question.
  std::size_t max_datagram_bytes = 1472;
  std::size_t socket_buffer_bytes = 4u << 20;

  // For IoBackend::kSim: the network to attach to; shards are then polled, not threads.
  std::shared_ptr<Simulation> simulation;
  // For IoBackend::kDpdk: the device, with a queue pair for each shard. Sockets are bound to
  // its addresses, and 0.0.0.0 and :: mean all of these.
  std::shared_ptr<PacketDevice> device;
  // false: no threads; the embedder calls `poll` for each shard from its own loop.
  bool own_threads = true;

  // Log lines of the control plane; empty: stderr. Called from any thread, and by several
  // at once.
  std::function<void(const std::string& line)> log;
  // A key log, capture or trace cannot be written to its end, a disk being full: told once of
  // each. Empty: a log line. Called as `log`, by the engine's destructor at the latest.
  std::function<void(const Error& error)> recording_failed;
};

// MakeHandler makes the handler of one shard, before any of its events; `create` calls it,
// shard by shard. The context outlives the handler, which dies with the engine, in the
// thread that destroys that.
using MakeHandler = std::function<std::unique_ptr<Handler>(ShardContext& context)>;

// SignalError tells a signalling front end which answer to give.
struct SignalError {
  enum class Kind : std::uint8_t {
    kMalformed,  // HTTP 400.
    kTooLarge,   // HTTP 413.
    kFull,       // HTTP 503: session limit reached.
    kUnknown,    // HTTP 404: no such session.
    kInternal,   // HTTP 500.
  };
  Kind kind = Kind::kMalformed;
  std::string reason;
};

// Description is an SDP text (RFC 8829) and the session it belongs to.
struct Description {
  SessionId session = SessionId::kNone;
  std::string sdp;
};

// PeerOptions describe a session made without ICE and SDP: DTLS is taken from and sent to
// `remote` alone, and the association lives by SCTP HEARTBEAT.
struct PeerOptions {
  std::string remote;  // "192.0.2.1:5000"
  // The address of a socket of its own, which the other end states as its `remote`;
  // empty: a port that the kernel chooses.
  std::string local;
  std::string fingerprint;           // "sha-256 AA:BB:…" (RFC 8122 §5).
  bool dtls_client = false;          // One end is the client, the other the server.
  bool use_listening_socket = true;  // false: a socket of its own, for the side that dials.
  unsigned shard = 0;                // Owner where the socket is its own.
  std::size_t max_message_bytes = 256u << 10;  // What the peer takes.
};

// Engine is made, started, used from any thread, stopped, destroyed. `start`, `stop` and
// the destructor belong to one thread, which is none of the shards'; all other functions
// may be called at any time between `create` and the destructor, from handlers too.
//
// A session lives: pending, from `accept_offer` or `add_peer` until its peer comes; then on
// a shard, whose handler hears of it. One that ends while pending (closed, or timed out)
// ends without an event. One that this side dials is on its shard from the start.
class Engine {
 public:
  // Binds every socket and makes every shard, but starts no thread, except to write a capture.
  // An error is one line that names the value at fault: a port in use, a missing file, a
  // forbidden io_uring.
  static Result<std::unique_ptr<Engine>, Error> create(EngineOptions options,
                                                       MakeHandler make_handler);
  // Stops as `stop` does, without grace. With `own_threads = false` it goes without a word
  // to peers or handlers: `stop` first, and poll on.
  virtual ~Engine() = default;

  // Starts the shards' threads. Once; nothing with `own_threads = false`.
  virtual void start() = 0;
  // Closes every session: SHUTDOWN and close_notify within `grace`, ABORT after it. Then
  // joins the threads, and no event follows. With `own_threads = false` it only asks the
  // shards: poll on until `on_session_close` was told of all, at most 5 s.
  virtual void stop(milliseconds grace = milliseconds(1000)) = 0;

  virtual unsigned shards() const = 0;
  virtual IoBackend io() const = 0;                // What kAuto became.
  virtual std::string listen_address() const = 0;  // With the port the kernel chose.
  virtual std::string fingerprint() const = 0;     // "sha-256 AA:BB:…" of our certificate.

  // Answers an SDP offer, from any thread. The session is pending and belongs to no shard
  // until DTLS arrives on a pair that ICE has authenticated.
  virtual Result<Description, SignalError> accept_offer(const std::string& offer) = 0;

  // Makes an offer on `shard`, with a local (address, port) of its own bound to
  // `local_ip`, which is no wildcard; `done` runs on the shard's thread, or at once with
  // kFull where the shard's inbox is full. Then pass the answer on: an offer without an
  // answer ends after `handshake_timeout`, and `on_session_close` says so.
  struct OfferOptions {
    unsigned shard = 0;
    std::string local_ip = "127.0.0.1";
  };
  using OfferDone = std::function<void(Result<Description, SignalError>)>;
  virtual void create_offer(const OfferOptions& options, OfferDone done) = 0;
  // Takes the answer to an offer, from any thread; `done` runs on the shard's thread, or at
  // once where there is no such offer. An answer that is refused ends the session.
  using AnswerDone = std::function<void(std::optional<SignalError>)>;
  virtual void accept_answer(SessionId session, std::string answer, AnswerDone done) = 0;

  // Makes a session from an address and a fingerprint; see PeerOptions. Where a socket of
  // its own cannot be had, `on_session_close` follows with kResourceLimit.
  virtual Result<SessionId, Error> add_peer(const PeerOptions& options) = 0;

  // Ends a session, pending or not, from any thread. False when there is none, or its
  // shard's inbox is full.
  virtual bool close_session(SessionId session) = 0;

  // Runs `task` on a shard's thread; tasks of one thread in their order. False when there
  // is no such shard or its inbox is full. What is posted after `stop` never runs.
  virtual bool post(unsigned shard, std::function<void()> task) = 0;

  // Counters of all shards, from any thread.
  virtual EngineStats stats() const = 0;

  // Tells of one session, from any thread; `done` runs on its shard's thread, which takes no
  // lock for it, or at once where the session is pending, unknown, or the inbox full.
  virtual void session_stats(SessionId session, SessionStatsDone done) = 0;
  // Lists up to `limit` sessions that are on shards; `done` as above.
  static constexpr std::size_t kMaxSessionPage = 256;
  virtual void list_sessions(SessionCursor from, std::size_t limit, SessionPageDone done) = 0;

  // Traces a session that is on a shard into `path`, from now to its end: packets, chunk by
  // chunk but without payload, and how the association changed (qlog's pattern, in JSON text
  // sequences, RFC 7464). A second trace of a session ends the first. The file is complete
  // once the session has ended or the engine was stopped.
  virtual std::optional<Error> trace_session(SessionId session, const std::string& path) = 0;

  // For `own_threads = false`: one turn of one shard. True: there is more to do, call
  // again. False: wait until `poll_handle` is readable, `poll_deadline` at most
  // (CLOCK_MONOTONIC; kNever: without limit), and do not read from it. All three are for
  // the one thread that the shard belongs to from its first call.
  virtual bool poll(unsigned shard) = 0;
  virtual int poll_handle(unsigned shard) = 0;
  virtual Time poll_deadline(unsigned shard) const = 0;
};

}  // namespace millrace
