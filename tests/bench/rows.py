"""The rows by name, each with the floor and the target of its figures."""

from __future__ import annotations

from tests.bench import buckets, door, files, growth, latency, mqtt, process, throughput, tracing
from tests.bench.measure import Row

ROWS: dict[str, Row] = {
    "events": Row("all relevant, one run per two, topic in memory", throughput.events, {"events/s": (20_000, 60_000)}),
    "rare": Row("1 % relevant, topic in memory", throughput.rare, {"events/s": (100_000, 300_000)}),
    "kafka-events": Row("all relevant, real Kafka", throughput.kafka_events, {"events/s": (20_000, 60_000)}),
    "kafka-rare": Row("1 % relevant, real Kafka", throughput.kafka_rare, {"events/s": (100_000, 300_000)}),
    "runs": Row("durable runs, inline", throughput.runs, {"runs/s": (5_000, 25_000)}),
    "runs-process": Row("durable runs, two warm processes", throughput.runs_in_processes, {"runs/s": (1_000, 10_000)}),
    "kafka-100": Row("send to first line, real Kafka, 100/s, ms", latency.from_kafka(100)),
    "kafka-1k": Row("the same at 1,000/s", latency.from_kafka(1_000), {"p50": (10, 3), "p99": (50, 15)}),
    "kafka-5k": Row("the same at 5,000/s", latency.from_kafka(5_000)),
    "http": Row("POST to first line at 5/s, ms", latency.http, {"p50": (8, 3), "p99": (25, 6)}),
    "join": Row("keyed join, second event to first line, ms", latency.join, {"p50": (10, 4), "p99": (30, 8)}),
    "chain": Row("chain of 10 no-op tasks, ms", latency.chain, {"p50": (60, 12)}),
    "fan": Row("fan-out of 100 into 1, ms", latency.fan, {"p50": (400, 40)}),
    "posts": Row("durable POSTs, single, 32 callers", door.posts, {"posts/s": (2_000, 10_000)}),
    "batches": Row("durable POSTs of 100 events", door.batches),
    "files": Row("10,000 files at once, ms", files.files, {"p99": (1_000, 200), "lost": (0, 0)}),
    "bucket": Row("100,000 objects: keys/s into the ledger, listed again, loop held", buckets.bucket),
    "mqtt": Row("MQTT, QoS 1: from a broker's queue to durable", mqtt.events),
    "tracing-1k": Row("tracing every run at 1,000 runs/s", tracing.at_1k, {"lost %": (30, 10)}),
    "tracing-most": Row("tracing, as many runs as there can be", tracing.flat_out),
    "slots": Row("1 M orders that wait: restart and memory", growth.slots, {"restart s": (10, 3), "bytes a slot": (500, 250)}),
    "rules-10": Row("an event that concerns one rule of 10", growth.with_rules(10)),
    "rules-1k": Row("of 1,000", growth.with_rules(1_000)),
    "rules-100k": Row("of 100,000", growth.with_rules(100_000)),
    "history-0": Row("an event on an empty ledger", growth.with_history(0)),
    "history-1m": Row("after 1 M runs (minutes to write)", growth.with_history(1_000_000), {"start ms": (2_000, 1_000)}),
    "process": Row("the idle service", process.process, {"start ms": (2_000, 1_000), "MiB": (150, 90), "CPU %": (2, 1)}),
    "help": Row("`reactor --help`", process.help_time, {"ms": (500, 300)}),
}  # fmt: skip
