"""A runtime in a line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from convdiff.case.device import Device
from convdiff.case.words import given, one_or_many
from convdiff.runtime.model import ELSEWHERE, Standing


def fingerprint(standing: Standing) -> str:
    """Describe a runtime in one line."""
    says = standing.fingerprint
    if not standing.available:
        return f"untested: {standing.reason}"
    if standing.runtime.interpreter.framework == ELSEWHERE:
        return "computed elsewhere: nothing is known of it but its bits"
    isa = next((name for name in says.get("cpu_isa", ()) if not name.startswith("fma")), "")
    cap = says.get("settings", {}).get("ONEDNN_MAX_CPU_ISA")
    parts = [
        " ".join(product(standing)),
        _onednn(says.get("onednn")),
        f"CPU {isa}{given(cap, ' capped at {}')}",
        threads(standing),
        f"Python {says.get('python')}",
    ]
    if standing.runtime.device.kind != "cpu":
        parts[2] = str(says.get("device_names", {}).get(str(standing.runtime.device.bare), ""))
    return ", ".join(filter(None, parts))


def product(standing: Standing) -> tuple[str, str]:
    """Return a framework and its version, as it says; both empty where it says nothing."""
    elsewhere = standing.runtime.interpreter.framework == ELSEWHERE
    if not standing.available or elsewhere:
        return "", ""
    return str(standing.fingerprint.get("framework")), str(standing.fingerprint.get("version"))


def threads(standing: Standing) -> str:
    """Say with how many threads a runtime runs."""
    count = standing.fingerprint.get("threads")
    return f"{count} {one_or_many(count or 0, 'thread', 'threads')}"


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
