"""Signed webhooks, as pure judgement: a request's headers and body in, an event or a refusal out.

May know: `reactor.model`, and what `reactor.sources.cloudevents` says of an event that was posted. May not know: the web,
the ledger, sensors. What was accepted is handed on by `reactor.sources.http`, as events that are posted are.

- `signature`: whether the sender knew the secret, and when it signed.
- `keys`: the secrets, from their file.
- `delivery`: what was delivered, as an event.
"""
