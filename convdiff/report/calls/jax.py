"""JAX: lax's convolutions, compiled by XLA or op by op; the precision is a mode."""

from __future__ import annotations

from collections.abc import Sequence

from convdiff.report.calls import PRODUCTS
from convdiff.worker.frameworks.jax import OP_BY_OP, PRECISIONS
from convdiff.worker.ops.convolution import Convolution

MODES = (*PRECISIONS, OP_BY_OP)
WORDS = ("valid", "same", "same_lower")
STEPS = {"relu": "jax.nn.relu(y)", "relu6": "jax.nn.relu6(y)", "add": "jax.numpy.add(y, a)"}

TEXT = """\
def convolve(x, w, b, a, threads):
    import jax

    jax.config.update("jax_enable_x64", True)

    def op(x, w, b=None, a=None):
        y = {op}
        y = y if b is None else y + b
        return {step}

    return np.asarray({wrapped}(x, w, b, a))
"""
GENERAL = """jax.lax.conv_general_dilated(
            x,
            {filter},
            {strides},
            {padding},
            lhs_dilation={spread},
            rhs_dilation={dilations},
            dimension_numbers={axes},
            feature_group_count={groups},
            precision={precision},
        )"""
TRANSPOSED = """jax.lax.conv_transpose(
            x,
            w.swapaxes(-1, -2),
            {strides},
            {padding},
            rhs_dilation={dilations},
            dimension_numbers={axes},
            transpose_kernel=True,
            precision={precision},
        )"""


def text(conv: Convolution, modes: Sequence[str], version: str) -> str:
    """See the package."""
    precisions = [None, *(mode for mode in modes if mode in PRECISIONS)]
    precision = repr(precisions[-1])
    op = f"jax.numpy.matmul(x, w[0], precision={precision})"
    if conv.op not in PRODUCTS:
        op = _op(conv, precision)
    wrapped = "op" if OP_BY_OP in modes else "jax.jit(op)"
    return TEXT.format(op=op, step=STEPS.get(conv.then, "y"), wrapped=wrapped)


def _op(conv: Convolution, precision: str) -> str:
    """Return the expression of a convolution of x and w."""
    spatial, ones = "DHW"[-conv.rank :], (1,) * conv.rank
    facts = {
        "filter": "w",
        "strides": conv.own(conv.strides),
        "padding": repr(_padding(conv)),
        "spread": ones,
        "dilations": conv.own(conv.dilations),
        "axes": (f"N{spatial}C", f"{spatial}IO", f"N{spatial}C"),
        "groups": conv.groups,
        "precision": precision,
    }
    if not conv.transposed:
        return GENERAL.format(**facts)
    ends = [axis.laid(axis.least).ends for axis in conv.own(conv.axes)]
    if conv.groups == 1:
        padding = "SAME" if conv.padding == "same" else ends
        return TRANSPOSED.format(**{**facts, "padding": repr(padding)})
    flipped = f"jax.numpy.flip(w, {tuple(range(conv.rank))})"
    spread = {"filter": flipped, "strides": ones, "spread": facts["strides"], "padding": ends}
    return GENERAL.format(**{**facts, **spread})


def _padding(conv: Convolution) -> str | list[tuple[int, int]]:
    if isinstance(conv.padding, str):
        return str(conv.padding.upper())
    return list(conv.own(conv.padding))
