"""Two observations, aligned and measured."""
