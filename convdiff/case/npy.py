""".npy and .npz files: their shape without their data, and their data without pickles."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from convdiff.errors import CaseError, Place

if TYPE_CHECKING:
    import numpy as np

ALLOWED_KINDS = "fiu"
"""Floating point and integers; everything else is no data for a convolution."""


def array_shape(path: Path, member: str | None, place: Place) -> tuple[int, ...]:
    """Return the shape in the file's header. Raises CaseError at `place`."""
    return array_header(path, member, place)[0]


def array_header(path: Path, member: str | None, place: Place) -> tuple[tuple[int, ...], str]:
    """Return shape and dtype in the file's header. Raises CaseError at `place`."""
    with _opened(path, member, place) as stream:
        shape, dtype = _header(stream, path, place)
    return shape, str(dtype.name)


def read_values(path: Path, member: str | None, place: Place) -> np.ndarray[Any, Any]:
    """Return the file's array. Raises CaseError at `place` for a damaged or pickled one."""
    import numpy as np

    with _opened(path, member, place) as stream:
        try:
            return np.asarray(np.lib.format.read_array(stream, allow_pickle=False))
        except Exception as error:  # damaged bytes make NumPy, zipfile and zlib raise anything
            raise _fault(place, path, f"is damaged: {error}") from None


def _opened(path: Path, member: str | None, place: Place) -> IO[bytes]:
    try:
        info = path.stat()
    except FileNotFoundError:
        kind = "is a symbolic link to nothing" if path.is_symlink() else "does not exist"
        raise _fault(place, path, kind) from None
    except OSError as error:
        raise _fault(place, path, f"cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(info.st_mode):
        raise _fault(place, path, "is not a regular file")
    try:
        if path.suffix != ".npz":
            return path.open("rb")
        archive = zipfile.ZipFile(path)
        return archive.open(_member(archive.namelist(), path, member, place))
    except zipfile.BadZipFile as error:
        raise _fault(place, path, f"is not an .npz file: {error}") from None
    except CaseError:
        raise
    except Exception as error:  # an encrypted, unknown or damaged member
        raise _fault(place, path, f"cannot be read: {error}") from None


def _member(names: list[str], path: Path, member: str | None, place: Place) -> str:
    """Return the name in the archive of the member that is asked for, or of the only one."""
    if member is None and len(names) == 1:
        return names[0]
    if f"{member}.npy" in names:
        return f"{member}.npy"
    held = ", ".join(name.removesuffix(".npy") for name in names[:8]) or "nothing"
    raise _fault(place, path, f"holds {held}; name one as {path.name}#member")


def _header(stream: IO[bytes], path: Path, place: Place) -> tuple[tuple[int, ...], Any]:
    from numpy.lib import format as npy

    try:
        version = npy.read_magic(stream)
        if version == (1, 0):
            shape, _, dtype = npy.read_array_header_1_0(stream)
        elif version == (2, 0):
            shape, _, dtype = npy.read_array_header_2_0(stream)
        else:
            raise ValueError(f"format version {version[0]}.{version[1]}")
    except Exception as error:  # damaged bytes make NumPy, ast, zipfile and zlib raise anything
        line = next(iter(str(error).splitlines()), type(error).__name__)
        raise _fault(place, path, f"is not an .npy file: {line[:120]}") from None
    if dtype.hasobject:
        raise _fault(place, path, "holds pickled objects, which are never loaded")
    if dtype.kind not in ALLOWED_KINDS and dtype.name != "bfloat16":
        raise _fault(place, path, f"holds {dtype}; expected numbers")
    if not shape:
        raise _fault(place, path, "holds one number without an axis; expected an array")
    if any(type(extent) is not int or extent < 1 for extent in shape):
        raise _fault(place, path, f"has shape {shape}; expected at least one value")
    return shape, dtype


def _fault(place: Place, path: Path, words: str) -> CaseError:
    """Return the error at a place, with the file's name where it is not the place itself."""
    return CaseError(place, words if place == Place(str(path)) else f"{path.name} {words}")
