"""Two sides of a net, layer by layer: where a difference enters, how it grows, and why."""
