"""The manual reference: multiply and sum, one receptive field a row. Runs on Python 3.6.

The questioner's own check. A framework gives the two operations; what is here moves data only.
"""

from typing import Any, Callable, Dict

import numpy as np

from .windows import windows

MOST_PRODUCTS = 4e9
"""Beyond that the reference is refused rather than waited for."""
CHUNK = 1 << 24
"""Products in memory at once."""


def by_rows(
    rows: Callable[[Any, Any], Any], conv: Dict[str, Any], input_nhwc: Any, filter_hwio: Any
) -> Any:
    """Return the sums without bias, NHWC.

    rows: multiplies a (positions, 1, taps) table with a (1, channels, taps) one and sums over the
    taps, in the framework; takes and returns NumPy arrays.
    """
    groups, channels_out = conv["groups"], conv["channels_out"]
    w = filter_hwio.reshape(-1, channels_out)
    view = windows(input_nhwc, tuple(conv["kernel"]), conv["strides"], conv["dilations"])
    lead, taps, per_group = view.shape[:3], w.shape[0], channels_out // groups
    positions = lead[0] * lead[1] * lead[2]
    products_allowed(float(positions) * taps * channels_out, MOST_PRODUCTS)
    channels = conv["channels_in"] // groups
    step = max(1, CHUNK // (taps * per_group))
    parts = []
    for group in range(groups):
        field = view[..., group * channels : (group + 1) * channels]
        table = np.ascontiguousarray(field).reshape(positions, 1, taps)
        columns = np.ascontiguousarray(w[:, group * per_group : (group + 1) * per_group].T)[None]
        sums = [rows(table[at : at + step], columns) for at in range(0, positions, step)]
        parts.append(np.concatenate(sums))
    return np.concatenate(parts, axis=1).reshape(lead + (channels_out,))


def products_allowed(count: float, limit: float) -> None:
    """Raise ValueError if a reference would need more than `limit` products."""
    if count > limit:
        raise ValueError(
            "the manual reference would take {:.3g} products; at most {:.3g}".format(count, limit)
        )
