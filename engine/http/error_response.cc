// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "engine/http/http_server.h"

namespace millrace::http {

Response error_response(unsigned status, const std::string& reason) {
  Response response;
  response.status = status;
  // Bytes of a peer may be quoted: what is not UTF-8 is replaced, never thrown over.
  response.body = nlohmann::json{{"error", reason}}.dump(-1, ' ', false,
                                                         nlohmann::json::error_handler_t::replace) +
                  "\n";
  return response;
}

}  // namespace millrace::http
