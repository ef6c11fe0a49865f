"""Compares this runtime with others, layer by layer."""
