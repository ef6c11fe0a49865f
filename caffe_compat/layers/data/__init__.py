"""Layers that read or make data."""
