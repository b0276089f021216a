"""Arrays of an ONNX model that lie in a file beside it: of its own folder, through no link.

What a link points to is another's file (CVE-2022-25882, CVE-2024-27318 were paths, later ones
symbolic and hard links): it is not read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from convdiff.net.models.limits import ModelError

REMEDY = "write the model as one file: onnx.save(onnx.load('{name}'), 'whole.onnx')"
COPY = "copy what the links lead to: cp -rL FOLDER COPY"


def read_external(model: Path, tensor: str, entries: Mapping[str, str], size: int) -> bytes:
    """Return the `size` bytes of a tensor; entries: location, offset, length as in the file.

    Raises ModelError where the file is outside of the model's folder, a link, or too short.
    """
    location = entries.get("location", "")
    try:
        offset, length = int(entries.get("offset", "0")), int(entries.get("length", str(size)))
    except ValueError:
        raise ModelError(f"{model}: {tensor} has no numbers for offset and length") from None
    if length != size or offset < 0:
        raise ModelError(f"{model}: {tensor} lies in {length} bytes at {offset}; it takes {size}")
    with open_inside(model, tensor, location) as file:
        file.seek(offset)
        data = file.read(size)
    if len(data) < size:
        raise ModelError(f"{model}: {tensor}: {location} ends before its {size} bytes at {offset}")
    return data


def open_inside(model: Path, tensor: str, location: str) -> IO[bytes]:
    """Open a file of a model's folder, through no link, for something of it. Raises ModelError."""
    return os.fdopen(_opened(model, tensor, location), "rb")


def _opened(model: Path, tensor: str, location: str) -> int:
    path = _place(model, tensor, location)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise ModelError(f"{model}: {tensor}: {location}: {error.strerror}") from None
    info = os.fstat(descriptor)
    fault = "is not a regular file" if not stat.S_ISREG(info.st_mode) else ""
    if not fault and info.st_nlink > 1:
        fault = "has another name, too (a hard link)"
    if fault:
        os.close(descriptor)
        raise _refused(model, tensor, location, fault)
    return descriptor


def _place(model: Path, tensor: str, location: str) -> Path:
    """Return where a location leads, which no link is part of. Raises ModelError."""
    given = Path(location)
    if not given.parts or given.is_absolute() or ".." in given.parts or "\0" in location:
        raise _refused(model, tensor, location, "is outside of the model's folder")
    path = model.parent
    for part in given.parts:
        path = path / part
        if path.is_symlink():
            raise _refused(model, tensor, location, "goes through a symbolic link")
    return path


def _refused(model: Path, tensor: str, location: str, why: str) -> ModelError:
    remedy = REMEDY.format(name=model.name) if model.suffix == ".onnx" else COPY
    return ModelError(
        f"{model}: {tensor} lies in {location!r}, which {why}; if it is yours, {remedy}"
    )
