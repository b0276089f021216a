"""The Markdown report: read by a parser of Markdown, as GitHub does."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import made
import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from program import Ran, convdiff
from ruamel.yaml import YAML

from convdiff.case.model import Allowance
from convdiff.report import markdown
from convdiff.result import Result

PARSER = MarkdownIt("commonmark").enable("table")
MIB = 2**20


def parsed(text: str) -> list[Token]:
    """Return what Markdown makes of it; what is folded is unfolded again."""
    tokens = PARSER.parse(text)
    html = "".join(token.content for token in tokens if token.type == "html_block")
    assert html.count("<details>") == html.count("</details>")
    assert html.count("<") == 2 * html.count("<details>") + 2 * html.count("<summary>")
    for token in tokens:
        kinds = {child.type for child in token.children or []}
        assert kinds <= {"text", "text_special", "softbreak", "strong_open", "strong_close"}
    return tokens


def plain(token: Token) -> str:
    return "".join(child.content for child in token.children or [])


def tables(text: str) -> list[list[list[str]]]:
    """Return the cells of each table, the header's first; all rows are as long as the header."""
    found: list[list[list[str]]] = []
    tokens = parsed(text)
    for before, token in pairwise(tokens):
        if before.type == "table_open":
            found.append([])
        if before.type == "tr_open":
            found[-1].append([])
        if before.type in ("th_open", "td_open"):
            found[-1][-1].append(plain(token))
    for table in found:
        assert {len(row) for row in table} == {len(table[0])}
    return found


def blocks(text: str, language: str) -> list[str]:
    return [t.content for t in parsed(text) if t.type == "fence" and t.info == language]


def headings(text: str) -> list[str]:
    tokens = parsed(text)
    return [plain(token) for before, token in pairwise(tokens) if before.type == "heading_open"]


def rendered(result: Result) -> str:
    return markdown.render(made.summary_of(result))


@pytest.fixture(scope="module")
def text(together: tuple[Ran, Path]) -> str:
    """Return the report of a real run."""
    return (together[1] / "all.md").read_text("utf-8")


def test_the_answer_comes_first(text: str, drift: Ran):
    assert text.startswith("## convdiff: DRIFT\n")
    header, row = tables(text)[0]
    assert header == ["outcome", "case", "answer"]
    assert row[:2] == ["DRIFT", "many-elements"]
    said = " ".join(drift.out.split())
    assert f"DRIFT many-elements: {row[2]} " in said


def test_what_differs_is_a_row_and_drift_comes_first(text: str, report: dict[str, Any]):
    comparisons = report["cases"][0]["comparisons"]
    differing = [c for c in comparisons if c["differing"]]
    header, *rows = tables(text)[1]
    assert header == ["axis", "compared", "differ", "Δ", "ulp", "verdict"]
    exact = [c for c in differing if c["axis"] == "exact"]
    assert len(exact) > 1
    assert len(rows) == len(differing) - len(exact) + 1, "allowed, they share a row"
    drifting = [row for row in rows if row[-1].endswith("DRIFT")]
    assert rows[: len(drifting)] == drifting
    assert len(drifting) == sum(not c["allowed"] for c in comparisons)
    same = len(comparisons) - len(differing)
    assert f"{same} of {len(comparisons)} comparisons found the same bits." in text


def test_the_worst_elements_are_those_of_the_worst_drift(text: str, report: dict[str, Any]):
    header, *rows = tables(text)[2]
    assert (header[0], header[-3:]) == ("n,h,w,c", ["Δ", "ulp", "exact"])
    drift = [c for c in report["cases"][0]["comparisons"] if not c["allowed"]]
    shown = max(drift, key=lambda c: c["max_abs"])["elements_shown"]
    assert [row[0] for row in rows] == [",".join(map(str, e["index"])) for e in shown]
    assert [abs(float(row[3])) for row in rows] == pytest.approx([e["abs"] for e in shown])
    assert [int(row[4]) for row in rows] == [e["ulp"] for e in shown]


def test_why_is_folded_with_cause_and_orders(text: str, report: dict[str, Any]):
    why = blocks(text, "text")
    assert text.count("<details><summary>Why: ") == len(why) >= 2
    drift = next(c for c in report["cases"][0]["comparisons"] if not c["allowed"])
    assert "  cause   proved: " in why[0]
    for order in drift["explanation"]["orders"]:
        assert order["notation"] in why[0]


def test_what_to_do_can_be_copied(text: str, report: dict[str, Any], drift: Ran):
    (expect,) = blocks(text, "yaml")
    suggested = report["cases"][0]["suggested_expect"]
    changed = YAML(typ="safe").load(expect)["expect"]
    assert changed == {"runtime": "rounding"}
    assert {**suggested, **changed} == suggested
    (again,) = blocks(text, "sh")
    assert f"again: {again}" in drift.out


def test_what_searches_for_more_is_said_and_is_no_markup():
    text = rendered(made.result_of(made.case_of([made.drifted()], name="a|b")))
    assert "- try convdiff cure a&#124;b · likewise convdiff shrink\n" in text
    assert "convdiff cure" not in rendered(made.result_of(made.case_of([made.same()])))


def test_runtimes_are_numbered_as_the_comparisons_name_them(text: str, report: dict[str, Any]):
    header, *rows = tables(text)[3]
    assert header == ["runtime", "what it is"]
    ids = [runtime["id"] for runtime in report["runtimes"]]
    assert [row[0].split(" ")[-1] for row in rows] == ids
    cpus = [row[0] for row in rows if ":cpu" in row[0]]
    assert [name.split(" ")[0] for name in cpus] == ["#1", "#2"]
    for row, runtime in zip(rows, report["runtimes"], strict=True):
        assert runtime["version"] in row[1]


