"""How a case's filter moves: strides, dilations and padding, an entry for each spatial axis."""

from __future__ import annotations

from typing import Any, NoReturn

from convdiff.case.keys import CASE, CaseKeys, Padding, Steps
from convdiff.case.yaml_source import Source
from convdiff.errors import CaseError
from convdiff.worker.ops import OPS

Pair = tuple[int, int]
PAIRS = {
    1: "[left, right]",
    2: "[[top, bottom], [left, right]]",
    3: "[[front, back], [top, bottom], [left, right]]",
}
"""The pads of each number of spatial axes."""


def moves_of(source: Source, keys: CaseKeys, axes: int) -> dict[str, Any]:
    """Return strides, dilations, padding and output padding, of as many axes as the filter has.

    Raises CaseError for those that the op does not have, or has more or fewer of.
    """
    _refuse_foreign(source, keys)
    return {
        "strides": steps(source, keys, "strides", keys.strides, (1,) * axes),
        "dilations": steps(source, keys, "dilations", keys.dilations, (1,) * axes),
        "output_padding": steps(source, keys, "output_padding", keys.output_padding, (0,) * axes),
        "padding": _padding(source, keys, axes),
    }


PLAIN = {"dense": ("strides", "dilations", "groups", "padding", "output_padding")}
"""Keys that an op does not have."""


def _refuse_foreign(source: Source, keys: CaseKeys) -> None:
    is_transposed = keys.op.endswith("_transpose")
    foreign = PLAIN.get(keys.op, () if is_transposed else ("output_padding",))
    for key in foreign:
        if getattr(keys, key) != CASE.keys[key].default:
            raise CaseError(source.place((key,)), f"{keys.op} has no {key}")
    if keys.output_padding != 0 and keys.padding in ("same", "same_lower"):
        text = f"padding {keys.padding} fixes the output's length; give numbers with output_padding"
        raise CaseError(source.place(("output_padding",)), text)
    if is_transposed and keys.padding == "causal":
        raise CaseError(source.place(("padding",)), f"{keys.op} has no causal padding")


def steps(
    source: Source, keys: CaseKeys, key: str, value: Steps, usual: tuple[int, ...]
) -> tuple[int, ...]:
    """Return one number an axis; those of axes that the op does not have are the usual ones.

    Raises CaseError for more numbers, or fewer, than the op has axes.
    """
    rank = OPS[keys.op]
    own = value if isinstance(value, tuple) else (value,) * rank
    if len(own) != rank:
        _fail(source, key, f"{keys.op} has {_axes(rank)}; found {len(own)} numbers")
    return usual[: len(usual) - rank] + own


def _padding(source: Source, keys: CaseKeys, axes: int) -> str | tuple[Pair, ...]:
    """Return a word, or the numbers before and after each axis."""
    padding, rank = keys.padding, OPS[keys.op]
    if isinstance(padding, str):
        return padding
    own = _pairs(source, keys, padding, rank)
    return "valid" if not any(map(any, own)) else ((0, 0),) * (axes - rank) + own


def _pairs(source: Source, keys: CaseKeys, padding: Padding, rank: int) -> tuple[Pair, ...]:
    if isinstance(padding, int):
        return ((padding, padding),) * rank
    pairs = [one for one in padding if isinstance(one, tuple)]
    numbers = [one for one in padding if isinstance(one, int)]
    if rank == 1 and len(numbers) == 2 and not pairs:
        return ((numbers[0], numbers[1]),)
    if numbers or len(pairs) != rank:
        _fail(source, "padding", f"{keys.op} has {_axes(rank)}: expected {PAIRS[rank]}")
    return tuple((before, after) for before, after in pairs)


def _axes(rank: int) -> str:
    return f"{rank} spatial axes" if rank > 1 else "1 spatial axis"


def _fail(source: Source, key: str, message: str) -> NoReturn:
    raise CaseError(source.place((key,)), message)
