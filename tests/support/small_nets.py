"""Nets for tests, built layer by layer, each reading the one before unless it is told another."""

from __future__ import annotations

from typing import Any

from convdiff.worker.ops.convolution import OPS, Convolution
from convdiff.worker.ops.net import INPUT, KINDS, Layer, Net


def conv(name: str, kernel: int, channels: tuple[int, int], **more: Any) -> Layer:
    """Return an op whose filter is one row, its array keys those that `Net` needs."""
    sources = more.pop("sources", ())
    row = {key: (1, more.pop(key)) for key in ("strides", "dilations") if key in more}
    if isinstance(more.get("padding"), tuple):
        more["padding"] = ((0, 0), more["padding"])
    if "output_padding" in more:
        more["output_padding"] = (0, more["output_padding"])
    geometry = Convolution((1, kernel), *channels, **row, **more)
    arrays = {"filter": f"{name}.filter", "bias": f"{name}.bias"}
    return Layer(name, geometry.op, sources, geometry._asdict(), arrays)


def layer(name: str, op: str, *sources: str, **settings: Any) -> Layer:
    """Return a layer that is no op, with its defaults; a pool's sizes are those of its length."""
    assert op in KINDS and op not in OPS
    for key in ("size", "strides", "dilations"):
        if isinstance(settings.get(key), int):
            settings[key] = (1, settings[key])
    if isinstance(settings.get("padding"), tuple):
        settings["padding"] = ((0, 0), settings["padding"])
    kind = KINDS[op]
    arrays = {key: f"{name}.{key}" for key in kind.arrays[: kind.needed]}
    return Layer(name, op, sources, {**dict(kind.settings), **settings}, arrays)


def net(*layers: Layer, outputs: tuple[str, ...] = (), dtype: str = "float32") -> Net:
    """Return a net whose layers read the one before, where they are told no source."""
    names = [INPUT, *(one.name for one in layers)]
    linked = [
        one._replace(sources=one.sources or (before,))
        for before, one in zip(names, layers, strict=False)
    ]
    return Net(tuple(linked), outputs or (names[-1],), dtype)


def nine_layers() -> Net:
    """Return the net of NINE_LAYER_NET: 8 times conv, relu, max_pool, and a conv of 5 taps."""
    layers = []
    for number in range(1, 9):
        channels = (1 if number == 1 else 32, 32)
        layers += [
            conv(f"conv{number}", 3, channels),
            layer(f"relu{number}", "relu"),
            layer(f"pool{number}", "max_pool", size=2, strides=1 if number < 3 else 2),
        ]
    return net(*layers, conv("conv9", 5, (32, 32)))
