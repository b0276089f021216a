"""In what two runtimes differ that changes bits: version, instruction set, settings, threads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
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
        if name.startswith(tuple(NO_EFFECT)):
            continue
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
