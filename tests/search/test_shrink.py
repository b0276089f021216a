"""Shrinking: what is left shows the same verdict of the same cause, and never another bug."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from soak import examples

from convdiff.case.arrays import make_tensors
from convdiff.case.load import case_of
from convdiff.case.model import Case
from convdiff.case.write import text_of
from convdiff.lab.session import Session
from convdiff.lab.watch import silent
from convdiff.pipeline import Ask, run
from convdiff.runtime.matrix import interpreters
from convdiff.search.find import shrunk
from convdiff.search.shrink import Shrunk
from convdiff.search.signature import signature_of

pytestmark = pytest.mark.slow

KERNELS = '''
"""The same convolution in several ways, on NHWC and HWIO."""

import numpy as np


def fields(x, w):
    kh, kw = w.shape[:2]
    rows, columns = x.shape[1] - kh + 1, x.shape[2] - kw + 1
    return [
        (x[:, i : i + rows, j : j + columns, c, None], w[i, j, c])
        for i, j, c in np.ndindex(*w.shape[:3])
    ]


def chain(terms, b):
    y = None
    for a, c in terms:
        y = a * c if y is None else y + a * c
    return y if b is None else y + b


def forwards(x, w, b):
    return chain(fields(x, w), b)


def backwards(x, w, b):
    return chain(fields(x, w)[::-1], b)


def fused(x, w, b):
    y = None
    for a, c in fields(x, w):
        wide = a.astype("f8") * c
        y = (wide if y is None else wide + y).astype("f4")
    return y if b is None else y + b


def narrow(x, w, b):
    return forwards(x.astype("f2").astype("f4"), w.astype("f2").astype("f4"), b)


def shifted(x, w, b):
    return forwards(np.roll(x, 1, 2), w, b)


def one_channel_wrong(x, w, b):
    y = forwards(x, w, b).copy()
    y[..., -1] += np.abs(x).max() * np.abs(w).max() / 8
    return y


def by_length(x, w, b):
    return forwards(x, w, b) if x.shape[2] % 2 else backwards(x, w, b)
'''
KINDS = {
    "backwards": ("rounding", {"order"}),
    "fused": ("rounding", {"fma"}),
    "narrow": ("precision", set()),
    "shifted": ("wrong", set()),
    "one_channel_wrong": ("wrong", set()),
}


STEPS = '''
"""Kernels with a step, whose order depends on the length, or that add elsewhere."""

import numpy as np
from ways import backwards, forwards


def done(y, then, added):
    if then == "add":
        return y + added
    return np.maximum(y, y.dtype.type(0)) if then else y


def by_length(x, w, b, then="", added=None):
    return done((forwards if x.shape[2] % 2 else backwards)(x, w, b), then, added)


def early(x, w, b, then="", added=None):
    y = forwards(x, w, None)
    first, second = (added, b) if x.shape[2] % 2 else (b, added)
    return (y + first) + second if then == "add" else y + b
'''
STEPPED = """
filter: {normal: 1, shape: [2, 3, 2, 3], seed: 1}
bias: [0.3, -0.7, 0.1]
input: {normal: 1, seed: 3}
height: 3
lengths: 6..9
"""
ADDED = STEPPED + "then: {add: {normal: 1, shape: [1, 2, 7, 3], seed: 5}}\n"


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Session]]:
    """Yield a session for each kind: the convolution forwards, and in another way."""
    folder = tmp_path_factory.mktemp("kernels")
    (folder / "ways.py").write_text(KERNELS)
    (folder / "steps.py").write_text(STEPS)
    sessions = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for kind in (*KINDS, "by_length"):
            specs = ["ways:forwards"] * (kind != "by_length") + [f"ways:{kind}"]
            sessions[kind] = Session(interpreters(specs, (), (), ()), 60)
            sessions[kind].start()
        for name in ("by_length", "early"):
            kind = f"steps:{name}"
            sessions[kind] = Session(interpreters([kind], (), (), ()), 60)
            sessions[kind].start()
        yield sessions
        for session in sessions.values():
            session.pool.close()


def drawn(seed: int) -> Case:
    draw = random.Random(seed)
    kernel, channels = [draw.randint(1, 3), draw.randint(2, 4)], [draw.randint(1, 3) for _ in "io"]
    text = f"""
