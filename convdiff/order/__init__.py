"""Summation orders: what they are, how they are revealed, and their replay."""
