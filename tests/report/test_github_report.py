"""Annotations: read as GitHub's runner reads a log."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import made
import pytest
from program import COMMAND, Ran, convdiff, environment

from convdiff.case.load import load_case
from convdiff.report import github
from convdiff.result import Result


@dataclass(frozen=True)
class Annotation:
    kind: str
    properties: dict[str, str]
    message: str


def unescaped(text: str, *signs: str) -> str:
    """Undo the escapes of data, and of properties where `signs` are theirs; % comes last."""
    for sign in ("\r", "\n", *signs, "%"):
        text = text.replace(f"%{ord(sign):02X}", sign)
    return text


def read(log: str) -> list[Annotation]:
    """Return a log's commands; a runner takes lines that start with two colons, and no others."""
    found = []
    for line in log.splitlines():
        if not line.startswith("::"):
            continue
        command, _, message = line[2:].partition("::")
        kind, _, listed = command.partition(" ")
        pairs = (pair.partition("=") for pair in listed.split(","))
        properties = {name: unescaped(value, ":", ",") for name, _, value in pairs}
        found.append(Annotation(kind, properties, unescaped(message)))
    return found


def annotations(result: Result) -> list[Annotation]:
    """Return a result's commands; there is nothing else in it."""
    text = github.render(made.summary_of(result))
    found = read(text)
    assert len(found) == len(text.splitlines())
    return found


@pytest.mark.slow
def test_drift_is_one_error_an_axis_at_its_place(
    together: tuple[Ran, Path], drifting_case: Path, report: dict[str, Any]
):
    (found,) = read(together[0].out)
    place = load_case(drifting_case).places["runtime"]
    assert found.kind == "error"
    assert found.properties == {
        "file": drifting_case.name,
        "line": str(place.line),
        "col": str(place.column),
        "title": "many-elements: runtime",
    }
    line = drifting_case.read_text().splitlines()[place.line - 1]
    assert line[place.column - 1 :].startswith("bitwise")
    assert found.message.startswith("the bits change with the runtime (#2 against #1): rounding, ")
    assert "or accept it" in found.message


def test_annotations_follow_the_report(together: tuple[Ran, Path], drift: Ran):
    ran, _ = together
    text, _, commands = ran.out.partition("::error")
    assert text == drift.out
    assert (ran.code, ran.err, len(commands.splitlines())) == (1, "", 1)


def test_every_report_of_one_run_tells_of_the_same_run(
    together: tuple[Ran, Path], report: dict[str, Any]
):
    found = json.loads((together[1] / "all.json").read_text("utf-8"))
    assert found["cases"] == report["cases"]
    assert sorted(path.name for path in together[1].iterdir()) == ["all.json", "all.md", "all.xml"]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, drifting_case: Path) -> Path:
    """Return a folder with the case in a folder of its own, as a repository has it."""
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "cases").mkdir()
    shutil.copy(drifting_case, folder / "cases" / "case.yaml")
    return folder


@pytest.mark.parametrize("absolute", [False, True])
def test_a_file_is_named_from_the_current_folder(checkout: Path, bare_python: Path, absolute: bool):
    case = checkout / "cases" / "case.yaml" if absolute else "cases/case.yaml"
    ran = convdiff("run", case, "--python", bare_python, "--github", cwd=checkout)
    (found,) = [a for a in read(ran.out) if "file" in a.properties]
    assert found.properties["file"] == "cases/case.yaml"
    assert ran.code == 125


def test_a_file_elsewhere_keeps_its_path(checkout: Path, bare_python: Path, tmp_path: Path):
    case = checkout / "cases" / "case.yaml"
    ran = convdiff("run", case, "--python", bare_python, "--github", cwd=tmp_path)
    (found,) = [a for a in read(ran.out) if "file" in a.properties]
    assert found.properties["file"] == str(case)


def test_the_built_in_case_has_no_file_and_json_keeps_stdout(bare_python: Path):
    ran = convdiff("run", "--python", bare_python, "--github", "--json", "-")
    assert json.loads(ran.out)["exit_code"] == ran.code == 125
    found = read(ran.err)
    assert {annotation.kind for annotation in found} == {"warning"}
    assert not any("file" in annotation.properties for annotation in found)
    assert any("is required: " in annotation.message for annotation in found)
    assert any("nothing was compared" in annotation.message for annotation in found)


@pytest.mark.slow
def test_a_reader_that_goes_away_changes_no_exit_code(bare_python: Path):
    program = shlex.join([*COMMAND, "run", "--github", "--python", str(bare_python)])
    line = f"{program} | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], env=environment(), capture_output=True, check=False)
    assert done.returncode == 125


def test_without_the_option_there_is_none(drift: Ran):
    assert read(drift.out) == []


@pytest.mark.parametrize("ending", made.ENDINGS)
def test_what_exits_with_an_error_is_annotated(ending: str):
    result = made.ENDINGS[ending]
    kinds = {annotation.kind for annotation in annotations(result)}
    assert ("error" in kinds) == (result.exit_code == 1)
    assert kinds


@pytest.mark.parametrize("ending", made.FINE)
def test_what_exits_with_0_has_no_error(ending: str):
    kinds = [annotation.kind for annotation in annotations(made.FINE[ending])]
    assert kinds == (["warning"] if ending == "a side untested" else [])


def test_comparisons_of_an_axis_share_an_annotation():
    drifted = [made.drifted(length) for length in range(10, 40)]
    batch = made.drifted()
    other = replace(batch, comparison=replace(batch.comparison, axis="batch"))
    found = annotations(made.result_of(made.case_of([*drifted, other])))
    assert [(a.properties["title"], a.properties["line"]) for a in found] == [
        ("made: length", "1"),
        ("made: batch", "2"),
    ]
    assert "10..39 against 9" in found[0].message


def test_a_changed_order_is_annotated_where_the_order_is_locked():
    (found,) = annotations(made.ENDINGS["a changed order"])
    case = made.ENDINGS["a changed order"].cases[0].case
    assert found.properties["line"] == str(case.places["order"].line) == "12"
    assert "order" in found.message


def test_notes_are_said_with_the_drift():
    (found,) = annotations(made.result_of(made.case_of([made.drifted()], notes=("another CPU",))))
    assert found.message.splitlines()[1] == "another CPU"


def test_what_was_not_tested_is_a_warning_with_the_reasons():
    reasons = [made.untested(f"reason {number}") for number in range(9)]
    (found,) = annotations(made.result_of(made.case_of([made.same(), *reasons])))
    assert found.kind == "warning"
    assert "9 comparisons prove nothing: reason 0, reason 1" in found.message
    assert found.message.endswith(" and 4 more")


def test_nothing_that_a_text_holds_makes_another_command():
    found = annotations(made.nasty())
    assert [a.kind for a in found] == ["warning", "error", "warning"]
    error = found[1]
    assert set(error.properties) == {"file", "line", "col", "title"}
    assert error.properties["title"].startswith(made.HOSTILE.rstrip("\u202e"))
    text = github.render(made.summary_of(made.nasty()))
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800]", text)
    assert "%250A" in text
