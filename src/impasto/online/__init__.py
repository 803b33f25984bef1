"""Image optimisation: the pixels of one picture are changed until a loss agrees with them."""
