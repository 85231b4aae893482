// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/bench_command.h"
#include "engine/cli/command_line.h"
#include "engine/cli/load_command.h"
#include "engine/cli/loop_command.h"
#include "engine/cli/serve_command.h"

int main(int argc, char** argv) {
  using namespace millrace::cli;
  ServeCommand serve;
  LoadCommand load;
  LoopCommand loop;
  BenchCommand bench;
  return run_command_line(
      argc, argv, "WebRTC data channels that count microseconds",
      {{"serve", "Answer offers over HTTP; echo, sink, source, relay", &serve.settings(),
        [&] { return serve.run(); }},
       {"load", "Open sessions with a server, send, measure, report", &load.settings(),
        [&] { return load.run(); }},
       {"loop", "Both ends in one process, over a back end or a simulated network",
        &loop.settings(), [&] { return loop.run(); }},
       {"bench", "What a packet costs on this machine, and how near the engine comes",
        &bench.settings(), [&] { return bench.run(); }}});
}
