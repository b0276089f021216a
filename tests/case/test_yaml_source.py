"""YAML text as plain values with places: nothing runs, nothing explodes, nothing is guessed."""

from __future__ import annotations

import time

import pytest

from convdiff.case.yaml_source import parse_source
from convdiff.errors import CaseError, Place


def error_of(text: str) -> CaseError:
    with pytest.raises(CaseError) as caught:
        parse_source(text, "f.yaml")
    return caught.value


def test_values_are_those_of_yaml_1_2():
    text = (
        "{a: 1, b: 1.5, c: yes, d: true, e: null, f: 0x10, g: 2001-01-01, h: '1', i: 1e3, j: 0o17}"
    )
    assert parse_source(text, "f").value == {
        "a": 1,
        "b": 1.5,
        "c": "yes",
        "d": True,
        "e": None,
        "f": 16,
        "g": "2001-01-01",
        "h": "1",
        "i": 1000.0,
        "j": 15,
    }


def test_places_are_counted_from_one_as_editors_do():
    source = parse_source("a: 1\nb:\n  - [5,\n     6]\n", "f")
    assert source.place(("a",)) == Place("f", 1, 4)
    assert source.place(("b", 0)) == Place("f", 3, 5)
    assert source.place(("b", 0, 1)) == Place("f", 4, 6)
    assert source.place(("b", "<key>")) == Place("f", 2, 1)


def test_a_place_that_is_not_kept_is_its_parents():
    source = parse_source("a: [[[[7]]]]", "f")
    assert source.place(("a", 0, 0, 0, 0)) == source.place(("a", 0, 0))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: [1, 2", "f.yaml:1:9"),
        ("a: {b", "f.yaml:1:6"),
        ("a: b: c", "f.yaml:1:5"),
        ("a: 1\n\tb: 2", "f.yaml:2:1"),
        ("a: *nothing", "f.yaml:1:4"),
        ('a: "\\q"', "f.yaml:1:6"),
        ("a: 1\n---\nb: 2\n", "f.yaml:2:1"),
        ("a: \x07", "f.yaml:1:4"),
        ("a: 1\nb: '\ud800'", "f.yaml:2:5"),
    ],
)
def test_what_is_not_yaml_is_refused_where_it_goes_wrong(text, place):
    message = str(error_of(text))
    assert message.startswith(f"{place}: not YAML"), message


def test_a_duplicate_key_says_where_the_first_is():
    assert str(error_of("a: 1\nb: {c: 1, c: 2}")) == (
        "f.yaml:2:11: key 'c' stands twice (also line 2)"
    )


@pytest.mark.parametrize(
    "text",
    [
        "a: !!python/object/apply:os.system [echo]",
        "a: !!python/object:os.path {}",
        "a: !!python/name:os.system ''",
        "a: !mine 1",
        "a: !!binary aGk=",
        "a: !!set {b, c}",
        "a: !!omap [b: 1]",
        "!!python/object/new:dict {a: 1}",
    ],
)
def test_a_tag_makes_no_object_and_is_refused(text):
    assert "means nothing in a case file" in str(error_of(text))


@pytest.mark.parametrize("text", ["&a [*a]", "x: &a [1, [*a]]", "&a {k: *a}", "x: &a {y: {z: *a}}"])
def test_an_alias_that_contains_itself_is_refused(text):
    assert "an alias contains itself" in str(error_of(text))


def test_an_alias_used_twice_is_no_fault():
    assert parse_source("{a: &x [1, 2], b: *x}", "f").value == {"a": [1, 2], "b": [1, 2]}


def test_anchors_that_explode_are_refused_before_they_do():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    started = time.monotonic()
    message = str(error_of("\n".join(lines)))  # 10^30 values, were they written out
    assert "once aliases are written out" in message
    assert message.startswith("f.yaml:7:"), "the place is that of the first too large one"
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("text", ["[" * 600, "{a: " * 600, "[" * 600 + "]" * 600, "- " * 600 + "1"])
def test_deep_nesting_is_refused(text):
    message = str(error_of(text))
    assert "nested too deeply" in message or "not YAML" in message


@pytest.mark.parametrize("value", [".nan", ".NaN", ".inf", "-.INF", "1e400", "-1e400", "1" * 310])
def test_a_number_that_is_not_finite_is_refused(value):
    assert "is not a finite number" in str(error_of(f"a: {value}"))


def test_an_error_is_one_short_line_whatever_it_quotes():
    long_key = "k" * 100_000
    for text in (f'? "{long_key}"\n: 1\n? "{long_key}"\n: 2', f"a: !<a%0Ab%1B[31m{long_key}> 1"):
        message = str(error_of(text))
        assert message.isprintable()
        assert len(message) < 1000
