# SPDX-License-Identifier: Apache-2.0
"""Flags, TOML files, exit codes, the examples in configs/."""

import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time

import seccomp
from program import expect

CONFIGS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "configs")
COMMANDS = ("serve", "load", "loop")  # Those with an example in configs/.
ALL_COMMANDS = (*COMMANDS, "bench")


def one_line(millrace, code, *arguments, preexec=None):
    """What a person is told: one line on stderr, with that exit code."""
    exit_code, _, err = millrace.run(*arguments, preexec=preexec)
    expect(exit_code == code, f"exit code {exit_code}, {code} expected: {err}")
    lines = err.strip().splitlines()
    expect(len(lines) == 1 and lines[0].startswith("millrace: "), err)
    return lines[0]


def refused_file(millrace, command, text):
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(text)
        file.flush()
        line = one_line(millrace, 2, command, "--config", file.name)
        return line.replace(file.name, "FILE")


def case_version_and_help(millrace):
    for words in ([], *([command] for command in ALL_COMMANDS)):
        code, out, _ = millrace.run(*words, "--version")
        expect(code == 0 and re.fullmatch(r"millrace \d+\.\d+\.\d+\n", out), out)
        code, out, _ = millrace.run(*words, "--help")
        expect(code == 0 and "Usage" in out, out)
    return out and f"all {len(ALL_COMMANDS)} commands"


def case_every_flag_is_a_toml_key(millrace):
    count = 0
    for command in ALL_COMMANDS:
        _, out, _ = millrace.run(command, "--help")
        flags = set(re.findall(r"--([a-z][a-z-]+)", out)) - {"help", "version", "config"}
        for flag in sorted(flags):
            if not re.search(rf"^ +--{flag}\b", out, re.MULTILINE):
                continue  # Only mentioned in the words of another.
            line = refused_file(millrace, command, f"{flag} = 1979-05-27\n")
            expect("FILE:1: bad value " in line and f" of '{flag}', expected " in line, line)
            count += 1
    return f"{count} flags"


def case_unknown_keys_and_values_are_refused_with_their_line(millrace):
    line = refused_file(millrace, "serve", "# one\nshards = 1\nshard = 2\n")
    expect("FILE:3: unknown key 'shard', expected one of " in line and "shards" in line, line)
    line = refused_file(millrace, "load", "\n\nsize = -1\n")
    expect("FILE:3: bad value -1 of 'size', expected a whole number from 0" in line, line)
    line = refused_file(millrace, "loop", "io = \"carrier pigeon\"\n")
    expect("FILE:1: bad value 'carrier pigeon' of 'io', expected auto, uring, sockets, dpdk or sim"
           in line, line)
    line = refused_file(millrace, "serve", "shards = 1\nhttp = \n")
    expect("FILE:2: " in line, line)
    return line


def case_a_missing_config_file_is_named(millrace):
    return one_line(millrace, 2, "serve", "--config", "/nowhere/serve.toml")


def case_bad_flags_end_with_2(millrace):
    for words in (["serve", "--bogus"], ["load", "--rate", "0"], ["load", "--size", "many"], [],
                  ["carry"], ["load", "--target", "ftp://x/"], ["loop", "--io", "dial-up"],
                  ["load", "--target", "http://127.0.0.1:1/offer", "--max-retransmits", "1",
                   "--max-packet-life-time", "1"]):
        line = one_line(millrace, 2, *words)
    return line


def case_a_flag_overrides_the_file(millrace):
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write('io = "sim"\nsize = 100\nduration = 0.2\nwarmup = 0\nrate = 100\n')
        file.flush()
        code, out, err = millrace.run("loop", "--config", file.name, "--size", "200", "--json", "-")
    expect(code == 0, err)
    config = json.loads(out)["config"]
    expect(config["size"] == 200 and config["rate"] == 100 and config["duration"] == 0.2, config)


