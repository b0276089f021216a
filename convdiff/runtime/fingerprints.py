"""In what two runtimes differ that changes bits: version, instruction set, settings, threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
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

NO_EFFECT = {
    "TF_CPP_": "what TensorFlow logs",
    "ONEDNN_VERBOSE": "what oneDNN logs",
    "ONEDNN_JIT_DUMP": "whether oneDNN writes its kernels to files",
    "ONEDNN_JIT_PROFILE": "what profilers are told of oneDNN's kernels",
    "DNNL_VERBOSE": "what oneDNN logs, under its older name",
    "DNNL_JIT_DUMP": "whether oneDNN writes its kernels to files",
    "DNNL_JIT_PROFILE": "what profilers are told of oneDNN's kernels",
    "MKL_VERBOSE": "what MKL logs, and where to",
    "KMP_SETTINGS": "whether OpenMP prints its settings",
    "KMP_VERSION": "whether OpenMP prints its version",
    "KMP_WARNINGS": "whether OpenMP warns",
    "OMP_DISPLAY_": "whether OpenMP prints its settings and where its threads are",
    "OMP_AFFINITY_FORMAT": "how OpenMP prints where its threads are",
    "CUBLAS_LOG": "what cuBLAS logs, and where to",
    "CUDA_CACHE_": "where and how long compiled kernels are kept",
    "CUDA_DEVICE_ORDER": "how GPUs are numbered; each one's name is compared instead",
    "CUDA_VISIBLE_DEVICES": "which GPUs there are; each one's name is compared instead",
}
"""Beginnings of variables that change no number, and what they change."""


def in_modes(fingerprint: Fingerprint, modes: Iterable[str]) -> Fingerprint:
    """Return what a framework says it is in these execution modes, each of which may change it."""
    changed = dict(fingerprint)
    by_mode = changed.pop("by_mode", {})
    for mode in modes:
        changed.update(by_mode.get(mode, {}))
    return changed


def machine_differences(
    was: Fingerprint, now: Fingerprint, names: tuple[str, str] = ("recorded with", "here")
) -> list[str]:
    """Return a sentence for each difference, as in `recorded with AVX-512, here AVX2`."""
    return [f"{names[0]} {one}, {names[1]} {other}" for one, other in _pairs(was, now)]


def _pairs(was: Fingerprint, now: Fingerprint) -> Iterator[tuple[str, str]]:
    """Yield what differs, said of both sides; a detail only where what it is of is the same."""
    products = _unlike(was, now, lambda side: f"{side.get('framework')} {side.get('version')}")
    yield from products or _unlike(was, now, lambda side: f"build {side.get('git')}")
    yield from _unlike(was, now, _best) or _unlike(was, now, _processors)
    if None not in (was.get("onednn"), now.get("onednn")):
        yield from _unlike(was, now, _onednn)
    yield from _unlike(was, now, lambda side: f"{side.get('threads')} threads")
    names = {*_mapping(was, "settings"), *_mapping(now, "settings")}
    for name in sorted(names):
        if not name.startswith(tuple(NO_EFFECT)):
            yield from _unlike(was, now, partial(_setting, name=name))


def _onednn(side: Fingerprint) -> str:
    return f"oneDNN {'on' if side['onednn'] else 'off'}"


def _setting(side: Fingerprint, name: str) -> str:
    return f"{name}={_mapping(side, 'settings').get(name, '(unset)')}"


def _unlike(
    was: Fingerprint, now: Fingerprint, describe: Callable[[Fingerprint], str]
) -> list[tuple[str, str]]:
    """Return both descriptions where they differ, else nothing."""
    one, other = describe(was), describe(now)
    return [(one, other)] if one != other else []


def _best(side: Fingerprint) -> str:
    has = side.get("cpu_isa") or ()
    return next((name for isa, name in _ISA.items() if isa in has), "an unknown instruction set")


def _processors(side: Fingerprint) -> str:
    return ", ".join(str(name) for _, name in sorted(_mapping(side, "device_names").items()))


def _mapping(side: Fingerprint, key: str) -> Mapping[str, Any]:
    value = side.get(key)
    return value if isinstance(value, Mapping) else {}
