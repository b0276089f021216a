"""The fused multiply-add is exact: compared with rational arithmetic where rounding is hardest."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import soak
from soak import one_in

from convdiff.numerics.array import Array
from convdiff.numerics.eft import two_sum
from convdiff.numerics.fma import TINY_PRODUCT, fma, fma32, fma32_chain
from convdiff.numerics.rounding import rounded

#: name -> (significant bits, exponent of the smallest subnormal, largest finite value)
FORMATS = {
    "float64": (53, -1074, Fraction(2) ** 1024 - Fraction(2) ** 971),
    "float32": (24, -149, Fraction(2) ** 128 - Fraction(2) ** 104),
    "float16": (11, -24, Fraction(65504)),
    "bfloat16": (8, -133, Fraction(2) ** 128 - Fraction(2) ** 120),
}


def nearest(exact: Fraction, name: str) -> float:
    """Round a rational number to nearest even by definition, in integers only."""
    bits, smallest, largest = FORMATS[name]
    if exact == 0:
        return 0.0
    size = abs(exact)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    if Fraction(2) ** exponent > size:
        exponent -= 1
    last = max(exponent - bits + 1, smallest)
    units = size / Fraction(2) ** last
    whole, rest = divmod(units.numerator, units.denominator)
    twice = 2 * rest
    if twice > units.denominator or (twice == units.denominator and whole % 2):
        whole += 1
    result = whole * Fraction(2) ** last
    value = float("inf") if result > largest else float(result)
    return value if exact > 0 else -value


def hard_cases(name: str, count: int, seed: int = 7) -> tuple[Array, Array, Array]:
    """Return x, w, a near ties, near cancellation, subnormal, and overflowing, a fifth each.

    The last fifth are sums that miss a tie by less than float64 can hold, a + (1 - 2**-k)/2 ulp,
    half of them with a subnormal a.
    """
    x, w, a = _broad_cases(name, count - count // 5, seed)
    smallest = FORMATS[name][1]
    rng = np.random.default_rng(seed)
    bits = FORMATS[name][0]
    one = 2 ** (bits - 1)
    k = rng.integers(1, max(2, 2 ** (bits // 3)), count // 5)
    scale = 2.0 ** rng.integers(-3, 4, len(k))
    sign = rng.choice([-1.0, 1.0], len(k))
    parts = (
        (one + k) / one,
        (one - k) / one / 2 * sign,
        rng.integers(one, 2 * one, len(k)) * rng.choice([-1.0, 1.0], len(k)),
    )
    tiny = rng.random(len(k)) < 0.5
    more = (
        np.where(tiny, np.ldexp(parts[0], smallest // 2), parts[0] * scale),
        np.where(tiny, np.ldexp(parts[1], smallest - smallest // 2), parts[1]),
        np.where(tiny, np.ldexp(np.trunc(parts[2] / 8), smallest), parts[2] * scale),
    )
    kept = store(name)
    x, w, a = (
        np.concatenate([old, new.astype(kept)]) for old, new in zip((x, w, a), more, strict=True)
    )
    return x, w, a


def _broad_cases(name: str, count: int, seed: int) -> tuple[Array, Array, Array]:
    rng = np.random.default_rng([FORMATS[name][0], seed])
    bits, smallest, largest = FORMATS[name]
    top = int(np.log2(float(largest)))
    kind = np.arange(count) % 4
    x = rng.integers(2 ** (bits - 1), 2**bits, count).astype(np.float64)
    w = rng.integers(2 ** (bits - 1), 2**bits, count).astype(np.float64)
    # Few bits set: products that end exactly half way between two neighbours.
    simple = rng.random(count) < 0.5
    x[simple] = (2.0 ** rng.integers(0, bits, count) + rng.integers(0, 4, count))[simple]
    w[simple] = (2.0 ** rng.integers(0, bits, count) + rng.integers(0, 4, count))[simple]
    centre = np.choose(kind, [0, 0, smallest + bits // 2, top - 1])
    split = rng.integers(-3, 4, count)
    size = np.log2(x) + np.log2(w)
    x = np.ldexp(x, (centre // 2 + split - np.floor(np.log2(x))).astype(int))
    w = np.ldexp(w, (centre - centre // 2 - split - np.floor(np.log2(w))).astype(int))
    x, w = (rounded(v.astype(store(name)), name).astype(np.float64) for v in (x, w))
    with np.errstate(all="ignore"):
        product = x * w
        near = rounded(product.astype(store(name)), name).astype(np.float64)
        shift = rng.integers(-bits - 3, bits + 4, count)
        a = np.where(kind == 1, -near, np.ldexp(near, shift))
        step = np.ldexp(np.abs(near), -bits + 1) * rng.integers(-2, 3, count)
        a = np.where(rng.random(count) < 0.5, a + step, a) * rng.choice([-1.0, 1.0], count)
        a = np.where(kind == 1, -np.abs(a) * np.sign(product), a)
        a = rounded(a.astype(store(name)), name)
    assert size.shape == a.shape
    keep = np.isfinite(x) & np.isfinite(w) & np.isfinite(a)
    kept = store(name)
    return x[keep].astype(kept), w[keep].astype(kept), a[keep].astype(kept)


def store(name: str) -> type[np.floating]:
    return np.float64 if name == "float64" else np.float32


@pytest.mark.slow
@one_in(
    2,
    ("name", "count"),
    [("float32", 130_000), ("float64", 60_000), ("float16", 30_000), ("bfloat16", 30_000)],
)
def test_fma_equals_rational_arithmetic_on_hard_cases(name: str, count: int) -> None:
    x, w, a = hard_cases(name, count)
    assert len(x) > 0.8 * count
    assert name != "float32" or len(x) > 100_000
    got = fma(x, w, a, name)
    expected = np.array(
        [
            nearest(Fraction(p) * Fraction(q) + Fraction(r), name)
            for p, q, r in zip(x.tolist(), w.tolist(), a.tolist(), strict=True)
        ]
    )
    wrong = np.flatnonzero(got.astype(np.float64) != expected)
    assert not len(wrong), [
        (float(v[k]).hex() for v in (x, w, a, got, expected)) for k in wrong[:3]
    ]


def test_the_hard_cases_are_hard() -> None:
    x, w, a = hard_cases("float32", 130_000)
    product = x.astype(np.float64) * w
    with np.errstate(all="ignore"):
        naive = (x * w + a).astype(np.float32)
        doubly = (product + a).astype(np.float32)
        got = fma(x, w, a, "float32")
    assert (naive != got).mean() > 0.1
    assert (doubly != got).sum() > 100  # rounding twice is wrong here: ties are really hit
    assert (np.abs(got) < 2.0**-126).mean() > 0.05
    assert np.isinf(got).sum() > 100
    assert (np.abs(got) < np.abs(a) * 1e-4).mean() > 0.05


@pytest.mark.parametrize("name", list(FORMATS))
def test_signed_zeros_infinities_and_nans_are_those_of_ieee(name: str) -> None:
    values = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan], store(name))
    x, w, a = (v.reshape(-1) for v in np.meshgrid(values, values, values))
    with np.errstate(all="ignore"):
        expected = x * w + a  # exact here, so that rounding once or twice is the same
    got = fma(x, w, a, name)
    np.testing.assert_array_equal(got, expected)
    number = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(got)[number], np.signbit(expected)[number])


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_float64_is_rounded_to_16_bits_once(name: str) -> None:
    # 1 + half an ulp + a bit that float32 cannot hold: by way of float32 it would be a tie.
    half = 2.0 ** -FORMATS[name][0]
    above = np.array([1 + half + 2.0**-40, -1 - half - 2.0**-40])
    ulp = 2 * half
    np.testing.assert_array_equal(rounded(above, name), np.array([1 + ulp, -1 - ulp], np.float32))


def nearest_float32(x: Array, w: Array, a: Array) -> Array:
    """Return x * w + a rounded once, from its value in two float64 and the neighbours of that.

    The first of the two rounds otherwise than their sum only where it lies half way between two
    neighbours, and there the second one decides.
    """
    total, error = two_sum(np.multiply(x, w, dtype=np.float64), a.astype(np.float64))
    result = total.astype(np.float32)
    other = np.nextafter(result, np.where(total > result, np.float32(np.inf), np.float32(-np.inf)))
    here, there = (_extended(v) for v in (result, other))
    half_way = (there - total == total - here) & (total != here)
    return np.where(half_way & (error * (there - here) > 0), other, result)


def _extended(values: Array) -> Array:
    """Return float32 values in float64, infinities as the number after the largest."""
    return np.clip(values.astype(np.float64), -(2.0**128), 2.0**128)


def any_bits(count: int, seed: int) -> tuple[Array, ...]:
    """Return triples of float32 of any bits: of all sizes, infinite and NaN too."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2**32, (3, count), dtype=np.uint32)
    return tuple(bits.view(np.float32))


