"""Of what a framework says when it fails, the line that says why."""

from __future__ import annotations

import pytest

from convdiff.worker.serve import _reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no such op\nTraceback of C++", "no such op"),
        (
            "Exception from src/core.cpp:117:\nException from src/plugin.cpp:54:\nno kernel",
            "no kernel",
        ),
        ("Check 'a <= b' failed at src/x_util.hpp:149:\nWhile validating:\ntoo long", "too long"),
        ("Exception from src/core.cpp:117:", "Exception from src/core.cpp:117:"),
        ("Arguments:\n  1, 2", "Arguments:"),
        ("", ""),
    ],
)
def test_a_reason_is_what_failed_rather_than_where(text: str, reason: str):
    assert _reason(RuntimeError(text)) == f"RuntimeError: {reason}"
