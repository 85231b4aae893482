// SPDX-License-Identifier: Apache-2.0
//
// The life of a turn (Shard::turn), and where each stage lies:
//
//   receive   Shard          rx_burst fills views into counted buffers
//   classify  shard_receive  by first byte (RFC 7983), sessions looked up, records queued
//   open      shard_receive  crypto::open_batch over the records of all sessions
//   deliver   shard_receive  SCTP packets in, events out to the handler (shard_events)
//   inboxes   shard_core     other threads' messages, a budget a turn
//   timers    shard_core     sessions whose deadline has come
//   advance   shard_setup    each touched session: flights, ICE, DTLS, set-up deadlines
//   collect   Shard          SCTP packets written into reserved segments
//   seal      Shard          crypto::seal_batch over the packets of all sessions
//   flush     Shard          commit, one system call
//   settle    shard_core     sessions' timers, alerts; control datagrams leave
//   reap      shard_core     closed sessions leave the tables
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "crypto/dtls_session.h"
#include "crypto/record_codec.h"
#include "engine/base/block_pool.h"
#include "engine/base/rng.h"
#include "engine/base/timer_wheel.h"
#include "engine/ice/stun_message.h"
#include "engine/record/capture.h"
#include "engine/record/session_trace.h"
#include "engine/session_directory.h"
#include "engine/settings.h"
#include "engine/shard/batch_sizes.h"
#include "engine/shard/control_queue.h"
#include "engine/shard/drop_reason.h"
#include "engine/shard/handshake_workers.h"
#include "engine/shard/mailbox.h"
#include "engine/shard/session.h"
#include "engine/shard/shard_stats.h"
#include "engine/shard/stats_board.h"
#include "io/datapath.h"
#include "millrace/engine.h"
#include "millrace/handler.h"

namespace millrace::engine {

// SocketPort is what the control plane asks of a datapath: the one virtual seam, so that
// all of a shard but its loop is compiled once.
class SocketPort {
 public:
  virtual ~SocketPort() = default;
  virtual Result<io::SocketId, io::IoError> open_socket(const Address& local,
                                                        const io::SocketOptions& options) = 0;
  virtual void close_socket(io::SocketId socket) = 0;
  virtual Address local_address(io::SocketId socket) const = 0;
  // False: what `peer` sends to it comes to another shard's queue, and is handed over.
  virtual bool is_home(io::SocketId socket, const Address& peer) const = 0;
  virtual Time read_clock() const = 0;
  virtual const io::IoStats& io_stats() const = 0;
};

// ShardWorld is what the shards of an engine share. All of it is safe for many threads
// and outlives them.
struct ShardWorld {
  const Settings& settings;
  std::shared_ptr<const crypto::DtlsContext> dtls;
  const Mac& mac;
  SessionDirectory& directory;
  HandshakeWorkers& workers;
  std::vector<std::unique_ptr<Mailbox>>& mailboxes;  // One a shard, by index.
  std::function<void(const std::string& line)> log;
  Capture* capture = nullptr;  // Null: none was asked for; as `tracer`.
  Tracer* tracer = nullptr;
};

// ShardCore is a shard without its packet I/O: sessions, timers, inbox, and the stages of
// a turn that touch no datapath. One thread uses it.
class ShardCore {
 public:
  ShardCore(unsigned index, ShardWorld world, SocketPort& sockets);
  ~ShardCore();
  ShardCore(const ShardCore&) = delete;
  ShardCore& operator=(const ShardCore&) = delete;

  void set_handler(std::unique_ptr<Handler> handler) { handler_ = std::move(handler); }
  void set_listening_socket(io::SocketId socket) { listening_ = socket; }
  // The one address of a simulated host.
  void set_host(std::string address) { host_ = std::move(address); }
  const std::optional<std::string>& host() const { return host_; }
  ShardContext& context() { return context_; }
  unsigned index() const { return index_; }

  // The stages, in the order of a turn. `now` is the same for all of them.
  void begin_turn(Time now);
  void handle_refused(Time now, const io::RefusedSend& refused);
  void classify(Time now, std::span<io::RxView> burst);
  void open_and_deliver(Time now);
  void drain_inbox(Time now) {
    if (!inbox_.empty()) take_messages(now);
  }
  // With `backlog` there is more to receive: see shard_core.cc.
  void expire_timers(Time now, bool backlog) {
    if (!wheel_.skip(now)) fire_timers(now, backlog);
    if (now >= earliest(handler_wakeup_, next_publish_, next_sweep_)) run_chores(now);
  }
  void advance(Time now);
  // The sessions that may have something to send, for Shard's collect.
  std::span<Session* const> touched() const { return touched_; }
  ControlQueue& control() { return control_; }
  // Writes DTLS's last flight to `out`, which is as long as it; a packet follows it there.
  void poll_last_flight(Time now, Session& session, MutableByteSpan out);
  // After the packets were collected: alerts of sessions that are over, timers.
  void settle(Time now);
  void reap() {
    if (!closed_.empty()) destroy_closed();
    table_.quiescent();
  }

