"""A Keras model's configuration: which layers there are, and what each reads.

It is JSON, and stays that: Keras makes objects of it, and its `safe_mode` is no boundary
(CVE-2025-1550, CVE-2026-1462). Here a layer is a row of a table, or the file is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convdiff.net.models.limits import MOST_NODES, ModelError, check_count

SEQUENTIAL = ("Sequential",)
FUNCTIONAL = ("Functional", "Model")
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


@dataclass(frozen=True)
class KerasModel:
    """A model as the file has it."""

    layers: tuple[KerasLayer, ...]
    outputs: tuple[str, ...]

    @property
    def is_channels_first(self) -> bool:
        """Whether its data are (N, C, …)."""
        return any(layer.config.get("data_format") == "channels_first" for layer in self.layers)


def parsed_model(path: Path, config: Mapping[str, Any]) -> KerasModel:
    """Return the model that a configuration describes. Raises ModelError."""
    try:
        kind, inner = config["class_name"], config["config"]
        given = inner if isinstance(inner, list) else inner["layers"]
        check_count(str(path), "layers", len(given), MOST_NODES)
        for layer in given:
            _refuse(path, layer)
        if kind in SEQUENTIAL:
            return _sequential(given)
        if kind in FUNCTIONAL:
            return _functional(given, inner)
    except (KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise ModelError(
            f"{path}: no configuration of a Keras model: {type(error).__name__} {error}"
        ) from None
    raise ModelError(f"{path}: a {kind}; Sequential and Functional models are read")


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


def _sequential(given: Sequence[Mapping[str, Any]]) -> KerasModel:
    layers: list[KerasLayer] = []
    first = given[0]
    if first["class_name"] != "InputLayer":
        shape = first["config"].get("batch_input_shape") or first["build_config"]["input_shape"]
        config = {"batch_shape": shape, "dtype": first["config"].get("dtype")}
        layers.append(KerasLayer("input_1", "InputLayer", config, ()))
    for layer in given:
        before = (layers[-1].name,) if layers else ()
        config = layer["config"]
        layers.append(KerasLayer(str(config["name"]), layer["class_name"], config, before))
    return KerasModel(tuple(layers), (layers[-1].name,))


def _functional(given: Sequence[Mapping[str, Any]], inner: Mapping[str, Any]) -> KerasModel:
    layers = []
    for layer in given:
        name = str(layer.get("name") or layer["config"]["name"])
        sources = _sources(layer["inbound_nodes"])
        layers.append(KerasLayer(name, layer["class_name"], layer["config"], sources))
    return KerasModel(_sorted(layers), tuple(_histories(inner["output_layers"])))


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
        ready = [layer for layer in left if all(source in done for source in layer.inputs)]
        if not ready:
            raise KeyError(f"what {left[0].name} reads")
        done.update((layer.name, layer) for layer in ready)
        left = [layer for layer in left if layer.name not in done]
    return tuple(done.values())
