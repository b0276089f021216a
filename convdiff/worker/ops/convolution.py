"""Convolutions of one, two and three dimensions, plain and transposed, and dense products.

Their shapes, and what each output sees. All are laid out as one kind, so that nothing behind this
file tells them apart: inputs and outputs have four axes, NHWC, and filters HWIO; a convolution of
one dimension has a height of 1, and of three dimensions depth and height are one axis, the rows.
Both sides of the pipe use this file; it must run on Python 3.6 with NumPy 1.16. What is here moves
data and counts; it computes nothing. NumPy is imported where it is used: a case file is read, and
refused, without it.
"""

from functools import lru_cache
from typing import Any, Callable, Dict, Iterator, NamedTuple, Tuple, TypeVar, cast

from .axis import Axis, Laid, extents_of, pads_of

KEPT = 1024
"""Geometries whose extents are kept."""

OPS = {
    "conv2d": 2,
    "conv1d": 1,
    "conv3d": 3,
    "conv2d_transpose": 2,
    "conv1d_transpose": 1,
    "conv3d_transpose": 3,
    "dense": 1,
}
"""What a framework can be asked for, each by a method of this name, and its spatial axes."""

_Pair = Tuple[int, int]
_Four = Tuple[int, int, int, int]
_Extents = Tuple[int, ...]
_Compute = TypeVar("_Compute", bound=Callable[..., Any])