  // True when a turn that starts now would find work without a datagram or a timer.
  bool busy() const { return !touched_.empty() || !control_.empty() || !inbox_.empty(); }
  // Around a sleep: a shard that sleeps must not hold up the table's reclamation.
  void before_sleep();
  void after_sleep();
  // When the next turn is due though nothing comes in; kNever where no timer runs.
  Time next_deadline() const;

  // Control plane, on the shard's thread.
  void create_offer(const Engine::OfferOptions& options, SessionId id,
                    const Engine::OfferDone& done);
  void accept_answer(SessionId id, const std::string& answer, const Engine::AnswerDone& done);
  void add_peer(SessionId id, const Address& local, const Address& remote, RemoteTerms terms);
  void close_session(SessionId id);
  // Asks every session to close, or with `at_once` ends them all.
  void close_all(bool at_once);
  // The counters as they are at the end, for readers that come later.
  void publish_last();
  void session_stats(SessionId id, const SessionStatsDone& done);
  // Appends the sessions of the slots from `first` on to `out`, until that has `limit`; the
  // slot to go on from, nothing at the end.
  std::optional<std::uint32_t> list_sessions(std::uint32_t first, std::size_t limit,
                                             std::vector<SessionSummary>& out) const;
  // Any thread.
  std::size_t session_count() const { return live_.load(std::memory_order_relaxed); }

  // Behind Channel and ShardContext.
  Time now() const { return now_; }
  Time precise_now() const { return sockets_.read_clock(); }
  void wake_at(Time when) { handler_wakeup_ = when; }
  Session* find(SessionId id);
  Result<Channel, Error> open_channel(SessionId id, const ChannelOptions& options);
  // A message has an `id` or, for less, none.
  template <class... Id>
  SendStatus send(const Channel& channel, std::span<const std::span<const std::uint8_t>> pieces,
                  MessageKind kind, Id... id);
  template <class... Id>
  SendStatus send(const Channel& channel, OwnedBytes&& bytes, MessageKind kind, Id... id);
  SendStatus send_part(const Channel& channel, ByteSpan part, const MessagePart& which,
                       MessageOptions options);
  bool abort_message(const Channel& channel);
  void close_channel(const Channel& channel);
  std::size_t buffered_amount(const Channel& channel) const;
  void set_low_threshold(const Channel& channel, std::size_t bytes);
  bool set_buffer_priority(const Channel& channel, std::optional<std::uint32_t> priority);
  const sctp::DataChannel* describe(const Channel& channel) const;
  std::size_t max_message_bytes(const Channel& channel) const;
  // Null for a stale handle.
  Sctp::Note* note_of(const Channel& channel) const;
  void touch(Session& session);

  // shard_record.cc: what of the traffic goes to files. Each is called only where it is wanted.
  bool capturing() const { return world_.capture != nullptr; }
  void capture_received(std::span<const io::RxView> burst);
  void capture_sent(const io::Destination& to, ByteSpan datagram);
  void trace_packet(Session& session, bool sent, ByteSpan packet);
  void trace_session(
      SessionId id,
      const std::function<std::shared_ptr<SessionTrace>(Time now, std::string_view vantage)>& make);

  void count_sent(std::size_t datagrams, std::size_t bytes);
  void note_sealed(std::size_t records) { sealed_.note(records); }
  const StatsBoard& stats_board() const { return board_; }

 private:
  // shard_receive.cc
  struct Route {
    Session* session = nullptr;
    std::optional<DropReason> refusal;  // Why DTLS is not taken.
  };
  Route route(Time now, const io::RxView& view);
  void note_path(Session& session, const ice::CandidatePair& pair);
  void note_paths(Time now, std::span<const crypto::OpenJob> jobs);
  Session* claim_or_forward(Time now, const io::RxView& view);
  void handle_dtls(Time now, std::uint32_t index);
  void handle_stun(Time now, const io::RxView& view);
  void handle_check(Time now, const io::RxView& view, const ice::StunMessageView& request);
  void answer_check(Session& session, Time now, const io::RxView& view,
                    const ice::StunMessageView& request);
  void enter_address(EntryRef entry, const Address& remote);
  bool may_lose_address(const Found& holder) const;
  void handle_claim(const AddressClaim& claim);
  void pass_on(unsigned shard, const AddressClaim& claim);
  void forward(unsigned shard, const io::RxView& view);
  void process_copy(Time now, ByteSpan datagram, const RxBuffer& origin, bool tells_path);

