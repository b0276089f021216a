"""The table of switches: what may make results equal, and what people try first that does not.

A new one is a row. Whether it works is never said here: `convdiff cure` tries it on the case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

from packaging.specifiers import SpecifierSet

Scope = Literal["run-to-run", "length", "batch", "threads", "device"]
"""Across what a switch holds bits equal where it works."""

PAD_LENGTH, PAD_BATCH, ONE_THREAD = "pad the length", "pad the batch", "one thread"
TENSORFLOW = "TensorFlow API: tf.config"
TORCH = "PyTorch documentation"
ONEDNN = "oneDNN Developer Guide"
MKL_GUIDE = "oneMKL Developer Guide, Numerical Reproducibility"
CUBLAS = "cuBLAS documentation"
ONEDNN_IN_TF = "TensorFlow release notes, 2.5 and 2.9"


@dataclass(frozen=True)
class Switch:
    """One thing that may be set."""

    name: str
    does: str
    scope: Scope
    source: str
    framework: str = ""
    """Empty for all."""
    env: tuple[tuple[str, str], ...] = ()
    threads: int = 0
    mode: str = ""
    """One of the framework's execution modes, as devices have them."""
    pads: Literal["", "length", "batch"] = ""
    lines: tuple[str, ...] = ()
    """Python that sets it where no variable does."""
    versions: str = ""
    """Of the framework, as requirements have them; empty for all."""
    device: Literal["", "gpu"] = ""
    """Where alone it may matter; empty for everywhere."""
    pairs: tuple[str, ...] = ()
    """Switches with which it is tried together."""
    slot: str = ""
    """Of switches that exclude each other only one can be set; its own where it is empty."""

    @property
    def slots(self) -> frozenset[str]:
        """What it occupies."""
        own = {name for name, _ in self.env} | {self.slot or self.mode, self.pads}
        return frozenset(filter(None, own | ({"threads"} if self.threads else set())))

    def fits(self, fingerprints: list[Mapping[str, Any]]) -> bool:
        """Return whether it can be set in the runtimes of one framework, by what they say."""
        return all(map(self._is_known_to, fingerprints)) and self._has_device(fingerprints)

    def _is_known_to(self, fingerprint: Mapping[str, Any]) -> bool:
        if self.framework not in ("", fingerprint.get("framework")):
            return False
        if self.mode and self.mode not in fingerprint.get("modes", ()):
            return False
        version = str(fingerprint.get("version"))
        return not self.versions or SpecifierSet(self.versions).contains(version, prereleases=True)

    def _has_device(self, fingerprints: list[Mapping[str, Any]]) -> bool:
        if not self.device:
            return True
        devices = chain.from_iterable(one.get("devices", ()) for one in fingerprints)
        return any(name.startswith(self.device) for name in devices)


def _variable(
    name: str, value: str, does: str, scope: Scope, source: str, framework: str = "", **more: Any
) -> Switch:
    return Switch(f"{name}={value}", does, scope, source, framework, env=((name, value),), **more)


def _variables(
    versions: Mapping[str, str], name: str, value: str, does: str, scope: Scope, source: str
) -> Iterator[Switch]:
    """Yield a variable's switch for each framework; versions: of those that know it."""
    for framework, those in versions.items():
        yield _variable(name, value, does, scope, source, framework, versions=those)


