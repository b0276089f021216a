"""What `convdiff pad` says of what was found, in each format."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

from convdiff.case.device import Device
from convdiff.net.padding.paper import Group
from convdiff.net.padding.result import (
    Above,
    Answer,
    Common,
    Miss,
    Padding,
    Question,
    Run,
    Safe,
    Tail,
)
from convdiff.net.padding.rule import Rule, Steps
from convdiff.net.receptive_field import Field
from convdiff.report.console import pad as console
from convdiff.report.padding import csv as as_csv
from convdiff.report.padding import json as as_json
from convdiff.report.padding import python as as_python
from convdiff.runtime.model import Interpreter, Runtime, Standing

STANDING = Standing(
    Runtime(Interpreter("numpy", "python"), Device("cpu")),
    True,
    fingerprint={"framework": "numpy", "version": "2", "python": "3.12", "threads": 1},
)
MISS = Miss(Run(64, 452), 25, 32, 4.6e-5)
FIRST = Group(tuple(range(20, 65)), 1, 452)
SECOND = Group(tuple(range(65, 129)), 2, 516)
PADDING = Padding(
    STANDING,
    (Safe(FIRST, 516, 2, (MISS,)), Safe(SECOND, 516, 2)),
    Rule(516, Steps(64, 0, 388), positions=2),
    Common(516, 142),
    Tail(109, 109, apart=25, elements=32),
    Above(24),
    16,
    32,
    {516: 0.001, 2048: 0.002},
)
QUESTION = Question("nine", tuple(range(20, 129)), 2048, 0.0, {"conv9": Field(64, ((0, 451),))})


def answer(padding: Padding = PADDING) -> Answer:
    return Answer(QUESTION, (FIRST, SECOND), (padding,))


def text(padding: Padding = PADDING) -> str:
    return " ".join(console.render(answer(padding), "never").split())


@pytest.mark.parametrize(
    "said",
    [
        "receptive field 452, stride 64",
        "20..64 1 452 516 2",
        "rule max(516, L_min), at least 2 output positions",
        "L_min = 64·⌈data/64⌉ + 388",
        "pad_to_multiple_of=64, then 388 more, never below 516",
        "data 20..64: lengths 452 differ by up to 4.6e-05 (25 of 32 elements at 452)",
        "right for 109 of 109 data lengths",
        "taken at one position it is wrong: 25 of 32 elements",
        "a sample of longer lengths: 24 runs, bit-identical (--thorough: every one)",
        "checked all data at 516: 142 runs; 16 unseen inputs: 32 runs; bit-identical",
        "0.50 at 516 of a run at 2,048, 2 ms",
        "for this runtime",
    ],
)
def test_the_text_says(said):
    assert said in text()


SAID = {
    "nine: keep 2,048: nothing shorter has its bits for data of 20..128, on numpy:cpu": replace(
        PADDING, safe=(Safe(FIRST, 2048, 25),)
    ),
    "none fits all rows": replace(PADDING, rule=None),
    "L_min, the paper minimum is enough": replace(PADDING, rule=Rule(0, Steps(64, 0, 388))),
    "max(570, L_min), never below 570": replace(PADDING, rule=Rule(570, Steps(64, 0, 388))),
    "L_min + 64, 1 output position more than depend on the data": replace(
        PADDING, rule=Rule(0, Steps(64, 0, 452), 1)
    ),
    "but not at lengths 518, 700": replace(
        PADDING, above=Above(24, (), (replace(MISS, run=Run(20, 518)), Miss(Run(70, 700))))
    ),
    "every longer length at data 20, 70, 128: 24 runs, bit-identical": replace(
        PADDING, above=Above(24, (20, 70, 128))
    ),
    "right for 108 of 109 data": replace(PADDING, tail=Tail(108, 109)),
    "at 516, 580 the run's own outputs behind the data are others": replace(
        PADDING, tail=Tail(109, 109, (516, 580))
    ),
    "it is not one vector: 3 different ones": replace(
        PADDING, tail=Tail(109, 109, vectors=3, elements=32)
    ),
    "give no bits: refused here": replace(
        PADDING, safe=(Safe(FIRST, 516, 2, (Miss(Run(64, 452), reason="refused here"),)),)
    ),
    "7 lengths between were not tried": replace(
        PADDING, safe=(Safe(FIRST, 516, 2, (MISS,), untried=7),)
    ),
    "pad by the length of the data: no one length below 2,048 was found": replace(
        PADDING, common=Common(2048)
    ),
    "shorter data needs less: max(516, L_min)": replace(
        PADDING, safe=(PADDING.safe[0], Safe(SECOND, 580, 3)), common=Common(580)
    ),
    "UNTESTED nine: numpy:cpu 2, 1 thread untested: unstable": Padding(STANDING, reason="unstable"),
    "interrupted untested not all has been checked": Padding(
        STANDING, PADDING.safe[:1], reason="interrupted"
    ),
    "… 12 more rows": replace(
        PADDING, safe=tuple(Safe(Group((n,), n, n + 9), n + 9, n) for n in range(1, 32))
    ),
    "31: --format python has them": replace(
        PADDING, safe=tuple(Safe(Group((n,), n, n + 9), n + 9, n) for n in range(1, 32))
    ),
}


def test_the_answer_comes_first_then_the_rule_then_the_lengths_then_the_evidence():
    lines = console.render(answer(), "never").splitlines()
    assert " ".join(lines[:2]) == (
        "nine: pad every input to 516: then all outputs of data of 20..128 are"
        " bit-identical to those at 2,048, on numpy:cpu 2, 1 thread"
    )
    labels = [one.split()[0] for one in lines[2:] if not one.startswith(" ")]
    assert labels[0] == "rule" and labels.index("data") < labels.index("below")
    assert labels[-2:] == ["net", "input"]


def test_each_runtimes_answer_comes_before_all_that_is_told_of_one():
    two = Answer(QUESTION, (FIRST, SECOND), (PADDING, Padding(STANDING, reason="gone")))
    lines = console.render(two, "never").splitlines()
    assert lines[0].startswith("nine: pad every input to 516")
    assert lines[2].startswith("UNTESTED nine: numpy:cpu 2, 1 thread untested: gone")


@pytest.mark.parametrize("said", SAID)
def test_the_text_says_where_it_is_otherwise(said):
    assert said in text(SAID[said])
    assert said not in text()


def test_json_has_all_that_was_found():
    report = json.loads(as_json.render(answer(), "1.2"))
    assert report["tool_version"] == "1.2" and report["fields"]["conv9"]["sizes"] == [452]
    (runtime,) = report["runtimes"]
    assert runtime["rule"] == {
        "least": 516,
        "least_positions": 2,
        "multiple": 64,
        "offset": 0,
        "more": 388,
        "positions_beyond": 0,
    }
    assert runtime["groups"][0]["differing_below"][0]["max_abs"] == 4.6e-5
    assert runtime["untested"] is None
    assert runtime["all_to"] == {"length": 516, "runs": 142}
    (untested,) = json.loads(as_json.render(answer(Padding(STANDING, reason="gone")), "1"))[
        "runtimes"
    ]
    assert untested["untested"] == "gone" and untested["rule"] is None


def test_csv_has_a_row_a_group_and_none_of_what_was_not_asked():
    rows = list(csv.reader(io.StringIO(as_csv.render(answer()))))
    assert rows[1:] == [
        ["numpy:cpu", "20", "64", "1", "452", "516", "2"],
        ["numpy:cpu", "65", "128", "2", "516", "516", "2"],
    ]
    assert len(as_csv.render(answer(Padding(STANDING, reason="gone"))).splitlines()) == 1


@pytest.mark.parametrize("rule", [PADDING.rule, None, Rule(0, Steps(64, 3, 449), 1)])
def test_python_pads_as_the_table_says(rule):
    lengths = [516, 580] if rule is None else [rule.length(64), rule.length(128)]
    safe = tuple(
        Safe(group, length, 2) for group, length in zip((FIRST, SECOND), lengths, strict=True)
    )
    scope = {}
    exec(as_python.render(answer(replace(PADDING, safe=safe, rule=rule))), scope)
    assert [scope["padded_length"](data) for data in (64, 128)] == lengths
    if rule is None:
        assert [scope["padded_length"](data) for data in (20, 65)] == lengths
    with pytest.raises(AssertionError):
        scope["padded_length"](129)
