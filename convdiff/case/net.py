"""From a file's layers to a net: its input, and every shape, each error at its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from convdiff.case.array_spec import read_array
from convdiff.case.device import Device
from convdiff.case.geometry import channels_given, input_of
from convdiff.case.layout import written
from convdiff.case.model import ArraySpec
from convdiff.case.net_keys import NetKeys
from convdiff.case.net_layers import (
    Around,
    GivenLayer,
    array_key,
    given_layers,
    layers_of,
    rank_of,
    readings,
)
from convdiff.case.net_model import NetCase
from convdiff.case.yaml_source import Source
from convdiff.errors import CaseError, meant
from convdiff.worker.ops.convolution import Convolution
from convdiff.worker.ops.net import INPUT, Layer, Net, Shape
from convdiff.worker.ops.net_shapes import Extents, ShapeError, extents

_KEEPING = ("pool", "elementwise", "normalisation")
"""Families whose outputs have the channels of their inputs."""


def net_of(source: Source, keys: NetKeys, folder: Path, stem: str) -> NetCase:
    """Return the net that a file's keys describe. Raises CaseError at the places of its faults."""
    shared = keys.shared
    given = {one.name: one for one in given_layers(source, keys.layers)}
    around = Around(shared, rank_of(given.values()), folder)
    layers, specs = layers_of(given.values(), around)
    outputs = _outputs(source, keys, layers)
    net = Net(layers, outputs, shared.dtype, around.rank)
    own = channels_given(source, shared, folder, around.plain)
    channels = own or shared.channels or _channels(source, net)
    ones = (1,) * around.axes
    plain = Convolution(ones, channels, 1, ones, ones, output_padding=(0,) * around.axes)
    plain = plain._replace(dtype=shared.dtype, op=around.plain)
    data, depth, lengths, batches = input_of(source, shared, folder, plain)
    for length in lengths[:1] + lengths[-1:]:
        sizes = _extents(net, (data.shape[1], length, channels), depth, given)
    net = net._replace(layers=tuple(_deep(layer, sizes) for layer in layers), depth=depth)
    return NetCase(
        name=shared.name or stem,
        file=source.file,
        net=net,
        arrays={**specs, **dict(_others(given, net, sizes, folder))},
        input=data,
        lengths=lengths,
        batches=batches,
        devices=tuple(dict.fromkeys(shared.devices or (shared.device or Device("cpu"),))),
        repeat=shared.repeat,
        source=shared.source,
        layout=shared.layout,
        expect=shared.expect.axes,
        places={name: one.source.place(()) for name, one in given.items()},
    )


def _outputs(source: Source, keys: NetKeys, layers: Sequence[Layer]) -> tuple[str, ...]:
    """Return the layers that are the net's answer: those named, else those that nobody reads."""
    names = [layer.name for layer in layers]
    for number, output in enumerate(keys.outputs):
        if output not in names:
            text = f"no layer is called {output!r}{meant(output, names)}"
            raise CaseError(source.place(("outputs", number)), text)
    read = set(readings(layers))
    return keys.outputs or tuple(name for name in names if name not in read)


def _channels(source: Source, net: Net) -> int:
    """Return the channels that the first op that the input reaches as it is takes."""
    reached = {INPUT}
    for layer in net.layers:
        if not reached.intersection(layer.sources):
            continue
        if layer.kind.family == "op":
            return layer.conv.channels_in
        if layer.kind.family in _KEEPING:
            reached.add(layer.name)
    text = "no op reads the input: say how many 'channels' it has"
    raise CaseError(source.place(("layers", "<key>")), text)


def _extents(
    net: Net, shape: Shape, depth: int, given: Mapping[str, GivenLayer]
) -> dict[str, Extents]:
    """Return how large all activations are. Raises CaseError at the layer that does not fit."""
    rows, length, channels = shape
    try:
        return extents(net, rows, length, channels, depth)
    except ShapeError as error:
        place = given[error.layer].source.place(())
        text = f"{error.layer}, at length {length}: {error.reason}"
        raise CaseError(place, text) from None


def _deep(layer: Layer, sizes: Mapping[str, Extents]) -> Layer:
    """Return a layer that knows the depth of its input, where it is an op."""
    if layer.kind.family != "op":
        return layer
    return layer._replace(settings={**layer.settings, "depth": sizes[layer.sources[0]][0]})


def _others(
    given: Mapping[str, GivenLayer], net: Net, sizes: Mapping[str, Extents], folder: Path
) -> Iterator[tuple[str, ArraySpec]]:
    """Yield the arrays of layers that are no ops, by key: one value a channel, or one for all."""
    for layer in net.layers:
        if layer.kind.family == "op":
            continue
        channels = sizes[layer.sources[0]][3]
        for name in layer.arrays:
            yield array_key(layer.name, name), _array(given[layer.name], name, channels, folder)


def _array(one: GivenLayer, name: str, channels: int, folder: Path) -> ArraySpec:
    """Return an array of a layer that is no op; one number is that of all channels."""
    value = one.keys.given[name]
    if isinstance(value, int | float):
        values = (float(value),) * channels
        return ArraySpec("values", (channels,), values, place=one.source.place((name,)))
    spec = read_array(one.source, (name,), value, folder, (channels,))
    if spec.shape != (channels,):
        text = f"{name} has shape {written(spec.shape)}; expected {channels}, one value a channel"
        one.fail(name, text)
    return spec
