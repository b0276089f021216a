"""In what two runtimes differ that changes bits: version, instruction set, settings, threads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Fingerprint = Mapping[str, Any]

_ISA = {
    "avx512_fp16": "AVX-512 (FP16)",
    "avx512_bf16": "AVX-512 (BF16)",
    "amx_tile": "AVX-512 (AMX)",
    "avx512f": "AVX-512",
    "avx2": "AVX2",
    "avx": "AVX",
    "sse4_2": "SSE4.2",
    "asimd": "NEON",
}
"""Best first."""


def machine_differences(
    was: Fingerprint, now: Fingerprint, names: tuple[str, str] = ("recorded with", "here")
) -> list[str]:
    """Return a sentence for each difference, as in `recorded with AVX-512, here AVX2`."""
    return [f"{names[0]} {one}, {names[1]} {other}" for one, other in _pairs(was, now)]


def _pairs(was: Fingerprint, now: Fingerprint) -> Iterator[tuple[str, str]]:
    products = [f"{side.get('framework')} {side.get('version')}" for side in (was, now)]
    yield from _unlike(*products)
    builds = [f"build {side.get('git')}" for side in (was, now)]
    if products[0] == products[1]:
        yield from _unlike(*builds)
    instructions = [_best(side) for side in (was, now)]
    yield from _unlike(*instructions)
    if instructions[0] == instructions[1]:
        yield from _unlike(*[_processors(side) for side in (was, now)])
    if None not in (was.get("onednn"), now.get("onednn")):
        yield from _unlike(*[f"oneDNN {'on' if side['onednn'] else 'off'}" for side in (was, now)])
    yield from _unlike(*[f"{side.get('threads')} threads" for side in (was, now)])
    settings = [_mapping(side, "settings") for side in (was, now)]
    for name in sorted({*settings[0], *settings[1]}):
        yield from _unlike(*[f"{name}={side.get(name, '(unset)')}" for side in settings])


def _unlike(one: str, other: str) -> Iterator[tuple[str, str]]:
    if one != other:
        yield one, other


def _best(side: Fingerprint) -> str:
    has = side.get("cpu_isa") or ()
    return next((name for isa, name in _ISA.items() if isa in has), "an unknown instruction set")


def _processors(side: Fingerprint) -> str:
    return ", ".join(str(name) for _, name in sorted(_mapping(side, "device_names").items()))


def _mapping(side: Fingerprint, key: str) -> Mapping[str, Any]:
    found = side.get(key)
    return found if isinstance(found, Mapping) else {}
