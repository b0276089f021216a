"""Two-dimensional convolution, VALID, NHWC and HWIO: its shapes and what each output sees.

Both sides of the pipe use this file; it must run on Python 3.6 with NumPy 1.16. What is here moves
data and counts; it computes nothing. NumPy is imported where it is used: a case file is read, and
refused, without it.
"""

from typing import Any, Dict, Iterator, NamedTuple, Tuple

_Pair = Tuple[int, int]
_Four = Tuple[int, int, int, int]


class Convolution(NamedTuple):
    """What a case's cells share: the filter's shape, how it moves, and the element type."""

    kernel: _Pair
    """(kh, kw)"""
    channels_in: int
    channels_out: int
    strides: _Pair = (1, 1)
    dilations: _Pair = (1, 1)
    groups: int = 1
    dtype: str = "float32"
    """float64, float32, float16 or bfloat16."""

    @classmethod
    def parsed(cls, plain: Dict[str, Any]) -> "Convolution":
        """Return the geometry whose `_asdict` travelled as JSON, which knows no tuples."""
        return cls(**{name: _plain(value) for name, value in plain.items()})

    @property
    def op(self) -> str:
        """The op's row in `convdiff_worker.ops.OPS`."""
        return "conv2d"

    @property
    def taps(self) -> int:
        """Products in one output element: kh · kw · cin / groups."""
        return self.kernel[0] * self.kernel[1] * self.channels_in // self.groups

    @property
    def reach(self) -> _Pair:
        """The dilated filter's extent, and so the smallest input, in (height, width)."""
        (kh, kw), (dh, dw) = self.kernel, self.dilations
        return (kh - 1) * dh + 1, (kw - 1) * dw + 1

    @property
    def filter_shape(self) -> _Four:
        """HWIO, with I = cin / groups."""
        return self.kernel + (self.channels_in // self.groups, self.channels_out)

    def output_shape(self, batch: int, height: int, length: int) -> _Four:
        """NHWC of the output for an input of (batch, height, length, cin)."""
        (rows, columns), (sh, sw) = self.reach, self.strides
        return batch, (height - rows) // sh + 1, (length - columns) // sw + 1, self.channels_out

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

    def windows(self, input_nhwc: Any) -> Any:
        """Return what each output position sees, a view of shape (N, OH, OW, kh, kw, cin).

        An output element sees the channels `inputs_of` its group; its taps are those inputs times
        the filter's column of its channel, numbered in (kh, kw, cin / groups) order. Raises
        ValueError for an input that is smaller than the filter.
        """
        from numpy.lib.stride_tricks import as_strided

        batch, height, length, channels = input_nhwc.shape
        _, rows, columns, _ = self.output_shape(batch, height, length)
        if rows < 1 or columns < 1:
            raise ValueError("the input is smaller than the filter")
        (sh, sw), (dh, dw) = self.strides, self.dilations
        sn, sy, sx, sc = input_nhwc.strides
        return as_strided(
            input_nhwc,
            (batch, rows, columns) + self.kernel + (channels,),
            (sn, sy * sh, sx * sw, sy * dh, sx * dw, sc),
            writeable=False,
        )

    def fields(self, input_nhwc: Any, places: Any) -> Any:
        """Return what the output positions at flat `places` see: (k, kh, kw, cin), a copy."""
        from numpy import unravel_index

        view = self.windows(input_nhwc)
        return view[unravel_index(places, view.shape[:3])]

    def unrolled(self, fields: Any) -> Tuple["Convolution", Any]:
        """Return a convolution whose only outputs are those of some fields, and its input.

        The fields lie side by side in one row; the outputs are (1, 1, k, cout).
        """
        kh, kw = self.kernel
        row = fields.transpose(1, 0, 2, 3).reshape(1, kh, -1, self.channels_in)
        return self._replace(strides=(1, kw), dilations=(1, 1)), row

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


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
