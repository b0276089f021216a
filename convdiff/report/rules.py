"""What each verdict, cause and refusal means, an example, what to do, and where to read on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from convdiff.diagnose.verdict import Finding


@dataclass(frozen=True)
class Rule:
    """One name that a report may give."""

    kind: Literal["verdict", "cause", "refusal", "term"]
    means: str
    example: str
    do: str
    page: str = "docs/explain.md"


_LENGTHS, _FRAMEWORKS, _MACHINES = "docs/lengths.md", "docs/frameworks.md", "docs/machines.md"
_NETS = "docs/nets.md"

RULES: Mapping[str, Rule] = {
    "same": Rule(
        "verdict",
        "Every bit is equal (−0 equals +0, and every NaN every other, unless --strict).",
        "length 8 = length 9",
        "Nothing.",
        _LENGTHS,
    ),
    "rounding": Rule(
        "verdict",
        "Both sides sum the same products and round otherwise: another order, or fused"
        " multiply-adds. Neither is a bug, and neither is nearer in general. Where a sum cancels to"
        " near zero its ulps are small, so that the same |Δ| is many of them: beside them stand"
        " the ulps of the largest |Δ| at the terms' size, that of the products that were added.",
        "((0+1)+2)+3 on one side, (0+1)+(2+3) on the other: 1 or 2 ulp apart.",
        "Accept it (`expect: {axis: {ulps: N}}`), or make both sides sum alike: a safe length, the"
        " same version, settings and thread count.",
        _LENGTHS,
    ),
    "precision": Rule(
        "verdict",
        "One side keeps fewer bits than the case's dtype has, in inputs, weights, sums or outputs"
        " (TF32, bfloat16, float16), or takes subnormal numbers for zero.",
        "A GPU multiplies float32 in TF32: errors of 1e-3 where 1e-7 is usual.",
        "Ask for full precision: NVIDIA_TF32_OVERRIDE=0, torch.backends.cudnn.allow_tf32 = False,"
        " INFERENCE_PRECISION_HINT=f32 in OpenVINO.",
        "docs/devices.md",
    ),
    "transform": Rule(
        "verdict",
        "The kernel transforms its operands (Winograd, FFT): values outside an output's window"
        " reach it, at the size of rounding. There is no order of products to speak of.",
        "A 3×3 convolution by Winograd F(4×4): a large input next to the window changes bits.",
        "Choose a direct algorithm, or accept it (`expect: {axis: anything}`).",
    ),
    "wrong": Rule(
        "verdict",
        "No order and no rounding of the right products gives this: it is off on small integers,"
        " where every sum is exact, or by more than 2γₙA.",
        "The dilation is ignored; one tap is dropped; NaN where no overflow is possible.",
        "Report it as a bug; a known mistake that gives exactly these integers is named.",
        _FRAMEWORKS,
    ),
    "unstable": Rule(
        "verdict",
        "The same call gives other bits when it is repeated.",
        "Atomic additions on a GPU; a race; memory that nobody wrote.",
        "Ask for deterministic kernels, or one thread; look with `repeat: 20` in the case.",
        "docs/devices.md",
    ),
    "mistrusted": Rule(
        "verdict",
        "Both sides are equal and constant (all zero, NaN or infinite): that proves nothing.",
        "Inputs of zero, or a relu that kills all of them.",
        "Give the case inputs with digits.",
        "README.md",
    ),
    "untested": Rule(
        "verdict",
        "A side is missing, so nothing was compared. It is never green: exit code 125.",
        "A GPU that is not there; a framework that refuses the convolution.",
        "Read the reason beside it; `convdiff doctor` says what can be tested here.",
        "docs/devices.md",
    ),
    "order": Rule(
        "cause",
        "The same products are added in another order. Proved: both orders were revealed, replayed"
        " in NumPy, and gave each side's bits; changing the order alone makes the difference.",
        "Pairs of neighbours on one side, left to right on the other.",
        "Make both sides choose the same kernel: shapes, threads, version, instruction set.",
    ),
    "fma": Rule(
        "cause",
        "Multiply and add are fused on one side, so that its products are not rounded.",
        "A CPU with FMA against one without.",
        "The same instruction set on both sides: ONEDNN_MAX_CPU_ISA, MKL_CBWR,"
        " ATEN_CPU_CAPABILITY.",
        _MACHINES,
    ),
    "bias-position": Rule(
        "cause",
        "The bias joins the sum at another place.",
        "The accumulator starts from the bias, or the bias is added at the end.",
        "Run without the bias and add it yourself, where it matters.",
    ),
    "accumulator": Rule(
        "cause",
        "Sums are kept in another precision.",
        "float16 summed in float32 on one side and in float16 on the other.",
        "Ask for the wider accumulator.",
    ),
    "zero-sign": Rule(
        "cause",
        "One side starts its sum from +0, so that −0 never comes out.",
        "All products are −0: +0 on one side, −0 on the other.",
        "It shows under --strict alone.",
    ),
    "flush-to-zero": Rule(
        "cause",
        "One side takes subnormal numbers (in float32 below 1.2e-38) for zero, in inputs, sums or"
        " outputs.",
        "TensorFlow gives 0 for 1e-40 · 1, NumPy 1e-40.",
        "Scale the data, or accept it (`expect: {axis: anything}`).",
    ),
    "narrowed-before-the-bias": Rule(
        "cause",
        "The sum of the products is rounded to fewer bits before the bias is added.",
        "OpenVINO in bfloat16.",
        "Ask for full precision: INFERENCE_PRECISION_HINT=f32, or `openvino:cpu+f32`.",
        _FRAMEWORKS,
    ),
    "narrowed-output": Rule(
        "cause",
        "The result is rounded to fewer bits than the case's dtype has.",
        "A float32 convolution whose output went through bfloat16.",
        "Ask for full precision.",
    ),
    "narrow-sums": Rule(
        "cause",
        "All partial sums are kept in fewer bits than the case's dtype has.",
        "A float16 accumulator under float32 data.",
        "Ask for the wider accumulator.",
    ),
    "narrowed-between-blocks": Rule(
        "cause",
        "Partial sums of blocks are rounded to fewer bits where they are added to the total.",
        "A kernel that stores its running sum in bfloat16 every 16 products.",
        "Ask for full precision.",
    ),
    "rounded-between-blocks": Rule(
        "cause",
        "Sums are kept wider within a block, and rounded to the case's own format between blocks.",
        "float16 data summed in float32, stored in float16 every few channels.",
        "Choose a kernel that keeps the whole sum, where it matters.",
    ),
    "step": Rule(
        "cause",
        "The step that follows is done in another way: what is added joins the sum at another"
        " place, or −0 and NaN come out otherwise.",
        "(products + array) + bias on one side, (products + bias) + array on the other.",
        "Accept it, or keep the step out of the call.",
        "docs/fused_steps.md",
    ),
    "overflow": Rule(
        "refusal",
        "A probe's reading was not finite or far out of range, so that no order was read.",
        "float16 sums beyond 65504.",
        "A smaller filter, or float32.",
    ),
    "non-integer": Rule(
        "refusal",
        "A probe's reading was no whole number of terms: this is no sum of products alone.",
        "An activation fused in; quantised weights.",
        "`convdiff run` says whether the kernel is right on integers.",
    ),
    "non-ultrametric": Rule(
        "refusal",
        "The readings fit no tree: the terms do not meet in one sum each.",
        "Two overlapping sums, as in some transforms.",
        "Nothing can be proved of it; the bounds still hold.",
    ),
    "exact": Rule(
        "refusal",
        "The sum loses nothing, in whatever order: the accumulator is wide enough for all terms.",
        "float16 products in a float64 accumulator.",
        "Nothing: there is no order that matters.",
    ),
    "not-replayed": Rule(
        "refusal",
        "An order was read, but its replay gives other bits, so that it is not the whole truth.",
        "Partial sums in a format that no candidate of arithmetic has.",
        "`--json` has what was read; please report the kernel.",
    ),
    "step-not-replayed": Rule(
        "refusal",
        "The order before the step was proved, but no known way to do the step after it gives the"
        " bits of the whole.",
        "A kernel that sums otherwise where a relu6 is fused into it.",
        "`convdiff run` without `then:` explains the convolution alone.",
        "docs/fused_steps.md",
    ),
    "failed": Rule(
        "refusal",
        "The runtime gave no answer to a probe.",
        "It refuses the values, or its worker died.",
        "Read the reason; `--timeout` where it is slow.",
        "docs/ci.md",
    ),
    "budget": Rule(
        "refusal",
        "The budget of probe calls was spent before the order was known.",
        "2,304 taps with one output channel.",
        "Raise `--budget`.",
    ),
    "entered": Rule(
        "term",
        "Of a net's layer: all that it reads is bit-equal on both sides, and its output is not."
        " Here a difference begins, and this layer is run alone and explained.",
        "A convolution that takes another kernel where its input is short.",
        "Look at its verdict: rounding is no bug; pad, or accept it.",
        _NETS,
    ),
    "carried": Rule(
        "term",
        "Of a net's layer: some of what it reads differs, and so does its output. It passes the"
        " difference on, and need not have any part in it.",
        "All convolutions behind one whose bits differ.",
        "Look at the layer that is entered before it; `×` says how much this one makes of it.",
        _NETS,
    ),
    "healed": Rule(
        "term",
        "Of a net's layer: some of what it reads differs, and its output is equal.",
        "A relu that clips what differs; a maximum of other elements.",
        "Nothing; other data may pass it on.",
        _NETS,
    ),
    "untouched": Rule(
        "term",
        "Of a net's layer: what it reads is equal on both sides, and its output is, too.",
        "The layers before the first one that is entered.",
        "Nothing.",
        _NETS,
    ),
    "unseen": Rule(
        "term",
        "Of a net's layer: it was not looked at. Fetching its output would change what a framework"
        " fuses, and so the bits; or --layers or --until leaves it out.",
        "A convolution before a batch_norm, which TensorFlow makes one.",
        "A difference that enters here is told at the first layer behind it that was looked at.",
        _NETS,
    ),
    "apart": Rule(
        "term",
        "Of a net's layer: none of its outputs see the same inputs on both sides, so that there is"
        " nothing to compare.",
        "A pool over the whole length, at two lengths.",
        "Compare at one length: --batch, --threads, --framework, --vary.",
        _NETS,
    ),
    "order-locked": Rule(
        "term",
        "A case with `expect: {order: locked}` is held to the baseline's summation orders: another"
        " order, or other fused products, is drift even where the bits are equal or their"
        " difference is allowed.",
        "Now (((0+1)+2)+3), recorded ((0+1)+(2+3)): drift, though both gave the same bits.",
        "Go back to the version, settings or CPU of the baseline; or accept the new order:"
        " `--update-baseline`. Without `order: locked` only bits are compared.",
        "docs/recordings.md",
    ),
    "notation": Rule(
        "term",
        "How a summation order is written: 0, 1, … are the taps, in the order of the filter's"
        " (kh, kw, cin), and b is the bias. (0+1) is a rounded addition; in it 3* is a product that"
        " is fused onto the rest. [0 1 2] adds from the left, [0 1 2]* with fused multiply-adds."
        " <0 1 2 3> adds neighbours first, <|0 1 2 3|> halves first, {0 1 2} all at once; 0..28:4"
        " are taps 0, 4, … 28, and (0 1)^8+2 is repeated 8 times, each time 2 further on.",
        "[([0..287]*)^8+288 b]: 8 blocks of 288 taps, each a chain of fused multiply-adds, added"
        " from the left, the bias last.",
        "`convdiff explain` draws an order as a tree.",
    ),
}
"""The verdicts, the causes that can be proved, why no order is given, and terms of reports."""


def rule_names(finding: Finding) -> list[str]:
    """Return the rules that a finding is about: a broken lock, its verdict, what causes it."""
    names: list[str] = []
    if finding.lock == "changed":
        names.append("order-locked")
    if finding.verdict != "same" or not names:
        names.append(finding.verdict)
    if finding.why is not None:
        for cause in finding.why.causes:
            names += [part.value.replace(" ", "-") for part in cause.parts]
    return list(dict.fromkeys(names))


def rule_links(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield for each name the command that says what it means, and the page to read on."""
    for name in names:
        yield f"convdiff rule {name}", RULES[name].page


def rule_lines(name: str) -> Iterator[tuple[str, str]]:
    """Yield what is said of a name, as labels and texts. Raises KeyError for none."""
    rule = RULES[name]
    yield name, f"a {rule.kind}: {rule.means}"
    yield "example", rule.example
    yield "to do", rule.do
    yield "read on", rule.page
