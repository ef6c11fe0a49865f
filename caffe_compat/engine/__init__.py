"""Two ways to run one net: exact (layer by layer, every blob readable) and fast (passes over the graph)."""