class Convolution(NamedTuple):
    """What a case's cells share: the filter's shape, how it moves, and the element type.

    `kernel`, `strides`, `dilations`, `output_padding` and the pairs of `padding` have an entry for
    each spatial axis: (height, width), or (depth, height, width) of a 3-D op.
    """

    kernel: _Extents
    """(kh, kw) or (kd, kh, kw)"""
    channels_in: int
    channels_out: int
    strides: _Extents = (1, 1)
    dilations: _Extents = (1, 1)
    groups: int = 1
    dtype: str = "float32"
    """float64, float32, float16 or bfloat16."""
    op: str = "conv2d"
    """One of OPS."""
    padding: Any = "valid"
    """One of `PADDINGS`, or (before, after) of each axis; negative ones cut."""
    output_padding: _Extents = (0, 0)
    """What a transposed convolution's output is longer at its end."""
    depth: int = 1
    """The input's depth, of a 3-D op: rows = depth · height."""
    then: str = ""
    """The step that follows in the same call, one of `then.STEPS`; none where it is empty."""

    @classmethod
    def parsed(cls, plain: Dict[str, Any]) -> "Convolution":
        """Return the geometry whose `_asdict` travelled as JSON, which knows no tuples."""
        return cls(**{name: with_tuples(value) for name, value in plain.items()})

    @property
    def transposed(self) -> bool:
        """Whether inputs are spread over the outputs, and not gathered."""
        return self.op.endswith("_transpose")

    @property
    def rank(self) -> int:
        """How many spatial axes the op itself has."""
        return OPS[self.op]

    @property
    def axes(self) -> Tuple[Axis, ...]:
        """The spatial axes, the length last."""
        return _axes(self)

    @property
    def window(self) -> _Pair:
        """The filter's (rows, columns): (kd · kh, kw)."""
        rows = 1
        for extent in self.kernel[:-1]:
            rows *= extent
        return rows, self.kernel[-1]

    @property
    def taps(self) -> int:
        """Products of one output element that sees no padding: kd · kh · kw · cin / groups."""
        return self.window[0] * self.window[1] * self.channels_in // self.groups

    @property
    def reach(self) -> _Extents:
        """The dilated filter's extent in each axis."""
        return tuple(axis.reach for axis in self.axes)

    @property
    def needs_length(self) -> str:
        """Say how long an input must be at least."""
        least, word = self.axes[-1].least, self.padding
        if not isinstance(word, str):
            return "with this padding %d or more are needed" % least
        return "%s needs %d or more" % (word.upper(), least)

    @property
    def is_padded(self) -> bool:
        """Whether taps of some outputs may fall on padding, or between the inputs."""
        return self.transposed or any(pad != (0, 0) for pad in self.least_pads)

    @property
    def least_pads(self) -> Tuple[_Pair, ...]:
        """What is added before and after each spatial axis where no extent decides it."""
        return pads_of(self.axes, (axis.least for axis in self.axes))

    @property
    def filter_shape(self) -> _Four:
        """HWIO, with I = cin / groups; of a 3-D filter kd · kh rows."""
        return self.window + (self.channels_in // self.groups, self.channels_out)

    def extents(self, rows: int, length: int) -> _Extents:
        """Return the extents of an input's spatial axes, its rows and length given."""
        return (self.depth, rows // self.depth, length)[-len(self.kernel) :]

    def outputs(self, rows: int, length: int) -> _Extents:
        """Return the extents of the output's spatial axes."""
        return _outputs(self, rows, length)

    def output_shape(self, batch: int, rows: int, length: int) -> _Four:
        """NHWC of the output for an input of (batch, rows, length, cin)."""
        *high, columns = self.outputs(rows, length)
        folded = 1
        for extent in high:
            # One axis without outputs leaves none, whatever the others would have.
            folded = min(folded, extent) if min(folded, extent) < 1 else folded * extent
        return batch, folded, columns, self.channels_out

    def pads(self, rows: int, length: int) -> Tuple[_Pair, ...]:
        """Return what is added before and after each spatial axis of an input."""
        return pads_of(self.axes, self.extents(rows, length))

    def laid_out(self, rows: int, length: int) -> int:
        """Return how many positions an input has with its padding, and what lies between inputs."""
        count = 1
        for laid, extent in zip(self.laid(rows, length), self.extents(rows, length)):
            count *= max(extent, laid.whole)
        return count

    def laid(self, rows: int, length: int) -> Tuple[Laid, ...]:
        """Return how each spatial axis of an input is laid out for windows to step over it."""
        return _laid(self, rows, length)

    def inputs_of(self, group: int) -> slice:
        """Return the input channels that a group reads."""
        width = self.channels_in // self.groups
        return slice(group * width, (group + 1) * width)

    def outputs_of(self, group: int) -> slice:
        """Return the output channels that a group makes."""
        width = self.channels_out // self.groups
        return slice(group * width, (group + 1) * width)

    def group_of(self, channel: int) -> int:
        """Return the group that makes an output channel."""
        return channel // (self.channels_out // self.groups)

    def first(self, channels: int) -> "Convolution":
        """Return the geometry of the first output channels alone, whole groups; 0 is all."""
        if channels in (0, self.channels_out):
            return self
        per_group = self.channels_out // self.groups
        groups = 1 if self.groups == 1 else channels // per_group
        channels_in = self.channels_in // self.groups * groups
        return self._replace(channels_out=channels, channels_in=channels_in, groups=groups)

    def spread(self, array: Any) -> Any:
        """Return an input with all spatial axes of the filter, a view where it can be one."""
        batch, rows, length, channels = _nhwc(array.shape)
        return array.reshape((batch,) + self.extents(rows, length) + (channels,))

    def own(self, values: Any) -> Any:
        """Return the entries of the op's own spatial axes; a number, such as groups, as it is."""
        return values if isinstance(values, int) else tuple(values)[-self.rank :]

    def own_pads(self, input_nhwc: Any) -> Tuple[_Pair, ...]:
        """Return what is added before and after the op's own spatial axes of an input."""
        _, rows, length, _ = _nhwc(input_nhwc.shape)
        return self.pads(rows, length)[-self.rank :]

    def own_input(self, input_nhwc: Any) -> Any:
        """Return an input with the axes that the op itself has: (N, [[D, ]H, ]W, C)."""
        spread = self.spread(input_nhwc)
        return spread.reshape(spread.shape[:1] + self.own(spread.shape[1:-1]) + spread.shape[-1:])

    def own_filter(self, filter_hwio: Any) -> Any:
        """Return a filter with the axes that the op itself has: ([[kd, ]kh, ]kw, I, O)."""
        if self.rank == 2:
            return filter_hwio  # itself: what is made of it is kept by its identity
        return filter_hwio.reshape(self.own(self.kernel) + filter_hwio.shape[-2:])

    def folded(self, output: Any, shape: _Four) -> Any:
        """Return an output of the op's own axes as NHWC.

        shape: the NHWC shape of its input. What has another shape than expected still has.
        """
        if self.rank == 2:
            return output
        wanted = shape[:1] + self.own(self.outputs(*shape[1:3])) + (self.channels_out,)
        if self.rank == 1 and output.ndim == 3:
            return output[:, None]
        return output.reshape(self.output_shape(*shape[:3])) if output.shape == wanted else output

    def addend(self, added: Any, shape: Any, places: Any = None) -> Any:
        """Return what the step adds to the output for an input of this NHWC shape.

        That is the prefix of `added`, NHWC; an extent of 1 stands for all. Of flat positions
        `places` only, (1, 1, places, channels), where they are given.
        """
        from numpy import broadcast_to

        whole = self.output_shape(*shape[:3])
        part = added[tuple(slice(0, n) for n in whole)]
        if places is None:
            return part
        rows = broadcast_to(part, whole[:3] + part.shape[3:]).reshape(-1, part.shape[3])
        return rows[places][None, None]

    def own_addend(self, added: Any, shape: Any) -> Any:
        """Return the same with the axes that the op itself has."""
        part = self.addend(added, shape)
        high = self.outputs(*shape[1:3])[:-1]
        if part.shape[1] == 1:
            high = (1,) * len(high)
        spatial = self.own(high + part.shape[2:3])
        return part.reshape(part.shape[:1] + spatial + part.shape[3:])

    def windows(self, input_nhwc: Any) -> Any:
        """Return what each output position sees, (N, OH, OW, kh, kw, cin), read-only.

        A view where it can be one; the input may have the op's own axes. What lies outside of the
        input is zero. An output element sees the channels `inputs_of` its group; its taps are those
        inputs times the filter's column of its channel, numbered in (kh, kw, cin / groups) order.
        Raises ValueError where nothing is left of the output.
        """
        from .windows import windows

        batch, rows, length, channels = _nhwc(input_nhwc.shape)
        outputs = self.outputs(rows, length)
        if min(outputs) < 1:
            raise ValueError("the input is smaller than the filter")
        laid = self.laid(rows, length)
        view = windows(self.spread(input_nhwc), laid, outputs, self.kernel)
        if len(self.kernel) == 2:
            return view
        return view.reshape((batch, -1, outputs[-1]) + self.window + (channels,))

    def fields(self, input_nhwc: Any, places: Any) -> Any:
        """Return what the output positions at flat `places` see: (k, kh, kw, cin), a copy."""
        from numpy import unravel_index

        view = self.windows(input_nhwc)
        return view[unravel_index(places, view.shape[:3])]

    def unrolled(self, fields: Any) -> Tuple["Convolution", Any]:
        """Return a convolution whose only outputs are those of some fields, and its input.

        The fields lie side by side in one row, with the zeros of padding; the outputs are
        (1, 1, k, cout) of a VALID conv2d.
        """
        kh, kw = self.window
        row = fields.transpose(1, 0, 2, 3).reshape(1, kh, -1, self.channels_in)
        channels = self.channels_in, self.channels_out
        plain = Convolution((kh, kw), *channels, strides=(1, kw), groups=self.groups)
        return plain._replace(dtype=self.dtype), row

    def tables(
        self, input_nhwc: Any, filter_hwio: Any, places: Any = None
    ) -> Iterator[Tuple[Any, Any]]:
        """Yield, for each group, the factors of all its products.

        One table has the inputs of an output position in each row, (N · OH · OW, taps), or of the
        flat `places` only; the other the weights of an output channel, (cout / groups, taps). The
        groups' channels follow each other in the output.
        """
        from numpy import ascontiguousarray

        view = self.windows(input_nhwc) if places is None else self.fields(input_nhwc, places)
        weights = filter_hwio.reshape(self.taps, self.channels_out)
        for group in range(self.groups):
            field = ascontiguousarray(view[..., self.inputs_of(group)])
            columns = ascontiguousarray(weights[:, self.outputs_of(group)].T)
            yield field.reshape(-1, self.taps), columns


def _kept(compute: _Compute) -> _Compute:
    """Keep what follows from a geometry alone: probes ask for the same ones over and over.

    But of one that has lists in it, as JSON does.
    """
    keeping = lru_cache(maxsize=KEPT)(compute)

    def ask(conv: Convolution, *extents: int) -> Any:
        try:
            return keeping(conv, *extents)
        except TypeError:
            return compute(conv, *extents)

    return cast(_Compute, ask)


@_kept
def _axes(conv: Convolution) -> Tuple[Axis, ...]:
    count, padding = len(conv.kernel), conv.padding
    if padding == "causal":
        padding = ("valid",) * (count - 1) + ("causal",)
    elif isinstance(padding, str):
        padding = (padding,) * count
    rows = (conv.kernel, conv.strides, conv.dilations, padding, conv.output_padding)
    assert all(len(row) == count for row in rows), "an entry for each axis"
    return tuple(
        Axis(kernel, stride, dilation, pad, conv.transposed, longer)
        for kernel, stride, dilation, pad, longer in zip(*rows)
    )


@_kept
def _outputs(conv: Convolution, rows: int, length: int) -> _Extents:
    return extents_of(conv.axes, conv.extents(rows, length))


@_kept
def _laid(conv: Convolution, rows: int, length: int) -> Tuple[Laid, ...]:
    return tuple(a.laid(n) for a, n in zip(conv.axes, conv.extents(rows, length)))


def _nhwc(shape: Any) -> _Four:
    """Return the four axes of an input's shape, whatever axes it has."""
    rows = 1
    for extent in shape[1:-2]:
        rows *= extent
    return shape[0], rows, shape[-2], shape[-1]


def with_tuples(value: Any) -> Any:
    """Return what travelled as JSON with tuples for its lists."""
    return tuple(with_tuples(part) for part in value) if isinstance(value, list) else value
