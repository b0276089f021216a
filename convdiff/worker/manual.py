"""The manual reference: multiply and sum, one receptive field a row. Runs on Python 3.6.

The questioner's own check, put together for every op and framework alike: the op's geometry lays
out the factors, the framework multiplies and sums them and adds the bias.
"""

from typing import Any

import numpy as np

MOST_PRODUCTS = 4e9
"""Beyond that the reference is refused rather than waited for."""
CHUNK = 1 << 24
"""Products in memory at once."""


def manual(
    framework: Any, conv: Any, device: Any, input_nhwc: Any, filter_hwio: Any, bias: Any
) -> Any:
    """Return the output as multiply + reduce_sum, and + bias unless it is None, make it."""
    shape = conv.output_shape(*input_nhwc.shape[:3])
    outputs = shape[0] * shape[1] * shape[2] * shape[3]
    products_allowed(float(outputs) * conv.taps, MOST_PRODUCTS)
    parts = []
    for table, columns in conv.tables(input_nhwc, filter_hwio):
        step = max(1, CHUNK // columns.size)
        sums = [
            framework.multiply_sum(conv.dtype, device, table[at : at + step, None], columns[None])
            for at in range(0, len(table), step)
        ]
        parts.append(np.concatenate(sums))
    output = np.concatenate(parts, axis=1).reshape(shape)
    return output if bias is None else framework.add(conv.dtype, device, output, bias)


def products_allowed(count: float, limit: float) -> None:
    """Raise ValueError if a reference would need more than `limit` products."""
    if count > limit:
        raise ValueError(
            "the manual reference would take {:.3g} products; at most {:.3g}".format(count, limit)
        )
