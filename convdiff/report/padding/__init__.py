"""What `convdiff pad` found: said in lines, and one small presenter a format."""
