"""Where a convolution is computed: interpreters, runtimes, and what they say they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any

from convdiff.case.device import Device

ELSEWHERE = "elsewhere"
"""The framework of an output that someone else computed: nobody knows which."""


class Unnamed(Enum):
    """Devices that an interpreter is asked for, and that something else names."""

    THE_CASES = "those of the case"


@dataclass(frozen=True)
class Interpreter:
    """One worker process: everything that must be settled before a framework is imported."""

    framework: str
    python: str
    threads: int | None = None
    settings: tuple[tuple[str, str], ...] = ()
    label: str = ""
    """Tells interpreters apart in ids where there are several; empty for the only one."""
    devices: tuple[Device | Unnamed, ...] = field(default=(Unnamed.THE_CASES,), compare=False)
    """Asked for of it, in order."""
    requires: tuple[str, ...] = field(default=(), compare=False)
    """Requirements that its framework must meet, as in `tensorflow>=2.9`."""
    named_by: str = field(default="--python", compare=False)
    """What names its python: the option, or a file, its table and key."""

    def devices_of(self, case: Sequence[Device]) -> tuple[Device, ...]:
        """Return what is asked of it where a case has these devices, each once."""
        devices: dict[Device, None] = {}
        for device in self.devices:
            devices |= dict.fromkeys(case if device is Unnamed.THE_CASES else [device])
        return tuple(devices)

    def describe(self, device: Device | None, origin: str = "") -> str:
        """Return the runtime id, as in `tensorflow:cpu[TF_ENABLE_ONEDNN_OPTS=0,threads=2]`.

        Without a device it is what all of the interpreter's runtimes have in common.
        """
        bare, marks = self.id_parts(device, origin)
        return f"{bare}[{marks}]" if marks else bare

    def id_parts(self, device: Device | None, origin: str = "") -> tuple[str, str]:
        """Return a runtime id's framework with its device, and what stands in its brackets."""
        if self.framework == ELSEWHERE:
            return origin, ""
        marks = [f"{name}={value}" for name, value in self.settings]
        if self.label:
            marks.insert(0, f"python={self.label}")
        if self.threads:
            marks.append(f"threads={self.threads}")
        if origin:
            marks.append(f"recorded={origin}")
        where = f":{device}" if device else ""
        return f"{self.framework}{where}", ",".join(marks)


@dataclass(frozen=True)
class Runtime:
    """A device of an interpreter, here or as a recording has it."""

    interpreter: Interpreter
    device: Device
    origin: str = ""
    """The recording that its cells were read from; empty where it is asked now."""

    def __hash__(self) -> int:
        """Hash once: cells are keys by the ten thousand, and each has its runtime's hash in it."""
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.interpreter, self.device, self.origin))

    @property
    def id(self) -> str:
        """Return the runtime's id, unique within a run."""
        return self.interpreter.describe(self.device, self.origin)

    @property
    def id_parts(self) -> tuple[str, str]:
        """Return both parts of its id: before the brackets, and in them."""
        return self.interpreter.id_parts(self.device, self.origin)

    @property
    def live_id(self) -> str:
        """Return the id that it has, or had, while it could be asked."""
        return self.interpreter.describe(self.device)


@dataclass(frozen=True)
class Standing:
    """A runtime as it was found: there, with its fingerprint, or not, with the reason."""

    runtime: Runtime
    available: bool
    reason: str | None = None
    fingerprint: Mapping[str, Any] = field(default_factory=dict)
    unmet: bool = False
    """It is there, and another version than required."""

    @property
    def name(self) -> str:
        """Return its id, without a device where the framework itself is not there."""
        if self.fingerprint:
            return self.runtime.id
        return self.runtime.interpreter.describe(None, self.runtime.origin)
