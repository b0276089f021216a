"""Where a convolution is computed: interpreters, runtimes, and what they say they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Interpreter:
    """One worker process: everything that must be settled before a framework is imported."""

    framework: str
    python: str
    threads: int | None = None
    settings: tuple[tuple[str, str], ...] = ()
    label: str = ""
    """Tells interpreters apart in ids where there are several; empty for the only one."""
    devices: tuple[str, ...] = field(default=(), compare=False)
    """Asked for by name; an empty one stands for those of the case, and so does having none."""
    requires: tuple[str, ...] = field(default=(), compare=False)
    """Requirements that its framework must meet, as in `tensorflow>=2.9`."""

    def describe(self, device: str, origin: str = "") -> str:
        """Return the runtime id, as in `tensorflow:cpu[TF_ENABLE_ONEDNN_OPTS=0,threads=2]`."""
        marks = [f"python={self.label}"] if self.label else []
        marks += [f"{name}={value}" for name, value in self.settings]
        marks += [f"threads={self.threads}"] if self.threads else []
        marks += [f"recorded={origin}"] if origin else []
        suffix = f"[{','.join(marks)}]" if marks else ""
        return f"{self.framework}:{device}{suffix}"


@dataclass(frozen=True)
class Runtime:
    """A device of an interpreter, here or as a recording has it."""

    interpreter: Interpreter
    device: str
    origin: str = ""
    """The recording that its cells were read from; empty where it is asked now."""

    @property
    def place(self) -> str:
        """Return the device without its execution modes: gpu:0 of gpu:0+xla."""
        return self.device.partition("+")[0]

    @property
    def modes(self) -> tuple[str, ...]:
        """Return the execution modes: channels_last of cpu+channels_last."""
        return tuple(self.device.split("+")[1:])

    @property
    def id(self) -> str:
        """Return the runtime's id, unique within a run."""
        return self.interpreter.describe(self.device, self.origin)

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
