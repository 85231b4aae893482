// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "io/datapath.h"
#include "io/slot_pool.h"

namespace millrace::io {

// SlotDatapath wraps a datapath so that memory looks as it does over DPDK, one mbuf to
// a datagram: every transmit segment and every received datagram lies in a slot of its
// own (see SlotPool), so whatever relies on contiguous segments, on alignment, or on
// bytes outside its own fails here. For tests: it copies every datagram.
template <Datapath Inner>
class SlotDatapath final : private RxBufferHome {
 public:
  // `inner` must outlive it, and be used through it alone.
  explicit SlotDatapath(Inner& inner, std::size_t rx_slots = 512, std::size_t tx_slots = 2048)
      : inner_(inner), rx_(rx_slots), tx_(tx_slots), buffers_(rx_slots), runs_(kRuns) {
    for (std::uint32_t i = 0; i < rx_slots; ++i) {
      buffers_[i].home = this;
      buffers_[i].index = i;
    }
    for (std::uint32_t i = 0; i < kRuns; ++i) free_runs_.push_back(i);
    lent_.reserve(rx_slots);
  }
  ~SlotDatapath() { rx_done(); }
  SlotDatapath(const SlotDatapath&) = delete;
  SlotDatapath& operator=(const SlotDatapath&) = delete;

  Result<SocketId, IoError> open_socket(const Address& local, const SocketOptions& options) {
    return inner_.open_socket(local, options);
  }
  void close_socket(SocketId socket) { inner_.close_socket(socket); }
  Address local_address(SocketId socket) const { return inner_.local_address(socket); }
  void start() { inner_.start(); }

  std::size_t rx_burst(std::span<RxView> in) {
    rx_done();
    const std::size_t room = std::min(in.size(), rx_.free());
    const std::size_t received = inner_.rx_burst(in.first(room));
    for (RxView& view : in.first(received)) view = own(view);
    inner_.rx_done();
    return received;
  }
  void rx_done() {
    for (RxBuffer* buffer : lent_) {
      if (--buffer->refs == 0) release(*buffer);
    }
    lent_.clear();
  }

  TxRun reserve(const Destination& to, std::size_t segment_bytes, std::size_t n) {
    if (free_runs_.empty() || tx_.free() == 0) return {};
    TxRun inner = inner_.reserve(to, segment_bytes, std::min(n, tx_.free()));
    if (inner.empty()) return {};
    const std::uint32_t token = free_runs_.back();
    free_runs_.pop_back();
    Run& run = runs_[token];
    run.inner = std::move(inner);
    for (std::size_t i = 0; i < run.inner.size(); ++i) {
      CHECK(tx_.take(segment_bytes, run.slots[i]));
      run.data[i] = tx_.data(run.slots[i]);
    }
    return TxRun(to, {.slots = run.data.data(),
                      .pitch = segment_bytes,
                      .count = run.inner.size(),
                      .token = token});
  }

  void commit(TxRun& outer) {
    if (outer.empty()) return;
    Run& run = runs_[outer.token()];
    for (std::size_t i = 0; i < outer.pushed(); ++i) {
      const MutableByteSpan bytes = outer.written(i);
      copy_payload(run.inner.next().first(bytes.size()), bytes, copied_);
      run.inner.push(bytes.size());
    }
    for (std::size_t i = 0; i < outer.size(); ++i) tx_.put(run.slots[i]);
    if (outer.may_fragment()) run.inner.allow_fragments();
    inner_.commit(run.inner);
    free_runs_.push_back(outer.token());
    outer.clear();
  }
  void flush() { inner_.flush(); }
  std::span<const RefusedSend> refused_sends() { return inner_.refused_sends(); }

  void wait(Time until) { inner_.wait(until); }
  Waker waker() const { return inner_.waker(); }
  int native_handle() { return inner_.native_handle(); }
  bool begin_wait() { return inner_.begin_wait(); }
  void end_wait() { inner_.end_wait(); }
  const IoStats& stats() const { return inner_.stats(); }

 private:
  static constexpr std::size_t kRuns = 256;  // Open at once.
  struct Run {
    TxRun inner;
    std::array<std::uint32_t, TxRun::kMaxSegments> slots;
    std::array<std::uint8_t*, TxRun::kMaxSegments> data;
  };

  RxView own(const RxView& view) {
    std::uint32_t slot = 0;
    CHECK(rx_.take(view.length, slot));
    RxBuffer& buffer = buffers_[slot];
    buffer.data = rx_.data(slot);
    buffer.capacity = view.length;
    buffer.refs = 1;
    buffer.ecn = view.buffer->ecn;
    buffer.socket = view.buffer->socket;
    buffer.source = view.buffer->source;
    buffer.local = view.buffer->local;
    copy_payload({buffer.data, view.length}, {view.data, view.length}, copied_);
    lent_.push_back(&buffer);
    return {.data = buffer.data, .length = view.length, .buffer = &buffer};
  }
  void release(RxBuffer& buffer) override { rx_.put(buffer.index); }

  Inner& inner_;
  SlotPool rx_;
  SlotPool tx_;
  std::vector<RxBuffer> buffers_;
  std::vector<RxBuffer*> lent_;
  std::vector<Run> runs_;
  std::vector<std::uint32_t> free_runs_;
  std::uint64_t copied_ = 0;
};

}  // namespace millrace::io
