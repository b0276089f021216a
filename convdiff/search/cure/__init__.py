"""What makes a case equal, found by trying, and what it costs."""
