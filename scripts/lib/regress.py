# SPDX-License-Identifier: Apache-2.0
"""The regression gates: deterministic figures against bench/baselines, wall clock as ratios."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile

import callgrind
import stages

GATES = "bench/micro/millrace-gates"
MICRO = "bench/micro/millrace-micro"
BASELINES = "bench/baselines"
TOLERANCE = 0.03
ALLOCATION_SLACK = 0.01  # Per packet or message: a pool that grows once in a run is no regression.
LESS_IS_BETTER = ("instructions", "allocations", "copied")
MORE_IS_BETTER = ("goodput_mbps", "payload_per_datagram")
REPETITIONS = 5
# What rivals and a writer at full speed allocate depends on the scheduler. Windows grow with
# the turns and the SACKs that the clock leaves time for; the gates run a fixed number.
UNSTEADY = ("Table/mutex", "Table/urcu", "/hit_with_writer", "two_threads", "Turn/", "Association/")


def run_json(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout)


def run_gates(scratch, program):
    """Returns the compiler and every gate's figures; both programs run at once."""
    prefix = os.path.join(scratch, "callgrind")
    costs = [program, "costs"]
    counting = shutil.which("valgrind") is not None
    if counting:
        costs = ["valgrind", "--tool=callgrind", "--instr-atstart=no",
                 f"--callgrind-out-file={prefix}", *costs]
    goodput = subprocess.Popen([program, "goodput"], stdout=subprocess.PIPE, text=True)
    measured = run_json(costs)
    gates = measured["gates"]
    for name, (own, libraries) in callgrind.read_dumps(prefix, program).items():
        gates[name]["instructions"] = own / gates[name]["count"]
        gates[name]["library_instructions"] = libraries / gates[name]["count"]
    out, _ = goodput.communicate()
    if goodput.returncode != 0:
        sys.exit(f"{program} goodput ended with {goodput.returncode}")
    gates.update(json.loads(out)["gates"])
    for figures in gates.values():
        for key, value in figures.items():
            if key != "unit":
                figures[key] = float(f"{value:.6g}")
    return {"compiler": measured["compiler"], "counting": counting, "gates": gates}


def compare(totals, name, figure, was, value):
    """Counts one figure as passed or failed and says so if there is anything to say."""
    text = f"{name}: {figure} {value:.6g}"
    if was is None:
        totals.add(0, 1, 0, f"{text} is in no baseline: scripts/regress --update")
        return
    slack = abs(was) * TOLERANCE
    if figure == "allocations":
        slack += ALLOCATION_SLACK
    worse = value - was if figure in LESS_IS_BETTER else was - value
    change = f"{(value - was) / was:+.1%}" if was else "from 0"
    if worse > slack:
        print(f"  FAILED {text}, was {was:.6g} ({change})")
        totals.add(0, 1, 0, f"{text}, was {was:.6g} ({change})")
        return
    if -worse > slack:
        print(f"  better: {text}, was {was:.6g} ({change}); scripts/regress --update keeps it")
    totals.add(1, 0)


def check_gates(totals, measured, baseline):
    same_compiler = measured["compiler"] == baseline.get("compiler")
    if measured["counting"] and not same_compiler:
        print(f"  instructions are of compiler {baseline.get('compiler')}, this is "
              f"{measured['compiler']}: not compared")
    for name, figures in measured["gates"].items():
        was = baseline.get("gates", {}).get(name, {})
        shown = ", ".join(f"{key} {value:.6g}" for key, value in figures.items()
                          if key not in ("count", "unit"))
        print(f"  {name}: {shown}" + (f" per {figures['unit']}" if "unit" in figures else ""))
        for figure in LESS_IS_BETTER + MORE_IS_BETTER:
            if figure == "instructions" and figure in was and not (
                    measured["counting"] and same_compiler):
                totals.add(0, 0, 1)
            elif figure in figures:
                compare(totals, name, figure, was.get(figure), figures[figure])
            elif figure in was:
                totals.add(0, 1, 0, f"{name}: {figure} was not measured")
    for name in baseline.get("gates", {}):
        if name not in measured["gates"]:
            totals.add(0, 1, 0, f"{name} is in the baseline but did not run")


