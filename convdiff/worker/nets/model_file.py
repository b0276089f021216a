"""The message `model`: a model's own file in its own runtime. Runs on Python 3.6.

{"do": "model", "ask": "optimise", "key", "path", "into", "beside": bool}: the session of a file,
kept under a key; into a folder goes the graph that the runtime makes of it, as `OPTIMISED`, its
arrays beside it where that is asked for and the runtime can; what comes back is a JSON text, as
bytes, of its inputs' names. {"ask": "load", "key", "optimise": bool} with bytes, or with "path" of
a file: kept as a session under that key; what comes back is a JSON text of its outputs' types.
{"ask": "run", "key", "feeds": [names], "outputs": [names]} with the arrays that are fed: those
outputs. {"ask": "digest", …} as run: the digests of those outputs, (outputs, 16) uint8, and a JSON
text of their [dtype, shape]. {"ask": "drop", "key"}. One session is kept a key, until another is
loaded under it.
"""

import json
import os
from typing import Any, Dict, List

import numpy as np

from ..heap import give_back
from .digests import digest_of

OPTIMISED = "optimised"
"""What a runtime makes of a file is called so."""
KEPT = {}  # type: Dict[str, Any]


def answer(framework: Any, header: Dict[str, Any], arrays: List[Any]) -> List[Any]:
    """Return the arrays of the reply. Raises ValueError where the framework runs no files."""
    if not hasattr(framework, "open_file"):
        raise ValueError("it runs no model files here")
    return ASKED[header["ask"]](framework, header, arrays)


def _optimise(framework: Any, header: Dict[str, Any], arrays: List[Any]) -> List[Any]:
    into = os.path.join(header["into"], OPTIMISED)
    session = framework.open_file(header["path"], True, into, header["beside"])
    KEPT[header["key"]] = session
    return [_text([one.name for one in session.get_inputs()])]


def _load(framework: Any, header: Dict[str, Any], arrays: List[Any]) -> List[Any]:
    _drop(framework, header, arrays)
    given = header["path"] if "path" in header else arrays[0].tobytes()
    session = framework.open_file(given, header["optimise"], "")
    KEPT[header["key"]] = session
    return [_text({output.name: output.type for output in session.get_outputs()})]


def _drop(framework: Any, header: Dict[str, Any], arrays: List[Any]) -> List[Any]:
    if KEPT.pop(header["key"], None) is not None:
        give_back()
    return []


def _run(framework: Any, header: Dict[str, Any], arrays: List[Any]) -> List[Any]:
    feeds = dict(zip(header["feeds"], arrays))
    outputs = KEPT[header["key"]].run(header["outputs"], feeds)
    return [np.ascontiguousarray(output).reshape(np.shape(output)) for output in outputs]


def _digest(framework: Any, header: Dict[str, Any], arrays: List[Any]) -> List[Any]:
    outputs = _run(framework, header, arrays)
    made = [np.frombuffer(bytes.fromhex(digest_of(one.reshape(-1))), np.uint8) for one in outputs]
    kinds = [[output.dtype.name, output.shape] for output in outputs]
    return [np.array(made, np.uint8), _text(kinds)]


def _text(value: Any) -> Any:
    return np.frombuffer(json.dumps(value).encode("utf-8"), np.uint8)


ASKED = {"optimise": _optimise, "load": _load, "drop": _drop, "run": _run, "digest": _digest}