def case_the_example_configurations_load(millrace):
    path = lambda name: os.path.join(CONFIGS, name)  # noqa: E731
    with millrace.serve("--config", path("serve.toml")) as server:
        millrace.load(server.url, "--config", path("load.toml"), "--duration", "0.3")
    code, _, err = millrace.run("loop", "--config", path("loop.toml"), "--duration", "0.3")
    expect(code == 0, err)
    for name in COMMANDS:  # Keys that are commented out are keys, too.
        with open(path(f"{name}.toml"), encoding="utf-8") as text:
            keys = re.findall(r"^#? ?([a-z-]+) = ", text.read(), re.MULTILINE)
        _, out, _ = millrace.run(name, "--help")
        for key in keys:
            expect(f"--{key}" in out, f"{name}.toml has {key}")


def case_simulated_loops_are_reproducible(millrace):
    arguments = ("loop", "--io", "sim", "--duration", "0.5", "--warmup", "0.1", "--sim-loss", "0.02",
                 "--rate", "2000", "--json", "-")
    reports = []
    for seed in (7, 7, 8):
        code, out, err = millrace.run(*arguments, "--sim-seed", seed)
        expect(code == 0, err)
        report = json.loads(out)
        reports.append((report["delivered"], report["latency_us"]))
    # Certificates are made afresh and differ by a byte or two in size: so do times, by
    # nanoseconds. What is lost, and when, does not.
    (first, times), (again, same_times), (_, other_times) = reports
    expect(first == again, reports)
    for name, value in times.items():
        expect(abs(value - same_times[name]) < 5, (name, times, same_times))
    # Two losses may happen to take equally long: the greatest time alone tells no seeds apart.
    expect(any(abs(value - other_times[name]) > 5 for name, value in times.items()),
           "another seed gave the same run")


def case_loop_over_each_back_end(millrace):
    for io in ("uring", "sockets"):
        code, out, err = millrace.run("loop", "--io", io, "--duration", "0.5", "--json", "-")
        expect(code == 0, err)
        report = json.loads(out)
        expect(report["environment"]["back_end"] == io and report["delivered"]["messages"] > 0, out)


def case_what_stdout_does_not_take_is_told(millrace):
    loop = ("loop", "--io", "sim", "--duration", "0.2", "--warmup", "0", "--rate", "100")
    bench = ("bench", "--duration", "0.1")
    for words in (loop, (*loop, "--json", "-"), (*loop, "--html", "-"), bench, (*bench, "--json", "-"),
                  ("--version",), ("load", "--help")):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run(millrace.command(*words), stdin=subprocess.DEVNULL, stdout=full,
                                  stderr=subprocess.PIPE, text=True, timeout=60)
        expect(done.returncode == 1, (words, done.returncode, done.stderr))
        expect(done.stderr.endswith("millrace: cannot write to stdout: No space left on device\n"),
               (words, done.stderr))
    return done.stderr.strip()


def case_port_in_use(millrace):
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        for each in (tcp, udp):
            each.bind(("127.0.0.1", 0))
        tcp.listen()
        taken = f"127.0.0.1:{tcp.getsockname()[1]}"
        line = one_line(millrace, 1, "serve", "--http", taken, "--udp", "127.0.0.1:0")
        expect(taken in line, line)
        taken = f"127.0.0.1:{udp.getsockname()[1]}"
        line = one_line(millrace, 1, "serve", "--http", "127.0.0.1:0", "--udp", taken)
        expect(taken in line, line)
    return line


def case_missing_certificate_file(millrace):
    line = one_line(millrace, 1, "serve", "--http", "127.0.0.1:0", "--udp", "127.0.0.1:0",
                    "--certificate", "/nowhere/certificate.pem", "--key", "/nowhere/key.pem")
    expect("/nowhere/certificate.pem" in line, line)
    return line


