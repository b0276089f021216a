"""`convdiff init`: a new case file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from convdiff.cli.streams import write_out
from convdiff.cli.types import OP, PADDING, STEPS
from convdiff.errors import ConvdiffError
from convdiff.worker.ops import REFERENCE

EPILOG = """\b
Example:
  convdiff init
  convdiff init mine.yaml --torch weight.npy bias.npy x.npy --padding 1
  convdiff init --numpy filter.npy input.npy
"""


@click.command("init", epilog=EPILOG)
@click.argument("words", nargs=-1, type=click.Path(path_type=Path), metavar="[CASE] [ARRAY.npy]...")
@click.option(
    "--torch",
    is_flag=True,
    help="ARRAYs lie as PyTorch's: OIHW and NCHW, or (out, in, k) and NCL.",
)
@click.option("--numpy", is_flag=True, help="ARRAYs lie as TensorFlow's: HWIO and NHWC.")
@click.option(
    "--padding",
    type=PADDING,
    default="0",
    help="Zeros around the input, or valid, same, same_lower, causal.  [default: 0]",
)
@click.option("--strides", type=STEPS, help="One number, or one an axis: 2 or 2,1.")
@click.option("--dilations", type=STEPS, help="The same of dilations.")
@click.option("--groups", type=click.IntRange(1), metavar="N", help="Groups of channels.")
@click.option(
    "--op",
    type=OP,
    metavar="OP",
    help="What is computed; default: what the filter's axes say.",
)
def command(
    words: tuple[Path, ...],
    torch: bool,
    numpy: bool,
    padding: str | int,
    op: str | None,
    **moves: int | list[int] | None,
) -> int:
    """Write a commented case, CASE (case.yaml): of drawn numbers, or of your own arrays.

    ARRAYs are the filter, the bias where there is one, and the input, as .npy files.
    """
    from convdiff.case.template import Given, write_arrays, write_plain

    layout = _layout(torch=torch, numpy=numpy)
    arrays = tuple(word for word in words if word.suffix == ".npy")
    names = [word for word in words if word not in arrays] or [Path("case.yaml")]
    moved = {key: value for key, value in moves.items() if value is not None}
    _refuse(names, arrays, layout, bool(padding or op or moved))
    if op == REFERENCE:
        raise ConvdiffError(f"--op {op}: a case has the op that it is held against")
    if layout is None:
        made = write_plain(names[0])
    else:
        made = write_arrays(names[0], Given(arrays, layout, op, padding, moved))
    write_out(f"{made.case}: written; next: {made.run}\n")
    return 0


def _layout(*, torch: bool, numpy: bool) -> str | None:
    """Return how the arrays lie, as a case calls it; None where nobody said it."""
    if torch and numpy:
        raise ConvdiffError("the arrays lie one way: give --torch or --numpy, not both")
    if torch:
        return "nchw"
    return "nhwc" if numpy else None


def _refuse(names: Sequence[Path], arrays: Sequence[Path], layout: str | None, more: bool) -> None:
    """Raise ConvdiffError for words that do not go together; more: other options of arrays."""
    if len(names) > 1:
        raise ConvdiffError(f"init writes one case; {names[1]} is no .npy array")
    if arrays and layout is None:
        raise ConvdiffError("say how the arrays lie: --torch (OIHW, NCHW) or --numpy (HWIO, NHWC)")
    if not arrays and (layout or more):
        raise ConvdiffError("name the .npy files: the filter, the bias if any, the input")
