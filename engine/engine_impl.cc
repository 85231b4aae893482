// SPDX-License-Identifier: Apache-2.0
#include "engine/engine_impl.h"

#include <sys/prctl.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "crypto/random.h"
#include "engine/shard/shard_core.h"
#include "engine/signalling.h"
#include "io/monotonic_clock.h"

namespace millrace::engine {
namespace {

constexpr std::size_t kMailbox = 8192;
constexpr milliseconds kStopStep{2};
// For ABORT and close_notify of the sessions that the grace was too short for.
constexpr milliseconds kLastWords{100};

// A server that starts anew finds its port taken for a little: the kernel ends the io_uring of a
// process that has gone in its own time, and the socket with it.
constexpr Duration kPortWait = milliseconds(500);
constexpr milliseconds kPortStep{10};

constexpr unsigned long kTimerSlackNs = 1000;

class MonotonicClock final : public Clock {
 public:
  Time now() const override { return io::monotonic_now(); }
};

TableOptions table_options(const Settings& settings) {
  TableOptions options;
  options.max_sessions = settings.options.max_sessions;
  // As many as a lite agent has paths.
  options.addresses_per_session = AssociationTable::kMaxAddresses;
  // Shards and the control plane.
  options.max_members = settings.options.shards + 8;
  std::array<std::uint8_t, sizeof(options.key)> random;
  crypto::random_bytes(random);
  options.key = SipKey{load_be64(random.data()), load_be64(random.data() + 8)};
  return options;
}

void log_to(const std::function<void(const std::string&)>& log, const std::string& line) {
  if (log) {
    log(line);
  } else {
    std::fprintf(stderr, "millrace: %s\n", line.c_str());
  }
}

}  // namespace

const Clock& monotonic_clock() {
  static const MonotonicClock clock;
  return clock;
}

EngineImpl::EngineImpl(Settings settings, KeyLogs key_logs,
                       std::shared_ptr<const crypto::DtlsContext> dtls)
    : settings_(std::move(settings)),
      key_logs_(std::move(key_logs)),
      recorder_(recording_failed(settings_.options)),
      tracer_({settings_.options.trace_file,
               settings_.options.trace_file.empty() ? 0 : settings_.options.trace_sessions,
               unix_offset(settings_.options)},
              recorder_),
      dtls_(std::move(dtls)),
      clock_(&monotonic_clock()),
      directory_(table_options(settings_)),
      workers_(settings_.options.simulation ? 0 : settings_.options.handshake_workers),
      io_(settings_.options.io) {
  if (settings_.options.simulation) {
    simulation_ = std::static_pointer_cast<SimulationImpl>(settings_.options.simulation);
    clock_ = simulation_.get();
    settings_.options.own_threads = false;
  }
}

EngineImpl::~EngineImpl() {
  if (settings_.options.own_threads) stop(milliseconds(0));
  workers_.stop();
  recorder_.stop();
  if (simulation_) simulation_->detach(*this);
}

Duration EngineImpl::unix_offset(const EngineOptions& options) {
  // Virtual time begins where it likes.
  if (options.simulation) return Duration();
  return std::chrono::system_clock::now().time_since_epoch() -
         io::monotonic_now().time_since_epoch();
}

std::optional<Error> EngineImpl::make_shards(const MakeHandler& make_handler) {
  if (std::optional<Error> error = tracer_.prepare()) return error;
  const unsigned count = settings_.options.shards;
  for (unsigned i = 0; i < count; ++i) mailboxes_.push_back(std::make_unique<Mailbox>(kMailbox));
  for (unsigned i = 0; i < count; ++i) {
    auto shard = make_shard(i);
    if (!shard.ok()) return shard.error();
    shards_.push_back(std::move(shard).value());
  }
  polled_.resize(count);
  if (settings_.listen) {
    if (std::optional<Error> error = bind_listening()) return error;
  }
  for (const std::unique_ptr<ShardRunner>& shard : shards_) {
    std::unique_ptr<Handler> handler = make_handler(shard->core().context());
    if (handler == nullptr) return Error{"make_handler: returned no handler"};
    shard->core().set_handler(std::move(handler));
  }
  if (simulation_) simulation_->attach(*this);
  return std::nullopt;
}

// All sockets of the port are bound before traffic: the kernel spreads peers over those
// that exist, and would move them when one more appeared.
std::optional<Error> EngineImpl::bind_listening() {
  io::SocketOptions options;
  options.reuse_port = shards_.size() > 1;
  options.receive_buffer_bytes = options.send_buffer_bytes =
      static_cast<std::uint32_t>(settings_.options.socket_buffer_bytes);
  listen_ = *settings_.listen;
  for (const std::unique_ptr<ShardRunner>& shard : shards_) {
    options.first_of_port = shard == shards_.front();
    auto bound = shard->open_listening(listen_, options);
    for (Duration waited{}; !bound.ok() && bound.error().code == EADDRINUSE && waited < kPortWait;
         waited += kPortStep) {
      std::this_thread::sleep_for(kPortStep);
      bound = shard->open_listening(listen_, options);
    }
    if (!bound.ok()) return Error{bound.error().message};
    listen_ = bound.value();
  }
  return std::nullopt;
}

void EngineImpl::log(const std::string& line) const { log_to(settings_.options.log, line); }

std::function<void(const Error&)> EngineImpl::recording_failed(const EngineOptions& options) {
  if (options.recording_failed) return options.recording_failed;
  return [log = options.log](const Error& error) { log_to(log, error.message); };
}

// Not earlier: an engine, or a program, that does not come up leaves files as they were.
void EngineImpl::begin_recording() {
  std::call_once(recording_, [this] {
    tracer_.start();
    if (key_logs_.capture) recorder_.add(key_logs_.capture);
  });
}

void EngineImpl::start() {
  if (!settings_.options.own_threads || !threads_.empty() || stopped_) return;
  begin_recording();
  for (unsigned i = 0; i < shards(); ++i) threads_.emplace_back([this, i] { run_shard(i); });
}

void EngineImpl::run_shard(unsigned index) {
  const std::vector<int>& cpus = settings_.options.cpus;
  if (!cpus.empty()) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<std::size_t>(cpus[index % cpus.size()]), &set);
    if (::sched_setaffinity(0, sizeof(set), &set) != 0) {
      log("shard " + std::to_string(index) + ": cannot be pinned to processor " +
          std::to_string(cpus[index % cpus.size()]));
    }
  }
  // By default the kernel may let a sleep last 50 us longer than was asked for.
  ::prctl(PR_SET_TIMERSLACK, kTimerSlackNs);
  shards_[index]->start();
  shards_[index]->run(stop_);
}

