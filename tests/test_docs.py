"""The README, the cases and the program say the same."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import soak
from _pytest.mark.structures import ParameterSet
from blocks import PAGES, Block, agrees, blocks, missing, printed, rule_of
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from convdiff.case.load import built_in_case
from convdiff.case.load_net import load_any
from convdiff.case.schema import json_schema

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
CASES = sorted((ROOT / "cases").glob("*.yaml"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_every_case_loads_and_says_where_it_comes_from(path: Path) -> None:
    case = load_any(path)
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
    missing = [key for key in json_schema()["else"]["properties"] if f"`{key}`" not in text]
    assert not missing
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    assert set(re.findall(r"(?:^|`)make ([a-z]+)", text, re.M)) <= targets


def of_language(*languages: str) -> list[Block]:
    """Return the blocks of all pages in these languages."""
    return [block for page in PAGES for block in blocks(page) if block.language in languages]


def to_run() -> list[ParameterSet]:
    """Return the console blocks that are run, as a test's parameters; soaks in a soak only."""
    parameters = []
    for block in of_language("console"):
        if block.rule is None or not block.rule.run or (block.rule.soak and not soak.WHOLE):
            continue
        marks = [pytest.mark.slow]  # a program starts, and its workers
        if block.rule.needs:
            marks.append(pytest.mark.framework)
        if block.rule.soak:
            marks.append(pytest.mark.soak)
        parameters.append(pytest.param(block, marks=marks, id=str(block)))
    return parameters


@pytest.mark.parametrize("block", to_run())
def test_a_console_block_is_what_the_program_prints(block: Block, tmp_path: Path) -> None:
    if missing(block):
        pytest.skip(f"no {', '.join(missing(block))}")
    output = printed(block, tmp_path)
    assert agrees(block, output), f"{block} is not (`make docs` writes it anew):\n{output}"


def test_every_console_block_is_run_or_says_why_it_is_not() -> None:
    consoles = of_language("console")
    assert len(consoles) >= 11
    for block in consoles:
        assert block.text.startswith("$ "), block
        assert block.rule is not None, f"{block}: no comment says how it is checked"
        assert block.rule.run or block.rule.reason.count(" ") >= 2, block


def test_a_block_that_says_something_else_is_noticed() -> None:
    """The check itself: another digit fails, another machine's name and what is left out do not."""
    block = Block(
        ROOT / "page.md",
        1,
        "console",
        "$ x\ny = 1.5\n…\nend, CPU avx2, 2 threads, Python 3.6.15\n",
        None,
    )
    rest = "end, CPU avx512_fp16, 16\n    threads, Python 3.6.9\n"
    assert agrees(block, "y = 1.5\nsomething\nelse\n" + rest)
    assert agrees(block, "y = 1.5\n" + rest)
    assert not agrees(block, "y = 1.6\n" + rest)
    assert not agrees(block, "y = 1.5\n" + rest + "more\n")
    with pytest.raises(ValueError, match="unknown words need"):
        rule_of("run need=torch")


@pytest.mark.parametrize("block", of_language("yaml"), ids=str)
def test_a_yaml_block_loads_and_a_case_is_one(block: Block, tmp_path: Path) -> None:
    document = YAML(typ="safe").load(block.text)
    assert isinstance(document, dict)
    if "filter" in document:
        path = tmp_path / "case.yaml"
        path.write_text(block.text, "utf-8")
        load_any(path)
    elif "expect" in document:
        assert Draft202012Validator(json_schema()["else"]["properties"]["expect"]).is_valid(
            document["expect"]
        )


@pytest.mark.parametrize("block", of_language("toml"), ids=str)
def test_a_toml_block_loads(block: Block) -> None:
    assert tomllib.loads(block.text)


@pytest.mark.parametrize("block", of_language("python"), ids=str)
def test_a_python_block_compiles(block: Block) -> None:
    compile(block.text, str(block), "exec")


@pytest.mark.parametrize("block", of_language("sh"), ids=str)
def test_a_shell_block_parses(block: Block) -> None:
    done = subprocess.run(["bash", "-n", "-c", block.text], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_nothing_says_that_a_package_index_has_convdiff():
    """What is installed is a checkout, or a folder of it."""
    named = re.compile(r"pip install (-\S+ )*['\"]?convdiff\b")
    texts = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
    for path in [*texts, *ROOT.glob("convdiff/**/*.py"), ROOT / "action.yml"]:
        assert not named.search(path.read_text("utf-8")), path
