"""Finds why a layer differs: runs hypotheses and measures their errors."""
