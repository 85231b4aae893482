// SPDX-License-Identifier: Apache-2.0
//
// millrace-plain-sctp: one end of an association without DTLS, SCTP over plain UDP (RFC 6951), for
// conformance tools, other stacks and captures. It is built with the tests and never installed.
#include "engine/cli/command_line.h"
#include "test/plain_sctp/connect_command.h"
#include "test/plain_sctp/listen_command.h"
#include "test/plain_sctp/plain_end.h"

int main(int argc, char** argv) {
  using namespace millrace::test;
  stop_by_signals();
  ListenCommand listen;
  ConnectCommand connect;
  return millrace::cli::run_command_line(
      argc, argv,
      "SCTP over plain UDP (RFC 6951), without DTLS and so without any security: for conformance "
      "tools and captures. Not installed; the engine has no such mode",
      {{"listen", "Wait for an association and send its messages back", &listen.settings(),
        [&] { return listen.run(); }},
       {"connect", "Bring an association up, send messages and check their echoes",
        &connect.settings(), [&] { return connect.run(); }}},
      kProgram);
}
