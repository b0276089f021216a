"""Reports as files: whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from convdiff.atomic import replacing
from convdiff.errors import ConvdiffError
from convdiff.report.formats import FORMATS


def refuse_unwritable(files: Mapping[str, Path]) -> None:
    """Raise ConvdiffError before any work if a report could not be written afterwards.

    files: by the option that names each.
    """
    named: dict[Path, str] = {}
    for option, path in files.items():
        folder = path.parent
        if path == Path("-"):
            only = " and ".join(row.option for row in FORMATS if row.goes_to == "file or stdout")
            raise ConvdiffError(f"{option} -: only {only} writes to stdout; name a file")
        if not folder.is_dir():
            raise ConvdiffError(f"{option} {path}: the folder {folder} does not exist")
        if not os.access(folder, os.W_OK):
            raise ConvdiffError(f"{option} {path}: the folder {folder} is not writable")
        other = named.setdefault(path.resolve(), option)
        if other != option:
            raise ConvdiffError(f"{other} and {option} name the same file: {path}")


def write_each(files: Iterable[tuple[str, Path, str]]) -> list[ConvdiffError]:
    """Write files, each with its option and its text; return an error for each that can't be."""
    unwritten = []
    for option, path, text in files:
        try:
            write_atomically(option, path, text)
        except ConvdiffError as error:
            unwritten.append(error)
    return unwritten


def write_atomically(option: str, path: Path, text: str) -> None:
    """Write a file whole or not at all; raise ConvdiffError, that names its option, for none."""
    try:
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConvdiffError(f"{option} {path}: {error.strerror}") from None
