"""The message `model`: a model's own file in its own runtime. Runs on Python 3.6.

{"do": "model", "ask": "optimise"} with the file's bytes: those of the graph that the runtime makes
of it. {"ask": "load", "key", "optimise": bool} with bytes: kept as a session under that key; what
comes back is a JSON text, as bytes, of its outputs' types. {"ask": "run", "key", "feeds": [names],
"outputs": [names]} with the arrays that are fed: those outputs. One session is kept a key, until
another is loaded under it.
"""

import json
import os
import tempfile
from typing import Any, Dict, List

import numpy as np

KEPT = {}  # type: Dict[str, Any]


def answer(framework: Any, header: Dict[str, Any], arrays: List[Any]) -> List[Any]:
    """Return the arrays of the reply. Raises ValueError where the framework runs no files."""
    if not hasattr(framework, "open_file"):
        raise ValueError("it runs no model files here")
    return ASKED[header["ask"]](framework, header, arrays)


def _optimise(framework: Any, header: Dict[str, Any], arrays: List[Any]) -> List[Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "optimised")
        framework.open_file(arrays[0].tobytes(), True, path)
        with open(path, "rb") as file:
            return [np.frombuffer(file.read(), np.uint8)]


def _load(framework: Any, header: Dict[str, Any], arrays: List[Any]) -> List[Any]:
    KEPT.pop(header["key"], None)
    session = framework.open_file(arrays[0].tobytes(), header["optimise"], "")
    KEPT[header["key"]] = session
    types = {output.name: output.type for output in session.get_outputs()}
    return [np.frombuffer(json.dumps(types).encode("utf-8"), np.uint8)]


def _run(framework: Any, header: Dict[str, Any], arrays: List[Any]) -> List[Any]:
    feeds = dict(zip(header["feeds"], arrays))
    outputs = KEPT[header["key"]].run(header["outputs"], feeds)
    return [np.ascontiguousarray(output).reshape(np.shape(output)) for output in outputs]


ASKED = {"optimise": _optimise, "load": _load, "run": _run}
