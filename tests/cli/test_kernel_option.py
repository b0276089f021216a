"""--kernel and entry points: someone's own convolution, beside the others, in its own process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from own_kernels import CASE, between_runtimes, reported
from program import Ran, case_file

pytestmark = pytest.mark.slow

NINE = CASE + "lengths: 9\n"
KERNELS = '''
"""Kernels of our own; the print must not disturb anybody."""

import numpy as np

__version__ = "7.1"
print("imported", flush=True)


def taps(x, w, b, order, strides=(1, 1), dilations=(1, 1)):
    kh, kw = w.shape[:2]
    rows = (x.shape[1] - (kh - 1) * dilations[0] - 1) // strides[0] + 1
    columns = (x.shape[2] - (kw - 1) * dilations[1] - 1) // strides[1] + 1
    y = np.zeros((x.shape[0], rows, columns, w.shape[3]), x.dtype)
    for i, j, c in order(np.ndindex(*w.shape[:3])):
        top, left = i * dilations[0], j * dilations[1]
        there = x[:, top:, left:][:, :: strides[0], :: strides[1]]
        y = y + there[:, :rows, :columns, c, None] * w[i, j, c]
    return y if b is None else y + b


def like_numpy(x, w, b):
    y = None
    kh, kw = w.shape[:2]
    rows, columns = x.shape[1] - kh + 1, x.shape[2] - kw + 1
    for i, j, c in np.ndindex(*w.shape[:3]):
        product = x[:, i : i + rows, j : j + columns, c, None] * w[i, j, c]
        y = product if y is None else y + product
    return y if b is None else y + b


def backwards(x, w, b):
    return taps(x, w, b, lambda taps: reversed(list(taps)))


def strided(x, w, b, strides, dilations):
    return taps(x, w, b, list, strides, dilations)


def anything(x, w, b, **extras):
    assert set(extras) == {"strides", "dilations", "groups"}, extras
    return taps(x, w, b, list, extras["strides"], extras["dilations"])


def flipped(x, w, b):
    return like_numpy(x, w[::-1, ::-1], b)


def shifted(x, w, b):
    return np.roll(like_numpy(x, w, b), 1, 2)


def raising(x, w, b):
    raise RuntimeError("no kernel for this shape\\nand more that nobody reads")


def whole_numbers(x, w, b):
    return like_numpy(x, w, b).astype("int32")


def nothing(x, w, b):
    return None


class Layer:
    @staticmethod
    def call(x, w, b):
        return like_numpy(x, w, b)
'''


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(KERNELS, "utf-8")
    case_file(tmp_path, NINE)
    return tmp_path


def against_numpy(project: Path, kernel: str, extra: str = "") -> tuple[Ran, Any, Any]:
    """Return what was printed of a kernel beside NumPy, the report, and how the two compare."""
    case_file(project, NINE + extra)
    ran, report = reported(project, "--framework", "numpy", "--kernel", kernel)
    return ran, report, between_runtimes(report)


@pytest.mark.parametrize("kernel", ["mine:like_numpy", "mine:Layer.call"])
def test_a_kernel_that_adds_like_numpy_is_the_same(project: Path, kernel: str):
    ran, report, found = against_numpy(project, kernel)
    assert (ran.code, found["verdict"]) == (0, "same")
    runtime = next(one for one in report["runtimes"] if one["framework"] == kernel)
    assert (runtime["id"], runtime["version"]) == (f"{kernel}:cpu", "7.1")
    assert ran.err == ""


def test_a_kernel_that_adds_backwards_is_rounding_proved(project: Path):
    ran, _, found = against_numpy(project, "mine:backwards", "expect: {runtime: bitwise}\n")
    assert (ran.code, found["verdict"]) == (1, "rounding")
    why = found["explanation"]
    assert (why["status"], why["cause"]) == ("proved", ["order"])
    assert all(replayed == count for replayed, count in why["replayed"].values())
    mine = next(order for order in why["orders"] if order["side"] == "candidate")
    assert mine["notation"] == "[10 11 (9)^10-1 b]", "the last tap first"


@pytest.mark.parametrize(
    ("kernel", "fits"),
    [
        ("flipped", "the filter is flipped (true convolution, not cross-correlation)"),
        ("shifted", "the output is shifted by (0, 1)"),
    ],
)
def test_a_kernel_with_a_mistake_is_wrong_and_the_mistake_is_named(
    project: Path, kernel: str, fits: str
):
    ran, _, found = against_numpy(project, f"mine:{kernel}")
    assert (ran.code, found["verdict"], found["fits"]) == (1, "wrong", fits)
    assert fits in " ".join(ran.out.split())


def test_a_kernel_that_raises_is_untested_with_what_it_raised(project: Path):
    ran, report, found = against_numpy(project, "mine:raising")
    assert found["verdict"] == "untested"
    assert "RuntimeError: no kernel for this shape" in str(found["reason"])
    assert "nobody reads" not in ran.out
    assert ran.code == 125
    assert any(one["axis"] == "reference" for one in report["cases"][0]["comparisons"])


@pytest.mark.parametrize(
    ("kernel", "words"),
    [
        ("whole_numbers", "gave int32, expected float32"),
        ("nothing", "mine:nothing gave no array of numbers"),
    ],
)
def test_a_kernel_that_gives_another_type_is_no_result(project: Path, kernel: str, words: str):
    ran, _, found = against_numpy(project, f"mine:{kernel}")
    assert found["verdict"] == "untested"
    assert words in found["reason"]
    assert ran.code == 125
    assert "Traceback" not in ran.out + ran.err


@pytest.mark.parametrize("kernel", ["strided", "anything"])
@pytest.mark.parametrize("extra", ["", "strides: [2, 1]\n", "dilations: [1, 2]\n"])
def test_a_kernel_gets_the_strides_and_dilations_that_it_takes(
    project: Path, kernel: str, extra: str
):
    ran, _, found = against_numpy(project, f"mine:{kernel}", extra)
    assert (ran.code, found["verdict"]) == (0, "same")


@pytest.mark.parametrize(
    ("extra", "word"), [("strides: [2, 1]\n", "strides"), ("dilations: [1, 2]\n", "dilations")]
)
def test_a_kernel_is_not_run_without_what_it_does_not_take(project: Path, extra: str, word: str):
    ran, _, found = against_numpy(project, "mine:like_numpy", extra)
    assert found["verdict"] == "untested"
    assert f"mine:like_numpy takes no {word}" in found["reason"]
    assert ran.code == 125


@pytest.mark.parametrize(
    ("kernel", "words"),
    [
        ("no_such_module:conv", "No module named 'no_such_module'; --kernel looks for no_such_mo"),
        (
            "mien:backwards",
            "looks for mien.py here, and for installed packages; did you mean mine?",
        ),
        ("mine:backward", "mine has no attribute 'backward'; did you mean backwards?"),
        ("os:getcwd", "os:getcwd can't be called as function(x, w, b): too many positional"),
        ("os:path", "os:path is not callable; a kernel is a function(x, w, b)"),
        ("mine:no_such_function", "has no attribute 'no_such_function'"),
        ("mine:__version__", "callable"),
    ],
)
def test_a_kernel_that_is_not_there_is_untested_with_the_reason(
    project: Path, kernel: str, words: str
):
    ran, report = reported(project, "--framework", "numpy", "--kernel", kernel)
    runtime = next(one for one in report["runtimes"] if one["framework"] == kernel)
    assert runtime["available"] is False
    assert words in runtime["reason"]
    assert "pip install" not in runtime["reason"]
    assert f"{kernel} is required: " in ran.err, "no device is to blame"
    assert ran.code == 125


@pytest.mark.parametrize("kernel", ["mine", "mine:", ":conv", "mine conv", "", "mine:conv:cpu"])
def test_what_is_no_module_and_function_is_bad_usage(project: Path, kernel: str):
    ran, report = reported(project, "--kernel", kernel)
    assert (ran.code, ran.out, report) == (2, "", None)
    assert "--kernel" in ran.err
    assert len(ran.err.splitlines()) == 1


def test_a_kernel_on_another_device_says_how_it_is_asked(project: Path):
    _, report = reported(project, "--kernel", "mine:backwards", "--device", "cpu,gpu")
    reasons = [one["reason"] for one in report["runtimes"]]
    assert reasons == [None, "mine:backwards 7.1 has no gpu: an own kernel is asked as cpu"]


def test_a_kernel_alone_is_held_against_its_own_reference(project: Path):
    ran, report = reported(project, "--kernel", "mine:backwards")
    assert ran.code == 0
    assert [one["framework"] for one in report["runtimes"]] == ["mine:backwards"]
    found = {one["axis"]: one["verdict"] for one in report["cases"][0]["comparisons"]}
    assert found == {"reference": "rounding", "exact": "rounding"}


def test_a_kernel_can_be_swept_over_lengths(project: Path):
    source = KERNELS + (
        "\n\ndef by_length(x, w, b):\n"
        "    return (backwards if x.shape[2] % 2 else like_numpy)(x, w, b)\n"
    )
    (project / "mine.py").write_text(source, "utf-8")
    options = ("--lengths", "6..12", "--kernel", "mine:by_length")
    ran, report = reported(project, *options, command="sweep")
    assert ran.code == 1
    (safe,) = report["cases"][0]["safe_lengths"]
    assert safe["unsafe"] == [7, 9, 11]
    assert safe["lengths"] == [6, 8, 10, 12]
    assert ran.out.splitlines()[-2].endswith("--kernel mine:by_length")


def test_a_case_file_cannot_name_a_kernel(project: Path):
    for key in ("kernel: mine:like_numpy", "framework: mine:like_numpy", "runtime: mine"):
        case_file(project, NINE + key + "\n")
        ran, _ = reported(project)
        assert ran.code == 2, key
        assert key.partition(":")[0] in ran.err
    case_file(project, NINE + "devices: ['mine:like_numpy']\n")
    ran, _ = reported(project)
    assert ran.code == 2


FRAMEWORK = """
import numpy as np


