"""What each change means: the tables, case by case, and the words for it."""

import itertools

import pytest

from reactor.model.errors import DefinitionError
from reactor.model.schema import (
    CLASSES,
    Alteration,
    Basis,
    Compatibility,
    Dialect,
    Field,
    Schema,
    SchemaError,
    diff,
    join,
    narrow,
    refuse_unknown,
)
from reactor.model.schema.promotions import promotes
from reactor.model.schema.types import (
    ANY,
    NULL,
    SCALARS,
    Bytes,
    Decimal,
    Enum,
    Fixed,
    ListOf,
    MapOf,
    Opaque,
    Record,
    Scalar,
    Text,
    Time,
    Timestamp,
    Type,
    Union,
    names_of,
)

INT8, INT32, INT64, UINT32 = (Scalar(n) for n in ("int8", "int32", "int64", "uint32"))
FLOAT32, FLOAT64, DATE, BOOLEAN = (Scalar(n) for n in ("float32", "float64", "date", "boolean"))
COMMON, AVRO, JSON, PROTOBUF = Dialect.COMMON, Dialect.AVRO, Dialect.JSON, Dialect.PROTOBUF
ADDITIVE, WIDENING, BREAKING = Compatibility.ADDITIVE, Compatibility.WIDENING, Compatibility.BREAKING


def table(*fields: Field, dialect: Dialect = COMMON, basis: Basis = Basis.CONTRACT) -> Schema:
    return Schema(fields, dialect, basis)


def one(kind: Type, dialect: Dialect = COMMON) -> Schema:
    return table(Field("amount", kind), dialect=dialect)


def said(old: Schema, new: Schema) -> tuple[Compatibility, list[str]]:
    found = diff(old, new)
    return found.compatibility, list(found.lines)


def test_every_alteration_has_a_class() -> None:
    assert set(CLASSES) == set(Alteration)


RETYPED: list[tuple[Type, Type, str]] = [
    # what it was, what it becomes, in tables, Avro, JSON, Protobuf: w = widening, b = breaking
    (INT8, INT32, "wbwb"),
    (INT32, INT64, "wwww"),
    (INT64, INT32, "bbbb"),
    (INT32, FLOAT32, "bwbb"),
    (INT32, FLOAT64, "wwwb"),
    (INT64, FLOAT64, "bwwb"),
    (FLOAT32, FLOAT64, "wwwb"),
    (FLOAT64, FLOAT32, "bbbb"),
    (UINT32, INT64, "wbww"),
    (UINT32, INT32, "bbbb"),
    (BOOLEAN, INT32, "bbbw"),
    (Text(), Bytes(), "bwbw"),
    (Bytes(), Text(), "bwbb"),
    (Text(20), Text(40), "wbwb"),
    (Text(20), Text(), "wbwb"),
    (Text(40), Text(20), "bbbb"),
    (INT32, Text(), "bbbb"),
    (Text(), INT32, "bbbb"),
    (Decimal(10, 2), Decimal(12, 2), "wbwb"),
    (Decimal(10, 2), Decimal(12, 4), "wbwb"),
    (Decimal(10, 2), Decimal(10, 4), "bbbb"),
    (Decimal(10, 2), Decimal(9, 2), "bbbb"),
    (Decimal(10, 2), Decimal(), "wbwb"),
    (INT32, Decimal(10, 0), "wbwb"),
    (INT64, Decimal(10, 0), "bbbb"),
    (Timestamp("ms"), Timestamp("us"), "wbwb"),
    (Timestamp("us"), Timestamp("ms"), "bbbb"),
    (Timestamp("us"), Timestamp("us", True), "bbbb"),
    (Time("ms"), Time("us"), "wbwb"),
    (DATE, Timestamp("us"), "bbbb"),
    (Enum(("a", "b")), Text(), "wbwb"),
    (Enum(("a", "long")), Text(3), "bbbb"),
    (Enum(("a",)), INT32, "bbbw"),
    (Enum(("a",)), Enum(("a", "b")), "wwww"),
    (Enum(("a", "b")), Enum(("a",)), "bbbb"),
    (Text(), Enum(("a",)), "bbbb"),
    (Fixed(4), Bytes(), "wbwb"),
    (Fixed(4), Fixed(8), "bbbb"),
    (Opaque("point"), Opaque("line"), "bbbb"),
    (INT32, ANY, "wwww"),
    (ANY, INT32, "bbbb"),
    (NULL, Text(), "wwww"),
    (INT32, Union((INT32, Text())), "wwww"),
    (INT32, Union((INT64, Text())), "wwww"),
    (Union((INT32, Text())), Union((INT32, Text(), DATE)), "wwww"),
    (Union((INT32, Text())), INT32, "bbbb"),
    (ListOf(Field("i", INT32)), ListOf(Field("i", INT64)), "wwww"),
    (ListOf(Field("i", INT32)), ListOf(Field("i", INT32, True)), "wwww"),
    (ListOf(Field("i", INT32)), INT32, "bbbb"),
    (MapOf(Field("k", Text()), Field("v", INT32)), MapOf(Field("k", Text()), Field("v", Text())), "bbbb"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "classes"), RETYPED, ids=str)
