"""One layer of a net's file after the other: its name, where it reads, its geometry and arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

from convdiff.case.geometry import op_of
from convdiff.case.keys import CaseKeys
from convdiff.case.model import ArraySpec
from convdiff.case.moves import PLAIN, moves_of, steps
from convdiff.case.net_keys import LayerKeys
from convdiff.case.yaml_source import Source
from convdiff.errors import CaseError, CaseErrors, Place, meant
from convdiff.worker.ops import OPS
from convdiff.worker.ops.net import INPUT, KINDS, Layer


@dataclass(frozen=True)
class GivenLayer:
    """One layer as the file gives it, and the part of the file that it stands in."""

    keys: LayerKeys
    name: str
    source: Source
    """The layer's settings; its places are those of the layer's keys."""

    def fail(self, key: str, message: str) -> NoReturn:
        """Raise CaseError at one of its keys."""
        raise CaseError(self.source.place((key,)), f"{self.name}: {message}")


@dataclass(frozen=True)
class Around:
    """What all layers of a net share."""

    keys: CaseKeys
    rank: int
    folder: Path

    @property
    def plain(self) -> str:
        """The op that moves as the net's pools do."""
        return f"conv{self.rank}d"

    @property
    def axes(self) -> int:
        """How many spatial axes a filter has behind the reader."""
        return max(2, self.rank)


@dataclass
class _Reading:
    """What was read so far."""

    layers: dict[str, Layer] = field(default_factory=dict)
    specs: dict[str, ArraySpec] = field(default_factory=dict)
    """Of the ops; other layers' arrays wait for the shapes of what they meet."""


def given_layers(source: Source, layers: Sequence[LayerKeys]) -> list[GivenLayer]:
    """Return the layers with their names: their own, or their kind and number, as in conv2d_9.

    Raises CaseError for names that stand twice.
    """
    places = _by_layer(source)
    counts: dict[str, int] = {}
    given: dict[str, GivenLayer] = {}
    errors = CaseErrors()
    for number, keys in enumerate(layers):
        counts[keys.op] = counts.get(keys.op, 0) + 1
        name = keys.name or f"{keys.op}_{counts[keys.op]}"
        one = GivenLayer(keys, name, _settings(source, number, places.get(number, {})))
        if not name.isprintable():
            errors.add(CaseError(one.source.place(("name",)), "'name' holds control characters"))
        if name in given or name == INPUT:
            place = one.source.place(("name",))
            errors.add(CaseError(place, f"the name {name!r} is taken; give another 'name'"))
        given[name] = one
    errors.refuse()
    return list(given.values())


def rank_of(given: Iterable[GivenLayer]) -> int:
    """Return how many spatial axes the ops have. Raises CaseError where they are of several."""
    first: GivenLayer | None = None
    for one in given:
        if KINDS[one.keys.op].family != "op" or one.keys.op in PLAIN:
            continue
        first = first or one
        rank = OPS[one.keys.op]
        if rank != OPS[first.keys.op]:
            one.fail("<key>", f"{rank} spatial axes, but {first.name} has {OPS[first.keys.op]}")
    return OPS[first.keys.op] if first else 2


def layers_of(
    given: Iterable[GivenLayer], around: Around
) -> tuple[tuple[Layer, ...], dict[str, ArraySpec]]:
    """Return all layers, and the arrays of those that are ops. Raises CaseError for all faults."""
    reading, errors, before = _Reading(), CaseErrors(), INPUT
    for one in given:
        with errors.gathering():
            reading.layers[one.name] = _layer(one, before, reading, around)
        before = one.name
        if one.name not in reading.layers:  # those that read it would be told, too
            break
    errors.refuse()
    return tuple(reading.layers.values()), reading.specs


def array_key(layer: str, array: str) -> str:
    """Return the key of a layer's array."""
    return f"{layer}/{array}"


def _layer(one: GivenLayer, before: str, reading: _Reading, around: Around) -> Layer:
    sources = _sources(one, before, reading.layers)
    if KINDS[one.keys.op].family != "op":
        arrays = {name: array_key(one.name, name) for name in _arrays_given(one)}
        return Layer(one.name, one.keys.op, sources, _settings_of(one, around), arrays)
    given = dict(one.keys.given)
    keys = replace(around.keys, op=one.keys.op, channels=None, **given)
    conv, weights, bias = op_of(one.source, keys, around.folder)
    specs = {"filter": weights}
    if bias is not None:
        specs["bias"] = bias
    arrays = {name: array_key(one.name, name) for name in specs}
    reading.specs |= {arrays[name]: spec for name, spec in specs.items()}
    return Layer(one.name, one.keys.op, sources, dict(conv._asdict()), arrays)


