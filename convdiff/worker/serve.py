"""The worker's loop: keep arrays, run cells, answer each at once. Runs on Python 3.6."""

import importlib
import os
import re
import sys
from typing import Any, Dict, List, Tuple

from . import wire
from .imports import keeping

PROTOCOL = 1
NAMED = ("places", "added")
"""Arrays of a cell that go by their names, where it has them."""
PLACE = re.compile(r"\.[ch]\w*:\d+:$")
"""Ends a line that says but where in a framework's source it failed; what failed comes below."""


def serve(requests: int, replies: int) -> None:
    """Answer requests until the pipe closes.

    Requests: {"do": "start", "framework", "threads"}; {"do": "keep", "keys"} with arrays;
    {"do": "drop", "keys"}; {"do": "observe", "conv", "cells"}; {"do": "probe", …} (see probing);
    {"do": "check", …} (see checks); {"do": "model", …} (see nets.model_file);
    {"do": "pads", "conv"}, whether the framework pads by itself; {"do": "identity", …} (see
    identity); {"do": "time", …} (see timing);
    {"do": "net", …} (see nets.message). Every cell gets its own reply as soon as it is done, so
    that what was done before a crash is known; a message of probes, or of a check, gets one.
    """
    wire.write(replies, wire.encode({"hello": PROTOCOL, "python": sys.version.split()[0]}))
    kept = {}  # type: Dict[str, Any]
    framework = None  # type: Any
    nets = []  # type: List[Any]
    while True:
        frame = wire.read_frame(requests)
        if frame is None:
            # Framework teardown takes long and may crash; nothing is left to be saved.
            os._exit(0)
        header, payload = frame
        if header["do"] == "start":
            framework, reply = _start(header)
            wire.write(replies, wire.encode(reply))
        elif header["do"] == "keep":
            kept.update(zip(header["keys"], wire.decode_arrays(header, payload)))
        elif header["do"] == "drop":
            for key in header["keys"]:
                kept.pop(key, None)
        elif header["do"] in ANSWERS:
            wire.write(replies, _answered(framework, header, payload))
        elif header["do"] == "net":
            for number in range(len(header["cells"])):
                _run_net(framework, header, number, kept, nets, replies)
        else:
            computes = {}  # type: Dict[Tuple[str, str, str], Any]
            for number in range(len(header["cells"])):
                wire.write(replies, _observe(framework, header, number, kept, computes))


def _start(header: Dict[str, Any]) -> Tuple[Any, Dict[str, Any]]:
    """Import the framework's module, and with it the framework."""
    try:
        with keeping():
            framework = _open(header["framework"], header.get("threads"))
        return framework, {"ready": framework.fingerprint()}
    except Exception as error:  # whatever an import does wrong is the answer
        return None, {"failed": _reason(error), "absent": isinstance(error, ModuleNotFoundError)}


def _open(name: str, threads: Any) -> Any:
    """Open a framework of this package, someone's `module:function`, or another package's."""
    from . import own_kernel  # brings NumPy, whose absence is an answer too

    if ":" in name:
        return own_kernel.open(name, threads)
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "frameworks")
    if os.path.exists(os.path.join(folder, name + ".py")):
        return importlib.import_module("convdiff_worker.frameworks." + name).open(threads)
    module = own_kernel.entry_point(name)
    if module is None:
        raise ValueError("no package here has an entry point convdiff.frameworks: %s" % name)
    return module.open(threads)


def _observe(
    framework: Any,
    header: Dict[str, Any],
    number: int,
    kept: Dict[str, Any],
    computes: Dict[Tuple[str, str, str], Any],
) -> List[Any]:
    """Return the reply to one cell; `computes` keeps what computes each op on each device.

    A cell has a geometry of its own, "conv", where it is not of all channels.
    """
    from .framework import computing

    cell = header["cells"][number]
    conv = cell.get("conv", header["conv"])
    key = (cell["op"], cell["device"], repr(conv))
    try:
        if key not in computes:
            computes[key] = computing(framework, cell["op"], cell["device"], conv)
        cut = kept[cell["x"]][: cell["batch"], :, : cell["length"], : conv.get("channels_in")]
        bias = kept[cell["b"]] if cell["b"] is not None else None
        named = {name: kept[cell[name]] for name in NAMED if cell.get(name) is not None}
        result = computes[key](cut, kept[cell["w"]], bias, **named)
        return wire.encode({"cell": number}, [result])
    except Exception as error:  # a refusal of this cell is its observation
        return wire.encode({"cell": number, "failed": _reason(error)})


def _run_net(
    framework: Any,
    header: Dict[str, Any],
    number: int,
    kept: Dict[str, Any],
    nets: List[Any],
    replies: int,
) -> None:
    """Write the replies to one cell of a net; `nets` keeps the latest ones built."""
    from .nets import message

    try:
        net = message.built(framework, header, kept, nets)
        for frame in message.frames(net.runner, net.digests, header, number, kept):
            wire.write(replies, frame)
    except Exception as error:  # a refusal of this cell is its observation
        wire.write(replies, wire.encode({"cell": number, "failed": _reason(error)}))


def _answered(framework: Any, header: Dict[str, Any], payload: Any) -> List[Any]:
    """Return the one reply to a message of ANSWERS."""
    try:
        arrays = ANSWERS[header["do"]](framework, header, wire.decode_arrays(header, payload))
        return wire.encode({"answered": len(arrays)}, arrays)
    except Exception as error:  # a refusal is an answer too
        return wire.encode({"failed": _reason(error)})


def _probe(framework: Any, header: Dict[str, Any], arrays: List[Any]) -> List[Any]:
    from . import probing

    return probing.answer(framework, header, arrays)


def _check(framework: Any, header: Dict[str, Any], arrays: List[Any]) -> List[Any]:
    from . import checks

    return [checks.answer(framework, header, arrays)]


def _model(framework: Any, header: Dict[str, Any], arrays: List[Any]) -> List[Any]:
    from .nets import model_file

    return model_file.answer(framework, header, arrays)


def _pads(framework: Any, header: Dict[str, Any], arrays: List[Any]) -> List[Any]:
    """Return one number: 1 where the padding is the framework's own, else 0."""
    import numpy as np

    from .ops import geometry

    pads_itself = getattr(framework, "pads_itself", None)
    itself = pads_itself is None or pads_itself(geometry(header["conv"]))
    return [np.array([float(itself)])]


def _identity(framework: Any, header: Dict[str, Any], arrays: List[Any]) -> List[Any]:
    from . import identity

    return [identity.answer(header)]


def _time(framework: Any, header: Dict[str, Any], arrays: List[Any]) -> List[Any]:
    from . import timing

    return [timing.answer(framework, header, arrays)]


ANSWERS = {
    "probe": _probe,
    "check": _check,
    "pads": _pads,
    "model": _model,
    "identity": _identity,
    "time": _time,
}
"""Messages that have one reply, of arrays."""


def _reason(error: Exception) -> str:
    lines = list(filter(None, map(str.strip, str(error).splitlines())))
    first = lines[0] if lines else ""
    if PLACE.search(first):
        first = next((line for line in lines if not line.endswith(":")), first)
    text = "".join(c if c.isprintable() else "?" for c in first)
    return ("%s: %s" % (type(error).__name__, text))[:400]