def case_forbidden_io_uring(millrace):
    line = one_line(millrace, 1, "serve", "--http", "127.0.0.1:0", "--udp", "127.0.0.1:0", "--io",
                    "uring", preexec=seccomp.forbid_io_uring)
    expect("io_uring" in line, line)
    with millrace.serve(preexec=seccomp.forbid_io_uring) as server:
        expect(server.io == "sockets", server.io)
        told = [line for line in server.log().splitlines() if "io_uring" in line]
        expect(len(told) == 1, server.log())
        millrace.load(server.url, "--duration", "0.3")
    return line


def case_a_config_file_that_is_none_is_named(millrace):
    line = one_line(millrace, 2, "serve", "--config", "/tmp")
    expect("config: cannot read '/tmp': Is a directory" in line, line)
    line = one_line(millrace, 2, "serve", "--config", "/dev/zero")
    expect("'/dev/zero' has more than 1048576 bytes" in line, line)


def case_a_report_without_a_place_is_refused_before_the_run(millrace):
    for command in ("loop", "bench"):
        line = one_line(millrace, 1, command, "--json", "/nowhere/x.json")
        expect("--json: cannot write '/nowhere/x.json': No such file" in line, line)
    line = one_line(millrace, 1, "loop", "--json", "/tmp/same", "--html", "/tmp/same")
    expect("/tmp/same" in line, line)


def case_processors_that_are_not_there_are_refused(millrace):
    for command in ("serve", "bench"):
        line = one_line(millrace, 2, command, "--cpu", "1000")
        expect("--cpu: bad value '1000'" in line, line)


def heed_hangups():
    """Whatever started the tests may have been told to ignore them."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def case_an_interrupted_run_says_so(millrace):
    for how in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with tempfile.NamedTemporaryFile(suffix=".json") as file:
            run = subprocess.Popen([millrace.path, "loop", "--duration", "60", "--warmup", "0.1",
                                    "--rate", "1000", "--json", file.name],
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                   preexec_fn=heed_hangups)
            time.sleep(1)
            run.send_signal(how)
            out, _ = run.communicate(timeout=30)
            report = json.load(file)
        expect(run.returncode == 4, f"{how}: {run.returncode} {out}")
        expect("interrupted  after " in out, out)
        expect(0.2 < report["interrupted_after_seconds"] < 10 and report["good"], report)
    return f"after {report['interrupted_after_seconds']:.1f} s"


def case_a_recording_that_is_not_whole_fails(millrace):
    for flag in ("pcap", "trace", "key-log"):
        code, _, err = millrace.run("loop", "--io", "sim", "--duration", "0.3", "--warmup", "0.1",
                                    "--rate", "1000", f"--{flag}", "/dev/full")
        expect(code == 1, f"{flag}: {code} {err}")
        expect(err.count("cannot write '/dev/full': No space left") == 1, err)


def case_a_second_start_leaves_a_running_capture_alone(millrace):
    with tempfile.TemporaryDirectory() as place:
        capture = os.path.join(place, "capture.pcapng")
        with millrace.serve("--pcap", capture) as server:
            millrace.load(server.url, "--duration", "0.3", "--rate", "1000")
            time.sleep(1.5)  # A second is held back.
            before = os.path.getsize(capture)
            line = one_line(millrace, 1, "serve", "--http", server.http, "--udp", "127.0.0.1:0",
                            "--pcap", capture)
            expect(f"'{capture}' is being written already" in line, line)
            expect(os.path.getsize(capture) >= before > 1000, before)
        # Nor does one that does not come up take away what an earlier run left.
        size = os.path.getsize(capture)
        one_line(millrace, 1, "serve", "--http", "192.0.2.1:1", "--udp", "127.0.0.1:0", "--pcap",
                 capture)
        expect(os.path.getsize(capture) == size, size)
    return line


def case_sigint_ends_as_sigterm_does(millrace):
    with millrace.serve() as server:
        address = server.http
        code = server.stop(signal.SIGINT)
        expect(code == 0, code)
        with millrace.serve(http=address) as again:
            expect(again.http == address, again.http)
        server.stop = lambda: 0  # It has ended already.
