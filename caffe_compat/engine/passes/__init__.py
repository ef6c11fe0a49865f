"""Rewrites of a plan; each keeps its results, and a test of its own proves it."""
