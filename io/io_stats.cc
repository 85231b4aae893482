// SPDX-License-Identifier: Apache-2.0
#include "io/io_stats.h"

namespace millrace::io {

std::string_view drop_name(IoDrop reason) {
  switch (reason) {
    case IoDrop::kRxKernelQueue:
      return "rx_kernel_queue";
    case IoDrop::kRxTruncated:
      return "rx_truncated";
    case IoDrop::kRxEmpty:
      return "rx_empty";
    case IoDrop::kRxNoSource:
      return "rx_no_source";
    case IoDrop::kRxClosedSocket:
      return "rx_closed_socket";
    case IoDrop::kRxError:
      return "rx_error";
    case IoDrop::kTxClosedSocket:
      return "tx_closed_socket";
    case IoDrop::kTxNoBuffer:
      return "tx_no_buffer";
    case IoDrop::kTxTooBig:
      return "tx_too_big";
    case IoDrop::kTxUnreachable:
      return "tx_unreachable";
    case IoDrop::kTxNotPermitted:
      return "tx_not_permitted";
    case IoDrop::kTxWrongFamily:
      return "tx_wrong_family";
    case IoDrop::kTxError:
      return "tx_error";
    case IoDrop::kCount:
      break;
  }
  return "unknown";
}

}  // namespace millrace::io
