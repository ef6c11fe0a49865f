"""Formats: one module per file format, with functions that read and write a model."""
