"""The laws of the classes, over schemas made by chance, in each dialect."""

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reactor.model.schema import Basis, Compatibility, Dialect, Schema, diff, join, narrow
from tests.schemas.strategies import NAMES, close, schemas

each = pytest.mark.parametrize("dialect", list(Dialect))
relaxed = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


@each
@given(data=st.data())
@relaxed
def test_a_schema_is_identical_to_itself(dialect: Dialect, data: st.DataObject) -> None:
    for basis in (Basis.CONTRACT, Basis.LANDED, Basis.SEEN):
        schema = data.draw(schemas(dialect, basis))
        assert diff(schema, schema).changes == ()


@each
@given(data=st.data())
@relaxed
def test_the_digest_is_equal_exactly_where_the_class_is_identical(dialect: Dialect, data: st.DataObject) -> None:
    a, b = data.draw(close(dialect, 2))
    assert (a.digest == b.digest) == (diff(a, b).compatibility is Compatibility.IDENTICAL)


@each
@given(data=st.data())
@relaxed
def test_columns_in_another_order_are_identical(dialect: Dialect, data: st.DataObject) -> None:
    a = data.draw(schemas(dialect))
    b = msgspec.structs.replace(a, fields=tuple(data.draw(st.permutations(a.fields))))
    assert a.digest == b.digest and diff(a, b).compatibility is Compatibility.IDENTICAL
    assert bool(diff(a, b).changes) == (a.names != b.names)


@each
@given(data=st.data())
@settings(relaxed, max_examples=120)
def test_two_steps_are_never_safer_than_the_whole_way(dialect: Dialect, data: st.DataObject) -> None:
    """class(a -> c) <= max(class(a -> b), class(b -> c)), between contracts of one dialect."""
    a, b, c = data.draw(close(dialect, 3))
    steps = max(diff(a, b).compatibility, diff(b, c).compatibility, key=lambda k: k.harm)
    assert diff(a, c).compatibility <= steps


@each
@given(data=st.data())
@relaxed
def test_what_is_additive_in_both_directions_is_identical(dialect: Dialect, data: st.DataObject) -> None:
    a, b = data.draw(close(dialect, 2))
    there, back = diff(a, b).compatibility, diff(b, a).compatibility
    if there <= Compatibility.ADDITIVE and back <= Compatibility.ADDITIVE:
        assert there is back is Compatibility.IDENTICAL


@each
@given(data=st.data())
@relaxed
def test_a_consumer_of_some_columns_never_meets_more_than_one_of_all(dialect: Dialect, data: st.DataObject) -> None:
    whole = diff(*data.draw(close(dialect, 2)))
    some = data.draw(st.lists(st.sampled_from(NAMES), unique=True))
    less = data.draw(st.lists(st.sampled_from(some), unique=True)) if some else []
    assert narrow(whole, less).compatibility <= narrow(whole, some).compatibility <= whole.compatibility


@given(data=st.data())
@relaxed
def test_what_was_seen_on_both_days_fits_in_their_join(data: st.DataObject) -> None:
    a, b = (data.draw(schemas(Dialect.JSON, Basis.SEEN)) for _ in range(2))
    both = join(a, b)
    assert diff(both, a).compatibility is Compatibility.IDENTICAL
    assert diff(both, b).compatibility is Compatibility.IDENTICAL


@each
@given(data=st.data())
@relaxed
def test_a_schema_survives_json(dialect: Dialect, data: st.DataObject) -> None:
    schema = data.draw(schemas(dialect))
    assert msgspec.json.decode(msgspec.json.encode(schema), type=Schema) == schema


@each
@given(data=st.data())
@relaxed
def test_every_change_can_be_said(dialect: Dialect, data: st.DataObject) -> None:
    found = diff(*data.draw(close(dialect, 2)))
    assert len(found.lines) == len(found.changes) and "\n" not in str(found)
    assert str(found).startswith(found.compatibility.value)
