"""One small presenter a format; none of them computes."""
