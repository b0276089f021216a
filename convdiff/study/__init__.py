"""What is found out about one case: asked of workers, or read from recordings."""
