"""Every command's help shows examples, and the examples parse."""

from __future__ import annotations

import re
import shlex

import click
import pytest
from click.testing import CliRunner

from convdiff.cli import COMMANDS, convdiff


def help_of(*words: str) -> str:
    shown = CliRunner().invoke(convdiff, [*words, "--help"])
    assert shown.exit_code == 0
    return shown.output


def examples(text: str) -> list[list[str]]:
    """Return the arguments of each `convdiff …` line after `Example:`, redirections cut off."""
    block = text.partition("Example:")[2]
    lines = re.findall(r"^\s+convdiff (.+)$", block, re.MULTILINE)
    return [shlex.split(line.partition(" >")[0]) for line in lines]


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_examples_that_parse(name: str):
    command = convdiff.get_command(click.Context(convdiff), name)
    assert command is not None
    found = examples(help_of(name))
    assert found
    for words in found:
        assert words[0] == name
        command.make_context(name, words[1:]).close()


def test_the_examples_are_what_is_parsed():
    """An example with a typo is found out."""
    command = convdiff.get_command(click.Context(convdiff), "run")
    assert command is not None
    with pytest.raises(click.UsageError):
        command.make_context("run", ["case.yaml", "--lenghts", "7"])


def test_the_programs_own_help_has_an_example_and_the_exit_codes():
    text = help_of()
    assert examples(text)
    for code in ("0", "1", "2", "125", "130"):
        assert re.search(rf"^\s+{code}\s+\w", text, re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_each_command_says_of_itself(name: str):
    assert re.search(rf"^\s+{name}\s+\w", help_of(), re.MULTILINE)
    assert help_of(name).startswith(f"Usage: convdiff {name} ")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_80_columns(name: str):
    assert max(map(len, help_of(name).splitlines())) <= 80
