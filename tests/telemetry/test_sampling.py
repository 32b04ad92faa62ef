"""Which traces are kept."""

from __future__ import annotations

import random

import pytest

from reactor.model.errors import ConfigError
from reactor.model.ids import Instant
from reactor.telemetry.sampling import REMEMBERED, Keep, Sampler, sampler
from tests.telemetry.facts import SECOND, span

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


def test_a_producer_that_sampled_its_trace_is_followed_whatever_the_ratio() -> None:
    sampled = sampler({"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"})
    assert (sampled(KEPT), sampled(KEPT, KEPT), sampled(NOT, NOT)) == (False, True, False)


def test_the_flag_is_a_bit_and_not_a_number() -> None:
    assert sampler({})(f"00-{'a' * 32}-{'b' * 16}-03"), "level 2 of the standard sets a second bit for random ids"


@pytest.mark.parametrize(
    ("name", "share", "context", "incoming", "flags"),
    [
        ("parentbased_traceidratio", "0", KEPT, None, "00"),
        ("parentbased_traceidratio", "1", KEPT, None, "01"),
        ("parentbased_traceidratio", "0", KEPT, KEPT, "01"),
        ("parentbased_traceidratio", "1", NOT, NOT, "00"),
        ("traceidratio", "0", KEPT, KEPT, "00"),
        ("always_on", "1", NOT, NOT, "01"),
        ("traceidratio", "0", KEPT[:-2] + "03", None, "02"),
    ],
)
def test_what_is_handed_out_says_whether_the_trace_is_kept(
    name: str, share: str, context: str, incoming: str | None, flags: str
) -> None:
    keep = Keep(sampler({"OTEL_TRACES_SAMPLER": name, "OTEL_TRACES_SAMPLER_ARG": share}))
    handed = keep.flagged(context, incoming)
    assert handed == context[:-2] + flags
    assert keep(handed, Instant(0), incoming=incoming) == (flags in ("01", "03"))


ALL, NONE = Sampler(1.0, by_parent=True), Sampler(0.0, by_parent=True)


def test_above_the_rate_traces_are_left_out_and_counted() -> None:
    keep = Keep(ALL, most=10)
    assert [keep(span(1, trace), Instant(SECOND)) for trace in range(1, 13)] == [True] * 10 + [False] * 2
    assert keep.refused == 2
    assert keep(span(1, 99), Instant(2 * SECOND)), "a second later there is room again"


def test_all_spans_of_a_trace_share_its_fate() -> None:
    keep = Keep(ALL, most=1)
    assert [keep(span(1, 1), Instant(SECOND)), keep(span(1, 2), Instant(SECOND))] == [True, False]
    later = Instant(SECOND + 1)
    assert [keep(span(2, 1), later), keep(span(2, 2), later)] == [True, False]
    assert keep.refused == 1, "a trace is counted once"


def test_a_failure_is_kept_and_all_that_follows_it_in_its_trace() -> None:
    keep = Keep(NONE)
    assert not keep(span(1), Instant(1))
    assert keep(span(2), Instant(2), failed=True)
    assert keep(span(3), Instant(3))
    assert not keep(span(1, trace=2), Instant(3))


@pytest.mark.parametrize("context", ["", "garbage", "00-" + "0" * 32 + "-" + "b" * 16 + "-01", "00-zz-1-01", "é" * 55])
def test_what_is_no_trace_context_is_left_out_and_counted(context: str) -> None:
    keep = Keep(ALL)
    assert not keep(context, Instant(1), failed=True)
    assert keep.refused == 1


def test_a_clock_that_steps_back_does_not_end_the_traces() -> None:
    keep = Keep(ALL, most=1)
    hour = 3600 * SECOND
    assert keep(span(1, 1), Instant(2 * hour))
    assert not keep(span(1, 2), Instant(hour))
    assert keep(span(1, 3), Instant(hour + SECOND))


def test_the_memory_for_traces_is_bounded() -> None:
    keep = Keep(ALL)
    for trace in range(1, 3 * REMEMBERED):
        keep(span(1, trace), Instant(trace * SECOND))
    assert REMEMBERED <= len(keep._fates) + len(keep._older) <= 2 * REMEMBERED


def test_a_fate_outlives_many_newer_ones() -> None:
    keep = Keep(ALL, most=1)
    assert [keep(span(1, 1), Instant(SECOND)), keep(span(1, 2), Instant(SECOND))] == [True, False]
    for trace in range(3, REMEMBERED):
        keep(span(1, trace), Instant(SECOND))
    assert [keep(span(2, 1), Instant(SECOND)), keep(span(2, 2), Instant(9 * SECOND))] == [True, False]