void EngineImpl::ask_to_close(bool at_once) {
  for (unsigned i = 0; i < shards(); ++i) {
    const auto task = [this, i, at_once] { shards_[i]->core().close_all(at_once); };
    // A full inbox empties within a turn, where threads turn the shards.
    while (!post(i, task) && !threads_.empty()) std::this_thread::sleep_for(kStopStep);
  }
}

// Waits until no shard has a session.
bool EngineImpl::closed_by(Time deadline) const {
  const auto any = [this] {
    return std::any_of(shards_.begin(), shards_.end(),
                       [](const auto& shard) { return shard->core().session_count() > 0; });
  };
  while (any() && now() < deadline) std::this_thread::sleep_for(kStopStep);
  return !any();
}

void EngineImpl::stop(milliseconds grace) {
  if (!settings_.options.own_threads) return ask_to_close(false);
  if (std::exchange(stopped_, true)) return;
  if (!threads_.empty()) {
    ask_to_close(false);
    if (!closed_by(now() + grace)) {
      ask_to_close(true);
      closed_by(now() + kLastWords);
    }
  }
  stop_.store(true);
  for (const std::unique_ptr<ShardRunner>& shard : shards_) shard->waker().wake();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  workers_.stop();
  recorder_.stop();
}

Result<Description, SignalError> EngineImpl::accept_offer(const std::string& offer) {
  if (!settings_.listen) {
    return Failure(SignalError{SignalError::Kind::kInternal, "this engine only dials"});
  }
  const sdp::ParseResult parsed = sdp::parse_offer(offer);
  if (!parsed.ok()) return Failure(signal_error(parsed.error()));
  const sdp::RemoteDescription& remote = parsed.value();
  auto terms = terms_of(settings_, remote);
  if (!terms.ok()) return Failure(terms.error());
  const bool begins = begins_with_first_check(shards(), terms.value());
  const sdp::Setup setup =
      sdp::answer_setup(remote.setup, begins ? sdp::Setup::kActive : sdp::Setup::kPassive);
  terms.value().role = role_of(setup, remote.setup);
  SystemRng rng;
  const LocalTerms local = LocalTerms::draw(directory_.make_id(), rng);
  terms.value().local_init = local.init;
  const std::string answer = make_answer(settings_, local, listen_.port, setup, remote);
  const TableStatus added = directory_.add_pending(std::make_unique<PendingSession>(
      local.id, local.ice, remote.ice.ufrag, std::move(terms).value(), now()));
  if (added != TableStatus::kOk) {
    return Failure(
        SignalError{SignalError::Kind::kFull,
                    "session limit reached: " + std::to_string(settings_.options.max_sessions)});
  }
  return Description{local.id, answer};
}

