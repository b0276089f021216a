"""How long threads of OpenMP wait busily in a worker."""

import pytest


@pytest.mark.slow
def test_they_wait_some_microseconds_where_the_user_says_nothing(pool, fake, monkeypatch):
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    assert pool.fingerprint(fake())["environment"]["GOMP_SPINCOUNT"] == "1000"
    assert pool.fingerprint(fake(GOMP_SPINCOUNT="7"))["environment"]["GOMP_SPINCOUNT"] == "7"
    monkeypatch.setenv("GOMP_SPINCOUNT", "9")
    assert pool.fingerprint(fake(NUMBER="2"))["environment"]["GOMP_SPINCOUNT"] == "9"
