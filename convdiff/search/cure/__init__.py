"""What makes a case equal: switches tried on it, alone and together."""
