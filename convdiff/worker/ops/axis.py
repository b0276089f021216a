"""One spatial axis of a convolution: how far it goes, and which input each output's taps read.

An output o of a convolution reads, at tap k, the input o·s + k·d − before; one of a transposed
convolution reads (o + before − k·d)/s where that is an integer, since there an input i goes to the
outputs i·s + k·d − before (Dumoulin and Visin, "A guide to convolution arithmetic for deep
learning", 2016). What lies outside of the input is padding. Runs on Python 3.6.
"""

from typing import Any, Iterable, List, NamedTuple, Tuple

Pad = Tuple[int, int]
"""Elements added before and after; negative ones are cut off."""
PADDINGS = ("valid", "same", "same_lower", "causal")


class Axis(NamedTuple):
    """A filter's extent along an axis and how it moves; all in elements."""

    kernel: int
    stride: int
    dilation: int
    padding: Any = "valid"
    """One of PADDINGS, or a Pad."""
    transposed: bool = False
    output_padding: int = 0
    ceil_mode: bool = False
    """Whether a last window may hang over the end, as a pool's can: it starts before the end."""

    @property
    def reach(self) -> int:
        """The dilated filter's extent."""
        return (self.kernel - 1) * self.dilation + 1

    def pad(self, extent: int) -> Pad:
        """Return what is added before and after an input of this extent.

        SAME makes ⌈n/s⌉ outputs of n inputs, and n·s of a transposed convolution: what is odd goes
        to the end, or with `same_lower` to the front.
        """
        if self.padding == "valid":
            return 0, 0
        if self.padding == "causal":
            return self.reach - 1, 0
        if not isinstance(self.padding, str):
            return self.padding[0], self.padding[1]
        if self.transposed:
            total = max(0, self.reach - self.stride)
        else:
            total = max(0, (-(-extent // self.stride) - 1) * self.stride + self.reach - extent)
        smaller, larger = total // 2, total - total // 2
        return (smaller, larger) if self.padding == "same" else (larger, smaller)

    @property
    def is_plain(self) -> bool:
        """Whether every window lies within the input, whatever its extent."""
        return not self.transposed and not self.ceil_mode and self.padding in ("valid", (0, 0))

    @property
    def longer(self) -> int:
        """By how much a transposed convolution's output is lengthened at its end."""
        if self.transposed and self.padding in ("same", "same_lower"):
            return max(0, self.stride - self.reach)
        return self.output_padding

    def extent(self, extent: int) -> int:
        """Return how many outputs an input of this extent gives; below 1 there are none."""
        before, after = self.pad(extent)
        if self.transposed:
            whole = (extent - 1) * self.stride + self.reach
            return whole - before - after + self.longer
        if extent + min(before, 0) + min(after, 0) < 1:
            return 0  # nothing is left of the input
        spare = extent + before + after - self.reach
        if not self.ceil_mode:
            return spare // self.stride + 1
        outputs = -(-spare // self.stride) + 1
        return outputs - int((outputs - 1) * self.stride >= extent + before)

    @property
    def least(self) -> int:
        """The smallest extent of an input that gives an output."""
        if isinstance(self.padding, str) and self.padding != "valid":
            return 1
        before, after = self.pad(1)
        if self.transposed:
            beyond = 1 - self.reach + before + after - self.output_padding
            return 1 + max(0, -(-beyond // self.stride))
        cut = min(before, 0) + min(after, 0)
        hanging = self.stride - 1 if self.ceil_mode else 0
        return max(1, self.reach - before - after - hanging, 1 - cut)

    def sources(self, extent: int, first: int = 0) -> Any:
        """Return (outputs, kernel): the input index that each output reads at each tap, or −1.

        first: the first output that is asked for.
        """
        import numpy as np

        outputs, taps = np.arange(first, self.extent(extent))[:, None], np.arange(self.kernel)
        before = self.pad(extent)[0]
        if self.transposed:
            read, between = np.divmod(outputs + before - taps * self.dilation, self.stride)
            read[between != 0] = -1
        else:
            read = outputs * self.stride + (taps * self.dilation - before)
        read[(read < 0) | (read >= extent)] = -1
        return read

    def shared(self, one: int, other: int) -> int:
        """Return how many outputs, from the first on, read the same inputs at both extents.

        An output that reads padding at one extent and an input at the other is not shared.
        """
        before = self.pad(one)[0]
        if before != self.pad(other)[0]:
            return 0
        both = max(0, min(self.extent(one), self.extent(other)))
        shorter = min(one, other)
        if self.transposed:
            inside = shorter * self.stride - before
        else:
            inside = (shorter + before - self.reach) // self.stride + 1
        inside = min(max(inside, 0), both)
        if inside == both:
            return both
        a, b = (self.sources(n, inside)[: both - inside] for n in (one, other))
        unlike = (a != b).any(axis=1)
        return inside + (int(unlike.argmax()) if unlike.any() else len(unlike))

    def laid(self, extent: int) -> "Laid":
        """Return how an input is to be laid out so that windows step evenly over it."""
        before = self.pad(extent)[0]
        outputs = max(0, self.extent(extent))
        if self.transposed:
            apart = (extent - 1) * self.stride + 1
            ends = self.reach - 1 - before, outputs - 1 + before - (extent - 1) * self.stride
            return Laid(apart, self.stride, ends, self.reach - 1, 1, -self.dilation)
        read = (outputs - 1) * self.stride + self.reach  # what is left over at the end is not read
        ends = before, read - before - extent
        return Laid(extent, 1, ends, 0, self.stride, self.dilation)


def pads_of(axes: Iterable[Axis], extents: Iterable[int]) -> Tuple[Pad, ...]:
    """Return what each axis adds before and after an input of these extents."""
    return tuple(axis.pad(extent) for axis, extent in zip(axes, extents))


def extents_of(axes: Iterable[Axis], extents: Iterable[int]) -> Tuple[int, ...]:
    """Return how many outputs each axis gives of an input of these extents."""
    return tuple(axis.extent(extent) for axis, extent in zip(axes, extents))


def moves_of(axes: Iterable[Axis]) -> Tuple[List[int], List[int], List[int]]:
    """Return the kernels, strides and dilations of axes."""
    kernels, strides, dilations = list(zip(*axes))[:3]
    return list(kernels), list(strides), list(dilations)


class Laid(NamedTuple):
    """An axis with zeros between its elements and at its ends, and how windows step over it."""

    extent: int
    """Without its ends."""
    apart: int
    """The distance of two inputs."""
    ends: Pad
    """Zeros added before and after; negative ones are cut off."""
    start: int
    """Where the first output's first tap reads."""
    step: int
    """From one output to the next."""
    stride: int
    """From one tap to the next."""

    @property
    def whole(self) -> int:
        """The extent with its ends."""
        return self.extent + sum(self.ends)

    @property
    def is_cut_only(self) -> bool:
        """Whether no zeros are added, at the ends or between."""
        return self.apart == 1 and max(self.ends) <= 0
