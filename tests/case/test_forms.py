"""Forms: what they read and refuse, and that the schema they publish is of one mind with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convdiff.case.forms import (
    As,
    Either,
    Exactly,
    Flag,
    Form,
    ListOf,
    MapOf,
    Maybe,
    MisfitError,
    Number,
    Pattern,
    Text,
    Whole,
    Words,
)
from convdiff.case.forms.misfit import MOST
from convdiff.case.keys import CASE, KINDS
from convdiff.case.record import record
from convdiff.case.schema import json_schema
from convdiff.recording.header import Fingerprint


@dataclass(frozen=True)
class Box:
    """What a mapping is read into."""

    size: Annotated[int, Whole(1, 9)]
    label: Annotated[str | None, Text(5), "written on it"] = None
    inside: Annotated[tuple[int, ...], ListOf(Whole())] = ()


BOX = record(Box, "the box")
HALF = As(Whole(0), lambda number: number / 2, lambda half: int(half * 2))


NUMBERS = st.one_of(
    st.integers(-2, 5), st.sampled_from([10**9, 10**10, 2**53, 2**60]), st.floats(-3, 3)
)
PLAIN = st.recursive(
    st.one_of(NUMBERS, st.booleans(), st.none(), st.sampled_from(["", "x", "cpu", "gpu:1+xla"]))
    | st.sampled_from(["7..9", "bitwise", "locked", "VALID", "float16", "x" * 201]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(
            st.sampled_from([*KINDS, "shape", "seed", "length", "order", "ulps"]), inner
        ),
    ),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("form", "plain", "value"),
    [
        (Whole(0), 3, 3),
        (Number(), 1.5, 1.5),
        (Text(3), "abc", "abc"),
        (Flag(), True, True),
        (Words("a", "b"), "b", "b"),
        (Exactly(1), 1, 1),
        (ListOf(ListOf(Text(), 1)), [["a"], ["b"]], (("a",), ("b",))),
        (MapOf(Maybe(Whole())), {"a": 1, "b": None}, {"a": 1, "b": None}),
        (HALF, 3, 1.5),
        (ListOf(HALF), [1, 2], (0.5, 1.0)),
        (BOX, {"size": 3}, Box(3)),
        (BOX, {"size": 3, "label": "x", "inside": [1]}, Box(3, "x", (1,))),
    ],
)
def test_what_is_read_is_written_back(form: Form[Any], plain: Any, value: Any):
    assert form.read(plain) == value
    assert form.write(value) == plain


@pytest.mark.parametrize(
    ("form", "plain", "words"),
    [
        (Whole(1, 9), 0, "expected a whole number of 1 or more (at most 9), found 0"),
        (Whole(), True, "expected a whole number, found true"),
        (Whole(), 1.5, "expected a whole number, found 1.5"),
        (Number(), "1", "expected a number, found '1'"),
        (Text(2), "abc", "expected at most 2 character(s), found 3"),
        (Pattern("[ab]+", "letters"), "abc", "expected letters, found 'abc'"),
        (Flag(), 1, "expected true or false, found 1"),
        (Exactly(1), True, "expected 1, found true"),
        (Words("here", "there"), "heer", "expected here or there, found 'heer'; did you mean"),
        (Either(Whole(), Text()), [], "expected a whole number or text, found a list"),
        (ListOf(Whole(), 1), [], "expected at least 1 value(s), found 0"),
        (ListOf(Whole(), 0, 1), [1, 2], "expected at most 1 value(s), found 2"),
        (
            ListOf(ListOf(Whole())),
            [[1], [2, None]],
            "'1.1': expected a whole number, found nothing",
        ),
        (MapOf(Text()), {"a": {}}, "'a': expected text, found a mapping"),
        (BOX, {}, "the box has no 'size'"),
        (ListOf(BOX), [{}], "0 has no 'size'"),
        (BOX, {"siez": 3}, "unknown key 'siez'; did you mean 'size'?"),
        (BOX, {"size": 3, "q": 1}, "unknown key 'q'; known keys: size, label, inside"),
        (MapOf(BOX), {"a": {"size": 3, "q": 1}}, "unknown key 'q' in 'a'; known keys"),
        (BOX, {"size": 3, "inside": [1, "x"]}, "'inside.1': expected a whole number, found 'x'"),
    ],
)
def test_what_does_not_fit_is_told_with_the_way_to_it(form: Form[Any], plain: Any, words: str):
    with pytest.raises(MisfitError) as error:
        form.read(plain)
    assert str(error.value).startswith(words)


def test_all_that_does_not_fit_is_told_and_no_more_than_so_many():
    form = MapOf(BOX)
    with pytest.raises(MisfitError) as error:
        form.read({"a": {"size": 0, "inside": [1, "x", "y"]}, "b": 3, "c": {}})
    assert [str(one).partition(":")[0] for one in error.value.all] == [
        "'a.size'",
        "'a.inside.1'",
        "'a.inside.2'",
        "'b'",
        "c has no 'size'",
    ]
    with pytest.raises(MisfitError) as error:
        ListOf(Whole()).read(["x"] * 10**6)
    assert len(error.value.all) == MOST + 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "form",
    [
        *(Whole(0), Number(), Text(3), Flag(), Words("a", "b"), Exactly(1), Pattern("^a+$", "as")),
        *(ListOf(Flag(), 1, 2), MapOf(Maybe(Whole())), Either(Flag(), Text()), Maybe(BOX), BOX),
        Fingerprint(),
    ],
    ids=lambda form: type(form).__name__,
)
@given(data=st.data())
def test_every_form_takes_what_its_schema_does(form: Form[Any], data: st.DataObject):
    value = data.draw(PLAIN | st.sampled_from([{"size": 3}, {"a": 1, "b": None}, [True], "aa"]))
    try:
        form.read(value)
    except MisfitError:
        assert not jsonschema.Draft7Validator(form.schema()).is_valid(value)
    else:
        jsonschema.Draft7Validator(form.schema()).validate(value)


def test_a_form_without_a_schema_is_none():
    class Halfway(Form[int]):
        wanted = "half"

    with pytest.raises(TypeError, match="abstract"):
        Halfway()


def test_every_key_of_a_whole_record_must_be_there():
    whole = record(Box, "the box", whole=True)
    with pytest.raises(MisfitError, match="has no 'label'"):
        whole.read({"size": 3, "inside": []})


@pytest.mark.slow
@given(st.dictionaries(st.sampled_from([*CASE.keys, "fliter"]), PLAIN, max_size=4))
def test_the_published_schema_and_the_program_take_the_same(changes: dict[str, Any]):
    document = {"filter": [1, 2], "input": {"ramp": 1}, **changes}
    try:
        CASE.read(document)
    except MisfitError:
        taken = False
    else:
        taken = True
    assert taken == jsonschema.Draft7Validator(json_schema()).is_valid(document)
