// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "crypto/record_codec.h"
#include "engine/shard/burst_wait.h"
#include "engine/shard/shard_core.h"
#include "engine/shard/shard_runner.h"
#include "io/datapath.h"

namespace millrace::engine {

// Shard is the loop of one core: a ShardCore over the datapath D. Everything that touches
// packet memory on its way out is here, so that a burst costs no virtual call.
template <io::Datapath D>
class Shard final : public ShardRunner, private SocketPort {
 public:
  // `clock` outlives the shard.
  Shard(unsigned index, const ShardWorld& world, std::unique_ptr<D> datapath, const Clock& clock)
      : clock_(clock),
        options_(world.settings.options),
        datapath_(std::move(datapath)),
        core_(index, world, *this) {
    seal_jobs_.reserve(kMaxRuns * io::TxRun::kMaxSegments);
    runs_.reserve(kMaxRuns);
    world.mailboxes[index]->attach(datapath_->waker());
  }

  ShardCore& core() override { return core_; }
  io::Waker waker() const override { return datapath_->waker(); }
  int native_handle() override { return datapath_->native_handle(); }

  Result<Address, io::IoError> open_listening(const Address& local,
                                              const io::SocketOptions& options) override {
    auto socket = datapath_->open_socket(local, options);
    if (!socket.ok()) return Failure(socket.error());
    core_.set_listening_socket(socket.value());
    return datapath_->local_address(socket.value());
  }

  void start() override {
    datapath_->start();
    core_.after_sleep();
  }

  // One turn (DESIGN: a staged burst, run to completion). True if there was anything to
  // do, or is: call again before sleeping.
  bool run_once() override {
    const Time now = clock_.now();
    return turn(now, datapath_->rx_burst(rx_));
  }

  void run(const std::atomic<bool>& stop) override {
    if (options_.wait == WaitPolicy::kSpin) {
      spin(stop);
    } else {
      turn_and_wait(stop);
    }
    core_.publish_last();
  }

  bool poll() override {
    if (waiting_) {
      datapath_->end_wait();
      core_.after_sleep();
    }
    waiting_ = false;
    if (run_once()) return true;
    core_.before_sleep();
    // From here on a post writes to the descriptor that the embedder waits for.
    waiting_ = true;
    return !datapath_->begin_wait();
  }

 private:
  static constexpr std::size_t kBurst = 256;    // Datagrams received a turn.
  static constexpr std::size_t kMaxRuns = 256;  // Runs filled a turn, of all sessions.
  static constexpr std::size_t kSpareSegments = 4;
  static constexpr std::size_t kSessionRuns = 4;  // Of one session, before others go.
  // Packets sealed in one call while more are made: as many as stay in the first cache from their
  // making on, and a third of a segmented send's.
  static constexpr std::size_t kSealTogether = 18;
  // For datagrams, between two looks at the clock: more where one costs no system call.
  static constexpr int kLooks = [] {
    if constexpr (requires { D::kLooksPerTurn; }) return D::kLooksPerTurn;
    return 4;
  }();

  // The clock is read behind a turn and not when a datagram has come, which need not wait for it;
  // and there is no whole turn for each look that finds nothing.
  void spin(const std::atomic<bool>& stop) {
    while (!stop.load(std::memory_order_relaxed)) {
      const Time now = clock_.now();
      std::size_t received = datapath_->rx_burst(rx_);
      for (int i = 1; i < kLooks && received == 0 && !core_.busy(); ++i) {
        received = datapath_->rx_burst(rx_);
      }
      turn(now, received);
    }
  }

  void turn_and_wait(const std::atomic<bool>& stop) {
    Time last_work = clock_.now();
    while (!stop.load(std::memory_order_relaxed)) {
      if (run_once()) {
        last_work = core_.now();
        continue;
      }
      const Time now = clock_.now();
      if (options_.wait == WaitPolicy::kSpinThenBlock && now - last_work < options_.spin) continue;
      if (options_.wait == WaitPolicy::kBlock && burst_wait_.stays_awake(now)) {
        let_gather(now);
        continue;
      }
      const Time due = core_.next_deadline();
      if (due <= now) continue;
      core_.before_sleep();
      datapath_->wait(due);
      core_.after_sleep();
    }
  }

  // Looks in close succession would take what comes piece by piece, each with a turn and a SACK of
  // its own, and disturb who sends it: both write to the lines that tell of it.
  void let_gather(Time now) const {
    while (clock_.now() - now < BurstWait::kLookInterval) __builtin_ia32_pause();
  }

