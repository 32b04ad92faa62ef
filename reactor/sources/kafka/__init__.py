"""Kafka: topics as a source, and a producer for what users publish.

May know: `reactor.model`, the contract in `reactor.sources.base`, aiokafka and pydantic. May not know: the ledger,
sensors, other sources. aiokafka is imported by `source` and `producer` only; `settings` costs pydantic alone, so that
a configuration can be read without a client.

- `settings`: where the brokers are and how to speak to them, checked.
- `lanes`: where each partition stands: pure bookkeeping.
- `records`: what a client fetched, as a batch. The hot path.
- `trouble`: what an error of the client means, in words.
- `client`: a connected consumer on one topic.
- `setup`: what a source is given.
- `session`: one connection, from joining the group to closing.
- `source`: the loop that reads, its health and its patience.
- `producer`: the way out.
"""
