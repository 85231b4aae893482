// SPDX-License-Identifier: Apache-2.0
#include "engine/record/session_trace.h"

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <type_traits>
#include <utility>

namespace millrace::engine {
namespace {

template <class T>
ByteSpan bytes_of(const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  return {reinterpret_cast<const std::uint8_t*>(&value), sizeof(value)};
}

template <class T>
T take(ByteSpan& bytes) {
  static_assert(std::is_trivially_copyable_v<T>);
  T value;
  std::copy_n(bytes.begin(), sizeof(T), reinterpret_cast<std::uint8_t*>(&value));
  bytes = bytes.subspan(sizeof(T));
  return value;
}

}  // namespace

SessionTrace::SessionTrace(const TraceInfo& info, Target target)
    : info_(info), target_(std::move(target)), writer_(info) {
  writer_.header(text_);
}

void SessionTrace::push(Time now, Kind kind, ByteSpan bytes) {
  if (over_.load(std::memory_order_relaxed)) return;
  const Head head{now.time_since_epoch().count(), kind};
  ring_.push({bytes_of(head), bytes});
}

void SessionTrace::packet(Time now, bool sent, ByteSpan packet) {
  push(now, sent ? Kind::kSent : Kind::kReceived, packet);
}

void SessionTrace::sample(Time now, const sctp::Metrics& metrics, const sctp::Stats& stats) {
  TraceSample sample;
  sample.metrics = metrics;
  sample.t3_expiries = stats.t3_expiries;
  sample.fast_retransmits = stats.fast_retransmits;
  sample.drops = std::accumulate(stats.drops.begin(), stats.drops.end(), std::uint64_t{0});
  push(now, Kind::kSample, bytes_of(sample));
}

void SessionTrace::end(Time now) {
  push(now, Kind::kEnd, {});
  over_ = true;
}

OutputFile* SessionTrace::file() {
  if (const auto* const path = std::get_if<std::string>(&target_)) {
    auto made = OutputFile::create("trace_file", *path);
    if (!made.ok()) {
      failure_ = made.error();
      return nullptr;
    }
    target_.emplace<OutputFile>(std::move(made).value());
  }
  return &std::get<OutputFile>(target_);
}

bool SessionTrace::drain(bool last) {
  // Looked at first: what was pushed before it was set is found below.
  const bool over = over_.load(std::memory_order_acquire);
  OutputFile* const to = file();
  const auto flush = [&] {
    const bool written =
        to != nullptr &&
        to->write({reinterpret_cast<const std::uint8_t*>(text_.data()), text_.size()});
    text_.clear();
    return written;
  };
  bool good = to != nullptr;
  ring_.consume([&](ByteSpan record) {
    if (!good || ended_) return;
    write(record);
    if (to->size() + text_.size() >= kMaxFileBytes) {
      writer_.ended(text_, info_.start, "the file has its full size");
      ended_ = true;
    }
    if (text_.size() >= kWriteBytes) good = flush();
  });
  if (good && !text_.empty()) good = flush();
  if (!good || ended_) over_ = true;
  return good && !last && !over && !ended_;
}

std::optional<Error> SessionTrace::take_failure() {
  if (auto* const file = std::get_if<OutputFile>(&target_)) return file->take_failure();
  return std::exchange(failure_, std::nullopt);
}

void SessionTrace::write(ByteSpan record) {
  const auto head = take<Head>(record);
  const Time when{Duration(head.time)};
  note_lost(when);
  switch (head.kind) {
    case Kind::kReceived:
      return writer_.packet(text_, when, false, record);
    case Kind::kSent:
      return writer_.packet(text_, when, true, record);
    case Kind::kSample:
      return writer_.sample(text_, when, take<TraceSample>(record));
    case Kind::kEnd:
      ended_ = true;
      return writer_.ended(text_, when, "the session has ended");
  }
}

void SessionTrace::note_lost(Time when) {
  const std::uint64_t lost = ring_.dropped();
  if (lost == lost_told_) return;
  writer_.lost(text_, when, lost - lost_told_);
  lost_told_ = lost;
}

std::optional<Error> Tracer::prepare() {
  if (options_.sessions == 0) return std::nullopt;
  auto file = OutputFile::create("trace_file", options_.path);
  if (!file.ok()) return file.error();
  first_.emplace(std::move(file).value());
  return std::nullopt;
}

void Tracer::start() {
  const std::lock_guard lock(mutex_);
  if (first_) first_->empty();
}

std::shared_ptr<SessionTrace> Tracer::begin(std::uint64_t session, Time now,
                                            std::string_view vantage) {
  const std::lock_guard lock(mutex_);
  const unsigned left = left_.load(std::memory_order_relaxed);
  if (left == 0) return nullptr;
  left_.store(left - 1, std::memory_order_relaxed);
  if (first_) {
    OutputFile file = std::move(*first_);
    first_.reset();
    return make(session, now, vantage, std::move(file));
  }
  const std::string path = options_.path + "." + std::to_string(options_.sessions - left + 1);
  return make(session, now, vantage, path);
}

std::shared_ptr<SessionTrace> Tracer::begin(std::uint64_t session, Time now,
                                            std::string_view vantage, OutputFile file) {
  return make(session, now, vantage, std::move(file));
}

std::shared_ptr<SessionTrace> Tracer::make(std::uint64_t session, Time now,
                                           std::string_view vantage, SessionTrace::Target target) {
  char title[40];
  std::snprintf(title, sizeof(title), "session %016llx", static_cast<unsigned long long>(session));
  TraceInfo info;
  info.title = title;
  info.vantage = vantage;
  info.start = now;
  info.unix_start_ns = (now.time_since_epoch() + options_.unix_offset).count();
  auto trace = std::make_shared<SessionTrace>(info, std::move(target));
  recorder_.add(trace);
  return trace;
}

}  // namespace millrace::engine
