"""Bytes to arrays: where records come from, in which order, and what becomes of them before a net sees them."""
