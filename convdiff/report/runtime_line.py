"""A runtime in a line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from convdiff.case.device import Device
from convdiff.runtime.model import ELSEWHERE, Standing


def fingerprint(standing: Standing) -> str:
    """Describe a runtime in one line."""
    seen = standing.fingerprint
    if not standing.available:
        return f"untested: {standing.reason}"
    if standing.runtime.interpreter.framework == ELSEWHERE:
        return "computed elsewhere: nothing is known of it but its bits"
    isa = next((name for name in seen.get("cpu_isa", ()) if not name.startswith("fma")), "")
    cap = seen.get("settings", {}).get("ONEDNN_MAX_CPU_ISA")
    parts = [
        f"{seen.get('framework')} {seen.get('version')}",
        _onednn(seen.get("onednn")),
        f"CPU {isa}" + (f" capped at {cap}" if cap else ""),
        f"{seen.get('threads')} thread" + ("s" if seen.get("threads") != 1 else ""),
        f"Python {seen.get('python')}",
    ]
    if standing.runtime.device.kind != "cpu":
        parts[2] = str(seen.get("device_names", {}).get(str(standing.runtime.device.bare), ""))
    return ", ".join(part for part in parts if part)


def _onednn(on: Any) -> str:
    """Say whether oneDNN is in use; nothing where the framework does not say."""
    if on is None:
        return ""
    return "oneDNN on" if on else "oneDNN off"


def is_asked(standing: Standing, devices: Iterable[Device]) -> bool:
    """Return whether a runtime was asked for by a case of these devices, or by name."""
    runtime = standing.runtime
    by_case = runtime.device.of_any_index in {device.of_any_index for device in devices}
    return by_case or runtime.device in runtime.interpreter.devices