def assert_same_bits(got: Array, expected: Array, *operands: Array) -> None:
    same = (got.view(np.uint32) == expected.view(np.uint32)) | (np.isnan(got) & np.isnan(expected))
    wrong = np.flatnonzero(~same)[:3]
    assert same.all(), [[float(v[k]).hex() for v in (*operands, got, expected)] for k in wrong]


@pytest.mark.slow
@np.errstate(all="ignore")
def test_the_neighbours_of_two_float64_decide_as_rational_arithmetic_does() -> None:
    x, w, a = hard_cases("float32", 20_000)
    exact = [
        nearest(Fraction(p) * Fraction(q) + Fraction(r), "float32")
        for p, q, r in zip(x.tolist(), w.tolist(), a.tolist(), strict=True)
    ]
    np.testing.assert_array_equal(nearest_float32(x, w, a).astype(np.float64), exact)


@pytest.mark.soak
@np.errstate(all="ignore")
def test_float32_is_rounded_once_on_a_million_triples_and_a_hundred_in_the_soak() -> None:
    for seed in range(100 if soak.WHOLE else 1):
        for triples in (hard_cases("float32", 800_000, seed), any_bits(500_000, seed)):
            expected = nearest_float32(*triples)
            assert_same_bits(fma32(*triples), expected, *triples)
            # Apart from those that are ties of float64: one of them has all others looked at.
            small = np.abs(expected) < np.float32(2.0**-125)
            check_parts([operand[small] for operand in triples])
            check_parts([operand[~small] for operand in triples])