def reference_of(name):
    """What a benchmark's time is set in relation to: a copy of as many bytes, or the clock."""
    parts = name.split("/")
    if parts[0] in ("Seal", "Open", "Crc32c"):
        for part in parts[1:]:
            if part in ("64", "1200", "9000"):
                return f"Reference/memcpy/{part}"
    return "Reference/multiply"


def run_micro(scratch, program):
    """Returns {benchmark: figures}, times as medians over repetitions, in nanoseconds."""
    path = os.path.join(scratch, "micro.json")
    command = [program, "--benchmark_min_time=0.01", f"--benchmark_repetitions={REPETITIONS}",
               "--benchmark_enable_random_interleaving=true", "--benchmark_out_format=json",
               f"--benchmark_out={path}"]
    if not stages.run_logged(command, path + ".log", timeout=170):
        stages.show_tail(path + ".log")
        sys.exit(f"{program} failed")
    with open(path, encoding="utf-8") as text:
        runs = json.load(text)["benchmarks"]
    samples = {}
    for run in runs:
        if run["run_type"] == "iteration":
            samples.setdefault(run["run_name"], []).append(run)
    figures = {}
    for name, taken in samples.items():
        times = sorted(run["each"] * 1e9 for run in taken)
        middle = times[len(times) // 2]
        figures[name] = {
            "ns": middle, "spread": (times[-1] - times[0]) / middle,
            # Of the run with the fewest: the first grows pools for all.
            "allocations": min(run["allocs"] for run in taken),
            "copied": min(run["copied"] for run in taken),
        }
    for name, figure in figures.items():
        figure["ratio"] = figure["ns"] / figures[reference_of(name)]["ns"]
    return figures


def check_micro(totals, figures, baseline):
    print(f"  {'':52}{'ns':>10} {'spread':>7}  ratio to its reference (baseline)")
    for name, figure in figures.items():
        was = baseline.get(name, {})
        shown = f"{figure['ratio']:.3g} x {reference_of(name).removeprefix('Reference/')}"
        if "ratio" in was:
            shown += f" ({was['ratio']:.3g})"
        print(f"  {name.removesuffix('/manual_time'):52}{figure['ns']:10.1f} "
              f"{figure['spread']:7.0%}  {shown}")
    for name, figure in figures.items():
        if any(part in name for part in UNSTEADY):
            continue
        for key in ("allocations", "copied"):
            compare(totals, name, key, baseline.get(name, {}).get(key), figure[key])


def baseline_path(name):
    return os.path.join(BASELINES, name + ".json")


def load(name):
    try:
        with open(baseline_path(name), encoding="utf-8") as text:
            return json.load(text)
    except FileNotFoundError:
        return {}


def save(name, data):
    with open(baseline_path(name), "w", encoding="utf-8") as out:
        json.dump(data, out, indent=1, sort_keys=True)
        out.write("\n")
    print(f"  wrote {baseline_path(name)}")


def update(measured, figures):
    if not measured["counting"]:
        sys.exit("valgrind is missing: the baselines need the instructions")
    save("gates", {"compiler": measured["compiler"], "gates": measured["gates"]})
    kept = {}
    for name, figure in figures.items():
        keys = ["ratio"]
        if not any(part in name for part in UNSTEADY):
            keys += ["allocations", "copied"]
        kept[name] = {key: float(f"{figure[key]:.4g}") for key in keys}
    save("micro", kept)


def main():
    parser = argparse.ArgumentParser(prog="scripts/regress")
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--build", default="build")
    args = parser.parse_args()
    gates_program, micro_program = (os.path.join(args.build, name) for name in (GATES, MICRO))
    totals = stages.Totals()
    stages.announce("building (release)")
    stages.build(args.build, ["-Dtests=enabled", "-Dbenchmarks=enabled"], [GATES, MICRO])
    with tempfile.TemporaryDirectory() as scratch:
        stages.announce("deterministic gates: own instructions, allocations, copies, goodput")
        measured = run_gates(scratch, gates_program)
        if not args.update:
            check_gates(totals, measured, load("gates"))
        stages.announce("microbenchmarks: wall clock as ratios, allocations and copies as gates")
        figures = run_micro(scratch, micro_program)
        if args.update:
            update(measured, figures)
            totals.add(1, 0)
        else:
            check_micro(totals, figures, load("micro"))
    return totals.finish()


if __name__ == "__main__":
    sys.exit(main())