  // shard_setup.cc
  // Null when every slot is taken.
  Session* add_session(SessionId id, io::SocketId socket);
  io::SocketOptions socket_options() const;
  void own_socket(Session& session);
  void disown_socket(Session& session);
  void move_home(Session& session, const std::vector<ice::Candidate>& remotes);
  Session* session_of_socket(io::SocketId socket);
  Session* sender_of(const io::RefusedSend& refused);
  void handle_router_word(Time now, const io::RefusedSend& refused);
  Session* claim(Time now, EntryRef entry);
  void start_dtls(Time now, Session& session);
  bool is_quiet(Time now) const;
  void end_handshake(Session& session);
  void submit_flight(Time now, Session& session);
  void land_flight(Time now, Session& session, std::unique_ptr<crypto::HandshakeFlight> flight);
  void on_dtls_established(Time now, Session& session);
  void process_held(Time now, Session& session);
  void advance_session(Time now, Session& session);
  void advance_ice(Time now, Session& session);
  void poll_control(Time now, Session& session);
  void poll_dtls(Time now, Session& session);
  static void wait_for_control(Session& session);

  // shard_events.cc
  void drain_events(Time now, Session& session);
  void handle_event(Session& session, const sctp::ChannelEvent& event);
  void handle_association_event(Session& session, const sctp::Event& event);
  void deliver_message(Session& session, const sctp::ChannelEvent& event);
  void tell_progress(Session& session, const sctp::ChannelEvent& event);
  void tell_writable(Session& session);
  Channel channel_of(const Session& session, sctp::ChannelHandle handle);
  void begin_close(Session& session);
  void finish(Session& session, CloseReason reason);
  void conclude(Session& session);

  // shard_api.cc
  Session* session_of(const Channel& channel) const;
  template <class Payload, class... Id>
  SendStatus send_payload(const Channel& channel, MessageKind kind, Payload&& payload, Id... id);
  // What the channel's owner is told; notes who waits for room.
  SendStatus conclude_send(Session& session, sctp::ChannelHandle handle,
                           sctp::ChannelSendStatus status);

  // shard_record.cc
  void begin_trace(Session& session, std::shared_ptr<SessionTrace> trace);
  void trace_state(Session& session);
  void end_trace(Session& session);

  // session_stats.cc
  SessionStats describe_session(const Session& session) const;

  // shard_core.cc
  void take_messages(Time now);
  void fire_timers(Time now, bool backlog);
  void run_chores(Time now);
  void handle_message(Time now, ShardMessage& message);
  void rearm(Session& session);
  void destroy_closed();
  void destroy(Session& session);
  void publish_stats();
  void sum_sctp(std::size_t slots);
  void drop(DropReason reason) { drops_.add(reason); }

  const unsigned index_;
  const ShardWorld world_;
  Mailbox& inbox_;
  SocketPort& sockets_;
  SystemRng rng_;
  ShardContext context_;
  std::unique_ptr<Handler> handler_;
  io::SocketId listening_ = io::kNoSocket;
  std::optional<std::string> host_;

  Time now_{};
  TableMember table_;
  crypto::DtlsShard dtls_;
  BlockPool pool_;
  sctp::ReceiveBudget receive_budget_{world_.settings.options.sctp.receive_budget_bytes};
  TimerWheel wheel_;
  crypto::OpenQueue jobs_;
  ControlQueue control_;
  std::span<io::RxView> burst_;
  const RxBuffer* routed_buffer_ = nullptr;  // Whose route `route_` is.
  Route route_;
  bool path_news_ = false;  // DTLS came in this burst where a session does not send.
  // Whose datagrams the table led to last, and where they came from; null: it must be asked.
  Session* known_session_ = nullptr;
  Address known_source_;

  SlabPool<Sctp> sctp_memory_;
  SlabPool<Session> session_memory_;
  std::vector<SlabPool<Session>::Ptr> slots_;
  std::vector<std::uint32_t> free_slots_;
  std::unordered_map<SessionId, std::uint32_t> by_id_;
  // By io::socket_slot: the slot + 1 of a dialling socket's session; 0: none.
  std::vector<std::uint32_t> by_socket_;
  std::atomic<std::size_t> live_{0};  // by_id_.size(), for other threads.
  std::vector<Session*> touched_;
  std::vector<Session*> closed_;
  Time handler_wakeup_ = kNever;
  Time last_message_{};         // The application sent or was given one.
  std::size_t handshakes_ = 0;  // Sessions between the start of DTLS and its end.

  std::unordered_map<std::uint32_t, std::shared_ptr<SessionTrace>> traces_;  // By slot.

  std::vector<std::uint8_t> gathered_;  // A message of several pieces, to be sent on.
  DropCounters drops_;
  ShardStats counters_;
  BatchSizes sealed_;
  BatchSizes opened_;
  SctpTotals retired_sctp_;  // Of sessions that have ended.
  SctpTotals sctp_totals_;   // Of all, as last summed.
  SctpTotals sctp_sum_;      // Of those that the sum under way has come to,
  std::size_t summed_ = 0;   // which are the slots below this.
  StatsBoard board_;
  Time next_publish_{};
  Time next_sweep_ = kNever;  // Of pending sessions; shard 0 alone.
  std::uint64_t published_turns_ = 0;
};

}  // namespace millrace::engine
