"""A Keras model's configuration: which layers there are, and what each reads.

It is JSON, and stays that: Keras makes objects of it, and its `safe_mode` is no boundary
(CVE-2025-1550, CVE-2026-1462). Here a layer is a row of a table, or the file is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from convdiff.net.models.limits import MOST_NODES, ModelError, check_count

SEQUENTIAL = ("Sequential",)
FUNCTIONAL = ("Functional", "Model")
DEEPEST = 16
"""Models in each other."""
OWN_MODULES = ("keras", "tensorflow.keras", "tensorflow.python.keras", "tf_keras")
CODE = {
    "Lambda": "holds code of its own",
    "TFSMLayer": "loads a SavedModel",
    "TorchModuleWrapper": "holds a pickled module",
    "JaxLayer": "holds code of its own",
    "FlaxLayer": "holds code of its own",
}
"""Layers that run what the file brings."""


@dataclass(frozen=True)
class KerasLayer:
    """A layer as the file has it."""

    name: str
    kind: str
    """Its class's name."""
    config: Mapping[str, Any]
    inputs: tuple[str, ...]
    inner: KerasModel | None = None
    """Its layers, where it is a model itself."""


@dataclass(frozen=True)
class KerasModel:
    """A model as the file has it."""

    layers: tuple[KerasLayer, ...]
    """In an order in which each stands after those that it reads."""
    outputs: tuple[str, ...]
    inputs: tuple[str, ...] = ()
    """Names of its InputLayers, in the order in which it is called with them."""

    @property
    def is_channels_first(self) -> bool:
        """Whether its data are (N, C, …)."""
        return any(layer.config.get("data_format") == "channels_first" for layer in self.layers)


def parsed_model(path: Path, config: Mapping[str, Any]) -> KerasModel:
    """Return the model that a configuration describes, those within it too. Raises ModelError."""
    try:
        return _model(path, config, 0)
    except (KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise ModelError(
            f"{path}: no configuration of a Keras model: {type(error).__name__} {error}"
        ) from None


def flat(model: KerasModel) -> KerasModel:
    """Return a model with the layers of those within it in their places, named OUTER/INNER.

    Raises TypeError for a model within that has several outputs, or is called with more.
    """
    layers: list[KerasLayer] = []
    stands: dict[str, str] = {}
    for layer in model.layers:
        sources = tuple(stands.get(name, name) for name in layer.inputs)
        if layer.inner is None:
            layers.append(replace(layer, inputs=sources))
            continue
        inner = flat(layer.inner)
        if len(inner.outputs) != 1 or len(inner.inputs) != len(sources):
            raise TypeError(f"{layer.name}, a model with several outputs, or called otherwise")
        called = {one.name: f"{layer.name}/{one.name}" for one in inner.layers}
        called |= dict(zip(inner.inputs, sources, strict=True))
        for one in inner.layers:
            if one.name not in inner.inputs:
                reads = tuple(called[name] for name in one.inputs)
                layers.append(replace(one, name=called[one.name], inputs=reads))
        stands[layer.name] = called[inner.outputs[0]]
    outputs = tuple(stands.get(name, name) for name in model.outputs)
    return KerasModel(tuple(layers), outputs, model.inputs)


def _model(path: Path, config: Mapping[str, Any], depth: int) -> KerasModel:
    """Return a model; depth: how many it lies in."""
    if depth > DEEPEST:
        raise ModelError(f"{path}: models lie more than {DEEPEST} deep in each other")
    kind, inner = config["class_name"], config["config"]
    given = inner if isinstance(inner, list) else inner["layers"]
    check_count(str(path), "layers", len(given), MOST_NODES)
    for layer in given:
        _refuse(path, layer)
    if kind in SEQUENTIAL:
        return _sequential(path, given, depth)
    if kind in FUNCTIONAL:
        return _functional(path, given, inner, depth)
    raise ModelError(f"{path}: a {kind}; Sequential and Functional models are read")


def _layer(
    path: Path, layer: Mapping[str, Any], name: str, inputs: tuple[str, ...], depth: int
) -> KerasLayer:
    kind = str(layer["class_name"])
    if kind in (*SEQUENTIAL, *FUNCTIONAL):
        return KerasLayer(name, kind, {}, inputs, _model(path, layer, depth + 1))
    return KerasLayer(name, kind, layer["config"], inputs)


def _refuse(path: Path, layer: Mapping[str, Any]) -> None:
    """Raise ModelError for a layer that is code."""
    kind, name = str(layer["class_name"]), layer["config"].get("name", layer.get("name", ""))
    module = layer.get("module") or "keras"
    if kind in CODE or kind.rpartition(">")[2] in CODE:
        fault = CODE[kind.rpartition(">")[2]]
        raise ModelError(f"{path}: layer {name!r} is a {kind}: it {fault}, which is never run")
    own = any(module == known or str(module).startswith(f"{known}.") for known in OWN_MODULES)
    if not own or ">" in kind:
        raise ModelError(
            f"{path}: layer {name!r} is {module}.{kind}, which is none of Keras' own; "
            "foreign modules are never imported"
        )


def _sequential(path: Path, given: Sequence[Mapping[str, Any]], depth: int) -> KerasModel:
    layers: list[KerasLayer] = []
    first = given[0]
    if first["class_name"] != "InputLayer":
        shape = first["config"].get("batch_input_shape") or first["build_config"]["input_shape"]
        config = {"batch_shape": shape, "dtype": first["config"].get("dtype")}
        layers.append(KerasLayer("input_1", "InputLayer", config, ()))
    for layer in given:
        before = (layers[-1].name,) if layers else ()
        layers.append(_layer(path, layer, str(layer["config"]["name"]), before, depth))
    return KerasModel(tuple(layers), (layers[-1].name,), (layers[0].name,))


def _functional(
    path: Path, given: Sequence[Mapping[str, Any]], inner: Mapping[str, Any], depth: int
) -> KerasModel:
    layers = []
    for layer in given:
        name = str(layer.get("name") or layer["config"]["name"])
        sources = _sources(layer["inbound_nodes"])
        layers.append(_layer(path, layer, name, sources, depth))
    inputs, outputs = (tuple(_histories(inner[key])) for key in ("input_layers", "output_layers"))
    return KerasModel(_sorted(layers), outputs, inputs)


def _sources(nodes: Sequence[Any]) -> tuple[str, ...]:
    """Return which layers are read. Raises TypeError for a layer that is called twice."""
    if len(nodes) > 1:
        raise TypeError("a layer that is used more than once")
    if not nodes:
        return ()
    node = nodes[0]
    return tuple(_histories(node["args"] if isinstance(node, dict) else node))


def _histories(value: Any) -> list[str]:
    """Return the layers of tensors: ["name", 0, 0], or Keras 3's {"config": {…}}."""
    if isinstance(value, dict):
        return _histories(value.get("config", {}).get("keras_history", []))
    if not isinstance(value, list):
        return []
    if len(value) >= 3 and isinstance(value[0], str):
        return [value[0]]
    names = []
    for part in value:
        names += _histories(part)
    return names


def _sorted(layers: Sequence[KerasLayer]) -> tuple[KerasLayer, ...]:
    """Return layers after those that they read. Raises KeyError where there is no such order."""
    done: dict[str, KerasLayer] = {}
    left = list(layers)
    while left:
        ready = [layer for layer in left if done.keys() >= set(layer.inputs)]
        if not ready:
            raise KeyError(f"what {left[0].name} reads")
        done.update((layer.name, layer) for layer in ready)
        left = [layer for layer in left if layer.name not in done]
    return tuple(done.values())
