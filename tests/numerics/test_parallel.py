"""Work on all cores: everything is done once, and what goes wrong is raised."""

from __future__ import annotations

import pytest

from convdiff.numerics.parallel import each


@pytest.mark.parametrize("count", [0, 1, 2, 100])
def test_every_item_is_worked_on_once(count: int) -> None:
    done: list[int] = []
    each(done.append, range(count))
    assert sorted(done) == list(range(count))


@pytest.mark.parametrize("count", [1, 100])
def test_what_one_item_raises_is_raised(count: int) -> None:
    def work(item: int) -> None:
        if item == count - 1:
            raise ValueError(f"item {item}")

    with pytest.raises(ValueError, match=f"item {count - 1}"):
        each(work, range(count))
