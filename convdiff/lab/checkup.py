"""What an interpreter can do: its framework, devices and ISA, asked of the framework itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from convdiff.lab.availability import remedy
from convdiff.lab.pool import Job, Pool
from convdiff.plan.cell import NoBits
from convdiff.runtime.model import Interpreter
from convdiff.worker.ops.convolution import Convolution

NO_ONEDNN = "not in this version"


@dataclass(frozen=True)
class Checkup:
    """What an interpreter can do, as (name, value) rows."""

    usable: bool
    rows: tuple[tuple[str, str], ...]


def check(pool: Pool, interpreter: Interpreter) -> Checkup:
    """Ask one interpreter for its fingerprint, and oneDNN for the instruction set it chose."""
    fingerprint = pool.fingerprint(interpreter)
    if isinstance(fingerprint, NoBits):
        return Checkup(False, (("absent", fingerprint.reason + remedy(interpreter, fingerprint)),))
    rows = [(name, describe(fingerprint)) for name, describe in ROWS.items()]
    rows.insert(-1, ("oneDNN", _onednn(pool, interpreter, fingerprint)))
    return Checkup(True, tuple((name, value) for name, value in rows if value))


Says = dict[str, Any]
"""What a framework says of itself."""


def _version(says: Says) -> str:
    platform = f"CUDA {says['cuda']}" if says["cuda"] else "CPU"
    return f"{says['version']} ({says['git']}; compiler {says['compiler']}, {platform})"


def _devices(says: Says) -> str:
    names = says["device_names"]
    return ", ".join(f"{device} ({names.get(device, '')})" for device in says["devices"])


def _unused(says: Says) -> str:
    missing = " ".join(says["isa_not_compiled_in"])
    return f"its own kernels lack {missing}" if missing else ""


def _settings(says: Says) -> str:
    return ", ".join(f"{name}={value}" for name, value in says["settings"].items()) or "none"


ROWS: dict[str, Callable[[Says], str]] = {
    "version": _version,
    "python": lambda says: f"{says['python']}, NumPy {says['numpy']}, {says['mode']} mode",
    "devices": _devices,
    "processor": lambda says: f"{says['cores']} cores, {' '.join(says['cpu_isa'])}",
    "unused": _unused,
    "threads": lambda says: str(says["threads"]),
    "settings": _settings,
}
"""The rows of a checkup by name; one without text is left out."""


def _onednn(pool: Pool, interpreter: Interpreter, fingerprint: dict[str, Any]) -> str:
    if not fingerprint["onednn"]:
        return {None: NO_ONEDNN, False: "off"}[fingerprint["onednn"]]
    import numpy as np

    talking = replace(interpreter, settings=(*interpreter.settings, ("ONEDNN_VERBOSE", "1")))
    conv = Convolution((1, 1), 1, 1)
    cell = {"op": conv.op, "device": "cpu", "x": "x", "w": "x", "b": None, "length": 1, "batch": 1}
    job = Job(talking, conv._asdict(), {"x": np.ones((1, 1, 1, 1), np.float32)}, [cell])
    for _ in pool.observe([job]):
        pass
    lines = re.findall(r"onednn_verbose.*?info,(?:oneDNN (v\S+)|cpu,isa:(.*))", pool.log(talking))
    parts = [version or isa.strip() for version, isa in lines]
    return "on, " + ", ".join(dict.fromkeys(parts)) if parts else "on"
