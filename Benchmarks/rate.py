"""Times rating beside plain hourly aggregation of the same usage records, both to a blackhole, in turns.

The machine's speed drifts, so both run once in each round and the figure to quote is the ratio.
"""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import bench
from bench import ROOT, wait_until_quiet

WEIR = os.environ.get("WEIR_BINARY", bench.WEIR)

SOURCE = """
weir: 1
topology: bench-{name}
parallelism: 2
checkpoint: {{interval: 10s, directory: {work}/checkpoints}}
sources:
  usage:
    connector: file
    path: {data}
    format: json
    schema:
      record_id: string not null
      account_id: string not null
      service: string
      started_at: timestamp not null
      quantity: decimal(18,3)
      roaming: boolean
      international: boolean
    event_time: started_at
    watermark: {{delay: 10s}}
sinks: {{out: {{from: {out}, connector: blackhole}}}}
steps:
"""

HOURLY = """
  totals:
    from: usage
    aggregate:
      key: [account_id, service]
      window: {{tumble: 1h}}
      values: {{records: count(*), quantity: sum(quantity)}}
"""

# Rating alone: one plan and one billing cycle for all.
RATED = """
  placed: {{from: usage, extend: {{plan: "'premium'"}}}}
  rated:
    from: placed
    rate: {{catalog: {root}/topologies/catalog/consumer.yaml, cycle: {{timezone: Europe/Dublin, cycle_day: 5}}}}
"""

# With each account's own plan, time zone and cycle day from a table of its versions.
LOOKED_UP = """
  placed:
    from: usage
    lookup:
      table: {{connector: file, path: {accounts}, format: csv}}
      on: [account_id]
      as_of: started_at
      take: {{plan: string, timezone: string, cycle_day: int64}}
  rated:
    from: placed
    rate:
      catalog: {root}/topologies/catalog/consumer.yaml
      cycle: {{timezone: timezone, cycle_day: cycle_day}}
"""


def run(work, name, steps, out, data, accounts):
    """Runs one topology; returns seconds of the whole process."""
    path = f"{work}/{name}.yaml"
    with open(path, "w") as file:
        file.write((SOURCE + steps).format(name=name, work=work, data=data, out=out, root=ROOT, accounts=accounts))
    start = time.perf_counter()
    result = subprocess.run([WEIR, "run", "--quiet", "--from", "none", path], stderr=subprocess.PIPE, text=True)
    seconds = time.perf_counter() - start
    if result.returncode != 0:
        sys.exit(f"bench: {name} failed: {result.stderr}")
    return seconds


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", action="store_true")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    rows = 20_000 if arguments.smoke else 3_000_000
    rounds = 1 if arguments.smoke else arguments.rounds
    work = tempfile.mkdtemp(prefix="weir-bench-")
    try:
        data, accounts = f"{work}/usage.json", f"{work}/accounts.csv"
        shape = ["--accounts", "100000", "--seed", "7"]
        subprocess.run([WEIR, "generate", "--rows", str(rows), "--brief", "--records-per-second", "20",
                        "--output", data] + shape, check=True)
        subprocess.run([WEIR, "generate", "--kind", "accounts", "--output", accounts] + shape, check=True)
        print(f"{rows:,} records, {os.path.getsize(data) / rows:.0f} bytes each, 2 cores; {rounds} rounds, medians")
        figures = {"hourly": [], "rated": [], "looked up": []}
        for _ in range(rounds):
            wait_until_quiet(0 if arguments.smoke else 60)
            for name, steps, out in [("hourly", HOURLY, "totals"), ("rated", RATED, "rated"),
                                     ("looked up", LOOKED_UP, "rated")]:
                figures[name].append(rows / run(work, name.replace(" ", "-"), steps, out, data, accounts))
        titles = {"hourly": "hourly windows", "rated": "rating", "looked up": "accounts looked up, then rating"}
        for name, title in titles.items():
            low, high = min(figures[name]) / 1e6, max(figures[name]) / 1e6
            print(f"  {title:32} {statistics.median(figures[name]) / 1e6:6.2f} M rows/s   ({low:.2f} to {high:.2f})")
        for name in ["rated", "looked up"]:
            ratio = statistics.median(a / b for a, b in zip(figures[name], figures["hourly"]))
            print(f"{titles[name]:32} / hourly windows   {ratio:.2f} x   (at least 0.5)")
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
