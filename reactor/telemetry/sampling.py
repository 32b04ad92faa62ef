"""Which traces are kept. Decided from the trace's id, so that every process that sees the trace decides alike. Failures are always kept."""

from collections.abc import Callable, Mapping

from reactor.model.errors import ConfigError, nearest

Sampled = Callable[[str], bool]
"""Takes a traceparent."""
_KNOWN = (
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
)


def sampler(environ: Mapping[str, str]) -> Sampled:
    """What `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG` ask for. A producer that did not sample its own trace is respected by the
    parent-based ones, which are the default.

    Raises:
        ConfigError: a sampler that is not known, or a ratio that is none.
    """
    name = environ.get("OTEL_TRACES_SAMPLER", "parentbased_always_on")
    if name not in _KNOWN:
        raise ConfigError(
            f"OTEL_TRACES_SAMPLER={name!r} is not known.{nearest(name, _KNOWN)} One of: {', '.join(_KNOWN)}."
        )
    share = {"always_on": 1.0, "always_off": 0.0}.get(name.removeprefix("parentbased_"), _ratio(environ))
    limit = int(share * (1 << 64))
    by_parent = name.startswith("parentbased_")
    return lambda context: (not by_parent or context.endswith("1")) and int(context[19:35], 16) < limit


def _ratio(environ: Mapping[str, str]) -> float:
    text = environ.get("OTEL_TRACES_SAMPLER_ARG", "1.0")
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ConfigError(f"OTEL_TRACES_SAMPLER_ARG={text!r} is no share between 0 and 1.")
    return share
