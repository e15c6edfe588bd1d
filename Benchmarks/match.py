"""Times `match` with the patterns of topologies/fraud-spikes.yaml on generated usage, on one core, and prints rows a second.

The patterns are taken out of the topology, each fed with every usage record, into `blackhole`.
"""
import argparse
import os
import shutil
import statistics
import subprocess
import tempfile

from bench import ROOT, TOPOLOGY, WEIR, wait_until_quiet, timed_run

PREMIUM = "^[+](979|3531550|44909|34806|3389|351760|48703|49900|39899|1900|21289|90900|911900)"


def steps():
    """The steps of the fraud topology that match usage records, by name, as YAML text; reading all records."""
    lines = open(f"{ROOT}/topologies/fraud-spikes.yaml").read().split("\n")
    found = {}
    for name in ["bursts", "journeys"]:
        start = lines.index(f"  {name}:")
        end = next(i for i in range(start + 1, len(lines)) if lines[i] and not lines[i].startswith("    "))
        found[name] = "\n".join(line for line in lines[start + 1:end] if line and not line.startswith("    from:"))
    return found


def topology(work, data, names):
    head = TOPOLOGY.split("steps:")[0].format(name="match", parallelism=1, interval="10s", work=work, data=data, format="json")
    text = head + "steps:\n  priced:\n    from: usage\n    extend:\n"
    text += f"      premium: \"regexp_like(destination, '{PREMIUM}')\"\n"
    text += "      abroad: coalesce(international, false) and not coalesce(roaming, false)\n"
    patterns = steps()
    for name in names:
        text += f"  {name}:\n    from: priced\n{patterns[name]}\n"
    text += "sinks:\n" + "".join(f"  out_{name}: {{from: {name}, connector: blackhole}}\n" for name in names)
    path = f"{work}/match.yaml"
    with open(path, "w") as file:
        file.write(text)
    return path


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--match", action="store_true")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    rows = 50_000 if arguments.smoke else 3_000_000
    work = tempfile.mkdtemp(prefix="weir-match-")
    try:
        data = f"{work}/usage.json"
        subprocess.run([WEIR, "generate", "--rows", str(rows), "--accounts", "100000", "--seed", "7", "--frauds", "12",
                        "--records-per-second", "20", "--output", data], check=True)
        print(f"{rows:,} usage records, 1 core, whole process; medians of {1 if arguments.smoke else arguments.rounds}")
        for title, names in [("bursts of costly calls", ["bursts"]), ("impossible travel", ["journeys"]),
                             ("both patterns", ["bursts", "journeys"])]:
            speeds = []
            for _ in range(1 if arguments.smoke else arguments.rounds):
                wait_until_quiet(0 if arguments.smoke else 60)
                speeds.append(rows / timed_run(topology(work, data, names), cpus="0")[0])
            print(f"  {title:24} {statistics.median(speeds) / 1e3:7.0f} k rows/s   (at least 300)")
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
