"""Whose a YAML file is: broken cases are still cases, and other people's files are theirs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from program import REPOSITORY

from convdiff.case.detect import MOST_BYTES, is_case, is_case_file

CASE = "filter: [1, 2]\ninput: {ramp: 1}\n"
SCHEMA = "# yaml-language-server: $schema=convdiff.schema.json\n"


NET = REPOSITORY / "cases" / "nine_layer_net.yaml"
CASES = sorted({*(REPOSITORY / "cases").glob("*.yaml")} - {NET})


def test_a_net_is_no_case():
    assert not is_case_file(NET)


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_every_case_here_is_one(path: Path):
    assert is_case_file(path)
    assert is_case(path.read_text("utf-8").split("\n", 1)[1]), "without the comment, too"


@pytest.mark.parametrize(
    "text",
    [
        CASE,
        "input: {ramp: 1}\nname: x\nfilter:\n  - 1\n",
        "%YAML 1.2\n---\n" + CASE,
        "--- # a comment\n# and another\n\n" + CASE,
        "'filter': [1]\n\"input\" : 3\n",
        "  filter: [1]\n  input: 2\n",
        CASE.replace("\n", "\r\n"),
        "{filter: [1, 2], input: {ramp: 1}}",
        '---\n{"name": "a: {", "filter": [[1], {}],\n "input": 3}\n',
        "filter:\ninput:",
    ],
)
def test_a_mapping_with_filter_and_input_is_a_case(text: str):
    assert is_case(text)


@pytest.mark.parametrize(
    "text",
    [
        SCHEMA,
        SCHEMA + "fliter: [1]\n",
        "---\n# Mine.\n" + SCHEMA + "[1, 2",
        "# yaml-language-server: $schema=https://example.org/convdiff/convdiff.schema.json\n",
        "filter: [1, 2\ninput: 3\n",
        "<<<<<<< ours\nfilter: [1]\n=======\nfilter: [2]\n>>>>>>> theirs\ninput: 2\n",
        CASE + "\tlengths: [7]\n",
        CASE + "filter: twice\n",
        CASE + "---\nmore: 1\n",
        '{"filter": [1, 2, "input": 3',
    ],
)
def test_a_broken_case_is_a_case(text: str):
    if text.startswith('{"filter"'):
        text = text.replace("2, ", "2], ")
    assert is_case(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "# filter: 1\n# input: 2\n",
        "version: 2\nservices: {}\n",
        "filter: [1]\n",
        "pipeline:\n  input: 1\n  filter: 2\n",
        "- filter: 1\n  input: 2\n",
        "steps: |\n  filter: 1\n  input: 2\nfilter: 3\n",
        "filters: 1\ninputs: 2\n",
        "filter:1\ninput:2\n",
        "filter: 1\n---\ninput: 2\n",
        "filter: 1\n...\ninput: 2\n",
        "{filter: 1, then: {input: 2}}",
        '{"filter": "input: ", "x": [{"input": 1}]}',
        "{filter: 1, # input: 2\n x: 3}",
        "[filter: 1, input: 2]",
        "# yaml-language-server: $schema=https://example.org/workflow.json\non: push\n",
        "on: push\n" + "# padding\n" * 1000 + SCHEMA,
        "name: convdiff\n",
    ],
)
def test_other_peoples_yaml_is_not(text: str):
    assert not is_case(text)


def test_files_are_told_by_their_suffix_and_content(tmp_path: Path):
    for name, text in (("a.yml", CASE), ("b.yaml", CASE), ("c.json", CASE), ("d.yaml", "a: 1")):
        (tmp_path / name).write_text(text)
    found = [path.name for path in sorted(tmp_path.iterdir()) if is_case_file(path)]
    assert found == ["a.yml", "b.yaml"]


def test_what_is_no_text_or_can_not_be_read_is_nobodys(tmp_path: Path):
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xff\xfe\x00" * 100)
    assert not is_case_file(path)
    path.write_bytes(b"\xef\xbb\xbf" + CASE.encode() + b"name: \xff\n")
    assert is_case_file(path), "a case that is no UTF-8 is broken, and a case"
    (tmp_path / "gone.yaml").symlink_to("nowhere")
    assert not is_case_file(tmp_path / "gone.yaml")
    (tmp_path / "folder.yaml").mkdir()
    assert not is_case_file(tmp_path / "folder.yaml")


@pytest.mark.slow
def test_no_more_is_read_than_a_case_can_have(tmp_path: Path):
    path = tmp_path / "a.yaml"
    path.write_text(CASE)
    os.truncate(path, 2**40)
    assert is_case_file(path)
    path.write_bytes(b"#" * MOST_BYTES + b"\n" + CASE.encode())
    assert not is_case_file(path)
