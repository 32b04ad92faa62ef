"""MQTT 5: a topic filter as a source.

May know: `reactor.model`, the contract in `reactor.sources.base`, aiomqtt and pydantic. May not know: the ledger,
sensors, other sources. aiomqtt is imported by `client` alone; `settings` costs pydantic alone.

- `settings`: where the broker is and how to speak to it, checked.
- `window`: what was delivered and is not acknowledged, and how a second delivery is told from a second publication.
- `messages`: a publication as a raw event.
- `trouble`: what an error of the client means, in words.
- `client`: one connection; the one file that reaches through aiomqtt into paho.
- `source`: the loop that connects, its queue, its health and its patience.
"""
