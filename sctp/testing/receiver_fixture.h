// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sctp/rx/data_receiver.h"
#include "sctp/testing/transfer.h"

namespace millrace::sctp::testing {

inline constexpr Time kReceiverStart{seconds(1)};

// ReceivedPart is what `poll_message` lent, copied.
struct ReceivedPart {
  std::uint16_t stream = 0;
  std::string text;
  std::size_t offset = 0;
  bool last = true;
  bool aborted = false;
  friend bool operator==(const ReceivedPart&, const ReceivedPart&) = default;
};
inline std::ostream& operator<<(std::ostream& out, const ReceivedPart& part) {
  return out << "stream " << part.stream << " offset " << part.offset << " '"
             << part.text.substr(0, 40) << "' of " << part.text.size() << (part.last ? " last" : "")
             << (part.aborted ? " aborted" : "");
}

// IDataFragment is an I-DATA chunk as tests write it: whole and ordered unless they say so.
struct IDataFragment {
  std::uint32_t tsn = 0;
  std::uint16_t stream = 1;
  std::uint32_t mid = 0;
  std::uint32_t fsn = 0;
  std::string text = "x";
  bool beginning = true;
  bool ending = true;
  bool unordered = false;
};

// ReceiverTest drives a DataReceiver with chunks that it makes.
class ReceiverTest : public ::testing::Test {
 protected:
  static DataReceiverOptions defaults() {
    DataReceiverOptions options;
    options.peer_initial_tsn = Tsn(1000);
    options.streams = 2048;
    options.window_bytes = 1 << 20;
    options.max_message_bytes = 64 * 1024;
    return options;
  }
  void make(const DataReceiverOptions& options) { receiver_.emplace(options, pool_); }
  void TearDown() override { receiver_.reset(); }

  DataResult give(const DataChunkHeader& header, const std::string& text,
                  std::size_t capacity = 256) {
    const BufferRef buffer = buffer_of(text, capacity);
    return receiver_->handle_data(now_, {header, {buffer->data, text.size()}}, buffer);
  }
  DataResult give(const IDataFragment& f, std::size_t capacity = 256) {
    const BufferRef buffer = buffer_of(f.text, capacity);
    const IDataChunkHeader header{.tsn = Tsn(f.tsn),
                                  .stream = StreamId(f.stream),
                                  .mid = Mid(f.mid),
                                  .ppid = f.beginning ? ppid_ : Ppid(),
                                  .fsn = f.fsn,
                                  .flags = {.immediate = false,
                                            .unordered = f.unordered,
                                            .beginning = f.beginning,
                                            .ending = f.ending}};
    return receiver_->handle_data(now_, IDataChunkView{header, {buffer->data, f.text.size()}},
                                  buffer);
  }
  bool skip(std::uint32_t tsn, std::vector<SkippedMessages> skipped = {}) {
    const IForwardTsnChunk chunk{Tsn(tsn), skipped};
    Bytes bytes(chunk.size());
    chunk.write(bytes);
    return receiver_->handle_forward_tsn(*IForwardTsnChunkView::parse(bytes));
  }
  bool forward(std::uint32_t tsn, std::vector<SkippedStream> skipped = {}) {
    const ForwardTsnChunk chunk{Tsn(tsn), skipped};
    Bytes bytes(chunk.size());
    chunk.write(bytes);
    return receiver_->handle_forward_tsn(*ForwardTsnChunkView::parse(bytes));
  }
  std::vector<ReceivedPart> take_parts() {
    std::vector<ReceivedPart> parts;
    MessageView view;
    do {
      while (receiver_->poll_message(view)) {
        const ReceivedMessage copy = copy_of(view);
        EXPECT_EQ(copy.bytes.size(), view.size);
        parts.push_back({view.stream.value(),
                         {copy.bytes.begin(), copy.bytes.end()},
                         view.offset,
                         view.last,
                         view.aborted});
        ppids_.push_back(view.ppid);
      }
    } while (receiver_->poll_reset());
    return parts;
  }
  // The texts of messages that must have come whole.
  std::vector<std::string> take() {
    std::vector<std::string> texts;
    for (const ReceivedPart& part : take_parts()) {
      EXPECT_TRUE(part.offset == 0 && part.last && !part.aborted) << part;
      texts.push_back(part.text);
    }
    return texts;
  }
  Tsn cumulative() const { return receiver_->cumulative_tsn(); }

  Time now_ = kReceiverStart;
  Ppid ppid_ = kPpidString;
  std::vector<Ppid> ppids_;
  BufferHome home_;
  BlockPool pool_;
  std::optional<DataReceiver> receiver_;

 private:
  BufferRef buffer_of(const std::string& text, std::size_t capacity) {
    return home_.make({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()},
                      std::max(capacity, text.size()));
  }
};

}  // namespace millrace::sctp::testing
