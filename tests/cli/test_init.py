"""`convdiff init`: what it writes runs, and what does not go together is said in a line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from program import convdiff

from convdiff.case.arrays import make_tensors
from convdiff.case.load import load_case


def save(folder: Path, **shapes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    for name, shape in shapes.items():
        np.save(folder / f"{name}.npy", rng.standard_normal(shape).astype(np.float32))


def test_a_plain_case_is_commented_and_loads(tmp_path: Path):
    ran = convdiff("init", cwd=tmp_path)
    assert (ran.code, ran.out) == (0, "case.yaml: written; next: convdiff run case.yaml\n")
    text = (tmp_path / "case.yaml").read_text("utf-8")
    assert text.count("#") > 8
    assert load_case(tmp_path / "case.yaml").conv.taps == 72
    again = convdiff("init", cwd=tmp_path)
    assert (again.code, again.err.count("\n")) == (2, 1)
    assert (tmp_path / "case.yaml").read_text("utf-8") == text


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("padding", [0, 2])
def test_pytorchs_arrays_are_read_as_they_lie(bias: bool, padding: int, tmp_path: Path):
    save(tmp_path, w=(5, 3, 3, 2), b=(5,), x=(2, 3, 6, 7))
    files = ["w.npy", *(["b.npy"] if bias else []), "x.npy"]
    ran = convdiff("init", "mine.yaml", "--torch", *files, "--padding", padding, cwd=tmp_path)
    assert ran.code == 0, ran.err
    case = load_case(tmp_path / "mine.yaml")
    made = make_tensors(case)
    w, x = np.load(tmp_path / "w.npy"), np.load(tmp_path / "x.npy")
    assert np.array_equal(made.filter_hwio, w.transpose(2, 3, 1, 0))
    assert (made.bias is not None) == bias
    assert np.array_equal(made.input_nhwc, x.transpose(0, 2, 3, 1))
    assert case.conv.pads(6, 7) == ((padding, padding),) * 2


def test_a_filter_of_three_axes_is_one_dimensional(tmp_path: Path):
    save(tmp_path, w=(4, 3, 5), x=(1, 3, 20))
    ran = convdiff("init", "one.yaml", "--torch", "w.npy", "x.npy", "--padding", 2, cwd=tmp_path)
    assert ran.code == 0, ran.err
    case = load_case(tmp_path / "one.yaml")
    assert (case.conv.op, case.conv.filter_shape) == ("conv1d", (1, 5, 3, 4))
    assert (case.height, case.lengths, case.conv.pads(1, 20)[1]) == (1, (20,), (2, 2))


@pytest.mark.parametrize("padding", ["same", "SAME_LOWER", "causal", "valid", "7"])
def test_padding_is_written_into_the_case(padding: str, tmp_path: Path):
    save(tmp_path, w=(3, 2, 3, 5), x=(1, 6, 7, 3))
    ran = convdiff("init", "--numpy", "w.npy", "x.npy", "--padding", padding, cwd=tmp_path)
    assert ran.code == 0, ran.err
    written = load_case(tmp_path / "case.yaml").conv.padding
    assert written == (((7, 7), (7, 7)) if padding == "7" else padding.lower())


@pytest.mark.parametrize(
    ("op", "weights", "x"),
    [
        ("conv2d_transpose", (3, 5, 2, 2), (1, 3, 6, 7)),
        ("conv3d", (5, 3, 2, 2, 2), (1, 3, 4, 6, 7)),
        ("dense", (5, 3), (2, 7, 3)),
    ],
)
def test_arrays_of_other_ops(op: str, weights: tuple[int, ...], x: tuple[int, ...], tmp_path: Path):
    save(tmp_path, w=weights, x=x)
    asked = [] if op == "conv3d" else ["--op", op]
    ran = convdiff("init", "--torch", "w.npy", "x.npy", *asked, cwd=tmp_path)
    assert ran.code == 0, ran.err
    conv = load_case(tmp_path / "case.yaml").conv
    assert (conv.op, conv.channels_in, conv.channels_out) == (op, 3, 5)


def test_tensorflows_arrays_are_read_as_they_lie(tmp_path: Path):
    save(tmp_path, w=(3, 2, 3, 5), x=(1, 6, 7, 3))
    assert convdiff("init", "--numpy", "w.npy", "x.npy", cwd=tmp_path).code == 0
    assert load_case(tmp_path / "case.yaml").conv.filter_shape == (3, 2, 3, 5)


@pytest.mark.parametrize(
    ("layout", "name", "run"),
    [
        ("--torch", "layer.yaml", "convdiff run layer.yaml --framework torch"),
        ("--torch", "a layer.yaml", "convdiff run 'a layer.yaml' --framework torch"),
        ("--numpy", "layer.yaml", "convdiff run layer.yaml"),
    ],
)
def test_the_next_command_runs_pytorchs_arrays_on_pytorch(
    layout: str, name: str, run: str, tmp_path: Path
):
    save(tmp_path, w=(3, 3, 3, 3), x=(2, 3, 3, 3))
    ran = convdiff("init", name, layout, "w.npy", "x.npy", cwd=tmp_path)
    assert ran.out == f"{name}: written; next: {run}\n"
    assert f"`{run}`" in (tmp_path / name).read_text("utf-8").splitlines()[0]
    assert load_case(tmp_path / name).batches == (2,)
    text = (tmp_path / name).read_text("utf-8")
    (tmp_path / name).write_text(text.replace("# batch:", "batch:"))
    assert load_case(tmp_path / name).batches == (1, 2), "what the comment says works"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("w.npy", "x.npy"), "say how the arrays lie"),
        (("--torch",), "name the .npy files"),
        (("--padding", "2"), "name the .npy files"),
        (("--torch", "w.npy"), "two or three .npy files"),
        (("a.yaml", "b.yaml"), "writes one case"),
        (("--torch", "w.npy", "nosuch.npy"), "does not exist"),
        (("--torch", "w.npy", "../x.npy"), "does not exist"),
        (("--torch", "--numpy", "w.npy", "x.npy"), "--torch or --numpy, not both"),
        (("--numpy", "--torch"), "--torch or --numpy, not both"),
        (("--numpy", "w.npy", "x.npy"), "convdiff: x.npy: height 3 is below"),
        (("--numpy", "w.npy", "x.npy"), "these look like OIHW and NCHW: --torch"),
        (("--torch", "w.npy", "xn.npy"), "these look like HWIO and NHWC: --numpy"),
        (("--torch", "w.npy", "xn.npy", "--padding", "1"), "convdiff: xn.npy: input has shape"),
        (("--torch", "w.npy", "b.npy", "x.npy"), "convdiff: b.npy: bias has shape 2"),
        (("--torch", "w.npy", "scalar.npy"), "scalar.npy: holds one number without an axis"),
        (("--torch", "w.npy", "empty.npy"), "empty.npy: has shape (0, 3)"),
    ],
)
def test_what_does_not_go_together_is_a_line(words: tuple[str, ...], said: str, tmp_path: Path):
    save(tmp_path, w=(5, 3, 3, 2), x=(2, 3, 6, 7), xn=(2, 6, 7, 3), b=(2,))
    save(tmp_path, scalar=(), empty=(0, 3))
    files = set(tmp_path.iterdir())
    ran = convdiff("init", *words, cwd=tmp_path)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert said in ran.err
    assert set(tmp_path.iterdir()) == files, "nothing is written"


def test_init_tells_all_that_is_wrong_with_the_arrays(tmp_path: Path):
    save(tmp_path, w=(5, 3, 3, 2), x=(2, 3, 6, 1), b=(2,), scalar=(), empty=(0, 3))
    for files in (("w.npy", "b.npy", "x.npy"), ("w.npy", "scalar.npy", "empty.npy")):
        ran = convdiff("init", "--torch", *files, cwd=tmp_path)
        assert ran.code == 2
        first, second, count = ran.err.splitlines()
        assert [line.split(": ")[1] for line in (first, second)] == [*files[1:]]
        assert count == "2 errors"


@pytest.mark.parametrize("padding", ["9" * 8, "9" * 30, "9" * 300, "9" * 5000], ids=len)
@pytest.mark.parametrize(
    ("layout", "shape"),
    [("--torch", (2, 3, 6, 7)), ("--numpy", (1, 9, 9, 3))],
    ids=["torch", "numpy"],
)
def test_padding_beyond_memory_is_refused_and_nothing_written(
    padding: str, layout: str, shape: tuple[int, ...], tmp_path: Path
):
    save(tmp_path, w=(3, 3, 3, 2), x=shape)
    ran = convdiff("init", layout, "w.npy", "x.npy", "--padding", padding, cwd=tmp_path)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "too big" in ran.err or "is no number of zeros" in ran.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["w.npy", "x.npy"]


def test_arrays_of_another_folder_are_refused(tmp_path: Path):
    (tmp_path / "inner").mkdir()
    save(tmp_path, w=(5, 3, 3, 2), x=(2, 3, 6, 7))
    ran = convdiff("init", "--torch", "../w.npy", "../x.npy", cwd=tmp_path / "inner")
    assert ran.code == 2
    assert "outside of its folder" in ran.err and not list((tmp_path / "inner").iterdir())


def test_strides_dilations_and_groups_are_written_into_the_case(tmp_path: Path):
    save(tmp_path, w=(4, 2, 3, 3), x=(1, 4, 12, 14))
    moves = ("--strides", "2,1", "--dilations", 2, "--groups", 2)
    ran = convdiff("init", "--torch", "w.npy", "x.npy", *moves, cwd=tmp_path)
    assert ran.code == 0, ran.err
    conv = load_case(tmp_path / "case.yaml").conv
    assert (conv.strides, conv.dilations, conv.groups) == ((2, 1), (2, 2), 2)
    assert "# strides" not in (tmp_path / "case.yaml").read_text("utf-8")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("--strides", "2,x"), "'2,x' is no number, nor one an axis"),
        (("--dilations", "0"), "'0' is no number"),
        (("--groups", "0"), "0 is not in the range"),
        (("--strides", "2,2,2"), "conv2d has 2 spatial axes; found 3 numbers"),
        (("--groups", "3"), "groups"),
    ],
)
def test_moves_that_are_none_are_refused(asked: tuple[str, ...], said: str, tmp_path: Path):
    save(tmp_path, w=(4, 2, 3, 3), x=(1, 2, 12, 14))
    ran = convdiff("init", "--torch", "w.npy", "x.npy", *asked, cwd=tmp_path)
    assert ran.code == 2 and said in " ".join(ran.err.split()), ran.err
    assert not (tmp_path / "case.yaml").exists()


@pytest.mark.parametrize("layout", ["--torch", "--numpy"])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_weights_that_are_a_transposed_ops_are_said_to_be(layout: str, rank: int, tmp_path: Path):
    kernel, spatial = (3, 2, 2)[:rank], (6, 7, 8)[:rank]
    save(tmp_path, w=(8, 3, *kernel), b=(3,), x=(1, 8, *spatial))
    if layout == "--numpy":  # PyTorch's transposed filters are (in, out, …), those here I and O
        save(tmp_path, w=(*kernel, 8, 3), x=(1, *spatial, 8))
        assert convdiff("init", layout, "w.npy", "b.npy", "x.npy", cwd=tmp_path).code == 0
        return
    ran = convdiff("init", layout, "w.npy", "b.npy", "x.npy", cwd=tmp_path)
    assert ran.code == 2
    assert f"these arrays are of --op conv{rank}d_transpose, if that is meant" in ran.err
    asked = ("--op", f"conv{rank}d_transpose")
    assert convdiff("init", layout, "w.npy", "b.npy", "x.npy", *asked, cwd=tmp_path).code == 0


def test_weights_that_fit_no_op_get_no_hint(tmp_path: Path):
    save(tmp_path, w=(8, 3, 3, 3), x=(1, 5, 6, 7))
    ran = convdiff("init", "--torch", "w.npy", "x.npy", cwd=tmp_path)
    assert ran.code == 2 and "transpose" not in ran.err
