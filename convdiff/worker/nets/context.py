"""A layer of a net with all that it is built from but the framework. Runs on Python 3.6."""

from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from ..ops.axis import Pad
from ..ops.convolution import Convolution
from ..ops.net import Layer, Net
from ..ops.net_shapes import JOINED, Extents, moves, spatial


class Context(NamedTuple):
    """A layer and what it is built from, besides the framework."""

    layer: Layer
    net: Net
    arrays: Dict[str, Any]
    """Its arrays by their names in `Kind.arrays`, as the framework's own."""
    sizes: Optional[Dict[str, Extents]]
    """Of all activations; None where one function serves every length."""
    flat: bool = False
    """Whether its activations are (N, channels): it has no spatial axes any more."""

    @property
    def settings(self) -> Dict[str, Any]:
        """The layer's own."""
        return self.layer.settings

    @property
    def size(self) -> Extents:
        """The extents of its first source. Raises ValueError where no length is given."""
        if self.sizes is None:
            raise ValueError("it is built for one length only")
        return self.sizes[self.layer.sources[0]]

    @property
    def pads(self) -> List[Pad]:
        """What a pool adds before and after each axis that the net has."""
        return [axis.padding for axis in self.rest(moves(self.layer, self.size))]

    @property
    def own(self) -> Tuple[int, ...]:
        """The spatial extents of its first source, with the axes that the net has."""
        return spatial(self.size, self.net.rank)

    @property
    def out(self) -> Tuple[int, ...]:
        """The spatial extents of its own activation, with the axes that the net has."""
        assert self.sizes is not None
        return spatial(self.sizes[self.layer.name], self.net.rank)

    @property
    def conv(self) -> Convolution:
        """The geometry of an op, with the depth that its input has where that is known."""
        conv = self.layer.conv
        if self.sizes is None or len(conv.kernel) < 3:
            return conv._replace(depth=1)
        return conv._replace(depth=self.size[0])

    @property
    def fixed(self) -> Tuple[int, ...]:
        """The shape that reshape makes of one image, with the net's own axes. Raises ValueError."""
        rows, length, channels = self.layer.settings["shape"]
        own = spatial((1, rows, length), self.net.rank)
        if self.net.rank == 1 and rows != 1:
            raise ValueError("a net of one dimension has no rows")
        return own + (channels,)

    @property
    def joined(self) -> int:
        """The axis that concat joins along, of activations N[[D]H]WC. Raises ValueError."""
        axis = self.layer.settings["axis"]
        number = JOINED.index(axis) + self.net.rank - 2
        if number < 1:
            raise ValueError("a net of %d dimensions has no %s" % (self.net.rank, axis))
        return number

    @property
    def joined_channels_first(self) -> int:
        """The same of activations NC[[D]H]W."""
        return 1 if self.joined > self.net.rank else self.joined + 1

    def given(self, *roles: str) -> List[Any]:
        """Return its arrays of these names, those that it has."""
        return [self.arrays[role] for role in roles if role in self.arrays]

    def rest(self, values: Any) -> Tuple[Any, ...]:
        """Return the entries of the net's own axes of what has one for each axis of a kernel."""
        return tuple(values)[-self.net.rank :]
