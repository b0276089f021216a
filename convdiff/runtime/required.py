"""Interpreters of environments that are made for a requirement, as in `tensorflow==2.12.*`."""

from __future__ import annotations

from collections.abc import Sequence

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from convdiff.errors import ConvdiffError, meant
from convdiff.runtime.environments import (
    Tell,
    cache_folder,
    candidates,
    environments,
    key_of,
    made,
)
from convdiff.runtime.model import Interpreter

FRAMEWORKS = {
    "tensorflow": "tensorflow",
    "tensorflow-cpu": "tensorflow",
    "torch": "torch",
    "jax": "jax",
    "onnxruntime": "onnxruntime",
    "openvino": "openvino",
    "ai-edge-litert": "tflite",
    "numpy": "numpy",
}
"""Packages, and the frameworks that they bring."""
COMPANIONS = {"onnxruntime": ("onnx",)}
"""What a framework's worker needs besides."""


def framework_of(text: str) -> str:
    """Return the framework of a requirement. Raises ConvdiffError for what is none."""
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise ConvdiffError(f"--requires {text}: {str(error).splitlines()[0]}") from None
    name = canonicalize_name(requirement.name)
    if name not in FRAMEWORKS:
        hint = meant(name, FRAMEWORKS)
        raise ConvdiffError(
            f"--requires {text}: no framework; there is {', '.join(FRAMEWORKS)}{hint}"
        )
    if requirement.url or requirement.marker:
        raise ConvdiffError(f"--requires {text}: a release alone, no address and no condition")
    return FRAMEWORKS[name]


def is_made(text: str, newest: str) -> bool:
    """Return whether the environment of a requirement is there already."""
    key = key_of(_asked(text), newest)
    return any(one.key == key for one in environments(cache_folder()))


def _asked(text: str) -> list[str]:
    """Return what is installed for a requirement."""
    return [text, *COMPANIONS.get(framework_of(text), ())]


def required(
    requires: Sequence[str], threads: Sequence[int], newest: str, tell: Tell
) -> list[Interpreter]:
    """Return an interpreter for each requirement and thread count, its environment made.

    Raises ConvdiffError for what is no framework, NoEnvironmentError for what can't be made.
    """
    frameworks = [framework_of(text) for text in requires]
    interpreters, pythons = [], candidates()
    for text, framework in zip(requires, frameworks, strict=True):
        needs = text.replace("-cpu", "") if framework == "tensorflow" else text
        environment = made(_asked(text), cache_folder(), pythons, newest, tell)
        for count in threads or [None]:  # type: ignore[list-item]
            label = Requirement(text).specifier or "newest"
            interpreters.append(
                Interpreter(
                    framework,
                    environment.python,
                    count,
                    label=str(label).removeprefix("=="),
                    requires=(needs,),
                    named_by="--requires",
                )
            )
    return interpreters
