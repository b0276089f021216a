"""How far an input must be padded so that a net's outputs are those of the fixed length."""
