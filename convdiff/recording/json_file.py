"""Recordings as JSON: for review in a pull request. A line a value, as decimal and as bits.

Everything is sorted, and nothing in it comes from a clock or a folder, so that the same bits give
the same file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from convdiff.case.arrays import numpy_dtype
from convdiff.numerics.array import Array
from convdiff.numerics.floats import FORMATS, hexes
from convdiff.recording.header import CASES, Header, StoredArray
from convdiff.recording.model import RecordingError, quoted
from convdiff.recording.sealed import check_arrays, check_header, parsed, sealed

MOST_BYTES = 2**28
"""A larger file is refused: JSON takes ten times the memory of what it says."""
MOST_VALUES = 2_000_000
"""Values that are written as JSON."""
_IN_A_LINE = 24


def write(path: Path, header: Header, arrays: Mapping[str, Array]) -> None:
    """Write a header and its arrays as text. Raises OSError; RecordingError where it is too big."""
    values = sum(array.size for array in arrays.values())
    if values > MOST_VALUES:
        raise RecordingError(
            f"{values:,} values are too many for .json; name the recording .safetensors"
        )
    # What an environment has that is no text is escaped, as JSON does it.
    with path.open("w", encoding="utf-8", errors="backslashreplace") as stream:
        stream.writelines(_lines(sealed(header, CASES), arrays))


def read(path: Path) -> tuple[Header, dict[str, Array]]:
    """Return the checked header and arrays of a file. Raises OSError or RecordingError."""
    if path.stat().st_size > MOST_BYTES:
        raise RecordingError(f"{path}: larger than {MOST_BYTES >> 20} MB; use .safetensors")
    try:
        document = parsed(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise RecordingError(f"{path}: not a recording: {quoted(error)}") from None
    if not isinstance(document, dict):
        raise RecordingError(f"{path}: not a convdiff recording")
    values = document.pop("values", None)
    header = check_header(document, str(path), CASES)
    if not isinstance(values, dict) or set(values) != set(header.arrays):
        raise RecordingError(f"{path}: damaged: its values are not those that it names")
    arrays = {}
    for name, stored in header.arrays.items():
        try:
            arrays[name] = _array(values[name], stored)
        except (ValueError, TypeError, OverflowError, AttributeError):
            raise RecordingError(f"{path}: damaged: the values of {quoted(name)}") from None
    check_arrays(header, arrays, str(path))
    return header, arrays


def _lines(header: dict[str, Any], arrays: Mapping[str, Array]) -> Iterator[str]:
    text = json.dumps(header, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    yield text.removesuffix("\n}") + ',\n "values": {'
    for number, name in enumerate(sorted(arrays)):
        rows = _rows(arrays[name].reshape(-1))
        yield f"{',' * (number > 0)}\n  {json.dumps(name, ensure_ascii=False)}: [\n"
        yield ",\n".join(rows)
        yield "\n  ]"
    yield "\n }\n}\n"


@np.errstate(invalid="ignore")  # a signalling NaN
def _rows(flat: Array) -> list[str]:
    """Return lines of whole numbers, or a line a float: its shortest decimal and its bits."""
    if flat.dtype.kind == "i":
        numbers = [str(value) for value in flat.tolist()]
        return [
            "   " + ",".join(numbers[at : at + _IN_A_LINE])
            for at in range(0, len(numbers), _IN_A_LINE)
        ]
    wide = flat.astype(np.float32) if flat.dtype.name == "bfloat16" else flat
    bits = flat.view(FORMATS[flat.dtype.name].bits).tolist()
    rows = []
    for value, exact, raw in zip(wide.astype(str).tolist(), hexes(flat), bits, strict=True):
        if value == "nan":
            rows.append(f'   ["nan", "nan:{raw:x}"]')
        elif value.endswith("inf"):
            rows.append(f'   ["{value}", "{exact}"]')
        else:
            rows.append(f'   [{value}, "{exact}"]')
    return rows


def _array(values: Any, stored: StoredArray) -> Array:
    """Return the array of some values. Raises ValueError or TypeError where they are none."""
    if not isinstance(values, list) or len(values) != math.prod(stored.shape):
        raise ValueError
    if stored.dtype == "int32":
        if not all(type(value) is int for value in values):
            raise ValueError
        return np.array(values, np.int32).reshape(stored.shape)
    dtype = numpy_dtype(stored.dtype)
    decimals, exact = np.empty(len(values)), np.empty(len(values))
    special: dict[int, int] = {}
    for at, (decimal, hexadecimal) in enumerate(values):
        decimals[at] = float(decimal)
        if hexadecimal.startswith("nan:"):
            special[at] = int(hexadecimal[4:], 16)
            exact[at] = math.nan
        else:
            exact[at] = float.fromhex(hexadecimal)
    with np.errstate(over="ignore", invalid="ignore"):
        array, rounded = exact.astype(dtype), decimals.astype(dtype)
    again = array.astype(np.float64)
    for side in (again, rounded.astype(np.float64)):  # lossless, and said alike twice
        if not np.array_equal(side, exact, equal_nan=True):
            raise ValueError
        if (np.signbit(side) != np.signbit(exact)).any():  # 0.0 and -0.0 are equal
            raise ValueError
    for at, raw in special.items():
        array.view(FORMATS[stored.dtype].bits)[at] = raw
    return array.reshape(stored.shape)