def open(threads):
    return Framework(threads)


class Framework:
    def __init__(self, threads):
        self.threads = threads

    def fingerprint(self):
        return {
            "framework": "abacus", "version": "3.1", "python": "3", "numpy": np.__version__,
            "devices": ["cpu"], "names": {}, "cuda": None, "threads": self.threads, "modes": [],
        }

    def run(self, op, device, conv, input_nhwc, filter_hwio, bias):
        import mine

        return mine.like_numpy(input_nhwc, filter_hwio, bias)
"""


@pytest.fixture
def packaged(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install a package that names a framework `abacus` by its entry point."""
    site = project / "site"
    info = site / "abacus-3.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: abacus\nVersion: 3.1\n")
    (info / "entry_points.txt").write_text("[convdiff.frameworks]\nabacus = abacus_framework\n")
    (site / "abacus_framework.py").write_text(FRAMEWORK, "utf-8")
    (site / "mine.py").write_text(KERNELS, "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(site))
    return project


def test_a_package_brings_its_framework_by_an_entry_point(packaged: Path):
    ran, report = reported(packaged, "--framework", "numpy,abacus")
    assert ran.code == 0, ran.out + ran.err
    runtime = next(one for one in report["runtimes"] if one["framework"] == "abacus")
    assert (runtime["id"], runtime["version"], runtime["available"]) == ("abacus:cpu", "3.1", True)
    assert between_runtimes(report)["verdict"] == "same"


def test_a_package_s_framework_is_named_among_those_there_are(packaged: Path):
    ran, _ = reported(packaged, "--framework", "abbacus")
    assert ran.code == 2
    assert "abacus" in ran.err.replace("abbacus", "")


PROTOCOL = """
import numpy as np


def open(threads):
    return Framework()


class Framework:
    refused = {"float16": "an abacus has no halves"}

    def fingerprint(self):
        return {
            "framework": "abacus", "version": "4.0", "python": "3", "numpy": np.__version__,
            "devices": ["cpu"], "cuda": None, "threads": 1, "modes": ["twice"],
        }

    def conv2d(self, conv, device, input_nhwc, filter_hwio, bias):
        import mine

        assert (conv.kernel, conv.strides, device.name) == ((2, 3), (1, 1), "cpu")
        y = mine.like_numpy(input_nhwc, filter_hwio, bias)
        return y * 2 if device.modes == ("twice",) else y

    def multiply_sum(self, dtype, device, table, columns):
        return (table * columns).sum(axis=2)

    def add(self, dtype, device, output, bias):
        return output + bias
"""


@pytest.mark.parametrize(
    ("device", "extra", "verdict", "manual"),
    [
        ("cpu", "", "same", "same"),
        ("cpu+twice", "", "wrong", "same"),
        ("cpu", "dtype: float16\n", "untested", "untested"),
    ],
)
def test_a_package_s_framework_that_keeps_the_protocol_gets_its_reference(
    packaged: Path, device: str, extra: str, verdict: str, manual: str
):
    (packaged / "site" / "abacus_framework.py").write_text(PROTOCOL, "utf-8")
    case_file(packaged, NINE + extra)
    _, report = reported(packaged, "--framework", f"numpy,abacus:{device}", "--device", "cpu")
    found = between_runtimes(report)
    assert (found["verdict"], between_runtimes(report, "manual")["verdict"]) == (verdict, manual)
    if verdict == "untested":
        assert "an abacus has no halves" in found["reason"]
