"""A check for tests of one's own: what is computed of a beginning is the beginning of the whole."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

import numpy as np

from convdiff.compare.difference import differs
from convdiff.numerics.array import Array
from convdiff.numerics.floats import FORMATS, ulps
from convdiff.testing.along import Along, along
from convdiff.testing.drift import Drift
from convdiff.testing.message import described

MOST_VALUES = 64
"""Sizes that are tried where none are given."""
MOST_ELEMENTS = 4
"""Differing elements that are kept of each size."""


def assert_invariant(
    fn: Callable[[Array], Any],
    x: Any,
    axis: Literal["length", "batch"] | int = "length",
    expect: Literal["bitwise"] | Mapping[str, int] = "bitwise",
    *,
    values: Iterable[int] | None = None,
    skip_last: int = 0,
    strict: bool = False,
) -> None:
    """Check that fn of a prefix of x along an axis is the prefix of fn of the whole x.

    fn: takes an array of x's shape (N, …, T, C) or (T,), or a prefix of it, and x's dtype; returns
    float16, bfloat16, float32, float64, integers or bool, in anything that NumPy makes an array of.
    Where it pads the end, say with skip_last how many outputs there see that padding.
    axis: "batch" is the first axis of x and of the output; "length" the last but one of both, and a
    signal's only one; a number is that axis of both: -1 for (N, C, T), 0 for (T, N, C).
    expect: "bitwise", or {"ulps": n} for floats; integers are compared exactly under both.
    values: the sizes to try, from 1 to x's own; by default up to 64, evenly spread, from the
    smallest for which fn returns anything. skip_last: how many outputs at the end are not compared.
    strict: tell −0 from +0, and one NaN from another.

    fn is called on copies: x stays as it is. Raises AssertionError, with the sizes and elements
    that differ, where outputs differ by more than `expect`; where an output's shape or dtype is not
    that of a prefix (nothing is broadcast); where fn gives other bits when run again; and where
    nothing but zeros, NaNs and infinities was compared. Raises ValueError for arguments that can't
    be used, TypeError for outputs of another dtype; what fn raises on the whole x, it raises.
    """
    __tracebackhide__ = True  # pytest shows the caller's line
    most = _most_ulps(expect)
    whole_x = np.array(x)
    subject = _Subject(fn, whole_x, along(axis, whole_x), strict, skip_last)
    whole = subject.run(subject.size)
    sizes = subject.sizes(values)
    drifts, shown = _drifts(subject, whole, sizes, most)
    subject.refuse_unstable(subject.size, whole)
    if drifts:
        _fail(described(drifts, str(subject.axis), subject.size, sizes, most))
    _refuse_constant(whole[subject.axis.upto(shown)])


def _refuse_constant(compared: Array) -> None:
    """Raise AssertionError where all that was compared, and is equal, says nothing."""
    __tracebackhide__ = True
    if not np.any((compared != 0) & np.isfinite(compared)):
        _fail("equal, but every output is zero, NaN or infinite: that proves little")


def _drifts(
    subject: _Subject, whole: Array, sizes: Sequence[int], most: int | None
) -> tuple[list[Drift], int]:
    """Return what differs at each size, and how far along the axis anything was compared."""
    drifts: list[Drift] = []
    larger, shown = whole, 0
    for size, next_size in zip(sizes, [subject.size, *sizes], strict=False):
        part = subject.prefix(size, larger, next_size)
        upto = subject.axis.upto(subject.reach(part))
        drift = subject.measure(whole[upto], part[upto], size, most)
        if drift is not None:
            subject.refuse_unstable(size, part)
            drifts.append(drift)
        larger, shown = part, max(shown, subject.reach(part))
    if not shown:
        _fail(f"nothing was compared: no output is left but the last {subject.skip_last}")
    return drifts, shown


@dataclass(frozen=True)
class _Subject:
    """What is tried: fn on prefixes of x."""

    fn: Callable[[Array], Any]
    x: Array
    axis: Along
    strict: bool
    skip_last: int

    def __post_init__(self) -> None:
        if self.skip_last < 0:
            raise ValueError(f"skip_last is {self.skip_last}; it can be 0 or more")

    def reach(self, part: Array) -> int:
        """Return how many outputs of a prefix are compared, from the first on."""
        return max(0, self.axis.size(part) - self.skip_last)

    @property
    def size(self) -> int:
        return self.axis.size(self.x)

    def run(self, size: int) -> Array:
        """Return fn's output on a prefix of x. Both are copies: fn may reuse its buffers."""
        output = np.array(self.fn(np.array(self.x[self.axis.upto(size)], order="C")), order="C")
        if output.dtype.name not in FORMATS and output.dtype.kind not in "iub":
            raise TypeError(
                f"fn returned {output.dtype.name}; it can be {', '.join(FORMATS)}, integers or bool"
            )
        if not self.axis.is_in(output):
            _fail(f"the output at {self.axis} {size} has shape {output.shape}: no {self.axis}")
        return output.astype(output.dtype.newbyteorder("="), copy=False)

    def sizes(self, values: Iterable[int] | None) -> list[int]:
        """Return the sizes to compare with the whole, largest first."""
        if values is None:
            spread = np.linspace(self._smallest(), self.size, MOST_VALUES)
            sizes = {round(value) for value in spread.tolist()}
        else:
            sizes = {operator.index(value) for value in values}
        if sizes and not 1 <= min(sizes) <= max(sizes) <= self.size:
            raise ValueError(f"values are in {min(sizes)}..{max(sizes)}; x has 1..{self.size}")
        below = sorted(sizes - {self.size}, reverse=True)
        if not below:
            raise ValueError(f"values has nothing below x's own {self.axis}, {self.size}")
        return below

    def _smallest(self) -> int:
        """Return the smallest size for which fn returns anything, by bisection."""
        none, some, reason = 0, self.size, "x is no longer"
        while some - none > 1:
            middle = (none + some) // 2
            try:
                refusal = "" if self.run(middle).size else "nothing"
            except Exception as error:  # whatever fn says of an input that is too small
                refusal = repr(error)
            if refusal:
                none, reason = middle, f"at {middle}: {refusal}"
            else:
                some = middle
        if some == self.size:
            _fail(f"nothing was compared: fn returns nothing below {self.axis} {some} ({reason})")
        return some

    def prefix(self, size: int, larger: Array, next_size: int) -> Array:
        """Return the output at a size, if it has the shape of a prefix of that at the next one."""
        where = f"the output at {self.axis} {size}"
        try:
            part = self.run(size)
        except Exception as error:
            raise AssertionError(f"fn failed at {self.axis} {size}: {error!r}") from error
        if part.dtype != larger.dtype:
            _fail(f"{where} is {part.dtype.name}, at {next_size} it is {larger.dtype.name}")
        if part.shape != larger[self.axis.upto(self.axis.size(part))].shape:
            _fail(
                f"{where} has shape {part.shape}: no prefix along the {self.axis}"
                f" of {larger.shape}, which it has at {next_size}; nothing is broadcast"
            )
        if not part.size:
            _fail(f"{where} has shape {part.shape}: nothing to compare")
        return part

    def refuse_unstable(self, size: int, first: Array) -> None:
        """Raise AssertionError if fn gives other bits for the same input than it gave before."""
        second = self.run(size)
        where = f"unstable: fn, run twice on the same input ({self.axis} {size}),"
        if (first.shape, first.dtype) != (second.shape, second.dtype):
            shapes = f"{first.dtype.name} {first.shape} and {second.dtype.name} {second.shape}"
            _fail(f"{where} returns {shapes}")
        difference = self.measure(first, second, size, None)
        if difference is not None:
            _fail(
                f"{where} gives other bits in {difference.differing:,} of"
                f" {difference.elements:,} elements, |Δ| ≤ {difference.largest:.8e};"
                f" the {self.axis} need not be to blame"
            )

    def measure(self, whole: Array, part: Array, size: int, most: int | None) -> Drift | None:
        """Measure two outputs of one shape and dtype; None where they are as equal as they must be.

        most: ulps that floats may differ by; None for equal bits.
        """
        floats = part.dtype.name in FORMATS
        mask = differs(whole, part, self.strict) if floats else whole != part
        a, b = whole[mask], part[mask]
        finite = np.isfinite(a) & np.isfinite(b)
        steps = np.where(finite, ulps(a, b), np.uint64(0)) if floats else None
        if steps is not None and most is not None:
            beyond = ~finite | (steps > most)
            mask[mask] = beyond
            a, b, finite, steps = a[beyond], b[beyond], finite[beyond], steps[beyond]
        if not a.size:
            return None
        delta = _minus(b, a)
        distance = np.where(finite, np.abs(delta), np.inf)
        worst = np.argsort(-distance, kind="stable")[:MOST_ELEMENTS]
        return Drift(
            size=size,
            elements=part.size,
            differing=a.size,
            largest=float(distance[worst[0]]),
            ulp=int(steps[finite].max()) if steps is not None and finite.any() else None,
            index=np.argwhere(mask)[worst],
            whole=a[worst],
            part=b[worst],
            delta=delta[worst],
        )


def _minus(b: Array, a: Array) -> Array:
    """Return b − a in fp64; integers are subtracted exactly first."""
    wide = np.float64 if b.dtype.name in FORMATS else object
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(b.astype(wide) - a.astype(wide), np.float64)


def _most_ulps(expect: Any) -> int | None:
    """Return the ulps that are allowed, None for equal bits. Raises ValueError for all else."""
    if expect == "bitwise":
        return None
    if isinstance(expect, Mapping) and set(expect) == {"ulps"}:
        most = expect["ulps"]
        if isinstance(most, int) and not isinstance(most, bool) and most >= 0:
            return most
    text = f"expect is {expect!r}; it can be 'bitwise' or {{'ulps': n}}, n a whole number from 0"
    if expect == "rounding":
        text += "; rounding takes the convolution's terms: write a case file for that"
    raise ValueError(text)


def _fail(text: str) -> NoReturn:
    __tracebackhide__ = True
    raise AssertionError(text)