def _arrays_given(one: GivenLayer) -> list[str]:
    return [name for name in KINDS[one.keys.op].arrays if name in one.keys.given]


def _sources(one: GivenLayer, before: str, known: Mapping[str, Layer]) -> tuple[str, ...]:
    """Return what a layer reads. Raises CaseError for what is not there, and for too few."""
    sources = one.keys.sources or (before,)
    for name in sources:
        if name != INPUT and name not in known:
            hint = meant(name, [INPUT, *known])
            one.fail("from", f"reads {name!r}, and no layer before it is called so{hint}")
    joins = KINDS[one.keys.op].family == "join"
    if not joins and len(sources) > 1:
        one.fail("from", f"{one.keys.op} reads one layer; found {len(sources)}")
    if joins and len(sources) < 2 and "constant" not in one.keys.given:
        constant = ", or a 'constant'" if KINDS[one.keys.op].arrays else ""
        one.fail("from", f"{one.keys.op} reads two layers or more, from: [a, b]{constant}")
    return sources


def _settings_of(one: GivenLayer, around: Around) -> dict[str, Any]:
    """Return all settings of a layer that is no op, those that move an entry an axis."""
    kind, given = KINDS[one.keys.op], one.keys.given
    settings = {name: given.get(name, default) for name, default in kind.settings}
    if "order" in settings and "order" not in given and around.keys.layout == "nchw":
        settings["order"] = "chw"
    if "shape" in settings:
        settings["shape"] = _shape(one, around)
    if "padding" in settings:
        settings |= _moves(one, around, settings)
    return settings


def _moves(one: GivenLayer, around: Around, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return size, strides, dilations and padding with an entry for each axis, as far as it has."""
    given = {key: one.keys.given[key] for key in ("strides", "dilations") if key in one.keys.given}
    keys = replace(around.keys, op=around.plain, padding=settings["padding"], **given)
    moves = moves_of(one.source, keys, around.axes)
    ones = (1,) * around.axes
    held = {name: moves[name] for name in given}
    held["padding"] = moves["padding"]
    if "size" in settings:
        held["size"] = steps(one.source, keys, "size", settings["size"], ones)
    elif held["padding"] == "valid":  # a layer that pads by nothing
        held["padding"] = ((0, 0),) * around.axes
    return held


def _shape(one: GivenLayer, around: Around) -> tuple[int, ...]:
    """Return the (rows, length, channels) that a reshape gives, as the file's axes lie."""
    from convdiff.case.layout import layout_of

    order = layout_of(around.keys.layout, around.plain).input
    axes = order.name.replace("N", "")
    given = one.keys.given["shape"]
    if len(given) == 1:  # what a dense layer reads
        return (1, 1, *given)
    if len(given) != len(axes):
        one.fail("shape", f"{len(given)} numbers; expected {axes}, {len(axes)} numbers, or 1")
    return order.turned((1, *given))[1:]


def _by_layer(source: Source) -> dict[int, dict[Any, Place]]:
    """Return the places of each layer's settings, by the layer's number."""
    places: dict[int, dict[Any, Place]] = {}
    for path, place in source.places.items():
        if path[:1] != ("layers",) or not isinstance(path[-1 if len(path) < 2 else 1], int):
            continue
        mine = places.setdefault(int(path[1]), {})
        if len(path) == 2:
            mine[()] = place
        elif path[3:] == ("<key>",):
            mine["<key>",] = place
        elif len(path) > 3:
            mine[path[3:]] = place
    return places


def _settings(source: Source, number: int, places: Mapping[Any, Place]) -> Source:
    """Return the part of a file that is one layer's settings."""
    value = source.value["layers"][number]
    settings = next(iter(value.values())) if isinstance(value, dict) else None
    return Source(source.file, settings or {}, dict(places))


def readings(layers: Iterable[Layer]) -> Iterator[str]:
    """Yield all names that layers read."""
    for layer in layers:
        yield from layer.sources
