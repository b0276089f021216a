"""The message `net`: cells of a net, what is fetched of each, and what travels. Python 3.6.

    {"do": "net", "net": Net.plain(), "named": {key in the net: key kept}, "device", "fetched":
    [names], "cells": [{"x": key kept, "length", "batch", "watched": [[key, name, columns or null,
    images or null, digest, strict], …]}, …]}

`fetched` is what the framework is asked for besides the outputs: it may change their bits. Each
activation that is watched bit for bit is a frame {"cell", "watched": key} of its own, sent as soon
as it is there; the cell's last frame, {"cell", "digests": {key: hex}, "seconds"}, has those of the
others, and how long all of it took.
"""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from .. import wire
from ..framework import Device
from ..ops.net import Net

KEPT = 2
"""Nets that are kept built: each may hold its weights once more."""
DIGEST = 16
"""Bytes of a digest."""
HASHING = ThreadPoolExecutor(max_workers=2)
"""Hashes beside what is computed: it takes as long as a small net."""


class _Kept(NamedTuple):
    """A net that was built, and of what."""

    key: Any
    arrays: List[Any]
    runner: Any


def runner_of(
    framework: Any, header: Dict[str, Any], kept: Dict[str, Any], runners: List[_Kept]
) -> Any:
    """Return what runs a net, built once for the same net, arrays and device.

    Raises ValueError where the framework has no nets, or not in this dtype.
    """
    key = (repr(header["net"]), repr(header["named"]), header["device"])
    arrays = {name: kept[held] for name, held in header["named"].items()}
    for one in runners:
        if one.key == key and all(a is b for a, b in zip(one.arrays, arrays.values())):
            return one.runner
    net = Net.parsed(header["net"])
    if not hasattr(framework, "net"):
        raise ValueError("it runs no nets here")
    if net.dtype in framework.refused:
        raise ValueError(framework.refused[net.dtype])
    runner = framework.net(net, Device.parsed(header["device"]), arrays)
    del runners[: max(0, len(runners) - KEPT + 1)]
    runners.append(_Kept(key, list(arrays.values()), runner))
    return runner


def frames(
    runner: Any, header: Dict[str, Any], number: int, kept: Dict[str, Any]
) -> Iterator[List[Any]]:
    """Run one cell and yield its frames."""
    cell = header["cells"][number]
    cut = kept[cell["x"]][: cell["batch"], :, : cell["length"]]
    watched = {}  # type: Dict[str, List[Any]]
    for key, name, *how in cell["watched"]:
        watched.setdefault(name, []).append((key, how))
    hashed = []  # type: List[Any]
    fetched, start = set(header["fetched"]) | set(header["net"]["outputs"]), perf_counter()
    for name, y in runner.run(cut, fetched):
        loose, strict = [], []  # type: List[Any], List[Any]
        for key, (columns, images, digest, is_strict) in watched.get(name, ()):
            if digest:
                (strict if is_strict else loose).append((key, columns, images))
                continue
            part = np.ascontiguousarray(y[slice(images), :, slice(*columns or (None,))])
            yield wire.encode({"cell": number, "watched": key}, [part])
        if strict:
            hashed.append(HASHING.submit(digests_of, y, strict))
        if loose:
            hashed.append(HASHING.submit(digests_of, alike(y), loose))
    found = {key: digest for one in hashed for key, digest in one.result().items()}
    yield wire.encode({"cell": number, "digests": found, "seconds": perf_counter() - start})


def digests_of(y: Any, asked: Sequence[Tuple[str, Any, Optional[int]]]) -> Dict[str, str]:
    """Return the digests of parts of an activation, NHWC, by their keys, in hexadecimal.

    asked: a key, the columns (start, stop) or None, and how many images, or None for all. Bytes are
    taken column by column, so that parts that begin alike are hashed together.
    """
    groups = {}  # type: Dict[Any, List[Tuple[int, str]]]
    for key, columns, images in asked:
        start, stop = columns or (0, y.shape[2])
        groups.setdefault((images, start), []).append((stop, key))
    found = {}
    for (images, start), parts in groups.items():
        laid = np.ascontiguousarray(np.moveaxis(y[slice(images)], 2, 0))
        made, done = hashlib.blake2b(digest_size=DIGEST), start
        for stop, key in sorted(parts):
            made.update(laid[done:stop].reshape(-1).view(np.uint8).data)
            found[key], done = made.hexdigest(), stop
    return found


def alike(part: Any) -> Any:
    """Return values with one zero and one NaN, whatever the signs and payloads they had.

    bfloat16 may come as uint16.
    """
    if part.dtype == np.uint16:
        part = np.where(part == 0x8000, np.uint16(0), part)
        return np.where(part & 0x7FFF > 0x7F80, np.uint16(0x7FC0), part)
    part = part + part.dtype.type(0)  # −0 + 0 is +0
    strange = np.isnan(part)
    if strange.any():
        part[strange] = np.nan
    return part


def digest_of(part: Any) -> str:
    """Return the digest of an array's bits, C-contiguous, in hexadecimal."""
    return hashlib.blake2b(part.view(np.uint8).data, digest_size=DIGEST).hexdigest()
