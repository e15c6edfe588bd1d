"""Times Weir, DuckDB and a bare simdjson walk on the same usage records, in turns, and prints medians and ratios.

The machine's speed drifts, so every program runs once in each round and the figures to quote are the ratios.
"""
import argparse
import itertools
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WEIR = os.path.join(ROOT, ".build/release/weir")
WALK = os.path.join(ROOT, ".build/release/weir-bench")

TOPOLOGY = """
weir: 1
topology: bench-{name}
parallelism: {parallelism}
checkpoint: {{interval: {interval}, directory: {work}/checkpoints}}
sources:
  usage:
    connector: file
    path: {data}
    format: {format}
    schema:
      record_id: string not null
      account_id: string not null
      msisdn: string
      service: string
      started_at: timestamp not null
      quantity: decimal(18,3)
      destination: string
      country: string
      roaming: boolean
      international: boolean
      cell_id: string
    event_time: started_at
    watermark: {{delay: 10s}}
steps:
  totals:
    from: usage
    aggregate:
      key: [{key}]
      window: {window}
      values: {{records: count(*), quantity: sum(quantity)}}
sinks:
  out: {{from: totals, connector: file, path: {work}/out-{name}, format: json}}
"""

DUCKDB = """
COPY (SELECT account_id, service, time_bucket(INTERVAL '1 hour', started_at) AS window_start,
             count(*) AS records, sum(quantity) AS quantity
      FROM {reader} GROUP BY ALL) TO '{work}/duckdb.json' (FORMAT json)
"""

COLUMNS = (
    "columns={record_id:'VARCHAR', account_id:'VARCHAR', msisdn:'VARCHAR', service:'VARCHAR', "
    "started_at:'TIMESTAMP', quantity:'DECIMAL(18,3)', destination:'VARCHAR', country:'VARCHAR', "
    "roaming:'BOOLEAN', international:'BOOLEAN', cell_id:'VARCHAR'}"
)


def busy_share(seconds=0.5):
    """The share of the processors that is in use, by anybody, over a moment."""
    def read():
        with open("/proc/stat") as file:
            ticks = [int(word) for word in file.readline().split()[1:]]
        return ticks[3] + ticks[4], sum(ticks[:8])
    idle, total = read()
    time.sleep(seconds)
    idle_then, total_then = read()
    return 1 - (idle_then - idle) / max(1, total_then - total)


def wait_until_quiet(patience=60):
    """Waits until nobody else uses the processors; says so when that does not come. Returns whether it came."""
    deadline = time.monotonic() + patience
    while (share := busy_share()) > 0.03:
        if time.monotonic() > deadline:
            print(f"  (others use {share:.0%} of the processors: figures of this round are too low)")
            return False
    return True


def weir(work, name, data, parallelism, window, key, fmt="json", cpus=None, interval="10s"):
    """Runs one topology; returns seconds of the whole process and its peak memory in MB."""
    shutil.rmtree(f"{work}/out-{name}", ignore_errors=True)
    path = f"{work}/{name}.yaml"
    with open(path, "w") as file:
        file.write(TOPOLOGY.format(name=name, data=data, parallelism=parallelism, window=window, key=key,
                                   format=fmt, work=work, interval=interval))
    return timed_run(path, cpus)


def timed_run(path, cpus=None):
    """Runs a topology's file anew; returns seconds of the whole process and its peak memory in MB."""
    command = [WEIR, "run", "--quiet", "--from", "none", path]
    if cpus:
        command = ["taskset", "-c", cpus] + command
    start = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"bench: {' '.join(command)} failed")
    return seconds, usage.ru_maxrss / 1024


def duckdb_query(work, reader):
    """Seconds of the query alone, in a process of its own: the import is not counted."""
    code = (
        "import duckdb, time, sys\n"
        "c = duckdb.connect(config={'threads': 2})\n"
        "c.execute(\"SET TimeZone='UTC'\"); c.execute('SET enable_progress_bar=false')\n"
        "s = time.perf_counter(); c.execute(sys.argv[1]); print(time.perf_counter() - s)"
    )
    query = DUCKDB.format(reader=reader, work=work)
    out = subprocess.run([sys.executable, "-c", code, query], capture_output=True, text=True)
    if out.returncode != 0:
        sys.exit(f"bench: DuckDB failed: {out.stderr}")
    return float(out.stdout)


def walk(data, walkers, cpus=None):
    """Rows per second of `walkers` threads that each walk the whole file with simdjson, added up."""
    command = ["taskset", "-c", cpus] if cpus else []
    out = subprocess.run(command + [WALK, "limit", data, str(walkers)], capture_output=True, text=True, check=True)
    return json.loads(out.stdout)["rowsPerSecond"]


def results(work, name):
    """A run's rows as a sorted list, to check that everyone computed the same."""
    rows = []
    folder = f"{work}/out-{name}"
    for part in os.listdir(folder):
        if part.endswith(".json"):
            with open(f"{folder}/{part}") as file:
                rows += [json.loads(line) for line in file]
    return rows


def check_same(work):
    """Weir's hourly rows and DuckDB's must agree: same groups, same counts, same sums."""
    ours = {}
    for row in results(work, "hourly2"):
        ours[(row["account_id"], row["service"], row["window_start"][:13])] = (row["records"], round(row["quantity"] * 1000))
    theirs = {}
    with open(f"{work}/duckdb.json") as file:
        for line in file:
            row = json.loads(line)
            key = (row["account_id"], row["service"], row["window_start"].replace(" ", "T")[:13])
            theirs[key] = (row["records"], round(row["quantity"] * 1000))
    if ours != theirs:
        differing = sum(1 for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))
        sys.exit(f"bench: Weir's and DuckDB's totals differ in {differing} of {len(theirs)} groups")
    print(f"same totals from Weir and DuckDB: {len(ours):,} groups")


