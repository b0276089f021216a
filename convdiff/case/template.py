"""A new case file, commented: of drawn numbers, or of the arrays that somebody has."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from convdiff.case.layout import written
from convdiff.case.load import case_of
from convdiff.case.npy import array_shape, read_values
from convdiff.errors import CaseError, CaseErrors, ConvdiffError, Place

PLAIN = """\
# One convolution, VALID. `{run}` runs it; `convdiff schema` has every key.
name: {name}

# HWIO: height and width of the filter, channels in, channels out. Or values, [[...]], or
# {{file: filter.npy}}.
filter: {{normal: 0.1, shape: [3, 3, 8, 16], seed: 1}}
# One value an output channel; leave it out where there is none.
bias: {{normal: 0.1, shape: [16], seed: 2}}
# NHWC. Drawn numbers take their shape from the filter, `height` and the longest of `lengths`.
input: {{normal: 1, seed: 3}}
height: 12
# Input widths: every output is compared with that of the longest.
lengths: [12, 16, 20]

# strides: 2            # one number, or [height, width]
# dilations: 1
# groups: 1
# dtype: float32        # float64, float16, bfloat16
# batch: [1, 4]         # batch sizes that are compared with the largest
# device: cpu           # or devices: [cpu, gpu]
# repeat: 3             # run so often: does it give the same bits each time?

# What may differ: bitwise (nothing), {{ulps: N}}, rounding, anything.
expect:
  length: bitwise
  runtime: rounding
"""

ARRAYS = """\
# One convolution, VALID, of arrays in files. `{run}` runs it.
name: {name}
{layout}filter: {{file: {filter}}}
{bias}input: {{file: {input}}}
{batch}# strides: 1            # one number, or [height, width]
# dilations: 1
# groups: 1
"""


MOST_ARRAYS = 3
OPTIONS = {"nchw": "--torch", "nhwc": "--numpy"}
"""How a layout is asked for where no case is written yet."""
BATCH = "# batch: [1, {}]         # default: all images; so the first alone is compared with all\n"


@dataclass(frozen=True)
class Written:
    """What was written."""

    case: Path
    padded: Path | None = None
    """The padded copy of the input."""
    layout: str = "nhwc"

    @property
    def run(self) -> str:
        """Return the shell command that runs it, where its arrays came from."""
        return _run(self.case, self.layout)


def write_plain(path: Path) -> Written:
    """Write a commented case of drawn numbers. Raises ConvdiffError where there is a file."""
    name = json.dumps(path.stem, ensure_ascii=False)
    _write(path, PLAIN.format(run=_run(Path(path.name)), name=name))
    return Written(path)


def write_arrays(path: Path, arrays: tuple[Path, ...], layout: str, padding: int) -> Written:
    """Write a case of filter, bias (where three are given) and input, named as .npy files.

    layout: nhwc (HWIO and NHWC) or nchw (OIHW and NCHW). padding: zeros around the input's height
    and width, in a copy beside the case. Raises ConvdiffError for files that can't be read, or that
    lie outside of the case's folder, where no case may read.
    """
    if not 2 <= len(arrays) <= MOST_ARRAYS:
        raise ConvdiffError("name two or three .npy files: the filter, the bias if any, the input")
    errors, shapes = CaseErrors(), []
    for file in arrays:
        with errors.gathering():
            shapes.append(array_shape(file, None, Place(str(file))))
    errors.refuse()
    names = [_named(file, path) for file in arrays]
    padded = _padded(path, arrays[-1], layout, padding) if padding else None
    if padded is not None:
        names[-1] = _named(padded, path)
    try:
        _write_checked(path, arrays, names, shapes[-1], layout)
    except ConvdiffError:
        if padded is not None:
            padded.unlink()
        raise
    return Written(path, padded, layout)


def _write_checked(
    path: Path, arrays: Sequence[Path], names: Sequence[str], shape: tuple[int, ...], layout: str
) -> None:
    """Write the case of these arrays, if it is sound; names: theirs in it; shape: the input's.

    Raises CaseError at those that do not go together.
    """
    lines = {
        "run": _run(Path(path.name), layout),
        "name": json.dumps(path.stem, ensure_ascii=False),
        "layout": f"layout: {layout}\n" if layout == "nchw" else "",
        "filter": names[0],
        "bias": "".join(f"bias: {{file: {name}}}\n" for name in names[1:-1]),
        "batch": BATCH.format(shape[0]) if len(shape) > 2 and shape[0] > 1 else "",
        "input": names[-1],
    }
    text = ARRAYS.format(**lines)
    try:
        case_of(text, path)
    except CaseError as error:
        keys = ("filter", "bias", "input") if len(arrays) == MOST_ARRAYS else ("filter", "input")
        _refuse(error, dict(zip(keys, arrays, strict=True)), path)
    _write(path, text)


def _refuse(error: CaseError, arrays: Mapping[str, Path], path: Path) -> None:
    """Raise the errors of a case that is not there, as errors of its arrays, by key."""
    errors = CaseErrors()
    for one in error.errors:
        file = arrays.get(one.place.text.partition(":")[0], path)
        message = one.message
        for layout, option in OPTIONS.items():
            message = message.replace(f"`layout: {layout}`", option)
        errors.add(CaseError(Place(str(file)), message))
    errors.refuse()


def _run(path: Path, layout: str = "nhwc") -> str:
    """Return the shell command that runs a case; arrays that lie as PyTorch's are run on it."""
    options = " --framework torch" if layout == "nchw" else ""
    return f"convdiff run {shlex.quote(str(path))}{options}"


def _padded(path: Path, input_: Path, layout: str, padding: int) -> Path:
    """Write the input with zeros around its height and width, or its length; return the file."""
    import numpy as np

    from convdiff.case.arrays import beyond_memory

    values = read_values(input_, None, Place(str(input_)))
    spatial = range(2, values.ndim) if layout == "nchw" else range(1, values.ndim - 1)
    zeros = [(padding, padding) if axis in spatial else (0, 0) for axis in range(values.ndim)]
    extents = [extent + sum(around) for extent, around in zip(values.shape, zeros, strict=True)]
    beyond = beyond_memory(math.prod(extents) * values.itemsize)
    if beyond:
        raise ConvdiffError(
            f"--padding {padding}: too big: an input of {written(tuple(extents))} needs {beyond}"
        )
    file = path.with_name(f"{input_.stem}_padded_{padding}.npy")
    if file.exists():
        raise ConvdiffError(f"{file}: there is a file of this name")
    np.save(file, np.pad(values, zeros))
    return file


def _named(file: Path, case: Path) -> str:
    """Write a file's path as the case beside it names it."""
    try:
        name = file.resolve().relative_to(case.resolve().parent)
    except ValueError:
        folder = "a case reads no file outside of its folder: write it beside its arrays"
        raise ConvdiffError(f"{file}: {folder}, as {file.parent / case.name}") from None
    return json.dumps(str(name), ensure_ascii=False)


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConvdiffError(f"{path}: there is a file of this name") from None
    except OSError as error:
        raise ConvdiffError(f"{path}: {error.strerror}") from None
