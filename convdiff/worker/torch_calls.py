"""PyTorch's own calls of each op, and what each takes."""

from typing import Any, NamedTuple, Sequence, Tuple

import numpy as np

from . import layout
from .ops.convolution import Convolution

ITSELF = {"valid": 0, "same": "same"}
"""Paddings that torch has a word for; it refuses the second with a stride."""


class Call(NamedTuple):
    """What one call of torch takes besides its tensors, as constants that a compiler can hold."""

    function: str
    """Of torch.nn.functional."""
    options: Tuple[Any, ...] = ()
    """What follows the bias."""
    ahead: Tuple[int, ...] = ()
    """What F.pad adds to the input, as it takes it: the last axis first."""
    behind: Tuple[int, ...] = ()
    """The same of the output."""
    then: str = ""
    """The step that follows."""


def convolution(conv: Convolution, x: Any) -> Tuple[Call, Any]:
    """Return the call of a convolution and its input; what torch can't pad itself, F.pad does."""
    ahead, padding = (), ITSELF.get(conv.padding)  # type: Tuple[Any, Any]
    if padding is None:
        x, pads = layout.cropped(x, conv.own_pads(x))
        padding = tuple(before for before, _ in pads)
        if any(before != after for before, after in pads):
            ahead, padding = layout.last_axis_first(pads), 0
    strides, dilations = conv.own(conv.strides), conv.own(conv.dilations)
    options = (strides, padding, dilations, conv.groups)
    return Call("conv%dd" % conv.rank, options, ahead), x


def transposed(conv: Convolution, pads: Sequence[Tuple[int, int]]) -> Call:
    """Return the call of a transposed convolution; what torch can't cut itself, F.pad does."""
    padding = tuple(min(pair) for pair in pads)
    rest = [(least - before, least - after) for least, (before, after) in zip(padding, pads)]
    longer = tuple(axis.longer for axis in conv.own(conv.axes))
    strides, dilations = conv.own(conv.strides), conv.own(conv.dilations)
    options = (strides, padding, longer, conv.groups, dilations)
    behind = layout.last_axis_first(rest) if np.any(rest) else ()
    return Call("conv_transpose%dd" % conv.rank, options, (), behind)