filter: {{normal: 1, shape: {kernel + channels}, seed: {seed}}}
input: {{normal: 1, seed: {seed + 1}}}
height: {kernel[0] + draw.randint(0, 2)}
lengths: [{kernel[1] + draw.randint(1, 6)}]
"""
    bias = f"bias: {{normal: 1, shape: [{channels[1]}], seed: 9}}\n" * draw.randint(0, 1)
    return case_of(text + bias, Path("drawn.yaml"))


def shows_alone(least: Shrunk, session: Session) -> bool:
    """Return whether the case that is written shows it, read from its text and run as any other."""
    case = case_of(text_of(least.problem.case, least.problem.tensors), Path("small.yaml"))
    result = run([case], session, Ask(explain_up_to=float("inf")))
    return least.target.signature in [signature_of(one) for one in result.cases[0].findings]


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(examples(500)))
def test_a_difference_never_ends_as_another(seed: int, kernels: dict[str, Session]) -> None:
    kind = list(KINDS)[seed % len(KINDS)]
    session = kernels[kind]
    result, least = shrunk(drawn(seed), session, Ask(), 300, silent)
    verdict, causes = KINDS[kind]
    if least is None:
        ours = [one for one in result.cases[0].findings if one.comparison.axis == "runtime"]
        assert {one.verdict for one in ours} <= {"same"}
        return
    signature = least.target.signature
    assert signature.verdict == verdict
    if verdict == "rounding":
        assert signature.is_proved
    if causes == {"order"}:
        assert "fma" not in signature.causes
    assert least.problem.case.conv.taps <= least.before.case.conv.taps
    assert shows_alone(least, session)


def test_an_order_that_depends_on_the_length_is_shrunk_to_a_few_taps(
    kernels: dict[str, Session],
) -> None:
    text = """
filter: {normal: 1, shape: [3, 3, 4, 5], seed: 1}
bias: {normal: 1, shape: [5], seed: 2}
input: {normal: 1, seed: 3}
height: 6
lengths: 6..13
batch: 2
"""
    case = case_of(text, Path("big.yaml"))
    _, least = shrunk(case, kernels["by_length"], Ask(), 500, silent)
    assert least is not None
    assert least.is_minimal
    assert least.target.axis == "length"
    assert least.target.signature.causes == {"order"}
    problem = least.problem
    assert problem.case.conv.taps <= 4
    assert problem.case.conv.output_shape(1, problem.case.height, problem.case.lengths[0])[1] == 1
    assert least.runs <= 200
    assert shows_alone(least, kernels["by_length"])


def test_what_does_not_differ_is_not_shrunk(kernels: dict[str, Session]) -> None:
    case = case_of("filter: [1, 2, 3]\ninput: [1, 2, 3, 4]\n", Path("whole.yaml"))
    _, least = shrunk(case, kernels["backwards"], Ask(), 500, silent)
    assert least is None


def test_the_numbers_that_are_left_are_in_the_case(kernels: dict[str, Session]) -> None:
    _, least = shrunk(drawn(5), kernels["fused"], Ask(), 500, silent)
    assert least is not None
    text = text_of(least.problem.case, least.problem.tensors)
    assert "normal" not in text
    tensors = make_tensors(case_of(text, Path("small.yaml")))
    assert tensors.filter_hwio.tobytes() == least.problem.tensors.filter_hwio.tobytes()


def test_the_origin_is_shrunk_within_two_hundred_runs(tf1_python: str) -> None:
    from convdiff.case.load import built_in_case

    with Session(interpreters(["tensorflow"], [tf1_python], (), ()), 120) as session:
        session.start()
        _, least = shrunk(built_in_case(), session, Ask(), 200, silent)
        assert least is not None
        assert least.target.axis == "length"
        assert least.target.signature.causes == {"order"}
        assert least.problem.case.conv.taps <= 8
        case = least.problem.case
        assert case.conv.output_shape(1, case.height, case.lengths[0])[2] <= 2
        assert shows_alone(least, session)


@pytest.mark.parametrize(
    ("kernel", "text", "cause", "step"),
    [
        ("steps:by_length", f"{STEPPED}then: relu\n", "order", ""),
        ("steps:by_length", ADDED, "order", ""),
        ("steps:early", ADDED, "step", "add"),
        ("steps:early", f"{STEPPED}then: relu\n", "", "relu"),
    ],
)
def test_a_step_stays_where_it_makes_the_difference(
    kernel: str, text: str, cause: str, step: str, kernels: dict[str, Session]
) -> None:
    _, least = shrunk(case_of(text, Path("step.yaml")), kernels[kernel], Ask(), 500, silent)
    assert least is not None
    assert least.is_minimal
    assert cause in "".join(least.target.signature.causes)
    assert least.problem.case.conv.then == step
    assert (least.problem.tensors.added is None) == (step != "add")
    assert least.problem.case.conv.taps <= 4
    assert shows_alone(least, kernels[kernel])
