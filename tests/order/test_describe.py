"""Orders are said in words as loop nests."""

from __future__ import annotations

import pytest

from convdiff.order.tree.describe import describe
from convdiff.order.tree.notation import parse


@pytest.mark.parametrize(
    ("text", "filter_hwio", "words"),
    [
        ("((((0+1)+2)+3)+4)", (1, 5, 1, 1), "5 taps (kw order), a chain of rounded products"),
        (
            "(((0+1)+(2+3))+4)",
            (1, 5, 1, 1),
            "4 taps (kw order), added pairwise, neighbours first; then 1 tap; "
            "all added left to right",
        ),
        (
            "[([0..287]*)^8+288 b]",
            (3, 3, 256, 256),
            "8 blocks of 288 taps (kh, kw, cin order), each a chain of fused multiply-adds, "
            "blocks added left to right, bias last",
        ),
        (
            "[[(0..15)^9+64]* b ([(16..31)^9+64]*)^3+16]",
            (3, 3, 64, 64),
            "4 blocks of 144 taps (9 (kh, kw), 16 channels), each a chain of fused "
            "multiply-adds, blocks added left to right, bias after block 1",
        ),
        (
            "<([0..56:8])^8+1>",
            (1, 1, 64, 1),
            "8 lanes of 8 taps (every 8th tap), each a chain of rounded products, "
            "lanes added pairwise, neighbours first",
        ),
        (
            "[{0..7} (&{8..15})^35+8]",
            (3, 3, 32, 1),
            "8 terms in one multi-operand addition; then 35 blocks of 8 terms added together "
            "with the sum; all added left to right",
        ),
        (
            "[b 0..20]*",
            (3, 7, 1, 1),
            "21 taps (kh, kw order), a chain of fused multiply-adds, bias first",
        ),
        ("0", (1, 1, 1, 1), "one product"),
    ],
)
def test_an_order_in_words(text: str, filter_hwio: tuple[int, int, int, int], words: str) -> None:
    assert describe(parse(text), filter_hwio) == words
