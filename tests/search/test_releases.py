"""Releases as they are: three of NumPy, installed from the index, run, and held to the bit."""

from __future__ import annotations

from pathlib import Path

import pytest
from program import Ran, convdiff

from convdiff.errors import ConvdiffError
from convdiff.search.releases import Span

pytestmark = pytest.mark.slow
RELEASES = "numpy==1.26..2.1"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def bisected(cache: Path, *words: str) -> Ran:
    env = {"CONVDIFF_CACHE": str(cache)}
    return convdiff("bisect", "--requires", RELEASES, *words, env=env, cwd=cache)


def test_every_release_is_run_before_none_is_said_to_change_the_bits(cache: Path) -> None:
    ran = bisected(cache, "--by", "bits", "--scan")
    assert ran.code == 0, ran.err
    assert ran.err.startswith("convdiff: at most 3 releases of numpy to install: ")
    first, tried = ran.out.splitlines()
    assert first.startswith("variable-padding: no release from 1.26.4 to 2.1.3 changes it (bits ")
    assert tried == "  tried    1.26.4, 2.0.2, 2.1.3"
    halved = bisected(cache, "--by", "bits")
    assert "to install" not in halved.err
    assert "2 steps were known from an earlier run" in halved.err
    first, warning, tried = halved.out.splitlines()
    assert first.startswith("variable-padding: numpy 1.26.4 and 2.1.3 agree (bits ")
    assert first.endswith("1 between them untried")
    assert "--scan tries all" in warning
    assert tried == "  tried    1.26.4, 2.1.3"


def test_one_that_is_passed_by_and_a_verdict(cache: Path) -> None:
    ran = bisected(cache, "--scan", "--skip", "2.0")
    assert ran.code == 0, ran.err
    assert ran.out.splitlines()[-1] == "  tried    1.26.4, 2.1.3"
    assert "changes it (no drift), but 1 of them not run" in ran.out
    assert "  skipped  2.0.2: passed by" in ran.out
    ran = bisected(cache, "--good", "1.26", "--bad", "2.1")
    assert (ran.code, ran.out) == (
        125,
        "variable-padding: 2.1.3 is taken for bad, and shows no drift\n",
    )


def test_a_span_is_two_releases_of_a_framework() -> None:
    span = Span.parse("tensorflow==1.0.0..2.21")
    assert (str(span.first), str(span.last)) == ("1.0.0", "2.21")
    for text in ("tensorflow", "tensorflow==2.1", "tensorflw==1..2", "torch==2..1", "torch==a..b"):
        with pytest.raises(ConvdiffError, match="--requires"):
            Span.parse(text)
