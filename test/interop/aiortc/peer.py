# SPDX-License-Identifier: Apache-2.0
"""The aiortc peer of the interoperability suite: see ../README.md."""

import argparse
import asyncio
import sys

from client import run_client
from server import run_server

MODES = ("reliable-ordered", "reliable-unordered", "unreliable-ordered", "unreliable-unordered")


def main() -> int:
    parser = argparse.ArgumentParser(prog="aiortc")
    roles = parser.add_subparsers(dest="role", required=True)
    client = roles.add_parser("client")
    client.add_argument("--target", required=True)
    client.add_argument("--label", default="echo")
    client.add_argument("--messages", type=int, default=1000)
    client.add_argument("--outstanding", type=int, default=8)
    client.add_argument("--max-size", type=int, default=262144)
    client.add_argument("--mode", choices=MODES, default=MODES[0])
    client.add_argument("--seed", type=int, default=1)
    client.add_argument("--no-empty", action="store_true")
    client.add_argument("--json", action="store_true", help="the verdict is always JSON")
    server = roles.add_parser("server")
    server.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    if options.role == "server":
        return asyncio.run(run_server(options))
    options.reliable = options.mode.startswith("reliable")
    options.ordered = options.mode.endswith("-ordered")
    return asyncio.run(run_client(options))


if __name__ == "__main__":
    sys.exit(main())