MKL = "MKL_CBWR=AVX2,STRICT"
ONE_OMP = "OMP_NUM_THREADS=1"
SWITCHES = (
    _variable(
        "TF_ENABLE_ONEDNN_OPTS",
        "1",
        "convolutions by oneDNN",
        "length",
        ONEDNN_IN_TF,
        "tensorflow",
        versions=">=2.5",
        pairs=(ONE_THREAD,),
    ),
    _variable(
        "TF_ENABLE_ONEDNN_OPTS",
        "0",
        "convolutions by Eigen",
        "batch",
        ONEDNN_IN_TF,
        "tensorflow",
        versions=">=2.5",
        pairs=(ONE_THREAD,),
    ),
    Switch(
        "XLA",
        "convolutions compiled by XLA, a shape at a time",
        "length",
        "TensorFlow API: tf.function, jit_compile",
        "tensorflow",
        mode="xla",
        lines=("model = tf.function(model, jit_compile=True)",),
        slot="compiler",
    ),
    _variable(
        "TF_DETERMINISTIC_OPS",
        "1",
        "what tf.config.experimental.enable_op_determinism() switches on",
        "run-to-run",
        f"{TENSORFLOW}.experimental.enable_op_determinism",
        "tensorflow",
        versions=">=2.1",
    ),
    Switch(
        "mkldnn off",
        "no oneDNN in convolutions",
        "batch",
        f"{TORCH}: torch.backends.mkldnn",
        "torch",
        mode="mkldnn_off",
        lines=("torch.backends.mkldnn.set_flags(False)",),
        pairs=(MKL, ONE_OMP),
    ),
    Switch(
        "channels_last",
        "both arrays in that memory format",
        "batch",
        f"{TORCH}: channels last memory format",
        "torch",
        mode="channels_last",
        lines=(
            "model = model.to(memory_format=torch.channels_last)",
            "x = x.to(memory_format=torch.channels_last)",
        ),
    ),
    Switch(
        "deterministic algorithms",
        "what torch.use_deterministic_algorithms(True) switches on",
        "run-to-run",
        f"{TORCH}: torch.use_deterministic_algorithms",
        "torch",
        mode="deterministic",
        lines=("torch.use_deterministic_algorithms(True)",),
    ),
    _variable(
        "MKL_CBWR",
        "AVX2,STRICT",
        "one code path of MKL, whatever the threads and the alignment",
        "threads",
        MKL_GUIDE,
        "torch",
    ),
    _variable(
        "MKL_CBWR",
        "COMPATIBLE",
        "the code path of MKL that all processors have",
        "device",
        MKL_GUIDE,
        "torch",
    ),
    _variable(
        "ATEN_CPU_CAPABILITY",
        "avx2",
        "PyTorch's own kernels without AVX-512",
        "device",
        f"{TORCH}: environment variables",
        "torch",
    ),
    Switch(
        "precision f32",
        "inference in float32, whatever the processor is fast at",
        "device",
        "OpenVINO documentation: precision control",
        "openvino",
        mode="f32",
        lines=('core.set_property("CPU", {"INFERENCE_PRECISION_HINT": "f32"})',),
    ),
    Switch(
        "graph optimisations off",
        "every node of the model by itself",
        "length",
        "ONNX Runtime documentation: graph optimizations",
        "onnxruntime",
        mode="disabled",
        lines=(
            "options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL",
        ),
        slot="graph",
    ),
    Switch(
        "constant filter",
        "the filter as an initializer of the model, packed beforehand, and not as an input",
        "length",
        "ONNX documentation: initializers of a graph",
        "onnxruntime",
        mode="constant",
        lines=("graph.initializer.append(onnx.numpy_helper.from_array(filter, name))",),
        slot="filter",
    ),
    Switch(
        "precision highest",
        "products of float32 as they are, on accelerators, too",
        "device",
        "JAX documentation: jax.lax.Precision",
        "jax",
        mode="highest",
        lines=('jax.config.update("jax_default_matmul_precision", "highest")',),
    ),
    _variable(
        "XLA_FLAGS",
        "--xla_cpu_multi_thread_eigen=false",
        "no threads within one operation",
        "threads",
        "OpenXLA documentation: flags",
        "jax",
    ),
    Switch(
        "built-in kernels",
        "no XNNPACK",
        "length",
        "LiteRT documentation: OpResolverType",
        "tflite",
        mode="builtin",
        lines=(
            "Interpreter(path, experimental_op_resolver_type="
            "OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)",
        ),
        slot="kernels",
    ),
    Switch(
        "reference kernels",
        "the plain loops that the others are tested against",
        "length",
        "LiteRT documentation: OpResolverType",
        "tflite",
        mode="reference",
        lines=("Interpreter(path, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)",),
        slot="kernels",
    ),
    *_variables(
        {"tensorflow": ">=2.5", "torch": ""},
        "ONEDNN_MAX_CPU_ISA",
        "AVX2",
        "oneDNN's kernels without AVX-512",
        "device",
        f"{ONEDNN}: CPU dispatcher control",
    ),
    *_variables(
        {"tensorflow": ">=2.5", "torch": ""},
        "ONEDNN_DEFAULT_FPMATH_MODE",
        "STRICT",
        "oneDNN narrows no float32",
        "device",
        f"{ONEDNN}: floating-point math mode",
    ),
    *(
        _variable(
            "NVIDIA_TF32_OVERRIDE",
            "0",
            "no TF32 in NVIDIA's libraries",
            "device",
            CUBLAS,
            framework,
            device="gpu",
        )
        for framework in ("tensorflow", "torch", "jax")
    ),
    *_variables(
        {"tensorflow": "", "torch": ""},
        "CUBLAS_WORKSPACE_CONFIG",
        ":4096:8",
        "one workspace a stream in cuBLAS",
        "run-to-run",
        CUBLAS,
    ),
    *_variables(
        {"tensorflow": "", "torch": ""},
        "OMP_NUM_THREADS",
        "1",
        "one OpenMP thread, where nothing else asks for more",
        "threads",
        "OpenMP 5.0, 6.2",
    ),
    Switch(
        ONE_THREAD,
        "one thread within an operation",
        "threads",
        "the framework's documentation of intra-op threads",
        threads=1,
        pairs=(PAD_LENGTH,),
    ),
    Switch(
        PAD_LENGTH,
        "zeros up to a length that has the bits of the longest",
        "length",
        "convdiff pad",
        pads="length",
    ),
    Switch(
        PAD_BATCH,
        "images of zeros up to the largest batch",
        "batch",
        "convdiff run --batch",
        pads="batch",
    ),
)
"""In the order in which they are tried."""

THREAD_LINES: Mapping[str, tuple[str, ...]] = {
    "tensorflow": ("tf.config.threading.set_intra_op_parallelism_threads(1)",),
    "torch": ("torch.set_num_threads(1)",),
    "onnxruntime": ("options.intra_op_num_threads = 1",),
    "openvino": ('core.set_property("CPU", {"INFERENCE_NUM_THREADS": 1})',),
    "tflite": ("Interpreter(path, num_threads=1)",),
}
"""How one thread is asked for in Python, of TensorFlow 2."""
SESSION = ("tf.Session(config=tf.ConfigProto(intra_op_parallelism_threads=1))",)
"""Of TensorFlow 1."""
