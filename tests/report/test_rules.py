"""Every name that a report may give has a rule, and each rule has all that it promises."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from made import case_of, drifted, result_of, same, summary_of
from program import convdiff

from convdiff.diagnose.cause import Explanation
from convdiff.diagnose.verdicts import VERDICTS
from convdiff.net.trace.status import Status
from convdiff.order.counterfactual import Cause, Part
from convdiff.order.reveal.refusal import KINDS
from convdiff.report import junit, markdown
from convdiff.report.rules import RULES, rule_lines, rule_links, rule_names

ROOT = Path(__file__).parent.parent.parent
STATUSES = get_args(Status)
TERMS = ("order-locked", "notation", *STATUSES)
CAUSES = [part.value.replace(" ", "-") for part in Part]


def test_verdicts_causes_refusals_and_terms_all_have_a_rule_and_nothing_else_has():
    assert set(RULES) == {*VERDICTS, *CAUSES, *KINDS, *TERMS}


@pytest.mark.parametrize("name", RULES)
def test_a_rule_says_what_it_means_an_example_what_to_do_and_where_to_read_on(name: str):
    rule = RULES[name]
    texts = (rule.means, rule.example, rule.do)
    assert all(text.endswith((".", ".)")) or text == rule.example for text in texts)
    assert min(map(len, texts)) > 6 and len(set(texts)) == 3
    assert dict(rule_lines(name))["read on"] == rule.page
    page = (ROOT / rule.page).read_text("utf-8")
    word = name.partition("-")[0].removesuffix("ed")
    assert word in page, f"{rule.page} says nothing of {name}"


@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_of_one_kind_and_the_kind_is_right(name: str):
    kinds = {"verdict": VERDICTS, "cause": CAUSES, "refusal": KINDS, "term": TERMS}
    assert name in kinds[RULES[name].kind]


def test_the_command_prints_a_rule_and_names_all_of_them():
    listed = convdiff("rule").out.replace(",", " ").split()
    assert set(RULES) <= set(listed)
    ran = convdiff("rule", "Bias Position")
    assert ran.code == 0
    for text in (RULES["bias-position"].do, "docs/explain.md"):
        assert text in " ".join(ran.out.split())


def explained(verdict: str, *causes: Cause):
    why = Explanation("proved", dict.fromkeys(causes, 1), 0, {}, (), None, ())
    return replace(drifted(verdict=verdict), why=why)


def test_a_finding_is_about_its_verdict_and_the_parts_of_its_causes():
    both = Cause((Part.ORDER, Part.BIAS_POSITION))
    assert rule_names(explained("rounding", both)) == ["rounding", "order", "bias-position"]
    narrow = Cause((Part.PRECISION,))
    assert rule_names(explained("precision", narrow)) == ["precision"]
    assert rule_names(drifted(verdict="wrong")) == ["wrong"]


def test_a_broken_lock_is_named_before_all_and_equal_bits_are_not():
    both = replace(explained("rounding", Cause((Part.ORDER,))), lock="changed")
    assert rule_names(both) == ["order-locked", "rounding", "order"]
    assert rule_names(same("baseline", lock="changed", allowed=False)) == ["order-locked"]
    assert rule_names(same("baseline", lock="kept")) == ["same"]


@pytest.mark.parametrize("render", [junit.render, markdown.render])
def test_reports_for_others_name_the_command_and_the_page_of_what_drifted(render):
    cause = Cause((Part.FMA,))
    found = result_of(case_of([explained("rounding", cause), drifted(allowed=True)]))
    text = render(summary_of(found))
    for command, page in rule_links(["rounding", "fma"]):
        assert text.count(command) == 1 and page in text
    fine = render(summary_of(result_of(case_of([drifted(allowed=True)]))))
    assert "convdiff rule" not in fine
