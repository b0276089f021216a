"""Help: every option is described, and stands in a group."""

from __future__ import annotations

import click
import pytest

from convdiff.cli import COMMANDS, convdiff
from convdiff.cli.grouped import GROUPS, Grouped


def command_of(name: str) -> click.Command:
    found = convdiff.get_command(click.Context(convdiff), name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_described(name: str):
    for option in command_of(name).params:
        if isinstance(option, click.Option) and not option.hidden:
            assert option.help, f"{name} {option.opts}"


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
