"""Recordings as safetensors: for size. The header is the file's metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from convdiff.case.arrays import numpy_dtype
from convdiff.numerics.array import Array
from convdiff.recording.header import CASES, FileKind, H, Header
from convdiff.recording.model import RecordingError, quoted
from convdiff.recording.sealed import check_arrays, check_header, parsed, sealed

METADATA = "convdiff"
"""The one metadata key: with several, the library writes them in any order."""


def write(path: Path, header: Header, arrays: Mapping[str, Array]) -> None:
    """Write a header and its arrays. Raises OSError."""
    write_of(CASES, path, header, arrays)


def read(path: Path) -> tuple[Header, dict[str, Array]]:
    """Return the checked header and arrays of a file. Raises OSError or RecordingError."""
    return read_of(CASES, path)


def write_of(kind: FileKind[H], path: Path, header: H, arrays: Mapping[str, Array]) -> None:
    """Write a file of any kind. Raises OSError."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    text = json.dumps(sealed(header, kind), sort_keys=True, ensure_ascii=False, allow_nan=False)
    text = text.encode("utf-8", "backslashreplace").decode()  # what is no text, as JSON escapes it
    stored = {name: np.ascontiguousarray(_plain(array)) for name, array in arrays.items()}
    try:
        save_file(stored, path, {METADATA: text})
    except SafetensorError as error:
        raise OSError(0, str(error)) from None


def read_of(kind: FileKind[H], path: Path) -> tuple[H, dict[str, Array]]:
    """Return the checked header and arrays of a file. Raises OSError or RecordingError."""
    from safetensors import SafetensorError, safe_open

    with path.open("rb"):  # the library's own errors are not OSErrors
        pass
    try:
        with safe_open(path, framework="numpy", backend="pread") as file:
            text = (file.metadata() or {}).get(METADATA)
            if text is None:
                raise RecordingError(f"{path}: not a {kind.kind}")
            header = check_header(parsed(text), str(path), kind)
            if set(file.keys()) != set(header.arrays):
                raise RecordingError(f"{path}: damaged: its arrays are not those that it names")
            arrays = {}
            for name, stored in header.arrays.items():
                array = file.get_tensor(name)
                if stored.dtype == "bfloat16" and array.dtype == np.uint16:
                    array = array.view(numpy_dtype("bfloat16"))
                arrays[name] = array
    except (SafetensorError, ValueError, RecursionError, TypeError, KeyError) as error:
        reason = quoted(error) or type(error).__name__
        raise RecordingError(f"{path}: not a sound safetensors file: {reason}") from None
    check_arrays(header, arrays, str(path))
    return header, arrays


def _plain(array: Array) -> Array:
    """Return an array in a dtype that the format's NumPy side knows: bfloat16 as its bits."""
    return array.view(np.uint16) if array.dtype.name == "bfloat16" else array
