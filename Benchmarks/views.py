"""Measures a runner whose topology reads 50,000 usage records a second: from a record's arrival to live readers of a view and to the
commit, how long reads of the view and a scan of 100,000 rows take beside it, and how late this machine wakes a thread that sleeps.

The first two are the runner's own histograms (/metrics), the rest is `weir-bench views`'. With followers: so many clients follow the
view all the while and hear nothing.
"""
import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

import bench
from bench import ROOT, wait_until_quiet

WEIR = os.environ.get("WEIR_BINARY", bench.WEIR)
WEIR_BENCH = os.path.join(os.path.dirname(WEIR), "weir-bench")

TOPOLOGY = """
weir: 1
topology: live
parallelism: 2
checkpoint: {{interval: {interval}s, directory: {work}/checkpoints}}
sources:
  usage:
    connector: generator
    kind: usage
    accounts: {accounts}
    rate: {rate}
    records_per_event_second: {rate}
    format: json
    schema:
      record_id: string not null
      account_id: string not null
      msisdn: string
      service: string
      started_at: timestamp not null
      quantity: decimal(18,3)
    event_time: started_at
  history:
    connector: generator
    kind: usage
    seed: 2
    rows: {history}
    format: json
    schema: {{record_id: string not null, account_id: string not null, quantity: "decimal(18,3)"}}
views:
  latest: {{from: usage, key: [account_id], account: account_id}}
  history: {{from: history, key: [record_id]}}
"""

INTERVAL_SECONDS = 5


def ask(address, path, body=None):
    headers = {"Content-Type": "application/yaml"} if body else {}
    request = urllib.request.Request(address + path, body.encode() if body else None, headers)
    return urllib.request.urlopen(request, timeout=60).read().decode()


@contextlib.contextmanager
def runner(work):
    """A runner of its own; gives its address."""
    log = pathlib.Path(work) / "log"
    process = subprocess.Popen(
        [WEIR, "runner", "--directory", f"{work}/runner", "--port", "0", "--insecure-no-auth"], stderr=log.open("w"))
    try:
        while not (found := re.search(r"runner at (\S+)", log.read_text())):
            if process.poll() is not None:
                sys.exit(log.read_text())
            time.sleep(0.01)
        yield found[1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def histogram(metrics, name):
    """Upper bounds in seconds with how many were at most that."""
    found = re.findall(rf'^{name}_bucket{{[^}}]*le="([^"]+)"}} (\S+)$', metrics, re.MULTILINE)
    return [(float("inf") if bound == "+Inf" else float(bound), float(count)) for bound, count in found]


def count(address):
    """How many records the topology has read."""
    return json.loads(ask(address, "/v1/topologies/live"))["records_in"]


def quantile(share, before, after):
    """The bound of the bucket that holds it, in seconds: no more than that."""
    counts = [(bound, count - old) for (bound, count), (_, old) in zip(after, before)]
    total = counts[-1][1]
    return next(bound for bound, count in counts if count >= share * total), int(total)


def scan(address):
    """Reads the whole of the view `history`, page by page; how many rows it has and the seconds of each page."""
    path, rows, pages = "/v1/topologies/live/views/history/rows", 0, []
    cursor = ""
    while cursor is not None:
        start = time.monotonic()
        page = json.loads(ask(address, f"{path}?limit=1000" + (f"&cursor={cursor}" if cursor else "")))
        pages.append(time.monotonic() - start)
        rows += len(page["rows"])
        cursor = page.get("next")
    return rows, pages


def shown(seconds):
    return "beyond the last bucket" if seconds == float("inf") else f"at most {seconds * 1000:g} ms"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--views", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--rate", type=int, default=50_000)
    parser.add_argument("--reads", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--followers", type=int, default=10_000)
    parser.add_argument("--accounts", type=int, default=10_000)
    parser.add_argument("--history", type=int, default=100_000)
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.rate, arguments.reads, arguments.seconds, arguments.followers = 5000, 100, 3, 100
        arguments.accounts, arguments.history = 1000, 3000
    if not arguments.smoke:
        wait_until_quiet()
    work = tempfile.mkdtemp(prefix="weir-views-")
    try:
        with runner(work) as address:
            measure(address, work, arguments)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def measure(address, work, arguments):
    text = TOPOLOGY.format(
        work=work, rate=arguments.rate, accounts=arguments.accounts, history=arguments.history,
        interval=INTERVAL_SECONDS)
    ask(address, "/v1/topologies", text)
    # Two checkpoints in, it does what it will go on doing.
    while json.loads(ask(address, "/v1/topologies/live"))["checkpoint"]["committed"] < 2:
        time.sleep(0.05)
    before, records = ask(address, "/metrics"), count(address)
    start = time.monotonic()
    reading = subprocess.run(
        [WEIR_BENCH, "views", str(urllib.parse.urlparse(address).port), "/v1/topologies/live/views/latest",
         str(arguments.reads), str(arguments.seconds), str(arguments.followers), str(arguments.accounts)],
        check=True, capture_output=True, text=True)
    took = time.monotonic() - start
    after, more = ask(address, "/metrics"), count(address)
    outcome = json.loads(reading.stdout)
    last = json.loads(ask(address, "/v1/topologies/live"))["checkpoint"]["last"]
    print(f"{(more - records) / took:,.0f} records/s (asked for {arguments.rate:,}), {outcome['followers']:,} idle followers")
    for name, what in [("weir_live_latency_seconds", "arrival to live view"),
                       ("weir_commit_latency_seconds", "arrival to committed view")]:
        values = [quantile(share, histogram(before, name), histogram(after, name)) for share in (0.5, 0.99)]
        print(f"{what:28} p50 {shown(values[0][0])}, p99 {shown(values[1][0])} ({values[0][1]:,} marks)")
    print(f"{'':28} checkpoint interval {INTERVAL_SECONDS} s, the last took {last['duration_ms']} ms")
    print(f"{'view reads':28} p50 {outcome['p50']:.2f} ms, p99 {outcome['p99']:.2f} ms "
          f"({outcome['reads']:,} at {arguments.reads:,}/s, {outcome['failed']} failed)")
    print(f"{'the machine wakes a thread':28} p50 {outcome['wakingP50']:.2f} ms, p99 {outcome['wakingP99']:.2f} ms late")
    before, records, start = ask(address, "/metrics"), count(address), time.monotonic()
    rows, pages = scan(address)
    took, more, after = time.monotonic() - start, count(address), ask(address, "/metrics")
    live = quantile(0.99, histogram(before, "weir_live_latency_seconds"), histogram(after, "weir_live_latency_seconds"))
    print(f"a scan of {rows:,} rows took {took:.2f} s in {len(pages)} pages, the slowest {max(pages) * 1000:.1f} ms; beside it "
          f"{(more - records) / took:,.0f} records/s, arrival to live view p99 {shown(live[0])}")
    if rows != arguments.history:
        sys.exit(f"bench: the scan gave {rows:,} rows of {arguments.history:,}")
    if outcome["failed"] or outcome["followers"] != arguments.followers:
        sys.exit("bench: reads failed or followers were let go")


if __name__ == "__main__":
    main()