def test_an_ulps_allowance_is_yaml():
    case = made.case_of([made.drifted()])
    suggestion = {**case.case.expect, "length": Allowance("ulps", 3)}
    (block,) = blocks(rendered(made.result_of(replace(case, suggested_expect=suggestion))), "yaml")
    assert YAML(typ="safe").load(block) == {"expect": {"length": {"ulps": 3}}}


@pytest.mark.parametrize("ending", made.ENDINGS)
def test_what_exits_with_an_error_says_so_first(ending: str):
    text = rendered(made.ENDINGS[ending])
    assert headings(text)[0] in ("convdiff: DRIFT", "convdiff: UNTESTED", "convdiff: INTERRUPTED")
    tables(text)


def test_what_is_amiss_is_named():
    assert "tensorflow:gpu is required: there is no GPU" in rendered(
        made.ENDINGS["a required runtime missing"]
    )
    assert "a worker died in made" in rendered(made.ENDINGS["a worker died in a probe"])
    assert "out of memory" in rendered(made.ENDINGS["cells without bits"])
    assert "old-case" in rendered(made.FINE["an entry unclaimed"])


def test_a_changed_order_is_told_though_the_bits_are_the_same():
    text = rendered(made.ENDINGS["a changed order"])
    assert tables(text)[1][1][-1] == "same ORDER DRIFT"
    assert len(blocks(text, "text")) == 1


@pytest.mark.parametrize("ending", made.FINE)
def test_what_is_fine_is_folded(ending: str):
    text = rendered(made.FINE[ending])
    assert headings(text) == ["convdiff: OK"]
    assert "<details><summary>made: OK</summary>" in text


def test_notes_come_before_the_comparisons():
    text = rendered(made.result_of(made.case_of([made.drifted()], notes=("another CPU",))))
    assert text.index("- another CPU\n") < text.index("| axis |")


def test_nothing_that_a_text_holds_breaks_the_markdown():
    text = rendered(made.nasty())
    assert not any(c < " " and c != "\n" for c in text)
    assert tables(text)[0][1][1].startswith(made.HOSTILE.rstrip("\u202e"))
    (title, name) = headings(text)
    assert title == "convdiff: DRIFT"
    assert name.startswith(made.HOSTILE.rstrip("\u202e"))
    assert len(tables(text)) == 4


def test_a_fence_inside_a_fence_ends_nothing():
    """A file's name may hold whole lines, and so may the command that names it."""
    command = "convdiff run '\n```\n````\n# heading'"
    text = markdown.render(made.summary_of(made.ENDINGS["drift"], command))
    assert headings(text) == ["convdiff: DRIFT", "made"]
    assert blocks(text, "sh") == [f"{command}\n"]


def test_tables_are_cut_and_say_so():
    drifted = [made.drifted(length) for length in range(10, 130)]
    text = rendered(made.result_of(made.case_of(drifted)))
    found = tables(text)
    assert len(found[1]) == 1 + 50
    assert "… and 70 more that differ or were not compared" in text
    assert len(found[2]) == 1 + 3
    many = rendered(made.result_of(made.case_of([made.drifted(elements=30)])))
    assert len(tables(many)[2]) == 1 + 10


def test_drift_is_not_cut_for_what_is_allowed():
    findings = [made.drifted(length, allowed=True) for length in range(10, 90)]
    text = rendered(made.result_of(made.case_of([*findings, made.drifted(200)])))
    assert "T=200" in tables(text)[1][1][1]


@pytest.mark.slow
@pytest.mark.parametrize("cases", [1, 100, 2000])
def test_it_stays_below_a_mebibyte_and_says_what_is_left_out(cases: int):
    """The widest cases that there are: every table full, every text long and many bytes."""
    findings = [
        made.drifted(length, elements=12, evidence=("ü" * 5000,)) for length in range(10, 80)
    ]
    case = made.case_of(findings, name="<é>" * 200, notes=("ß" * 900,) * 20)
    fine = made.case_of([made.same()], name="fine")
    text = rendered(made.result_of(fine, *[case] * cases, fine))
    assert len(text.encode()) < MIB > markdown.LIMIT
    assert headings(text)[0] == "convdiff: DRIFT"
    assert max(len(row[1]) for row in tables(text)[0]) == 301
    last = text.splitlines()[-1]
    if cases == 1:
        assert "left out" not in text
        assert "<summary>fine: OK</summary>" in text
    else:
        left = cases + 2 - (len(headings(text)) - 1)
        assert last == f"… left out, to stay below 1 MiB: {left:,} of {cases + 2:,} cases"
        assert "<summary>fine: OK</summary>" not in text, "what is fine is left out first"


def test_a_missing_framework_is_said(tmp_path: Path, bare_python: Path):
    ran = convdiff("run", "--python", bare_python, "--markdown", tmp_path / "summary.md")
    assert ran.code == 125
    text = (tmp_path / "summary.md").read_text("utf-8")
    assert headings(text)[0] == "convdiff: UNTESTED"
    assert "is required: " in text


def test_an_existing_summary_is_replaced(tmp_path: Path, bare_python: Path):
    """GitHub makes the file, empty, before the step."""
    path = tmp_path / "summary.md"
    path.write_text("old")
    convdiff("run", "--python", bare_python, "--markdown", path)
    assert path.read_text("utf-8").startswith("## convdiff: UNTESTED\n")
    assert list(tmp_path.iterdir()) == [path]
