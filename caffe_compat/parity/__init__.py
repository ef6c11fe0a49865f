"""Layer-by-layer comparison of this runtime with others."""
