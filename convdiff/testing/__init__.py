"""For other people's tests: the pytest plugin and `assert_invariant`."""
