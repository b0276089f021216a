"""Which lengths of a case see the same inputs at the same places, and so can be compared."""

from __future__ import annotations

from collections.abc import Iterator

from convdiff.case.model import Case
from convdiff.case.ranges import write_range
from convdiff.worker.ops.convolution import Convolution


def longest_alike(case: Case, length: int) -> int:
    """Return the longest of a case's lengths whose outputs share some with this one's.

    It is the length itself where there is no such one: with SAME and a stride the padding on the
    left depends on the length, and with it which inputs a window sees.
    """
    axis = case.conv.axes[-1]
    for longer in reversed(case.lengths):
        if longer <= length:
            break
        if axis.shared(length, longer):
            return longer
    return length


def padding_notes(case: Case) -> Iterator[str]:
    """Yield what padding means at the case's lengths, in numbers, and what is not compared."""
    conv = case.conv
    if isinstance(conv.padding, str) and conv.padding != "valid":
        for pads, lengths in _by_pads(case).items():
            yield f"padding {conv.padding} is {written_pads(conv, pads)} at {_lengths(lengths)}"
    if len(case.lengths) > 1 and conv.is_padded:
        yield from _shifted(case)
        yield from _unlike_ends(case)


def written_pads(conv: Convolution, pads: tuple[tuple[int, int], ...]) -> str:
    """Write the zeros before and after each of an op's own axes: height 1+1, width 0+1."""
    names = ("depth", "height", "width")[-conv.rank :]
    pairs = zip(names, pads[-conv.rank :], strict=True)
    return ", ".join(f"{name} {before}+{after}" for name, (before, after) in pairs)


def _by_pads(case: Case) -> dict[tuple[tuple[int, int], ...], list[int]]:
    by_pads: dict[tuple[tuple[int, int], ...], list[int]] = {}
    for length in case.lengths:
        by_pads.setdefault(case.conv.pads(case.height, length), []).append(length)
    return by_pads


def _shifted(case: Case) -> Iterator[str]:
    """Say which lengths have another grid of windows than the longest."""
    axis = case.conv.axes[-1]
    usual = axis.pad(case.lengths[-1])[0]
    shifts: dict[int, list[int]] = {}
    for length in case.lengths:
        shifts.setdefault(usual - axis.pad(length)[0], []).append(length)
    for shift, lengths in shifts.items():
        if not shift:
            continue
        inputs = "1 input" if abs(shift) == 1 else f"{abs(shift)} inputs"
        when = "later" if shift > 0 else "earlier"
        yield (
            f"at {_lengths(lengths)} the windows start {inputs} {when} than at length"
            f" {case.lengths[-1]}: other sums, compared with each other only"
        )


def _unlike_ends(case: Case) -> Iterator[str]:
    """Say how many outputs of shorter inputs see padding where longer ones go on."""
    axis, most = case.conv.axes[-1], 0
    for length in case.lengths:
        longest = longest_alike(case, length)
        most = max(most, axis.extent(length) - axis.shared(length, longest))
    if most:
        columns = f"the last {most} columns of" if most > 1 else "the last column of"
        yield (
            f"{columns} a shorter output may see padding where a longer input goes on:"
            " not compared along the length"
        )


def _lengths(lengths: list[int]) -> str:
    return f"length{'s' if len(lengths) > 1 else ''} {write_range(tuple(lengths))}"
