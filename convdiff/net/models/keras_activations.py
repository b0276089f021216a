"""Keras' activations: what each is called, and the layer that it is here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from convdiff.net.models.axes import Tensor
from convdiff.net.models.build import Building
from convdiff.net.models.model import UnreadError
from convdiff.net.models.operation import Operation

ACTIVATIONS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "relu": ("relu", {}),
    "relu6": ("relu6", {}),
    "leaky_relu": ("leaky_relu", {"alpha": 0.2}),
    "elu": ("elu", {}),
    "selu": ("selu", {}),
    "gelu": ("gelu", {}),
    "silu": ("silu", {}),
    "swish": ("silu", {}),
    "hard_sigmoid": ("hard_sigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "hard_silu": ("hard_swish", {}),
    "hard_swish": ("hard_swish", {}),
    "softplus": ("softplus", {}),
    "softsign": ("softsign", {}),
    "sigmoid": ("sigmoid", {}),
    "tanh": ("tanh", {}),
    "exponential": ("exp", {}),
}
"""Keras 3's; keras.io/api/layers/activations."""


def activated(building: Building, node: Operation, x: Tensor, name: str = "") -> Tensor:
    """Add the activation that a layer has, by this name or one of its own; return x without one.

    Raises UnreadError for one that is not Keras' own.
    """
    given = node.attributes.get("activation")
    if isinstance(given, dict):
        inner = given.get("config")
        given = inner if isinstance(inner, str) else given.get("class_name")
    if given in (None, "linear"):
        return x
    name = name or f"{node.name}.{given}"
    if given == "softmax":
        return building.softmax(name, x, -1)
    if given not in ACTIVATIONS:
        raise UnreadError(f"activation {given}")
    op, settings = ACTIVATIONS[given]
    return building.same(name, op, x, **settings)
