"""Which of the runtimes that are asked for are there, and why the others are not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from convdiff.runtime.model import Interpreter, Runtime, Standing
from convdiff.runtime.pool import Failure, Pool


def stand(
    interpreters: Sequence[Interpreter], devices: Sequence[str], pool: Pool
) -> Iterator[Standing]:
    """Yield how each (interpreter, device) stands; `gpu` is every GPU that is visible.

    Waits for the frameworks to be imported. Raises NotPythonError.
    """
    for interpreter in interpreters:
        found = pool.fingerprint(interpreter)
        for wanted in devices:
            if isinstance(found, Failure):
                reason = found.reason + remedy(interpreter, found)
                yield Standing(Runtime(interpreter, wanted), False, reason)
                continue
            seen = [d for d in found["devices"] if d == wanted or d.split(":")[0] == wanted]
            for device in seen:
                yield Standing(Runtime(interpreter, device), True, None, found)
            if not seen:
                yield Standing(Runtime(interpreter, wanted), False, _absence(found, wanted), found)


def remedy(interpreter: Interpreter, failure: Failure) -> str:
    """Return what to install, as a suffix, where the framework itself is not there."""
    if f"No module named '{interpreter.framework}'" not in failure.reason:
        return ""
    return f"; install it there: pip install 'convdiff[{interpreter.framework}]'"


def _absence(found: Mapping[str, Any], device: str) -> str:
    name = f"{found['framework']} {found['version']}"
    if found.get("cuda") is None and device.startswith("gpu"):
        return f"{name} is a CPU build and sees no {device}"
    return f"{name} sees no {device}; it has {', '.join(found['devices'])}"