  // What `rx_` holds was received at `now`, or a few looks later.
  bool turn(Time now, std::size_t received) {
    core_.begin_turn(now);
    burst_wait_.note_received(received);
    if (core_.capturing()) [[unlikely]]
      core_.capture_received(std::span(rx_).first(received));
    for (const io::RefusedSend& refused : datapath_->refused_sends()) {
      core_.handle_refused(now, refused);
    }
    if (received > 0) {
      core_.classify(now, std::span(rx_).first(received));
      core_.open_and_deliver(now);
    }
    core_.drain_inbox(now);
    core_.expire_timers(now, received >= BurstWait::kBurst);
    // Of a shard that spins most turns find nobody to serve.
    const bool served = !core_.touched().empty();
    if (served) serve(now);
    if (send_control() || !served) datapath_->flush();
    datapath_->rx_done();
    core_.reap();
    return received != 0 || core_.busy();
  }

  // SocketPort.
  Result<io::SocketId, io::IoError> open_socket(const Address& local,
                                                const io::SocketOptions& options) override {
    return datapath_->open_socket(local, options);
  }
  void close_socket(io::SocketId socket) override { datapath_->close_socket(socket); }
  Address local_address(io::SocketId socket) const override {
    return datapath_->local_address(socket);
  }
  bool is_home(io::SocketId socket, const Address& peer) const override {
    if constexpr (requires { datapath_->is_home(socket, peer); }) {
      return datapath_->is_home(socket, peer);
    } else {
      return true;
    }
  }
  Time read_clock() const override { return clock_.now(); }
  const io::IoStats& io_stats() const override { return datapath_->stats(); }

  // What the sessions have to say leaves ahead of all that is only to be ready for the next turn.
  void serve(Time now) {
    core_.advance(now);
    collect(now);
    seal();
    commit();
    datapath_->flush();
    core_.settle(now);
  }

  void collect(Time now) {
    for (Session* const session : core_.touched()) {
      // With thousands waiting for room, each of them costs the turn next to nothing.
      session->more_to_send = session->unserved = runs_.size() == kMaxRuns;
      if (session->unserved) continue;
      for (std::size_t i = 0; i < kSessionRuns; ++i) {
        if (!collect_run(now, *session)) break;
        session->more_to_send = i + 1 == kSessionRuns;
      }
    }
  }

  // Fills one run with SCTP packets, each written where its record's plaintext belongs.
  // True if the session may have more.
  bool collect_run(Time now, Session& session) {
    if (!session.sctp || session.silent || !session.dtls->established()) return false;
    const ice::CandidatePair* const pair = session.path.selected();
    crypto::RecordKeys* const keys = session.dtls->record_keys();
    if (pair == nullptr || keys->worn_out()) return false;
    if (runs_.size() == kMaxRuns) return session.more_to_send = true, false;
    sctp::Association& association = session.sctp->association;
    session.sctp->note_path(*pair);
    const std::size_t bytes = association.packet_bytes() + keys->overhead();
    // Room for what is queued, for a few packets of control and repeats besides: where many
    // send a little each, their runs lie close together in memory that stays cached.
    const std::size_t per_run =
        std::min({io::TxRun::kMaxSegments, io::kMaxDatagramBytes / bytes,
                  kSpareSegments + 2 * association.buffered_amount() / bytes});
    io::TxRun run = datapath_->reserve(session.path.to(*pair), bytes, per_run);
    if (run.empty()) return session.more_to_send = true, false;
    while (!run.full() && write_packet(now, session, *keys, run)) {
      if (seal_jobs_.size() - sealed_ >= kSealTogether) seal_made();
    }
    const bool idle = !run.full();
    if (run.pushed() == 0) {
      datapath_->commit(run);
    } else {
      runs_.push_back(std::move(run));
    }
    return !idle || (association.large_packet_bytes() > 0 && collect_large(now, session, *keys));
  }

  // Writes one packet into `run`; false if there is none.
  bool write_packet(Time now, Session& session, crypto::RecordKeys& keys, io::TxRun& run) {
    std::size_t lead = session.flight_waits ? session.dtls->last_flight_waiting() : 0;
    while (!write_behind(lead, now, session, keys, run)) {
      if (std::exchange(lead, 0) == 0) return false;
    }
    return true;
  }

