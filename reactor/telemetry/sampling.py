"""Which traces are kept: decided once for each trace, when its first span comes. Failures are always kept. Pure: time comes with the spans.

The ratio is decided from the trace's id, so that every process that sees the trace decides alike.
"""

from collections.abc import Mapping

from reactor.model.errors import ConfigError, nearest
from reactor.model.ids import Instant
from reactor.model.trace import trace_context

TRACES_A_SECOND = 1_000
"""More new traces than this are not kept: a span costs some 90 us, and the thread that writes them shares the processor with the engine."""
REMEMBERED = 20_000
"""Traces whose fate is surely remembered; an older one is decided anew."""
_NAMES = ("always_on", "always_off", "traceidratio")
_KNOWN = (*_NAMES, *(f"parentbased_{name}" for name in _NAMES))


class Sampler:
    """What `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG` ask for, of one trace."""

    def __init__(self, share: float, *, by_parent: bool) -> None:
        self._limit, self._by_parent = int(share * (1 << 64)), by_parent

    def __call__(self, context: str, incoming: str | None = None) -> bool:
        """`incoming` is the producer's own context, where it is known: parent-based samplers follow it, whatever it says."""
        if self._by_parent:
            if not int(context[53:55], 16) & 1:
                return False
            if incoming is not None:
                return True
        return int(context[19:35], 16) < self._limit

    def flagged(self, context: str, incoming: str | None = None) -> str:
        """The context with the flag that says to others what is decided here."""
        flags = int(context[53:55], 16)
        flags = flags | 1 if self(context, incoming) else flags & ~1
        return f"{context[:53]}{flags:02x}{context[55:]}"


def sampler(environ: Mapping[str, str]) -> Sampler:
    """The default is `parentbased_always_on`.

    Raises:
        ConfigError: a sampler that is not known, or a ratio that is none.
    """
    name = environ.get("OTEL_TRACES_SAMPLER") or "parentbased_always_on"
    if name not in _KNOWN:
        raise ConfigError(
            f"OTEL_TRACES_SAMPLER={name!r} is not known.{nearest(name, _KNOWN)} One of: {', '.join(_KNOWN)}."
        )
    ratio = _ratio(environ)
    share = {"always_on": 1.0, "always_off": 0.0}.get(name.removeprefix("parentbased_"), ratio)
    return Sampler(share, by_parent=name.startswith("parentbased_"))


def _ratio(environ: Mapping[str, str]) -> float:
    text = environ.get("OTEL_TRACES_SAMPLER_ARG") or "1.0"
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ConfigError(f"OTEL_TRACES_SAMPLER_ARG={text!r} is no share between 0 and 1.")
    return share


class Keep:
    """The sampler, below a rate, with a memory: all spans of one trace share its fate. A failure turns the fate of its trace."""

    def __init__(self, sampled: Sampler, most: int = TRACES_A_SECOND) -> None:
        self._sampled, self._most = sampled, most
        self._room, self._at = float(most), Instant(0)
        self._fates: dict[str, bool] = {}
        self._older: dict[str, bool] = {}
        self.refused = 0
        """Spans, or what would have become some, that were not kept because of the rate alone, or had no context that one could read."""

    def flagged(self, context: str, incoming: str | None) -> str:
        """See `Sampler.flagged`. What the rate leaves out is not known yet when a context is handed out, and keeps its flag."""
        return self._sampled.flagged(context, incoming)

    def __call__(self, context: str, at: Instant, *, failed: bool = False, incoming: str | None = None) -> bool:
        trace = context[3:35]
        kept = self._fates.get(trace)
        if kept is None:
            kept = self._older.get(trace)
        if kept is None:
            if trace_context(context) is None:
                self.refused += 1
                return False
            wanted = self._sampled(context, incoming)
            kept = wanted and (self._take(at) or failed)
            if wanted and not kept:
                self.refused += 1
            self._remember(trace, kept)
        if failed and not kept:
            self._fates[trace] = kept = True
        return kept

    def _take(self, at: Instant) -> bool:
        """One place of the second's. The wall clock may jump: a step back costs nothing but the time of one refill."""
        gone, self._at = at - self._at, at
        self._room = min(self._most, self._room + max(gone, 0) * self._most / 1e6)
        if self._room < 1:
            return False
        self._room -= 1
        return True

    def _remember(self, trace: str, kept: bool) -> None:
        """Two generations: to take the oldest out of one dictionary means to step over all that were taken out before it."""
        if len(self._fates) >= REMEMBERED:
            self._older, self._fates = self._fates, {}
        self._fates[trace] = kept
