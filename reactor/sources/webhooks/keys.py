"""The secrets of a webhook, from their file: one a line, and two while one takes the other's place. Law: it reads that
file, anew for every delivery, so that a new secret holds at once; no text that it makes holds a secret."""

from pathlib import Path

from reactor.model.errors import ConfigError
from reactor.model.source import Webhook
from reactor.sources.webhooks.signature import key_of

MOST = 2
SHORTEST = 16
"""Characters. What is shorter is a mistake, and could be guessed."""


def secrets_of(spec: Webhook, root: Path) -> list[bytes]:
    """One or two. Raises ConfigError where there is none, or what is there cannot be one."""
    place = root / spec.secret_file
    try:
        lines = [line.strip() for line in place.read_text("utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigError(
            _wrong(spec, place, f"cannot be read: {reason}. Put the secret that the sender shows there")
        ) from error
    found = [line.encode() for line in lines if line]
    if not found:
        raise ConfigError(_wrong(spec, place, "is empty. Put the secret that the sender shows there"))
    if len(found) > MOST:
        raise ConfigError(_wrong(spec, place, f"has {len(found)} secrets. Leave the new one and the one before it"))
    if any(len(secret) < SHORTEST or not _is_key(spec, secret) for secret in found):
        raise ConfigError(
            _wrong(spec, place, f"holds a line that is no secret of the style {spec.style!r}. Copy it from the sender")
        )
    return found


def _is_key(spec: Webhook, secret: bytes) -> bool:
    try:
        return bool(key_of(spec.style, secret))
    except ValueError:
        return False


def _wrong(spec: Webhook, place: Path, what: str) -> str:
    return f"The secret of the webhook {spec.path}: {place} {what}. Nothing is taken there until then."
