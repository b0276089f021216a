"""Options that several commands have: what each takes is the same in all, its help is theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from convdiff.cli.types import DEVICES, FRAMEWORKS, KERNEL, RANGE, VARIATION

TAKES: Mapping[str, Mapping[str, Any]] = {
    "batch": {"type": RANGE},
    "threads": {"type": RANGE},
    "device": {"type": DEVICES},
    "framework": {"type": FRAMEWORKS, "envvar": "CONVDIFF_FRAMEWORK"},
    "kernel": {"type": KERNEL, "multiple": True},
    "vary": {"type": VARIATION, "multiple": True},
    "python": {"multiple": True, "metavar": "PATH"},
    "fresh": {"is_flag": True},
}
"""What an option takes, as `click.Option` is told, by its name."""


def shared(name: str, text: str) -> click.Option:
    """Return the option `--name`, of which a command's help says `text`."""
    return click.Option([f"--{name}"], help=text, **TAKES[name])
