"""Which traces are kept."""

from __future__ import annotations

import random

import pytest

from reactor.model.errors import ConfigError
from reactor.telemetry.sampling import sampler

KEPT, NOT = f"00-{'a' * 32}-{'b' * 16}-01", f"00-{'a' * 32}-{'b' * 16}-00"


@pytest.mark.parametrize(
    ("name", "kept", "not_sampled_by_its_producer"),
    [
        ("", True, False),
        ("parentbased_always_on", True, False),
        ("always_on", True, True),
        ("always_off", False, False),
        ("parentbased_always_off", False, False),
    ],
)
def test_the_standard_samplers(name: str, kept: bool, not_sampled_by_its_producer: bool) -> None:
    sampled = sampler({"OTEL_TRACES_SAMPLER": name} if name else {})
    assert (sampled(KEPT), sampled(NOT)) == (kept, not_sampled_by_its_producer)


def test_a_ratio_keeps_about_that_share_and_always_the_same_ones() -> None:
    chance = random.Random(1)
    traces = [f"00-{chance.getrandbits(128):032x}-{'b' * 16}-01" for _ in range(4000)]
    sampled = sampler({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.25"})
    kept = [t for t in traces if sampled(t)]
    assert 850 < len(kept) < 1150
    assert kept == [t for t in traces if sampled(t)]


@pytest.mark.parametrize(
    "environ", [{"OTEL_TRACES_SAMPLER": "alwayson"}, {"OTEL_TRACES_SAMPLER_ARG": "2"}, {"OTEL_TRACES_SAMPLER_ARG": "x"}]
)
def test_a_setting_that_cannot_be_right_is_refused(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="OTEL_TRACES_SAMPLER"):
        sampler(environ)
