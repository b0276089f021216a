"""What a shell completes: names that are known, and the files that a command reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from convdiff.case import in_hand

CASES = (".yaml", ".yml")
RECORDINGS = (".json", ".safetensors")
MODELS = in_hand.MODELS
OUTPUTS = (*RECORDINGS, ".npy", ".npz")

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def completed(known: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """Return the names that go on with the last part of a list a,b, less those that it has."""
    done, comma, begun = incomplete.rpartition(",")
    taken = done.split(",")
    names = [name for name in known if name.startswith(begun)]
    return [CompletionItem(f"{done}{comma}{name}") for name in names if name not in taken]


def one_of(known: Callable[[], Iterable[str]]) -> Completer:
    """Complete one of the names that `known` returns; it is called only to complete."""

    def complete(_ctx: click.Context, _param: click.Parameter, text: str) -> list[CompletionItem]:
        return [CompletionItem(name) for name in known() if name.startswith(text)]

    return complete


def files(*suffixes: str) -> Completer:
    """Complete files of these suffixes and the folders beside them; others where there is none."""

    def complete(_ctx: click.Context, _param: click.Parameter, text: str) -> list[CompletionItem]:
        folder, slash, begun = text.rpartition("/")
        listed = _listed(Path(folder + slash or "."), begun)
        read = [path.name for path in listed if path.suffix in suffixes and path.is_file()]
        if not read:
            return [CompletionItem(text, type="file")]
        folders = [f"{path.name}/" for path in listed if path.is_dir()]
        return [CompletionItem(f"{folder}{slash}{name}") for name in read + folders]

    return complete


def _listed(folder: Path, begun: str) -> list[Path]:
    """Return what a folder has that begins so; hidden files only where that begins with a dot."""
    try:
        inside = sorted(folder.expanduser().iterdir())
    except OSError:
        return []
    hidden = begun.startswith(".")
    return [
        path
        for path in inside
        if path.name.startswith(begun) and path.name.startswith(".") == hidden
    ]