  // Writes one packet behind a last flight of `lead` bytes, in the same datagram: DTLS's last
  // word and SCTP's first are one send, and arrive in their order (decision 0015).
  bool write_behind(std::size_t lead, Time now, Session& session, crypto::RecordKeys& keys,
                    io::TxRun& run) {
    const MutableByteSpan slot = run.next();
    // Most flushes end so, and no job is made for that.
    if (lead > slot.size() / 2 || session.sctp->association.is_drained(now)) return false;
    const MutableByteSpan record = slot.subspan(lead);
    // Made where it stays: copied from the stack it would be read by wider loads than stores made
    // it, and those wait until all stores before them, the packet's too, have reached the cache.
    crypto::SealJob& job = seal_jobs_.emplace_back();
    const std::size_t length = session.sctp->association.poll_packet(
        now, record.subspan(keys.header_bytes(), record.size() - keys.overhead()),
        keys.takes_lent() && !session.traced ? &job.lent : nullptr);
    if (length == 0) {
      seal_jobs_.pop_back();
      return false;
    }
    if (lead > 0) core_.poll_last_flight(now, session, slot.first(lead));
    if (session.traced) [[unlikely]]
      core_.trace_packet(session, true, record.subspan(keys.header_bytes(), length));
    run.push(lead + length + keys.overhead());
    job.keys = &keys;
    job.record = record.data();
    job.plaintext_length = static_cast<std::uint32_t>(length);
    return true;
  }

  // A packet larger than the others leaves apart, for one that does not pass the interface
  // would take all of its segmented send with it. True if the session may have more.
  bool collect_large(Time now, Session& session, crypto::RecordKeys& keys) {
    if (runs_.size() == kMaxRuns) return session.more_to_send = true, false;
    sctp::Association& association = session.sctp->association;
    const std::size_t bytes = association.large_packet_bytes() + keys.overhead();
    io::TxRun run = datapath_->reserve(session.path.to(*session.path.selected()), bytes, 1);
    if (run.empty()) return session.more_to_send = true, false;
    if (!write_packet(now, session, keys, run)) {
      datapath_->commit(run);
      return false;
    }
    if (association.may_be_fragmented()) run.allow_fragments();
    runs_.push_back(std::move(run));
    return true;
  }

  // What was made since the last call. What its jobs have been lent is still there: since it was,
  // the association was asked for packets and told of paths alone, and a message with a chunk that
  // is outstanding ends by a SACK, a time-out or with the association.
  void seal_made() {
    const std::span made = std::span(seal_jobs_).subspan(sealed_);
    core_.note_sealed(made.size());
    crypto::seal_batch(made);
    sealed_ = seal_jobs_.size();
  }

  void seal() {
    seal_made();
    // Keys that wore out in the middle sealed nothing from there on: those packets, the
    // last of their run, must not leave in the clear.
    std::size_t end = 0;
    for (io::TxRun& run : runs_) {
      end += run.pushed();
      for (std::size_t i = end; run.pushed() > 0 && seal_jobs_[i - 1].record_length == 0; --i) {
        run.pop();
      }
    }
    seal_jobs_.clear();
    sealed_ = 0;
  }

  void commit() {
    for (io::TxRun& run : runs_) {
      std::size_t bytes = 0;
      for (std::size_t i = 0; i < run.pushed(); ++i) bytes += run.length(i);
      core_.count_sent(run.pushed(), bytes);
      if (core_.capturing()) [[unlikely]]
        capture(run);
      datapath_->commit(run);
    }
    runs_.clear();
  }

  void capture(const io::TxRun& run) {
    for (std::size_t i = 0; i < run.pushed(); ++i) {
      core_.capture_sent(run.destination(), run.written(i));
    }
  }

  // True if anything waits for `flush`.
  bool send_control() {
    ControlQueue& control = core_.control();
    if (control.empty()) return false;
    while (!control.empty()) {
      const ControlQueue::Entry& entry = control.front();
      io::TxRun run = datapath_->reserve(entry.to, entry.length, 1);
      if (run.empty()) break;  // It waits for the next turn.
      const ByteSpan bytes = control.bytes(entry);
      std::copy(bytes.begin(), bytes.end(), run.next().begin());
      run.push(bytes.size());
      if (core_.capturing()) [[unlikely]]
        capture(run);
      datapath_->commit(run);
      core_.count_sent(1, bytes.size());
      control.pop();
    }
    return true;
  }

  const Clock& clock_;
  const EngineOptions& options_;
  std::unique_ptr<D> datapath_;
  ShardCore core_;
  std::array<io::RxView, kBurst> rx_{};
  std::vector<crypto::SealJob> seal_jobs_;
  std::size_t sealed_ = 0;  // Of these, the first so many.
  std::vector<io::TxRun> runs_;
  BurstWait burst_wait_;
  bool waiting_ = false;  // `poll` found nothing to do, and sleep is the embedder's.
};

}  // namespace millrace::engine
