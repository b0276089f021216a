"""The message `net`: cells of a net, what is fetched of each, and what travels. Python 3.6.

    {"do": "net", "net": Net.plain(), "named": {key in the net: key kept}, "device", "fetched":
    [names], "cells": [{"x": key kept, "length", "batch", "watched": [[key, name, columns or null,
    images or null, digest, strict], …]}, …]}

`fetched` is what the framework is asked for besides the outputs: it may change their bits. Each
activation that is watched bit for bit is a frame {"cell", "watched": key} of its own, sent as soon
as it is there; the cell's last frame, {"cell", "digests": {key: hex}, "seconds"}, has those of the
others, and how long all of it took.
"""

from time import perf_counter
from typing import Any, Dict, Iterator, List, NamedTuple, Tuple

import numpy as np

from .. import wire
from ..framework import Device
from ..ops.net import Net
from .digests import Digests, Making, Piece

KEPT = 2
"""Nets that are kept built: each may hold its weights once more."""


class Built(NamedTuple):
    """A net that was built, and of what."""

    key: Any
    arrays: List[Any]
    runner: Any
    digests: Digests


def built(framework: Any, header: Dict[str, Any], kept: Dict[str, Any], nets: List[Built]) -> Built:
    """Return a net, built once for the same net, arrays and device.

    Raises ValueError where the framework has no nets, or not in this dtype.
    """
    key = (repr(header["net"]), repr(header["named"]), header["device"])
    arrays = {name: kept[held] for name, held in header["named"].items()}
    for one in nets:
        if one.key == key and all(a is b for a, b in zip(one.arrays, arrays.values())):
            return one
    net = Net.parsed(header["net"])
    if not hasattr(framework, "net"):
        raise ValueError("it runs no nets here")
    if net.dtype in framework.refused:
        raise ValueError(framework.refused[net.dtype])
    runner = framework.net(net, Device.parsed(header["device"]), arrays)
    del nets[: max(0, len(nets) - KEPT + 1)]
    nets.append(Built(key, list(arrays.values()), runner, Digests()))
    return nets[-1]


def frames(
    runner: Any, digests: Digests, header: Dict[str, Any], number: int, kept: Dict[str, Any]
) -> Iterator[List[Any]]:
    """Run one cell and yield its frames."""
    cell = header["cells"][number]
    cut = kept[cell["x"]][: cell["batch"], :, : cell["length"]]
    watched = {}  # type: Dict[str, List[Any]]
    for key, name, *how in cell["watched"]:
        watched.setdefault(name, []).append((key, how))
    makings: List[Tuple[str, Making, Piece]] = []
    fetched, start = set(header["fetched"]) | set(header["net"]["outputs"]), perf_counter()
    for name, y in runner.run(cut, fetched):
        pieces: Dict[str, Piece] = {}
        for key, (columns, images, digest, is_strict) in watched.get(name, ()):
            first, end = columns or (0, y.shape[2])
            if digest:
                pieces[key] = Piece(min(images or len(y), len(y)), first, end, is_strict)
                continue
            part = np.ascontiguousarray(y[:images, :, first:end])
            yield wire.encode({"cell": number, "watched": key}, [part])
        if pieces:
            making = digests.start(name, y, list(pieces.values()))
            makings += [(key, making, piece) for key, piece in pieces.items()]
    hexadecimal = {key: making.of(piece) for key, making, piece in makings}
    yield wire.encode({"cell": number, "digests": hexadecimal, "seconds": perf_counter() - start})
