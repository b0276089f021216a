"""A new case file, commented: of drawn numbers, or of the arrays that somebody has."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn

from convdiff.case.load import case_of
from convdiff.case.npy import array_shape
from convdiff.errors import CaseError, CaseErrors, ConvdiffError, Place

PLAIN = """\
# One convolution. `{run}` runs it; `convdiff schema` has every key.
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

# op: conv2d            # conv1d, conv3d, conv2d_transpose, dense, …
# padding: same         # or valid, same_lower, causal, 1, [[top, bottom], [left, right]]
# strides: 2            # one number, or [height, width]
# dilations: 1
# groups: 1
# then: relu            # what follows in the same call: relu, relu6, {{add: ARRAY}}
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
# One convolution of arrays in files. `{run}` runs it.
name: {name}
{op}{layout}filter: {{file: {filter}}}
{bias}input: {{file: {input}}}
{batch}{padding}{moves}"""
USUAL = {"strides": "# strides: 1            # one number, or one an axis\n"}
USUAL |= {"dilations": "# dilations: 1\n", "groups": "# groups: 1\n"}
"""What is written of a key that nobody gave."""


MOST_ARRAYS = 3
OPTIONS = {"nchw": "--torch", "nhwc": "--numpy"}
"""How a layout is asked for where no case is written yet."""
BATCH = "# batch: [1, {}]         # default: all images; so the first alone is compared with all\n"


@dataclass(frozen=True)
class Written:
    """What was written."""

    case: Path
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


@dataclass(frozen=True)
class Given:
    """Arrays in .npy files, and what is computed on them."""

    arrays: tuple[Path, ...]
    """The filter, the bias where there are three, and the input."""
    layout: str
    """nhwc (HWIO and NHWC) or nchw (OIHW and NCHW)."""
    op: str | None = None
    """None: what the filter's axes say."""
    padding: str | int = 0
    """The case's: zeros on all sides, or a word."""
    moves: Mapping[str, int | list[int]] = field(default_factory=dict)
    """Strides, dilations and groups, as far as they are given."""


BY_AXES = {
    ("nchw", 3): "conv1d",
    ("nhwc", 3): "conv1d",
    ("nchw", 5): "conv3d",
    ("nhwc", 5): "conv3d",
}
"""What a filter of so many axes is of, where it is not conv2d's."""


def write_arrays(path: Path, given: Given) -> Written:
    """Write a case of filter, bias (where three are given) and input, named as .npy files.

    Raises ConvdiffError for files that can't be read, or that lie outside of the case's folder,
    where no case may read.
    """
    arrays = given.arrays
    if not 2 <= len(arrays) <= MOST_ARRAYS:
        raise ConvdiffError("name two or three .npy files: the filter, the bias if any, the input")
    errors, shapes = CaseErrors(), []
    for file in arrays:
        with errors.gathering():
            shapes.append(array_shape(file, None, Place(str(file))))
    errors.refuse()
    op = given.op or BY_AXES.get((given.layout, len(shapes[0])), DEFAULT_OP)
    names = [_named(file, path) for file in arrays]
    hint = "" if given.op else f"{op}_transpose"
    _write_checked(path, replace(given, op=op), names, shapes[-1], hint)
    return Written(path, given.layout)


DEFAULT_OP = "conv2d"


def _write_checked(
    path: Path, given: Given, names: Sequence[str], shape: tuple[int, ...], other_op: str
) -> None:
    """Write the case of these arrays, if it is sound; names: theirs in it; shape: the input's.

    Raises CaseError at those that do not go together; where they would as arrays of another op, it
    says so.
    """
    from convdiff.case.arrays import refuse_too_big

    text = _text(path, given, names, shape)
    try:
        refuse_too_big(case_of(text, path))
    except CaseError as error:
        arrays = given.arrays
        keys = ("filter", "bias", "input") if len(arrays) == MOST_ARRAYS else ("filter", "input")
        would = other_op and _is_sound(path, _text(path, replace(given, op=other_op), names, shape))
        hint = f"; these arrays are of --op {other_op}, if that is meant" if would else ""
        _refuse(error, dict(zip(keys, arrays, strict=True)), path, hint)
    _write(path, text)


def _is_sound(path: Path, text: str) -> bool:
    try:
        case_of(text, path)
    except CaseError:
        return False
    return True


def _text(path: Path, given: Given, names: Sequence[str], shape: tuple[int, ...]) -> str:
    """Write the case of these arrays."""
    layout = given.layout
    moves = {key: f"{key}: {value}\n" for key, value in given.moves.items()}
    lines = {
        "run": _run(Path(path.name), layout),
        "name": json.dumps(path.stem, ensure_ascii=False),
        "op": "" if given.op == DEFAULT_OP else f"op: {given.op}\n",
        "layout": f"layout: {layout}\n" if layout == "nchw" else "",
        "filter": names[0],
        "bias": "".join(f"bias: {{file: {name}}}\n" for name in names[1:-1]),
        "batch": BATCH.format(shape[0]) if len(shape) > 2 and shape[0] > 1 else "",
        "padding": f"padding: {given.padding}\n" if given.padding else "",
        "input": names[-1],
        "moves": "".join({**USUAL, **moves}.values()),
    }
    return ARRAYS.format(**lines)


def _refuse(error: CaseError, arrays: Mapping[str, Path], path: Path, hint: str) -> NoReturn:
    """Raise the errors of a case that is not there, as errors of its arrays, by key."""
    errors = CaseErrors()
    for one in error.errors:
        file = arrays.get(one.place.text.partition(":")[0], path)
        message = one.message
        for layout, option in OPTIONS.items():
            message = message.replace(f"`layout: {layout}`", option)
        errors.add(CaseError(Place(str(file)), message + hint))
    errors.refuse()
    raise error


def _run(path: Path, layout: str = "nhwc") -> str:
    """Return the shell command that runs a case; arrays that lie as PyTorch's are run on it."""
    options = " --framework torch" if layout == "nchw" else ""
    return f"convdiff run {shlex.quote(str(path))}{options}"


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