def small(work, rows, rounds):
    data = f"{work}/usage.json"
    subprocess.run([WEIR, "generate", "--rows", str(rows), "--accounts", "100000", "--seed", "7", "--brief",
                    "--records-per-second", "20", "--output", data], check=True)
    size = os.path.getsize(data)
    print(f"{rows:,} records, {size / rows:.0f} bytes each; {rounds} rounds, medians")
    hourly, sessions = "{tumble: 1h}", "{session: 30m}"
    figures = {name: [] for name in ["limit", "limit2", "weir1", "weir2", "sessions1", "sessions2", "duckdb"]}
    memory = []
    reader = f"read_json('{data}', format='newline_delimited', {COLUMNS})"
    def aggregated(name, parallelism, window, key, cpus=None):
        seconds, peak = weir(work, name, data, parallelism, window, key, cpus=cpus)
        if name == "hourly2":
            memory.append(peak)
        return rows / seconds

    for turn in range(rounds):
        wait_until_quiet(60 if rounds > 1 else 0)
        walk(data, 2)  # a processor that has idled is slow at first, and what ran first would pay for it
        # What is compared runs one right after the other, and what runs on one core takes each of them in turn: they differ.
        cores = sorted(os.sched_getaffinity(0))
        core = str(cores[turn % len(cores)])
        pairs = [
            [("limit", lambda: walk(data, 1, core)), ("limit2", lambda: walk(data, 2))],
            [("weir1", lambda: aggregated("hourly1", 1, hourly, "account_id, service", cpus=core)),
             ("weir2", lambda: aggregated("hourly2", 2, hourly, "account_id, service"))],
            [("duckdb", lambda: rows / duckdb_query(work, reader)),
             ("sessions2", lambda: aggregated("sessions2", 2, sessions, "account_id"))],
            [("sessions1", lambda: aggregated("sessions1", 1, sessions, "account_id", cpus=core))],
        ]
        first = turn % len(pairs)
        for name, run in itertools.chain(*pairs[first:], *pairs[:first]):
            figures[name].append(run())
    check_same(work)
    report(figures, memory)


def report(figures, memory):
    median = {name: statistics.median(values) for name, values in figures.items()}
    lines = [
        ("simdjson walk, 1 core (the limit)", "limit"), ("simdjson walk, 2 cores", "limit2"),
        ("Weir hourly windows, 1 core", "weir1"), ("Weir hourly windows, 2 cores", "weir2"),
        ("Weir 30-minute sessions, 1 core", "sessions1"), ("Weir 30-minute sessions, 2 cores", "sessions2"),
        ("DuckDB hourly group-by, 2 threads", "duckdb"),
    ]
    for title, name in lines:
        low, high = min(figures[name]) / 1e6, max(figures[name]) / 1e6
        print(f"  {title:36} {median[name] / 1e6:6.2f} M rows/s   ({low:.2f} to {high:.2f})")

    def ratio(above, below, scale=1.0):
        return statistics.median(a / b * scale for a, b in zip(figures[above], figures[below]))

    scaling = statistics.median(
        (w2 / w1) / (l2 / l1)
        for w1, w2, l1, l2 in zip(figures["weir1"], figures["weir2"], figures["limit"], figures["limit2"]))
    print(f"hourly windows / DuckDB            {ratio('weir2', 'duckdb'):.2f} x   (at least 1.5)")
    print(f"hourly windows, per core / limit   {ratio('weir2', 'limit', 0.5):.2f} x   (at least 0.35)")
    print(f"sessions / DuckDB's hourly         {ratio('sessions2', 'duckdb'):.2f} x   (at least 1.0)")
    print(f"1 to 2 cores / the walkers'        {scaling:.2f} x   (at least 0.85)")
    print(f"peak memory, hourly, 2 cores       {statistics.median(memory):.0f} MB   (under 400)")


def large(work, files, rows_per_file):
    data = f"{work}/csv"
    subprocess.run([WEIR, "generate", "--rows", str(files * rows_per_file), "--accounts", "100000", "--seed", "7",
                    "--records-per-second", "350", "--format", "csv", "--files", str(files), "--output", data], check=True)
    wait_until_quiet(60 if files > 100 else 0)
    seconds, peak = weir(work, "large", data, 2, "{tumble: 1h}", "account_id, service", fmt="csv")
    total = sum(row["records"] for row in results(work, "large"))
    if total != files * rows_per_file:
        sys.exit(f"bench: {total:,} of {files * rows_per_file:,} records were counted")
    rate = files * rows_per_file / seconds / 1e6
    print(f"{files * rows_per_file:,} CSV records in {files:,} files, hourly windows, 2 cores: "
          f"{seconds:.1f} s ({rate:.2f} M rows/s, peak memory {peak:.0f} MB)   (under 40 s)")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    work = tempfile.mkdtemp(prefix="weir-bench-")
    try:
        if arguments.large:
            large(work, 30 if arguments.smoke else 30_000, 1000)
        else:
            small(work, 20_000 if arguments.smoke else 3_000_000, 1 if arguments.smoke else arguments.rounds)
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