def test_a_type_that_becomes_another(old: Type, new: Type, classes: str) -> None:
    found = "".join(diff(one(old, d), one(new, d)).compatibility[0] for d in (COMMON, AVRO, JSON, PROTOBUF))
    assert found == classes


@pytest.mark.parametrize("dialect", list(Dialect))
def test_what_a_type_may_become_may_become_no_more_than_it_may(dialect: Dialect) -> None:
    """The tables are closed: all triples of types."""
    kinds: list[Type] = [Scalar(n) for n in sorted(SCALARS)]
    for old, new, _ in RETYPED:
        kinds += [kind for kind in (old, new) if str(kind) not in map(str, kinds)]
    to = {str(a): [b for b in kinds if promotes(a, b, dialect)] for a in kinds}
    open_ends = [
        f"{a} -> {b} -> {c}"
        for a in kinds
        for b in to[str(a)]
        for c in to[str(b)]
        if str(a) != str(c) and c not in to[str(a)]
    ]
    assert open_ends == []
    both_ways = {tuple(sorted((str(a), str(b)))) for a in kinds for b in to[str(a)] if a in to[str(b)]}
    assert both_ways == ({("bytes", "string")} if dialect is AVRO else set())


ID = Field("id", INT64)


@pytest.mark.parametrize(
    ("new", "dialect", "expected", "line"),
    [
        (Field("note", Text(), True), COMMON, ADDITIVE, "column note: added, string? (additive)"),
        (Field("note", Text(), True), AVRO, BREAKING, "column note: added, string?, and must be given (breaking)"),
        (Field("note", Text(), True), JSON, BREAKING, "column note: added, string?, and must be given (breaking)"),
        (Field("n", INT32, has_default=True), COMMON, ADDITIVE, "column n: added, int32 = default (additive)"),
        (Field("n", INT32, has_default=True), AVRO, ADDITIVE, "column n: added, int32 = default (additive)"),
        (Field("n", INT32, has_default=True), JSON, ADDITIVE, "column n: added, int32 = default (additive)"),
        (Field("n", INT32), COMMON, BREAKING, "column n: added, int32, and must be given (breaking)"),
    ],
)
def test_a_column_that_came(new: Field, dialect: Dialect, expected: Compatibility, line: str) -> None:
    assert said(table(ID, dialect=dialect), table(ID, new, dialect=dialect)) == (expected, [line])


def test_a_column_that_went() -> None:
    old, new = table(ID, Field("total", Decimal(10, 2))), table(ID)
    assert said(old, new) == (BREAKING, ["column total: removed, was decimal(10,2) (breaking)"])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (Field("total", INT32, origin=2), Field("amount", INT32, origin=2)),
        (Field("total", INT32), Field("amount", INT32, aliases=("total",))),
        (Field("total", INT32, number=2), Field("amount", INT32, number=2)),
    ],
)
def test_a_column_that_is_called_otherwise_where_the_source_says_so(old: Field, new: Field) -> None:
    assert said(table(ID, old), table(ID, new)) == (BREAKING, ["column total: renamed to amount (breaking)"])


@pytest.mark.parametrize(
    ("old", "new", "dialect", "expected", "words"),
    [
        (Field("n", INT32), Field("n", INT32, True), COMMON, WIDENING, "may now be null"),
        (Field("n", INT32, True), Field("n", INT32), COMMON, BREAKING, "may no longer be null"),
        (Field("n", INT32), Field("n", INT32, has_default=True), COMMON, ADDITIVE, "has a default now"),
        (Field("n", INT32), Field("n", INT32, has_default=True), JSON, WIDENING, "may now be missing"),
        (Field("n", INT32, False, True), Field("n", INT32), COMMON, BREAKING, "may no longer be left out"),
        (Field("n", INT32, True, True), Field("n", INT32, True), COMMON, WIDENING, "has no default any more, and may be null"),
        (Field("n", INT32, True, True), Field("n", INT32, True), AVRO, BREAKING, "may no longer be left out"),
        (Field("n", INT32, number=1), Field("n", INT32, number=2), PROTOBUF, BREAKING, "number 1 -> 2"),
        (Field("n", INT32), Field("n", INT32, wire="zigzag"), PROTOBUF, BREAKING,
         "is written otherwise: int32 plain -> int32 zigzag"),
        (Field("s", Enum(("a", "b"))), Field("s", Enum(("a", "c", "d"))), COMMON, BREAKING, "may no longer be 'b'"),
        (Field("s", Enum(("a",))), Field("s", Enum(("a", "c", "d"))), COMMON, WIDENING, "may now be 'c', 'd'"),
        (Field("s", Enum(("a",), "A")), Field("s", Enum(("a",), "B")), AVRO, BREAKING, "type is now called B, was A"),
    ],
)  # fmt: skip
def test_what_else_can_be_said_of_a_column(
    old: Field, new: Field, dialect: Dialect, expected: Compatibility, words: str
) -> None:
    found, lines = said(table(old, dialect=dialect), table(new, dialect=dialect))
    assert (found, lines[0]) == (expected, f"column {old.name}: {words} ({expected})")


