"""Reports as files: whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from convdiff.errors import ConvdiffError


def refuse_unwritable(files: Mapping[str, Path]) -> None:
    """Raise ConvdiffError before any work if a report could not be written afterwards.

    files: by the option that names each.
    """
    named: dict[Path, str] = {}
    for option, path in files.items():
        folder = path.parent
        if path == Path("-"):
            raise ConvdiffError(f"{option} -: only --json writes to stdout; name a file")
        if not folder.is_dir():
            raise ConvdiffError(f"{option} {path}: the folder {folder} does not exist")
        if not os.access(folder, os.W_OK):
            raise ConvdiffError(f"{option} {path}: the folder {folder} is not writable")
        other = named.setdefault(path.resolve(), option)
        if other != option:
            raise ConvdiffError(f"{other} and {option} name the same file: {path}")


def write_atomically(option: str, path: Path, text: str) -> None:
    """Write a file whole or not at all; through a link, and to a device as is."""
    temporary = None
    try:
        target = path.resolve()
        if target.exists() and not target.is_file():  # /dev/null, a named pipe
            target.write_text(text, encoding="utf-8")
            return
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()
        raise ConvdiffError(f"{option} {path}: {error.strerror}") from None


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
