"""Measures state that does not fit into memory, checkpoints, and restores; draws how they grow with the number of keys.

What is compared runs in turns in one go; the figures to quote are ratios and medians.
"""
import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from bench import WEIR, wait_until_quiet, weir as run_hourly

TOPOLOGY = """
weir: 1
topology: keys
parallelism: {parallelism}
checkpoint: {{interval: {interval}, directory: {work}/checkpoints, retain: 100}}
state: {{memory: {memory}}}
sources:
  base: {source}
  updates: {updates}
steps:
  totals:
    from: {inputs}
    aggregate: {{key: [account_id], window: {{tumble: 1h}}, values: {{records: count(*), quantity: sum(quantity)}}}}
sinks:
  out: {{from: totals, connector: blackhole}}
"""

SOURCE = ("{{connector: file, path: {path}, format: csv, event_time: at, watermark: {{delay: {delay}}}, {rate}"
          "schema: {{account_id: string not null, quantity: \"decimal(18,3)\", at: timestamp not null}}}}")

# Every key twice, in an order that hashing shuffles, within one hour.
BASE = """
COPY (SELECT 'acct-' || lpad((i % {keys})::VARCHAR, 8, '0') AS account_id, (i * 7919 % 100000) / 1000.0 AS quantity,
             strftime(TIMESTAMP '2026-01-01' + INTERVAL (row_number() OVER (ORDER BY hash(i)) * 3500000 // (2 * {keys}))
                      MILLISECOND, '%Y-%m-%dT%H:%M:%S.%gZ') AS at
      FROM range(2 * {keys}) t(i) ORDER BY hash(i)) TO '{path}' (FORMAT csv, HEADER true)
"""

# Round after round every hundredth key, in another order each time.
UPDATES = """
COPY (SELECT 'acct-' || lpad(((r * 37 + k * 100) % {keys})::VARCHAR, 8, '0') AS account_id, 1.5 AS quantity,
             '2026-01-01T00:58:20.000Z' AS at
      FROM range({rounds}) a(r), range({keys} // 100) b(k) ORDER BY r, hash(k)) TO '{path}' (FORMAT csv, HEADER true)
"""


def topology(work, memory, interval="10s", parallelism=2, updates=None, rate=None):
    path = f"{work}/keys.yaml"
    delay = "1h" if updates else "10s"
    base = SOURCE.format(path=f"{work}/base.csv", delay=delay, rate="")
    other = SOURCE.format(path=updates or f"{work}/base.csv", delay=delay, rate=f"rate: {rate}, " if rate else "")
    text = TOPOLOGY.format(work=work, memory=memory, interval=interval, parallelism=parallelism, source=base,
                           updates=other, inputs="[base, updates]" if updates else "base")
    if not updates:
        text = "\n".join(line for line in text.split("\n") if not line.startswith("  updates:"))
    with open(path, "w") as file:
        file.write(text)
    return path


def start(path, *arguments):
    return subprocess.Popen([WEIR, "run", path, *arguments], stderr=subprocess.PIPE, text=True)


def run(work, memory):
    """Runs to the end; returns seconds and peak resident memory in MB."""
    shutil.rmtree(f"{work}/checkpoints", ignore_errors=True)
    path = topology(work, memory)
    began = time.perf_counter()
    process = subprocess.Popen([WEIR, "run", "--quiet", "--from", "none", path])
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"bench: {path} failed")
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def duckdb_writes(query):
    """In a process of its own: what is started afterwards would otherwise count this one's memory as its own peak, as the
    system carries it over from whoever starts a program."""
    code = "import duckdb, sys; duckdb.connect(config={'threads': 2}).execute(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, query], stdout=subprocess.DEVNULL, check=True)


def make_base(work, keys):
    duckdb_writes(BASE.format(keys=keys, path=f"{work}/base.csv"))


def growth(work, counts, rounds):
    """Rows per second and peak memory, bounded and with memory to spare, by number of keys."""
    points = []
    for keys in counts:
        make_base(work, keys)
        ratios, rates, peaks, free = [], [], [], []
        for _ in range(rounds):
            wait_until_quiet(60 if keys > 100_000 else 0)
            spare, peak = run(work, "16GB")
            free.append(peak)
            wait_until_quiet(60 if keys > 100_000 else 0)
            bounded, peak = run(work, "256MB")
            peaks.append(peak)
            ratios.append(spare / bounded)
            rates.append(2 * keys / bounded)
        point = {"keys": keys, "rate": statistics.median(rates), "ratio": statistics.median(ratios),
                 "peak": max(peaks), "free": max(free)}
        points.append(point)
        print(f"{keys:>12,} keys, state.memory 256MB: {point['rate'] / 1e6:.2f} M rows/s, {point['ratio']:.2f} x of the same with "
              f"memory to spare   (at least 0.3 at 10 M)")
        print(f"{'':>12}  resident at most {point['peak']:.0f} MB   (under 600), with memory to spare {point['free']:.0f} MB")
    return points


def checkpoints(path):
    out = subprocess.run([WEIR, "checkpoints", "list", "--json", path], capture_output=True, text=True, check=True)
    return json.loads(out.stdout)


def wait_for(condition, process, patience=300):
    deadline = time.monotonic() + patience
    while not condition():
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"bench: the run ended too early or took too long: {process.stderr.read()}")
        time.sleep(0.5)


