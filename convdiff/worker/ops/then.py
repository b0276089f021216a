"""What follows a convolution in the same call: the step that frameworks fuse into it.

A step is a row of STEPS; what is added is an array of the output's shape, or of one that is
broadcast to it. Runs on Python 3.6; NumPy is imported where it is used.
"""

from typing import Any

LIMITS = {"relu": (0.0, float("inf")), "relu6": (0.0, 6.0)}
"""Steps that keep a value between two limits."""
STEPS = tuple(LIMITS) + ("add",)
"""All steps; no step is the empty word."""


def clamped(then: str, output: Any) -> Any:
    """Return an output between the limits of a step that has them, else as it is.

    NaN stays NaN. The sign of a zero is whichever NumPy gives.
    """
    import numpy as np

    if then not in LIMITS:
        return output
    low, high = map(output.dtype.type, LIMITS[then])
    return np.minimum(np.maximum(output, low), high)


def at_limits(output: Any, then: str) -> Any:
    """Return which values are limits of a step that has them: a mask, False for other steps."""
    import numpy as np

    return np.isin(output.astype(np.float64), LIMITS.get(then, ()))


def applied(then: str, output: Any, added: Any) -> Any:
    """Return what a step makes of an output, in its dtype; `added` is that of `add`."""
    return output + added if then == "add" else clamped(then, output)