void EngineImpl::create_offer(const OfferOptions& options, OfferDone done) {
  const SessionId id = directory_.make_id();
  const unsigned shard = options.shard % shards();
  directory_.add_dialled(id, shard);
  OfferOptions wanted = options;
  if (simulation_ && shards_[shard]->core().host())
    wanted.local_ip = *shards_[shard]->core().host();
  auto task = [this, shard, wanted, id, done] {
    shards_[shard]->core().create_offer(wanted, id, done);
  };
  if (!post(shard, std::move(task))) {
    directory_.forget(id);
    done(Failure(SignalError{SignalError::Kind::kFull, "the shard's inbox is full"}));
  }
}

void EngineImpl::accept_answer(SessionId session, std::string answer, AnswerDone done) {
  const auto place = directory_.find(session);
  const unsigned shard = place ? place->shard.value_or(0) : 0;
  auto task = [this, shard, session, answer = std::move(answer), done] {
    shards_[shard]->core().accept_answer(session, answer, done);
  };
  if (!place || !post(shard, std::move(task))) {
    done(SignalError{SignalError::Kind::kUnknown, "no such offer"});
  }
}

Result<SessionId, Error> EngineImpl::add_peer(const PeerOptions& options) {
  const std::optional<Address> remote = Address::parse(options.remote);
  if (!remote) return Failure(Error{"remote: '" + options.remote + "' is not ADDRESS:PORT"});
  const auto fingerprint = crypto::Fingerprint::parse(options.fingerprint);
  if (!fingerprint) {
    return Failure(Error{"fingerprint: '" + options.fingerprint +
                         "' is not sha-256, sha-384 or sha-512 and its digest"});
  }
  RemoteTerms terms;
  terms.fingerprints = {*fingerprint};
  terms.role = options.dtls_client ? crypto::Role::kClient : crypto::Role::kServer;
  terms.max_message_bytes = options.max_message_bytes;
  const SessionId id = directory_.make_id();
  if (options.use_listening_socket) {
    if (!settings_.listen) return Failure(Error{"use_listening_socket: this engine only dials"});
    if (options.dtls_client) {
      return Failure(Error{"dtls_client: the side that begins needs a socket of its own"});
    }
    auto pending = std::make_unique<PendingSession>(id, ice::Credentials{}, "", terms, now());
    pending->static_peer = *remote;
    const TableStatus added = directory_.add_pending(std::move(pending));
    if (added == TableStatus::kTaken) {
      return Failure(Error{"remote: '" + options.remote + "' belongs to another session"});
    }
    if (added != TableStatus::kOk) return Failure(Error{"session limit reached"});
    return id;
  }
  Address local{{}, 0};
  local.ip.family = remote->ip.family;
  if (!options.local.empty()) {
    const std::optional<Address> parsed = Address::parse(options.local);
    if (!parsed) return Failure(Error{"local: '" + options.local + "' is not ADDRESS:PORT"});
    local = *parsed;
  }
  const unsigned shard = options.shard % shards();
  directory_.add_dialled(id, shard);
  const bool posted = post(shard, [this, shard, id, local, to = *remote, terms] {
    shards_[shard]->core().add_peer(id, local, to, terms);
  });
  if (posted) return id;
  directory_.forget(id);
  return Failure(Error{"the shard's inbox is full"});
}

bool EngineImpl::close_session(SessionId session) {
  if (directory_.remove_pending(session)) return true;
  const auto place = directory_.find(session);
  if (!place || !place->shard) return false;
  const unsigned shard = *place->shard;
  return post(shard, [this, shard, session] { shards_[shard]->core().close_session(session); });
}

bool EngineImpl::post(unsigned shard, std::function<void()> task) {
  return shard < shards() && mailboxes_[shard]->post(Task(std::move(task)));
}

void EngineImpl::make_polled(unsigned shard) {
  CHECK(shard < shards() && !settings_.options.own_threads);
  if (!polled_[shard].started) start_polled(shard);
}

void EngineImpl::start_polled(unsigned shard) {
  begin_recording();
  shards_[shard]->start();
  polled_[shard] = {true, shards_[shard]->native_handle()};
}

bool EngineImpl::poll(unsigned shard) {
  make_polled(shard);
  return shards_[shard]->poll();
}

int EngineImpl::poll_handle(unsigned shard) {
  make_polled(shard);
  return polled_[shard].handle;
}

Time EngineImpl::poll_deadline(unsigned shard) const {
  CHECK(shard < shards());
  return shards_[shard]->core().next_deadline();
}

}  // namespace millrace::engine
