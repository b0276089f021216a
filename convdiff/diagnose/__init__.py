"""From a comparison to a verdict with its evidence."""
