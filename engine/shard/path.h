// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <utility>
#include <variant>

#include "engine/ice/ice_controlling_agent.h"
#include "engine/ice/ice_lite_agent.h"
#include "io/tx_run.h"

namespace millrace::engine {

// Path is how a session reaches its peer: ICE-lite for the side that was dialled, full
// controlling ICE for the side that dials, or one stated address without ICE.
class Path {
 public:
  enum class Kind : std::uint8_t { kAwaitingAnswer, kLite, kControlling, kStatic };

  explicit Path(io::SocketId socket) : socket_(socket) {}

  void use_lite(Time now, const ice::PendingSession& pending, Duration expiry) {
    agent_.emplace<ice::IceLiteAgent>(now, pending, ice::IceLiteAgent::Options{expiry});
  }
  void use_controlling(std::unique_ptr<ice::IceControllingAgent> agent) {
    agent_ = std::move(agent);
  }
  void use_static(const Address& remote) { agent_ = ice::CandidatePair{remote, {}}; }

  Kind kind() const { return static_cast<Kind>(agent_.index()); }
  ice::IceLiteAgent* lite() { return std::get_if<ice::IceLiteAgent>(&agent_); }
  const ice::IceLiteAgent* lite() const { return std::get_if<ice::IceLiteAgent>(&agent_); }
  const ice::IceControllingAgent* controlling() const {
    const auto* agent = std::get_if<std::unique_ptr<ice::IceControllingAgent>>(&agent_);
    return agent == nullptr ? nullptr : agent->get();
  }
  ice::IceControllingAgent* controlling() {
    auto* agent = std::get_if<std::unique_ptr<ice::IceControllingAgent>>(&agent_);
    return agent == nullptr ? nullptr : agent->get();
  }
  io::SocketId socket() const { return socket_; }
  // Only before anything was sent.
  void move_to(io::SocketId socket) { socket_ = socket; }

  // DTLS may be taken from `pair`: ICE has authenticated it, or it is the stated address.
  bool accepts_dtls(const ice::CandidatePair& pair) const {
    switch (kind()) {
      case Kind::kAwaitingAnswer:
        return false;
      case Kind::kLite:
        return std::get<1>(agent_).is_authenticated(pair);
      case Kind::kControlling:
        return std::get<2>(agent_)->is_authenticated(pair);
      case Kind::kStatic:
        return std::get<3>(agent_).remote == pair.remote;
    }
    return false;
  }
  // Tells that DTLS came on `pair`: a lite agent sends there until it knows that the nominated
  // path leads back. An established session has to have opened a record of it, if it `is_news`.
  bool is_news(const ice::CandidatePair& pair) const {
    if (const ice::IceLiteAgent* agent = lite(); agent != nullptr) return agent->is_news(pair);
    return kind() == Kind::kStatic && std::get<3>(agent_).local != pair.local;
  }
  void note_handshake(const ice::CandidatePair& pair) {
    if (ice::IceLiteAgent* agent = lite(); agent != nullptr) agent->note_handshake(pair);
    if (kind() == Kind::kStatic) std::get<3>(agent_).local = pair.local;
  }
  // DTLS is established: from here on only records tell.
  void note_keys() {
    if (ice::IceLiteAgent* agent = lite(); agent != nullptr) agent->note_keys();
  }
  // `newest`: no record of a higher number has opened (RFC 9146 §6).
  void note_record(Time now, const ice::CandidatePair& pair, bool newest) {
    if (ice::IceLiteAgent* agent = lite(); agent != nullptr) agent->note_record(now, pair, newest);
    if (kind() == Kind::kStatic && newest) std::get<3>(agent_).local = pair.local;
  }

  // The pair to send on, or null where there is none yet.
  const ice::CandidatePair* selected() const {
    switch (kind()) {
      case Kind::kAwaitingAnswer:
        return nullptr;
      case Kind::kLite:
        return std::get<1>(agent_).selected();
      case Kind::kControlling:
        return std::get<2>(agent_)->selected();
      case Kind::kStatic:
        return &std::get<3>(agent_);
    }
    return nullptr;
  }
  io::Destination to(const ice::CandidatePair& pair) const {
    return {socket_, pair.remote, pair.local};
  }

  Time next_timeout() const {
    if (kind() == Kind::kLite) return std::get<1>(agent_).next_timeout();
    if (kind() == Kind::kControlling) return std::get<2>(agent_)->next_timeout();
    return kNever;
  }
  void handle_timeout(Time now) {
    if (ice::IceLiteAgent* agent = lite(); agent != nullptr) agent->handle_timeout(now);
    if (ice::IceControllingAgent* agent = controlling(); agent != nullptr)
      agent->handle_timeout(now);
  }

 private:
  io::SocketId socket_;
  // In the order of Kind.
  std::variant<std::monostate, ice::IceLiteAgent, std::unique_ptr<ice::IceControllingAgent>,
               ice::CandidatePair>
      agent_;
};

}  // namespace millrace::engine
