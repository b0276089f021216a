"""The README, the cases and the program say the same."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from convdiff.case.load import built_in_case, load_case
from convdiff.case.schema import CASE, json_schema

ROOT = Path(__file__).parent.parent
CASES = sorted((ROOT / "cases").glob("*.yaml"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_every_case_loads_and_says_where_it_comes_from(path: Path) -> None:
    case = load_case(path)
    assert case.source
    assert "Expect:" in path.read_text("utf-8")
    assert path.read_text("utf-8").startswith("# yaml-language-server: $schema=")


def test_the_schema_beside_the_cases_is_what_the_program_prints() -> None:
    committed = json.loads((ROOT / "cases" / "convdiff.schema.json").read_text("utf-8"))
    assert committed == json_schema()


def test_the_built_in_case_is_the_first_of_the_cases() -> None:
    built_in = (ROOT / "convdiff" / "case" / "builtin.yaml").read_text("utf-8")
    assert built_in == (ROOT / "cases" / "variable_padding.yaml").read_text("utf-8")
    assert built_in_case().lengths == (7, 8, 9)


def test_the_readme_names_every_key_of_a_case_and_every_make_target_it_promises() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    missing = [key for key in CASE["properties"] if f"`{key}`" not in text and key != "padding"]
    assert not missing
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    assert set(re.findall(r"(?:^|`)make ([a-z]+)", text, re.M)) <= targets


def test_the_readme_output_is_what_the_program_prints(tmp_path: Path) -> None:
    """Each console block's first and last lines are checked by the tests of the origin."""
    text = (ROOT / "README.md").read_text("utf-8")
    assert "@@" not in text
    for block in re.findall(r"```console\n\$ (convdiff .*?)\n(.*?)```", text, re.S):
        command, output = block
        assert output.strip().splitlines()[-1].startswith("again: convdiff run"), command
        assert max(map(len, output.splitlines())) <= 80 + 60, command
