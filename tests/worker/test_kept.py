"""What is kept for the next time: the latest, and no more of it than is allowed."""

from __future__ import annotations

import numpy as np
import pytest

from convdiff.worker import kept
from convdiff.worker.kept import Kept, digest


class Made:
    """Counts what is made."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def ask(self, store: Kept, name: str, size: int = 0) -> str:
        def make() -> str:
            self.names.append(name)
            return name

        return store.get(name, make, size)


def test_what_was_used_last_is_kept():
    made, store = Made(), Kept(2)
    for name in "abacab":
        assert made.ask(store, name) == name
    assert made.names == ["a", "b", "c", "b"]
    assert list(store.made) == ["a", "b"]


def test_constants_are_counted_in_bytes_and_the_latest_one_is_kept_all_the_same(monkeypatch):
    monkeypatch.setattr(kept, "MOST_BYTES", 100)
    made, store = Made(), Kept(8)
    made.ask(store, "a", 40)
    made.ask(store, "b", 50)
    assert list(store.made) == ["a", "b"]
    made.ask(store, "c", 20)
    assert list(store.made) == ["b", "c"]
    made.ask(store, "d", 1000)
    assert list(store.made) == ["d"]
    made.ask(store, "d", 1000)
    assert made.names == ["a", "b", "c", "d"]


def test_room_is_made_before_the_next_one_is():
    store = Kept(1)
    store.get("a", object)
    seen: list[int] = []
    store.get("b", lambda: seen.append(len(store.made)))
    assert seen == [0]


@pytest.mark.parametrize(
    "other",
    [
        np.float32([[1, 2], [3, 5]]),
        np.float32([1, 2, 3, 4]),
        np.float32([[1, 2], [3, 4]]).view(np.int32),
        np.float32([[1, 3], [2, 4]]).T[::-1],
        np.float32([[1, 2], [3, 4]]) * np.float32([[1, 1], [1, -1]]),
    ],
)
def test_other_arrays_have_other_digests(other):
    one = np.float32([[1, 2], [3, 4]])
    assert digest([one]) == digest([np.asfortranarray(one)]) != digest([other])
    assert digest([]) != digest([one]) != digest([one, one])
