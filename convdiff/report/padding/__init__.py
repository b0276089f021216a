"""What `convdiff pad` found: one small presenter a format."""
