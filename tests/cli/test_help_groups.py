"""Help: every option is described, and stands in a group."""

from __future__ import annotations

import re

import click
import pytest

from convdiff.cli import COMMANDS, convdiff
from convdiff.cli.grouped import GROUPS, Grouped
from convdiff.cli.types import Parsed


def command_of(name: str) -> click.Command:
    found = convdiff.get_command(click.Context(convdiff), name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_described(name: str):
    for option in command_of(name).params:
        if isinstance(option, click.Option):
            assert option.help, f"{name} {option.opts}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_argument_is_described(name: str):
    command = command_of(name)
    for argument in command.params:
        if isinstance(argument, click.Argument):
            words = re.findall(r"[A-Z]+", argument.make_metavar(click.Context(command)))
            assert all(re.search(rf"\b{word}s?\b", command.help or "") for word in words), words


def taken(option: click.Option, name: str) -> tuple[object, ...]:
    """Return what stands after one of an option's names on the command line."""
    parsed = option.type if isinstance(option.type, Parsed) else str(option.type.to_info_dict())
    on_off = option.is_flag and name in (*option.opts, *option.secondary_opts)
    return parsed, option.multiple, option.count, on_off, option.nargs


def test_an_option_takes_the_same_in_every_command():
    meanings: dict[str, dict[tuple[object, ...], str]] = {}
    for command in COMMANDS:
        for option in command_of(command).params:
            if isinstance(option, click.Option):
                for name in (*option.opts, *option.secondary_opts):
                    meanings.setdefault(name, {}).setdefault(taken(option, name), command)
    assert not {name: found for name, found in meanings.items() if len(found) > 1}


def test_an_option_has_one_name_that_is_shown():
    """Of two words for one thing the older one works and stands in no help."""
    for command in ("run", "sweep", "explain"):
        shown = command_of(command).get_help(click.Context(command_of(command)))
        assert re.search(r"--lengths\b", shown)
        assert not re.search(r"--length\b", shown)
        made = command_of(command).make_context(command, ["--length", "7"])
        assert made.params["lengths"] == (7,)
        with pytest.raises(click.BadParameter) as caught:
            command_of(command).make_context(command, ["--length", "x"])
        assert "Invalid value for '--lengths'" in caught.value.format_message()


@pytest.mark.parametrize("name", ["run", "sweep", "compare", "explain"])
def test_every_option_stands_in_a_group(name: str):
    command = command_of(name)
    assert isinstance(command, Grouped)
    grouped = {option for names in GROUPS.values() for option in names}
    shown = {p.name for p in command.params if isinstance(p, click.Option) and not p.hidden}
    assert shown <= grouped
    text = command.get_help(click.Context(command, info_name=name))
    assert [line for line in text.splitlines() if line in {f"{title}:" for title in GROUPS}]
    for option in command.params:
        if isinstance(option, click.Option) and not option.hidden:
            assert text.count(f"{max(option.opts, key=len)}") >= 1
