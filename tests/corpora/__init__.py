"""Files with one known fault each, made anew by every run from a seed, with the answer that a perfect reader gives."""
