"""Ways to run a net: exact (layer by layer, every blob readable) and fast (a graph rewritten by passes)."""
