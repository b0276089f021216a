"""How a case's arrays lie: channels last, or as PyTorch's, which are turned when they are read.

Behind the reader everything is HWIO and NHWC, whatever the case says: of one dimension with a
height of 1, of three with depth and height as one axis, the rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from convdiff.worker.ops import OPS

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Order:
    """How the axes of one array stand in a file. Axes are letters: D, H, W, and N, C, I or O."""

    name: str
    """The file's axes: OIHW."""
    ours: str
    """The same as they stand behind the reader: HWIO."""
    short: Mapping[int, str] = field(default_factory=dict)
    """What fewer axes are, by how many; the others have one element."""
    called: Mapping[int, str] = field(default_factory=dict)
    """What a number of axes is called, where it is not by its letters."""
    high: int = 1
    """The extent of H, where D and H are one axis behind the reader."""
    groups: int = 1
    """What I is divided by and O multiplied: PyTorch's transposed filters are (cin, cout/g, …)."""

    def named(self, shape: Shape) -> str:
        """Write a shape with what its axes are called: 1×3×8×8 NCHW."""
        return f"{written(shape)} {self.axes_of(shape)}"

    def axes_of(self, shape: Shape) -> str:
        """Return what the axes of a shape are called: NCHW."""
        name = self.short.get(len(shape), self.name)
        return self.called.get(len(shape), name)

    @property
    def wanted(self) -> str:
        """Say what a whole array is: "OIHW, 4 numbers"."""
        return f"{self.called.get(len(self.name), self.name)}, {len(self.name)} numbers"

    def whole(self, shape: Shape) -> Shape | None:
        """Return the file's shape with all its axes, or None for a number of axes that is none."""
        if len(shape) == len(self.name):
            return shape
        if len(shape) not in self.short:
            return None
        extents = dict(zip(self.short[len(shape)], shape, strict=True))
        return tuple(extents.get(letter, 1) for letter in self.name)

    def turned(self, whole: Sequence[int]) -> Shape:
        """Return the HWIO or NHWC shape of a whole shape of the file."""
        extents = dict(zip(self.name, whole, strict=True))
        if self.groups > 1:
            extents["I"], extents["O"] = extents["I"] // self.groups, extents["O"] * self.groups
        return self._four(extents, math.prod(extents.get(letter, 1) for letter in "DH"), 1)

    def spoken(self, four: Sequence[int]) -> Shape:
        """Return an HWIO or NHWC shape as the file has it."""
        extents = self._letters(four)
        extents["D"], extents["H"] = extents["rows"] // self.high, self.high
        if "D" not in self.name:
            extents["H"] = extents["rows"]
        return tuple(extents[letter] for letter in self.name)

    def placed(self, four: Sequence[int]) -> Shape:
        """Return an HWIO or NHWC index as the file's axes stand."""
        at = self._letters(four)
        at["D"], at["H"] = divmod(at["rows"], self.high) if "D" in self.name else (0, at["rows"])
        return tuple(at[letter] for letter in self.name)

    def unplaced(self, index: Sequence[int]) -> Shape:
        """Return the HWIO or NHWC index of an index as the file's axes stand."""
        at = dict(zip(self.name, index, strict=True))
        return self._four(at, at.get("D", 0) * self.high + at.get("H", 0), 0)

    @property
    def letters(self) -> str:
        """Return what the numbers of an index are: n,h,w,c."""
        return ",".join(self.name.lower())

    def index(self, four: Sequence[int]) -> str:
        """Write an HWIO or NHWC index with its numbers as the file's axes stand."""
        return ",".join(str(int(i)) for i in self.placed([int(i) for i in four]))

    def lying(self, whole: Shape) -> tuple[Shape, Shape]:
        """Return the shape to give the file's values, and where each axis then goes."""
        name, ours = self.name, self.ours
        extents = dict(zip(name, whole, strict=True))
        if self.groups > 1:
            name, ours = name.replace("I", "gI", 1), ours.replace("O", "gO", 1)
            extents |= {"g": self.groups, "I": extents["I"] // self.groups}
        given = tuple(extents[letter] for letter in name)
        return given, tuple(name.index(letter) for letter in ours if letter in extents)

    def moved(self, flat: int, whole: Shape) -> int:
        """Return where the element at a flat position of the file's shape is once it is turned."""
        given, axes = self.lying(whole)
        index = []
        for extent in reversed(given):
            flat, i = divmod(flat, extent)
            index.append(i)
        index.reverse()
        for axis in axes:
            flat = flat * given[axis] + index[axis]
        return flat

    def _four(self, extents: Mapping[str, int], rows: int, missing: int) -> Shape:
        """Return the four axes of these extents, or indices."""
        known = {**extents, "rows": rows}
        return tuple(known.get(axis, missing) for axis in self._axes)

    def _letters(self, four: Sequence[int]) -> dict[str, int]:
        return dict(zip(self._axes, four, strict=True))

    @property
    def _axes(self) -> tuple[str, ...]:
        """The four axes, of a filter or of an input or output."""
        if "O" in self.ours:
            return "rows", "W", "I", "O"
        return "N", "rows", "W", "C"


@dataclass(frozen=True)
class Layout:
    """The orders of a filter, and of an input and an output."""

    filter: Order
    input: Order


LAYOUTS = ("nhwc", "nchw")
"""What a case's `layout` says."""
DEFAULT = "nhwc"
_SHORT = {
    1: ({1: "W"}, {1: "W"}, {1: "W"}, {1: "W"}),
    2: (
        {1: "W", 2: "HW"},
        {1: "W", 2: "HW"},
        {1: "W", 2: "HW", 3: "OIW"},
        {1: "W", 2: "HW", 3: "NCW"},
    ),
    3: ({}, {}, {}, {}),
}
"""By spatial axes, what fewer axes are of filter and input in nhwc, then in nchw."""
_ROWS = Order("NWC", "NWC", {2: "WC"})
_OWN = {
    ("nhwc", "dense"): Layout(Order("IO", "IO"), _ROWS),
    ("nchw", "dense"): Layout(Order("OI", "IO"), _ROWS),
}
"""Ops whose arrays have no spatial axes of a filter."""


def layout_of(layout: str, op: str, groups: int = 1) -> Layout:
    """Return how the arrays of an op lie in a file of this layout."""
    if (layout, op) in _OWN:
        return _OWN[layout, op]
    rank = OPS[op]
    extents = "DHW"[-rank:]
    last = Layout(Order(f"{extents}IO", f"{extents}IO"), Order(f"N{extents}C", f"N{extents}C"))
    short = _SHORT[rank]
    if layout == "nhwc":
        return Layout(replace(last.filter, short=short[0]), replace(last.input, short=short[1]))
    is_transposed = op.endswith("_transpose")
    head, called = ("IO", {3: "IOK"}) if is_transposed else ("OI", {3: "OIK"})
    return Layout(
        Order(
            head + extents,
            last.filter.ours,
            {n: head + "W" if len(axes) > 2 else axes for n, axes in short[2].items()},
            called,
            groups=groups if is_transposed else 1,
        ),
        Order(f"NC{extents}", last.input.ours, short[3], {3: "NCL"}),
    )


def written(shape: Shape) -> str:
    """Write a shape as messages do."""
    return "×".join(map(str, shape))
