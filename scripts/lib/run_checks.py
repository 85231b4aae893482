# SPDX-License-Identifier: Apache-2.0
"""The stages of scripts/check: style, the regression gates, the tests under the sanitizers."""

import os
import subprocess
import sys

import stages

SANITIZER_ENV = {
    "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
    "MILLRACE_SIM_SEEDS": "60",  # The full count runs in the release build.
}
# What threads share: rings, tables, wakers, shards.
TSAN_TESTS = {"base", "table", "io", "engine"}
TSAN_TARGETS = ["engine/base/base_test", "engine/table/table_test", "io/io_test",
                "engine/engine_test"]
FUZZ_SECONDS = 5


# -O1 and line tables: sanitized code at -O2 with full debug data takes minutes a file. Sources in
# units of ten: their headers take longer than they do.
SANITIZER_BUILD = ["-Dbuildtype=custom", "-Ddebug=true", "-Doptimization=1", "-Dcpp_args=-g1",
                   "-Dunity=on", "-Dunity_size=10", "-Dbenchmarks=disabled", "-Dtests=enabled",
                   "-Db_lundef=false"]
CLANG = {"CC": "clang-14", "CXX": "clang++-14"}


def cpp_files():
    listed = subprocess.check_output(["git", "ls-files", "*.cc", "*.h"], text=True)
    return [f for f in listed.split() if os.path.exists(f)]


def fuzz(totals, build_dir):
    fuzz_dir = os.path.join(build_dir, "test", "fuzz")
    for name in sorted(os.listdir(fuzz_dir)):
        binary = os.path.join(fuzz_dir, name)
        if not name.endswith("_fuzz") or not os.access(binary, os.X_OK):
            continue
        corpus = os.path.join("test", "fuzz", "corpus", name.removesuffix("_fuzz"))
        scratch = os.path.join(build_dir, "corpus-" + name)
        os.makedirs(scratch, exist_ok=True)
        command = [binary, scratch, f"-max_total_time={FUZZ_SECONDS}", "-timeout=10",
                   "-rss_limit_mb=2048", f"-artifact_prefix={build_dir}/"]
        if os.path.isdir(corpus):
            command.append(corpus)
        stages.check_command(totals, name, command, SANITIZER_ENV, timeout=120)


def build_asan():
    stages.build("build-clang", [*SANITIZER_BUILD, "-Db_sanitize=address,undefined",
                                "-Dfuzzers=true"], env=CLANG)


def build_tsan():
    stages.build("build-tsan", [*SANITIZER_BUILD, "-Db_sanitize=thread"], TSAN_TARGETS)


def main():
    if "--build" in sys.argv[1:]:
        build_asan()
        build_tsan()
        return 0
    totals = stages.Totals()
    stages.announce("formatting")
    stages.check_command(totals, "clang-format",
                         ["clang-format-14", "--dry-run", "--Werror", *cpp_files()])
    stages.announce("tidy check")
    stages.check_command(totals, "tidy", ["python3", "scripts/tidy"])
    stages.check_command(totals, "conformance", ["scripts/conformance"])
    stages.announce("regression gates")
    stages.tally_command(totals, "regress", ["scripts/regress"], timeout=900)
    stages.announce("ASan+UBSan, libFuzzer")
    build_asan()
    stages.meson_tests(totals, "build-clang", SANITIZER_ENV, timeout_scale=4)
    fuzz(totals, "build-clang")
    stages.announce("TSan")
    build_tsan()
    stages.meson_tests(totals, "build-tsan", SANITIZER_ENV, only=TSAN_TESTS, timeout_scale=8)
    stages.announce("clang-tidy")
    stages.tally_command(totals, "clang-tidy", ["python3", "scripts/lib/clang_tidy.py", "build-clang"],
                         timeout=2400)
    return totals.finish()


if __name__ == "__main__":
    sys.exit(main())