def check_parts(triples: list[Array]) -> None:
    """Check a few triples at a time, and those without tiny products once more as such."""
    for start in range(0, len(triples[0]), 512):
        part = [operand[start : start + 512] for operand in triples]
        assert_same_bits(fma32(*part), nearest_float32(*part), *part)
        size = np.abs(np.multiply(*part[:2], dtype=np.float64))
        large = ~(size < TINY_PRODUCT) | (size == 0)
        kept = [operand[large] for operand in part]
        assert_same_bits(fma32(*kept, tiny=False), nearest_float32(*kept), *kept)


@np.errstate(all="ignore")
def test_products_just_large_enough_leave_sums_that_are_exact() -> None:
    # x * w = +-2**-130 (1 + 2**-23)(1 + k 2**-23): what a cancels leaves the last places, 2**-176.
    rng = np.random.default_rng(1)
    k = rng.integers(0, 2**23, 100_000)
    x = np.full(len(k), np.float32(2.0**-65 * (1 + 2.0**-23)))
    w = (2.0**-65 * (1 + k * 2.0**-23)).astype(np.float32) * rng.choice([-1, 1], len(k))
    w = w.astype(np.float32)
    near = -(x.astype(np.float64) * w).astype(np.float32)
    a = near + (rng.integers(-2, 3, len(k)) * 2.0**-149).astype(np.float32)
    assert_same_bits(fma32(x, w, a, tiny=False), nearest_float32(x, w, a), x, w, a)


@pytest.mark.parametrize("bits", [12, 18, 24])
@pytest.mark.parametrize("hard", [0, 1, 5])
def test_a_chain_is_rounded_once_a_step(bits: int, hard: int) -> None:
    """So many products miss a tie by less than float64 holds, others are ties, or any number."""
    rng = np.random.default_rng([bits, hard])
    one = 2**23
    x = rng.integers(1, 2**bits, (40, 6)) / 2.0**bits
    w = rng.integers(-one, one, (40, 6)) / 2.0**20
    miss = rng.permutation(40)[:hard]
    k = rng.integers(1, 200, (hard, 6))
    x[miss], w[miss] = (one + k) / one, (one - k) / one / 2
    start = rng.integers(one, 2 * one, 6) * rng.choice([-1.0, 1.0], 6)
    x, w, start = (values.astype(np.float32) for values in (x, w, start))
    expected = [start]
    for factor, weight in zip(x, w, strict=True):
        numbers = zip(factor.tolist(), weight.tolist(), expected[-1].tolist(), strict=True)
        sums = [nearest(Fraction(p) * Fraction(q) + Fraction(r), "float32") for p, q, r in numbers]
        expected.append(np.array(sums, np.float32))
    np.testing.assert_array_equal(fma32_chain(x, w, start), np.stack(expected[1:]))
    naive = np.stack(expected[:-1]) + np.multiply(x, w, dtype=np.float64)
    assert (naive.astype(np.float32) != expected[1:]).any() == (hard > 0)
