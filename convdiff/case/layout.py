"""How a case's arrays lie: HWIO and NHWC, or PyTorch's OIHW and NCHW, which are turned when read.

Behind the reader everything is HWIO and NHWC, whatever the case says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Order:
    """How the axes of one array stand in a file."""

    names: Mapping[int, str]
    """What they are called, by how many there are; those of few axes need no name."""
    stands: Mapping[int, Shape]
    """Which of the four a file's axes are, by how many there are; the others have one element."""
    axes: Shape
    """Where each axis of HWIO or NHWC stands among the file's four."""

    @property
    def name(self) -> str:
        """Return what four axes are called."""
        return self.names[4]

    def four(self, shape: Shape) -> Shape | None:
        """Return the file's shape with all four axes, or None for a number of axes that is none."""
        if len(shape) not in self.stands:
            return None
        found = [1, 1, 1, 1]
        for at, extent in zip(self.stands[len(shape)], shape, strict=True):
            found[at] = extent
        return tuple(found)

    def turned(self, four: Sequence[int]) -> Shape:
        """Return the HWIO or NHWC shape, or index, of the file's four axes."""
        return tuple(four[axis] for axis in self.axes)

    def spoken(self, turned: Shape) -> Shape:
        """Return an HWIO or NHWC shape as the file's four axes have it."""
        four = [0, 0, 0, 0]
        for axis, extent in zip(self.axes, turned, strict=True):
            four[axis] = extent
        return tuple(four)

    @property
    def letters(self) -> str:
        """Return what the four numbers of an index are: n,h,w,c."""
        return ",".join(self.name.lower())

    def index(self, turned: Sequence[int]) -> str:
        """Write an HWIO or NHWC index with its numbers as the file's axes stand."""
        return ",".join(str(int(i)) for i in self.spoken(tuple(turned)))

    def moved(self, flat: int, four: Shape) -> int:
        """Return where the element at a flat position of the file's shape is once it is turned."""
        index = []
        for extent in reversed(four):
            flat, i = divmod(flat, extent)
            index.append(i)
        for i, extent in zip(self.turned(index[::-1]), self.turned(four), strict=True):
            flat = flat * extent + i
        return flat


@dataclass(frozen=True)
class Layout:
    """The orders of a filter, and of an input and an output."""

    filter: Order
    input: Order


LAYOUTS: Mapping[str, Layout] = {
    "nhwc": Layout(
        Order({4: "HWIO"}, {1: (1,), 2: (0, 1), 4: (0, 1, 2, 3)}, (0, 1, 2, 3)),
        Order({4: "NHWC"}, {1: (2,), 2: (1, 2), 4: (0, 1, 2, 3)}, (0, 1, 2, 3)),
    ),
    "nchw": Layout(
        Order(
            {3: "OIK", 4: "OIHW"},
            {1: (3,), 2: (2, 3), 3: (0, 1, 3), 4: (0, 1, 2, 3)},
            (2, 3, 1, 0),
        ),
        Order(
            {3: "NCL", 4: "NCHW"},
            {1: (3,), 2: (2, 3), 3: (0, 1, 3), 4: (0, 1, 2, 3)},
            (0, 2, 3, 1),
        ),
    ),
}
"""By what a case's `layout` says."""
DEFAULT = "nhwc"


def named(shape: Shape, order: Order) -> str:
    """Write a shape with what its axes are called: 1×3×8×8 NCHW."""
    return f"{written(shape)} {order.names[len(shape)]}"


def written(shape: Shape) -> str:
    """Write a shape as messages do."""
    return "×".join(map(str, shape))
