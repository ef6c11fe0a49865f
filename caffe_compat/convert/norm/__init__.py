"""Normalisation layers in each other's terms."""