def test_a_reserved_number_may_not_come_back() -> None:
    def message(*fields: Field, reserved: tuple[str, ...] = ()) -> Schema:
        return Schema(fields, PROTOBUF, reserved=reserved)

    old = message(reserved=("4", "9-11", "name:total"))
    for field in (Field("a", INT32, number=10), Field("total", INT32, number=1)):
        assert diff(old, message(field, reserved=old.reserved)).compatibility is BREAKING
    assert (
        diff(old, message(Field("a", INT32, False, True, number=12), reserved=old.reserved)).compatibility is ADDITIVE
    )
    assert said(old, message(reserved=("4", "9-11"))) == (
        BREAKING,
        ["the schema: name:total is no longer reserved (breaking)"],
    )


def test_fields_inside_are_named_by_their_path() -> None:
    def deep(kind: Type) -> Schema:
        line = Record((Field("sku", Text()), Field("price", kind)))
        return table(
            Field("lines", ListOf(Field("item", line))), Field("by day", MapOf(Field("k", DATE), Field("v", line)))
        )

    assert said(deep(INT32), deep(Text()))[1] == [
        "column lines[].price: int32 -> string (breaking)",
        'column "by day"{}.price: int32 -> string (breaking)',
    ]


def test_in_one_line_the_worst_comes_first_and_the_rest_is_counted() -> None:
    old = table(*(Field(n, INT32) for n in "abcde"))
    new = table(Field("a", INT64), *(Field(n, Text()) for n in "bcde"))
    assert str(diff(old, new)) == (
        "breaking: column b: int32 -> string (breaking); column c: int32 -> string (breaking); "
        "column d: int32 -> string (breaking); 2 more"
    )
    assert str(diff(old, old)) == "identical"


def test_a_consumer_meets_only_what_it_uses() -> None:
    old = table(
        ID,
        Field("amount", INT32),
        Field("x.y", DATE),
        Field("to", Record((Field("zip", INT32), Field("city", Text())))),
    )
    new = table(
        ID, Field("amount", INT64), Field("x.y", Text()), Field("to", Record((Field("zip", Text()), Field("city", Text())))),
        Field("note", Text(), True),
    )  # fmt: skip
    whole = diff(old, new)
    used = {
        ("id",): Compatibility.IDENTICAL, ("id", "amount"): WIDENING, ("to",): BREAKING, ("to.city",): Compatibility.IDENTICAL,
        ("to.zip",): BREAKING, ("x.y",): BREAKING, ("note",): ADDITIVE, (): Compatibility.IDENTICAL,
    }  # fmt: skip
    assert {columns: narrow(whole, columns).compatibility for columns in used} == used


def test_a_renamed_column_concerns_who_uses_it_by_its_old_name() -> None:
    whole = diff(table(Field("total", INT32, origin=1)), table(Field("amount", INT32, origin=1)))
    assert narrow(whole, ["total"]).compatibility is BREAKING


def test_a_column_that_nobody_has_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(DefinitionError, match=r"no column 'amuont'. Did you mean 'amount'\? There are: id, amount\."):
        refuse_unknown(table(ID, Field("amount", INT32)), ["amuont"])
    refuse_unknown(table(ID, Field("to", Record((Field("zip", INT32),)))), ["id", "to.zip"])


def test_names_alone_say_what_came_and_went_and_no_more() -> None:
    typed = table(ID, Field("amount", INT32))
    assert diff(typed, names_of("id", "amount")).compatibility is Compatibility.IDENTICAL
    assert diff(names_of("id", "a"), names_of("id", "b")).compatibility is BREAKING
    found = diff(names_of("id"), names_of("id", "note"))
    assert (found.compatibility, found.names_only) == (ADDITIVE, True)
    assert str(found) == "additive (names alone were compared): column note: added, a column (additive)"
    assert str(diff(names_of("a", "b"), names_of("b", "a"))).endswith(
        "the schema: order is now b, a, was a, b (identical)"
    )


