""".keras and .h5: a JSON text beside arrays. Keras is not imported."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from convdiff.net.models.archive import Archive, parsed
from convdiff.net.models.axes import FIRST, LAST
from convdiff.net.models.build import DTYPES, Building
from convdiff.net.models.built import built
from convdiff.net.models.hdf5 import Hdf5
from convdiff.net.models.keras_config import KerasLayer, KerasModel, flat, parsed_model
from convdiff.net.models.keras_layers import LAYERS
from convdiff.net.models.limits import (
    MOST_MEMBERS,
    MOST_NODES,
    Budget,
    ModelError,
    check_count,
    checked_shape,
)
from convdiff.net.models.model import Array, Model, UnreadError
from convdiff.net.models.operation import Operation

WEIGHTS = "model.weights.h5"
Weights = Mapping[str, list[Array]]
"""By layer, in Keras' order."""


def read_keras(path: Path, nominal: int) -> Model:
    """Return the layers of a .keras file; see `Building.nominal`. Raises ModelError."""
    archive = Archive(path)
    model = parsed_model(path, archive.json("config.json"))
    pickled = [name for name in archive.names if Path(name).suffix in (".pkl", ".pickle", ".npy")]
    if pickled:
        raise ModelError(f"{path}: holds {pickled[0]}; nothing is unpickled")
    content = io.BytesIO(archive.read(WEIGHTS))
    with Hdf5(path, content, Budget(str(path))) as file:
        building = _building(model, file, nominal)
        return _model(building, "keras", model, _variables(file, model))


def read_h5(path: Path, nominal: int) -> Model:
    """Return the layers of an .h5 file that Keras wrote whole; see `Building.nominal`.

    Raises ModelError.
    """
    with Hdf5(path, None, Budget(str(path))) as file:
        text = file.text(file.root, "model_config")
        model = parsed_model(path, parsed(path, "model_config", text))
        building = _building(model, file, nominal)
        return _model(building, "h5", model, _named_weights(file, model))


def _building(model: KerasModel, file: Hdf5, nominal: int) -> Building:
    axes = FIRST if model.is_channels_first else LAST
    return Building(axes, budget=file.budget, nominal=nominal)


def _model(building: Building, kind: str, model: KerasModel, weights: Weights) -> Model:
    model = _flat(building.budget.file, model)
    inputs = [layer for layer in model.layers if layer.kind == "InputLayer"]
    names = [layer.name for layer in inputs]
    building.begin(partial(_feed, building, inputs, model), names)
    rest = [layer for layer in model.layers if layer.kind != "InputLayer"]
    operations = [_operation(layer, weights) for layer in rest]
    return built(building, kind, operations, LAYERS, names, model.outputs)


def _flat(file: str, model: KerasModel) -> KerasModel:
    """Return a model without models in it. Raises ModelError."""
    try:
        made = flat(model)
    except (TypeError, KeyError, RecursionError) as error:
        raise ModelError(f"{file}: a model within the model is not read: {error}") from None
    check_count(file, "layers", len(made.layers), MOST_NODES)
    return made


def _feed(building: Building, inputs: list[KerasLayer], model: KerasModel) -> str:
    if not inputs:
        raise UnreadError("there is none")
    dtypes = {_dtype(layer) for layer in model.layers} - {""}
    if len(dtypes) != 1 or not dtypes <= set(DTYPES):
        raise UnreadError(f"layers of {' and '.join(sorted(dtypes))}")
    building.dtype = dtypes.pop()
    config = inputs[0].config
    shape = config.get("batch_shape") or config.get("batch_input_shape")
    if not isinstance(shape, list):
        raise UnreadError("its shape is open")
    closed = [1 if extent is None else extent for extent in shape]
    checked_shape(building.budget.file, inputs[0].name, closed)
    return building.feed_open(inputs[0].name, shape)


def _dtype(layer: KerasLayer) -> str:
    policy = layer.config.get("dtype")
    if isinstance(policy, dict):
        policy = policy.get("config", {}).get("name")
    return policy if isinstance(policy, str) else ""


def _operation(layer: KerasLayer, weights: Weights) -> Operation:
    held = {**layer.config, "weights": weights.get(layer.name, [])}
    return Operation(layer.name, layer.kind, layer.inputs, (layer.name,), held)


def _variables(file: Hdf5, model: KerasModel) -> Weights:
    """Return the arrays of Keras 3: layers/…/vars/0, by the name that stands there.

    Before it stood there, the groups were called by class, in the order of the layers.
    """
    return dict(_variables_at(file, model, ("layers",), ""))


def _variables_at(
    file: Hdf5, model: KerasModel, at: tuple[str, ...], before: str
) -> Iterator[tuple[str, list[Array]]]:
    """Yield the arrays of a model's layers, and of the models in it; before: what it is called."""
    root = file.group(*at)
    names = [] if root is None else list(root)
    check_count(str(file.path), "groups", len(names), MOST_MEMBERS)
    by_class = _called_by_class(model)
    within = {layer.name: layer.inner for layer in model.layers if layer.inner is not None}
    for name in names:
        group = file.group(*at, name, "vars")
        if group is None:
            continue
        layer = by_class.get(name, name)
        if "name" in group.attrs:
            layer = file.text(group, "name")
        numbers = sorted((key for key in group if key.isdigit()), key=int)
        yield f"{before}{layer}", [file.array(group, number) for number in numbers]
        if layer in within:
            inside = (*at, name, "layers")
            yield from _variables_at(file, within[layer], inside, f"{before}{layer}/")


def _called_by_class(model: KerasModel) -> dict[str, str]:
    counts: dict[str, int] = {}
    called = {}
    for layer in model.layers:
        parted = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", layer.kind)
        snake = re.sub(r"([a-z])([A-Z])", r"\1_\2", parted).lower()
        number = counts.get(snake, 0)
        counts[snake] = number + 1
        called[f"{snake}_{number}" if number else snake] = layer.name
    return called


def _named_weights(file: Hdf5, model: KerasModel) -> Weights:
    """Return the arrays of an .h5 file: model_weights/LAYER, named there in order."""
    weights = {}
    for layer in model.layers:
        group = file.group("model_weights", layer.name)
        if group is None or not group.attrs:
            continue
        names = file.texts(group, "weight_names")
        if layer.inner is None:
            weights[layer.name] = [file.array(group, name) for name in names]
            continue
        for name, within in _own_weights(str(file.path), layer.inner, names).items():
            weights[f"{layer.name}/{name}"] = [file.array(group, one) for one in within]
    return weights


def _own_weights(file: str, model: KerasModel, weights: Sequence[str]) -> dict[str, list[str]]:
    """Return which weights each layer of a model within the model has. Raises ModelError."""
    layers = [layer.name for layer in _flat(file, model).layers]
    short = [name.rpartition("/")[2] for name in layers]
    twice = sorted({name for name in short if short.count(name) > 1})
    if twice:
        raise ModelError(f"{file}: two layers called {twice[0]!r} in one: whose weights are whose?")
    whole = dict(zip(short, layers, strict=True))
    held: dict[str, list[str]] = {name: [] for name in layers}
    for one in weights:
        if _layer_of(one) in whole:
            held[whole[_layer_of(one)]].append(one)
    return held


def _layer_of(weight: str) -> str:
    """Return which layer a weight is of: outer/LAYER/kernel:0."""
    return weight.rpartition("/")[0].rpartition("/")[2]
