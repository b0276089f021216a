"""What the processor and the environment say, for a fingerprint. Runs on Python 3.6."""

import os
import platform
from typing import Any, Dict, Optional

import numpy as np

SETTINGS = (
    "TF_",
    "ATEN_",
    "ONEDNN_",
    "DNNL_",
    "OMP_",
    "MKL_",
    "KMP_",
    "XLA_",
    "CUDA_",
    "CUBLAS_",
    "NVIDIA_TF32",
)
FOREIGN = ("TF_CLI_", "TF_VAR_", "TF_LOG", "TF_TOKEN")
"""Terraform's, which shares TensorFlow's prefix; some of it is secret."""
PLACES = ("_PATH", "_HOME", "_DIR", "_ROOT")
"""Ends of names that say where things lie, which changes no bit."""
_ISA = (
    "avx512_fp16",
    "avx512_bf16",
    "amx_tile",
    "avx512f",
    "avx2",
    "fma",
    "avx",
    "sse4_2",
    "asimd",
)


def settings() -> Dict[str, str]:
    """Return the environment variables that change what a framework computes."""
    return {
        name: value
        for name, value in sorted(os.environ.items())
        if name.startswith(SETTINGS) and not name.startswith(FOREIGN) and not name.endswith(PLACES)
    }


def processor() -> Dict[str, Any]:
    """Return the processor's model and the instruction sets that matter to a convolution."""
    model = platform.processor() or platform.machine()
    flags = []
    try:
        with open("/proc/cpuinfo") as stream:
            for line in stream:
                key, _, value = line.partition(":")
                if key.strip() == "model name":
                    model = value.strip()
                elif key.strip() in ("flags", "Features"):
                    flags = value.split()
                    break
    except OSError:  # not every system has it
        pass
    return {"model": model, "isa": [name for name in _ISA if name in flags]}


def fingerprint(
    framework: str, version: str, gpu_names: Dict[str, str], threads: Optional[int], **more: Any
) -> Dict[str, Any]:
    """Return what every framework says of itself; `more` is what only this one can say."""
    cpu = processor()
    common = {
        "framework": framework,
        "version": version,
        "devices": ["cpu"] + sorted(gpu_names),
        "device_names": dict(gpu_names, cpu=cpu["model"]),
        "modes": [],
        "by_mode": {},  # what a mode changes of all this, as {"mkldnn_off": {"onednn": False}}
        "mode": "eager",
        "cpu_isa": cpu["isa"],
        "isa_not_compiled_in": [],
        "threads": threads or os.cpu_count(),
        "cores": os.cpu_count(),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "settings": settings(),
        "compiler": None,
        "git": None,
        "cuda": None,
        "onednn": None,
        "tf32": None,
    }  # type: Dict[str, Any]
    return dict(common, **more)


def own_log() -> str:
    """Return what this process wrote to stderr so far, where stderr is a file."""
    try:
        return os.pread(2, 1 << 20, 0).decode("utf-8", "replace")
    except (OSError, AttributeError):  # a pipe, or a system without pread
        return ""
