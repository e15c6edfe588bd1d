"""Measures what a topology that crashes in a loop costs the others of its runner: three jobs read usage records into hourly windows, on
both cores, alone and beside one that fails again and again, in turns. Their results must be the same.

One such topology fails with its first record, one after three million: what it needs does not answer. Both are started again after a
second at most, for ever. The three jobs alone are timed twice in each round: how far these two are apart is what the machine makes
of the same thing.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import bench
from bench import wait_until_quiet
from views import WEIR, WEIR_BENCH, ask, runner

JOBS = ["a", "b", "c"]

CRASHING = """
weir: 1
topology: crashing
parallelism: 1
checkpoint: {{interval: 10s, directory: {work}/checkpoints}}
restart: {{attempts: 1000000, initial_backoff: 100ms, max_backoff: 1s}}
sources:
  usage:
    connector: generator
    kind: usage
    records_per_event_second: 10000
    format: json
    schema: {{record_id: string not null, account_id: string not null, started_at: timestamp not null}}
steps:
  later: {{from: usage, filter: "started_at >= timestamp '{since}'"}}
  rated:
    from: later
    lookup:
      table: {{connector: http, url: "http://127.0.0.1:1/{{account_id}}", format: json, retry: {{attempts: 1}}}}
      on: {{account_id: account_id}}
      take: {{rate: "decimal(18,8)"}}
      missing: fail
sinks:
  out: {{from: rated, connector: blackhole}}
"""

# By what is beside the three: which of its records it fails on, as their time.
BESIDE = {
    "alone": None,
    "alone again": None,
    "beside one that fails at once": "2026-01-01T00:00:00Z",
    "beside one that fails later": "2026-01-01T00:05:00Z",
}


def states(address):
    """What each topology does, and how often it was started again."""
    topologies = json.loads(ask(address, "/v1/topologies"))["topologies"]
    return {topology["name"]: (topology["state"], topology["restarts"]) for topology in topologies}


def rows(work, name):
    """A job's rows, whatever files they are in."""
    folder = pathlib.Path(f"{work}/out-{name}")
    return sorted(line for part in folder.glob("*.json") for line in part.read_text().splitlines())


def run(data, since):
    """Seconds that the three jobs took, how often the other one failed meanwhile, and the three's rows."""
    work = tempfile.mkdtemp(prefix="weir-isolation-")
    try:
        with runner(work) as address:
            if since:
                ask(address, "/v1/topologies", CRASHING.format(work=work, since=since))
                while states(address)["crashing"][1] < 3:
                    time.sleep(0.05)
            subprocess.run([WEIR_BENCH, "limit", data, "2"], check=True, capture_output=True)  # no processor has idled
            failed = states(address)["crashing"][1] if since else 0
            start = time.monotonic()
            for name in JOBS:
                ask(address, "/v1/topologies", bench.TOPOLOGY.format(
                    name=name, data=data, parallelism=1, window="{tumble: 1h}", key="account_id, service", format="json",
                    work=work, interval="10s"))
            while any((now := states(address))[f"bench-{name}"][0] != "done" for name in JOBS):
                if any(now[f"bench-{name}"][0] in ("failed", "quarantined") for name in JOBS):
                    sys.exit(f"bench: {now}")
                time.sleep(0.02)
            seconds = time.monotonic() - start
            failed = states(address)["crashing"][1] - failed if since else 0
            return seconds, failed, [rows(work, name) for name in JOBS]
    finally:
        shutil.rmtree(work, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--isolation", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--rows", type=int, default=3_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.rows, arguments.rounds = 20_000, 1
    folder = tempfile.mkdtemp(prefix="weir-isolation-data-")
    try:
        measure(f"{folder}/usage.json", arguments.rows, arguments.rounds, arguments.smoke)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure(data, records, rounds, is_smoke):
    subprocess.run([WEIR, "generate", "--rows", str(records), "--accounts", "100000", "--seed", "7", "--brief",
                    "--records-per-second", "20", "--output", data], check=True)
    print(f"three jobs of {records:,} records each, hourly windows, in one runner; {rounds} rounds, medians")
    seconds = {name: [] for name in BESIDE}
    failures = {name: 0 for name in BESIDE}
    expected = None
    for turn in range(rounds):
        wait_until_quiet(0 if is_smoke else 60)
        order = list(BESIDE)[turn % len(BESIDE):] + list(BESIDE)[:turn % len(BESIDE)]
        for name in order:
            took, failed, results = run(data, BESIDE[name])
            expected = expected or results[0]
            if not expected or any(result != expected for result in results):
                sys.exit(f"bench: the results {name} differ")
            seconds[name].append(took)
            failures[name] += failed
    for name, taken in seconds.items():
        ratio = statistics.median(alone / own for alone, own in zip(seconds["alone"], taken))
        rate = 3 * records / statistics.median(taken) / 1e6
        note = "" if BESIDE[name] is None else f", which failed {failures[name]:,} times"
        print(f"{name:30} {rate:5.2f} M records/s ({min(taken):.2f} to {max(taken):.2f} s), {ratio:.2f} x alone{note}")
    print(f"the same results in all of them: {len(expected):,} rows of each job")


if __name__ == "__main__":
    main()
