"""How long calls of a cell take, measured beside the framework: no pipe is in it. Python 3.6."""

import time
from typing import Any, Dict, List

import numpy as np

from .framework import computing


def answer(framework: Any, header: Dict[str, Any], arrays: List[Any]) -> Any:
    """Return the seconds of each of so many calls, (calls,) float64, the first one included.

    header: {"conv", "op", "device", "calls", "has"}; arrays: the input and the filter, then what
    `has` names, of "bias" and "added".
    """
    compute = computing(framework, header["op"], header["device"], header["conv"])
    more = dict(zip(header["has"], arrays[2:]))
    named = {"added": more["added"]} if "added" in more else {}
    seconds = np.empty(header["calls"])
    for number in range(header["calls"]):
        start = time.perf_counter()
        compute(arrays[0], arrays[1], more.get("bias"), **named)
        seconds[number] = time.perf_counter() - start
    return seconds
