"""Times usage from topic to topic in hourly windows, exactly once, beside a bare librdkafka consumer of the same topic.

Each round runs the bare consumer, then Weir, on the broker named in WEIR_TEST_KAFKA; the figure to quote is their ratio.
Weir's figure is the whole process, its start, last checkpoint and commit included; the bare consumer's is its reading alone.

The topic is filled by one producer, in the file's order: several would overtake one another by hours of event time where one is
held back, and records that come so late are not in the hourly rows. Weir's own counters have to agree with what is read back.
"""
import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid

from kafka.admin import KafkaAdminClient, NewTopic

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WEIR = os.environ.get("WEIR_BINARY", os.path.join(ROOT, ".build/release/weir"))
BARE = os.path.join(ROOT, ".build/release/weir-bench")
BROKER = os.environ["WEIR_TEST_KAFKA"]

SCHEMA = """{record_id: string not null, account_id: string not null, service: string,
        started_at: timestamp not null, quantity: "decimal(18,3)"}"""

FILL = """
weir: 1
topology: fill-{run}
parallelism: 1
checkpoint: {{directory: {work}/checkpoints, interval: 10m}}
sources:
  usage: {{connector: file, path: {data}, format: raw, schema: {{value: string not null}}}}
sinks:
  out: {{from: usage, connector: kafka, bootstrap: "{broker}", topic: {topic}, format: raw, delivery: at_least_once}}
"""

HOURLY = """
weir: 1
topology: hourly-{run}
parallelism: 2
checkpoint: {{directory: {work}/checkpoints, timeout: 2m}}
sources:
  usage:
    connector: kafka
    bootstrap: "{broker}"
    topic: {topic}
    stop: latest
    schema: {schema}
    event_time: started_at
    watermark: {{delay: 1h}}
steps:
  hourly:
    from: usage
    aggregate:
      key: [account_id, service]
      window: {{tumble: 1h}}
      values: {{records: count(*), quantity: sum(quantity)}}
sinks:
  out: {{from: hourly, connector: kafka, bootstrap: "{broker}", topic: {output}, key: [account_id]}}
"""


def create(topic, partitions):
    admin = KafkaAdminClient(bootstrap_servers=BROKER)
    try:
        admin.create_topics([NewTopic(topic, partitions, 1)])
    finally:
        admin.close()


def run(work, text):
    """Runs a topology; returns the seconds of the whole process, and how many records its summary says were late."""
    path = f"{work}/topology.yaml"
    with open(path, "w") as file:
        file.write(text)
    start = time.perf_counter()
    done = subprocess.run([WEIR, "run", path], stderr=subprocess.PIPE, text=True)
    seconds = time.perf_counter() - start
    if done.returncode != 0 or "every record is accounted for" not in done.stderr:
        sys.exit(f"bench: weir failed\n{done.stderr}")
    late = re.search(r"late ([\d,]+)", done.stderr)
    return seconds, int(late.group(1).replace(",", "")) if late else 0


def consume(topic):
    out = subprocess.run([BARE, "consume", BROKER, topic], capture_output=True, text=True, check=True)
    return json.loads(out.stdout)


def counted(topic):
    """The sum of `records` over the rows of the output topic."""
    out = subprocess.run([sys.executable, os.path.join(ROOT, "scripts/kafka"), "read", BROKER, topic],
                         capture_output=True, text=True, check=True)
    return sum(json.loads(line)["records"] for line in out.stdout.splitlines())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    rows = arguments.rows or (20_000 if arguments.smoke else 1_000_000)
    rounds = 1 if arguments.smoke else arguments.rounds
    work = tempfile.mkdtemp(prefix="weir-bench-")
    token = uuid.uuid4().hex[:8]
    try:
        data, topic = f"{work}/usage.json", f"usage.{token}"
        subprocess.run([WEIR, "generate", "--rows", str(rows), "--accounts", "100000", "--seed", "7", "--brief",
                        "--records-per-second", "20", "--output", data], check=True)
        create(topic, 2)
        seconds, _ = run(work, FILL.format(run=token, work=work, data=data, broker=BROKER, topic=topic))
        print(f"{rows:,} records of {os.path.getsize(data) / rows:.0f} bytes, 2 partitions, {rounds} rounds, medians; "
              f"filled at {rows / seconds / 1e6:.2f} M rows/s")
        bare, weir = [], []
        for number in range(rounds):
            read = consume(topic)
            if read["rows"] != rows:
                sys.exit(f"bench: the bare consumer read {read['rows']:,} of {rows:,} records")
            bare.append(read["rowsPerSecond"])
            output = f"hourly.{token}.{number}"
            create(output, 2)
            seconds, late = run(work, HOURLY.format(run=f"{token}-{number}", work=work, broker=BROKER, topic=topic,
                                              schema=SCHEMA, output=output))
            weir.append(rows / seconds)
            found = counted(output)
            if found != rows:
                sys.exit(f"bench: {found:,} of {rows:,} records are in the output, and Weir says {late:,} were late")
        for title, figures in [("bare librdkafka consumer", bare), ("Weir, topic to topic, exactly once", weir)]:
            print(f"  {title:36} {statistics.median(figures) / 1e6:6.3f} M rows/s   "
                  f"({min(figures) / 1e6:.3f} to {max(figures) / 1e6:.3f})")
        ratio = statistics.median(w / b for w, b in zip(weir, bare))
        print(f"topic to topic / bare consumer     {ratio:.2f} x   (at least 0.5)")
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
