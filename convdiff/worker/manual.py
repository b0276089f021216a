"""The manual reference: multiply and sum, one receptive field a row. Runs on Python 3.6.

The questioner's own check, put together for every op and framework alike: the op's geometry lays
out the factors, the framework multiplies and sums them and adds the bias.
"""

from typing import Any

import numpy as np

from .ops.convolution import Convolution

MOST_PRODUCTS = 4e9
"""Beyond that the reference is refused rather than waited for."""
CHUNK = 1 << 24
"""Products in memory at once."""


def manual(
    framework: Any,
    conv: Convolution,
    device: Any,
    input_nhwc: Any,
    filter_hwio: Any,
    bias: Any,
    places: Any = None,
    added: Any = None,
) -> Any:
    """Return the output as multiply + reduce_sum, and + bias unless it is None, make it.

    Of the flat positions `places` only, (1, 1, places, cout), where they are given. Then the
    framework's own function does the step that follows.
    """
    shape = conv.output_shape(*input_nhwc.shape[:3])
    if places is not None:
        shape = (1, 1, len(places), shape[3])
    outputs = shape[0] * shape[1] * shape[2] * shape[3]
    products_allowed(float(outputs) * conv.taps, MOST_PRODUCTS)
    parts, step = [], positions_a_call(conv)
    for table, columns in conv.tables(input_nhwc, filter_hwio, places):
        sums = []
        for at in range(0, len(table), step):
            rows = table[at : at + step, None]
            sums.append(framework.multiply_sum(conv.dtype, device, rows, columns[None]))
        parts.append(np.concatenate(sums))
    output = np.concatenate(parts, axis=1).reshape(shape)
    if bias is not None:
        output = framework.add(conv.dtype, device, output, bias)
    if not conv.then:
        return output
    if added is not None:
        added = conv.addend(added, input_nhwc.shape, places)
    return framework.then(conv.then, conv.dtype, device, output, added)


def positions_a_call(conv: Convolution) -> int:
    """Return how many output positions are summed in one call."""
    return max(1, CHUNK // (conv.taps * conv.channels_out // conv.groups))


def products_allowed(count: float, limit: float) -> None:
    """Raise ValueError if a reference would need more than `limit` products."""
    if count > limit:
        raise ValueError(
            "the manual reference would take {:.3g} products; at most {:.3g}".format(count, limit)
        )
