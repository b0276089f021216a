"""A peer's geometries: those of the benchdnn lists of oneDNN, as numbers in a table."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from convdiff.case.arrays import Tensors, numpy_dtype
from convdiff.worker.ops.convolution import Convolution

TABLE = Path(__file__).parent.parent / "frameworks" / "data" / "geometries.csv"
Shape = tuple[int, int, int, int]


def geometries() -> dict[str, tuple[Convolution, Shape, list[int]]]:
    """Return (convolution, the input's NHWC, the output's spatial extents) by the peer's name."""
    with TABLE.open(encoding="utf-8") as stream:
        return {row["name"]: _read(row) for row in csv.DictReader(stream)}


def _read(row: dict[str, str]) -> tuple[Convolution, Shape, list[int]]:
    rank = int(row["rank"])
    before, after = _axes(row["pad_begin"], 0), _axes(row["pad_end"], 0)
    conv = Convolution(
        kernel=tuple(_axes(row["kernel"], 1)),
        channels_in=int(row["cin"]),
        channels_out=int(row["cout"]),
        strides=tuple(_axes(row["strides"], 1)),
        dilations=tuple(_axes(row["dilations"], 1)),
        groups=int(row["groups"]),
        op=f"conv{rank}d",
        padding=tuple(zip(before, after, strict=True)),
        output_padding=(0,) * max(2, rank),
    )
    *high, length = _axes(row["input"], 1)
    if rank == 3:
        conv = conv._replace(depth=high[0])
    shape = (int(row["batch"]), int(np.prod(high)), length, conv.channels_in)
    return conv, shape, _axes(row["output"], 1)


def _axes(text: str, fill: int) -> list[int]:
    """Return an entry an axis; a height where there is only a length."""
    entries = [int(entry) for entry in text.split("x")]
    return entries if len(entries) > 1 else [fill, *entries]


def integers(conv: Convolution, shape: Shape, seed: int = 7, bias: bool = True) -> Tensors:
    """Return integers in −2 … 2, of which every order of adding gives the same bits.

    shape: the input's NHWC; the arrays are in the geometry's dtype.
    """
    rng, kind = np.random.default_rng(seed), numpy_dtype(conv.dtype)

    def some(*extents: int) -> np.ndarray:
        return rng.integers(-2, 3, extents).astype(kind)

    filter_hwio, biases = some(*conv.filter_shape), some(conv.channels_out)
    return Tensors(filter_hwio, biases if bias else None, some(*shape))