def incremental(work, keys):
    """Checkpoints after one key in a hundred has changed, and restores from one."""
    rounds = 150
    duckdb_writes(UPDATES.format(keys=keys, rounds=rounds, path=f"{work}/updates.csv"))
    shutil.rmtree(f"{work}/checkpoints", ignore_errors=True)
    path = topology(work, "4GB", interval="1s", updates=f"{work}/updates.csv", rate=max(1, keys // 100))
    process = start(path, "--from", "none")

    def settled():
        """Checkpoints between which only updates came: about one key in a hundred."""
        known = checkpoints(path)
        pairs = zip(known, known[1:])
        return [later for earlier, later in pairs if 0 < later["records"] - earlier["records"] < keys // 60]

    wait_for(lambda: len(settled()) >= 10, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    taken = settled()[:10]
    share = statistics.median(c["new_bytes"] / c["state_bytes"] for c in taken)
    duration = statistics.median(c["duration_ms"] for c in taken)
    print(f"checkpoint after 1 % of {keys:,} keys changed: new files of {share:.2%} of the state's bytes   (under 5 %), "
          f"{duration / 1000:.2f} s   (under 1), medians of {len(taken)}")
    for parallelism, bound in ((2, 3), (5, 15)):
        restored = topology(work, "4GB", interval="1h", updates=f"{work}/updates.csv", rate=max(1, keys // 100),
                            parallelism=parallelism)
        process = start(restored)
        line = process.stderr.readline()
        process.send_signal(signal.SIGKILL)
        process.wait()
        if "restored in" not in line:
            sys.exit(f"bench: no restore: {line}")
        print(f"restore of {keys:,} keys at parallelism {parallelism} (taken at 2): {line.strip().split('restored in ')[1]}"
              f"   (under {bound} s)")


def overhead(work, copies, rounds):
    """The hourly benchmark with checkpoints every 5 s against the same without."""
    data = f"{work}/usage"
    os.makedirs(data, exist_ok=True)
    rows = 3_000_000 if copies > 1 else 20_000
    subprocess.run([WEIR, "generate", "--rows", str(rows), "--accounts", "100000", "--seed", "7", "--brief",
                    "--records-per-second", "20", "--output", f"{data}/0.json"], check=True)
    for copy in range(1, copies):
        os.link(f"{data}/0.json", f"{data}/{copy}.json")
    ratios = []
    for _ in range(rounds):
        wait_until_quiet(60 if copies > 1 else 0)
        with_checkpoints = run_hourly(work, "every5s", data, 2, "{tumble: 1h}", "account_id, service", interval="5s")[0]
        without = run_hourly(work, "never", data, 2, "{tumble: 1h}", "account_id, service", interval="1h")[0]
        ratios.append(without / with_checkpoints)
    print(f"hourly windows, {rows * copies:,} records, checkpoints every 5 s: {statistics.median(ratios):.2f} x of the same "
          f"without   (at least 0.85)")


def plot(points, path):
    """A drawing of rate and memory by number of keys, as SVG."""
    width, height, left, bottom = 640, 300, 70, 250
    step = (width - left - 40) / max(1, len(points) - 1)
    top_rate = max(point["rate"] for point in points)
    top_memory = max(max(point["free"] for point in points), 600)

    def line(values, top, colour, name, label_y):
        places = [(left + index * step, bottom - 200 * value / top) for index, value in enumerate(values)]
        dots = "".join(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="3" fill="{colour}"/>' for x, y in places)
        path = " ".join(f"{x:.0f},{y:.0f}" for x, y in places)
        return (f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>{dots}'
                f'<text x="{left}" y="{label_y}" fill="{colour}">{name}, at most {top:,.0f}</text>')

    labels = "".join(f'<text x="{left + index * step:.0f}" y="{bottom + 20}" text-anchor="middle">{point["keys"]:,}</text>'
                     for index, point in enumerate(points))
    body = (line([p["rate"] for p in points], top_rate, "#1f5fbf", "rows/s with state.memory: 256MB", 16)
            + line([p["peak"] for p in points], top_memory, "#b3261e", "resident MB with state.memory: 256MB", 32)
            + line([p["free"] for p in points], top_memory, "#6b6b6b", "resident MB with memory to spare", 48))
    with open(path, "w") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
                   f'font-size="12"><title>Hourly windows by number of keys</title>'
                   f'<rect width="{width}" height="{height}" fill="white"/>'
                   f'<line x1="{left}" y1="{bottom}" x2="{width - 30}" y2="{bottom}" stroke="black"/>{labels}{body}'
                   f'<text x="{width / 2:.0f}" y="{height - 8}" text-anchor="middle">distinct keys in one window</text></svg>\n')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", action="store_true", help="this program")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plot", help="where to write the drawing")
    arguments = parser.parse_args()
    work = tempfile.mkdtemp(prefix="weir-state-")
    try:
        if arguments.smoke:
            overhead(work, 1, 1)
            points = growth(work, [2_000, 20_000], 1)
            incremental(work, 20_000)
        else:
            overhead(work, 20, arguments.rounds)
            points = growth(work, [1_000_000, 10_000_000], arguments.rounds)
            incremental(work, 10_000_000)
            points += growth(work, [30_000_000], 1)
        if arguments.plot:
            plot(points, arguments.plot)
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