def test_a_header_may_lack_what_the_contract_lets_be_left_out() -> None:
    contract = table(ID, Field("note", Text(), True, True), Field("amount", INT32))
    assert diff(contract, names_of("id", "amount")).changes == ()
    assert diff(contract, names_of("id", "note")).lines == ("column amount: removed, was a column (breaking)",)


CONTRACT = table(
    ID, Field("at", Union((Timestamp("us"), Timestamp("us", True)))), Field("amount", Decimal(10, 2), True),
    Field("note", Text(), True, True),
)  # fmt: skip


@pytest.mark.parametrize(
    ("landed", "expected"),
    [
        ([ID, Field("at", Timestamp("ms")), Field("amount", Decimal(8, 2))], Compatibility.IDENTICAL),
        ([Field("id", INT32), Field("at", Timestamp("us", True)), Field("amount", Decimal(10, 2)), Field("note", Text())],
         Compatibility.IDENTICAL),
        ([ID, Field("at", Timestamp("us")), Field("amount", Decimal(10, 2)), Field("more", INT32)], ADDITIVE),
        ([Field("id", INT64, True), Field("at", Timestamp("us")), Field("amount", Decimal(10, 2))], WIDENING),
        ([ID, Field("at", Timestamp("us")), Field("amount", Decimal(12, 2))], WIDENING),
        ([ID, Field("at", Timestamp("us"))], BREAKING),
        ([ID, Field("at", Text()), Field("amount", Decimal(10, 2))], BREAKING),
    ],
)  # fmt: skip
def test_what_landed_against_what_was_declared(landed: list[Field], expected: Compatibility) -> None:
    assert diff(CONTRACT, table(*landed, basis=Basis.LANDED)).compatibility is expected


def test_of_two_files_the_later_may_have_more_columns_but_no_narrower_ones() -> None:
    def landed(*fields: Field) -> Schema:
        return table(*fields, basis=Basis.LANDED)

    assert diff(landed(ID), landed(ID, Field("n", INT32))).compatibility is ADDITIVE
    assert diff(landed(ID), landed(Field("id", INT32))).compatibility is BREAKING


def test_rows_of_json_may_spell_what_json_does_not_have() -> None:
    old = table(
        Field("day", DATE), Field("at", Timestamp("us", True)), Field("amount", Decimal(10, 2)), Field("n", Scalar("int16")),
        Field("by", MapOf(Field("k", Text()), Field("v", FLOAT64))), dialect=JSON,
    )  # fmt: skip
    seen = table(
        Field("day", Text()), Field("at", Text()), Field("amount", FLOAT64), Field("n", INT64),
        Field("by", Record((Field("x", INT64), Field("y", FLOAT64)))), dialect=JSON, basis=Basis.SEEN,
    )  # fmt: skip
    assert diff(old, seen).changes == ()
    wrong = table(*seen.fields[:4], Field("by", Record((Field("x", Text()),))), dialect=JSON, basis=Basis.SEEN)
    assert diff(old, wrong).compatibility is BREAKING


def test_what_was_not_seen_today_may_still_come() -> None:
    def seen(*fields: Field) -> Schema:
        return table(*fields, dialect=JSON, basis=Basis.SEEN)

    monday = seen(ID, Field("amount", FLOAT64), Field("note", Text(), True, True))
    tuesday = seen(ID, Field("amount", INT64))
    assert diff(monday, tuesday).changes == ()
    assert diff(tuesday, monday).compatibility is WIDENING
    assert join(tuesday, monday).digest == monday.digest


def test_two_columns_of_one_name_are_refused() -> None:
    with pytest.raises(SchemaError, match="Two columns are called 'id'"):
        table(ID, ID)


@pytest.mark.parametrize(("less", "more"), list(itertools.pairwise(Compatibility)))
def test_classes_compare_by_harm_not_by_alphabet(less: Compatibility, more: Compatibility) -> None:
    assert less < more and more > less and less <= more and more >= less
    assert max(more, less) is more


def test_unions_inside_unions_are_not_compared_without_end() -> None:
    def deep(leaf: str) -> Type:
        kind: Type = Opaque(leaf)
        for level in range(12):
            kind = Union(tuple(Record((Field(f"{side}{level}", kind), Field(leaf, INT32))) for side in "ab"))
        return kind

    with pytest.raises(SchemaError, match="so many unions inside unions"):
        diff(one(deep("x")), one(deep("y")))
