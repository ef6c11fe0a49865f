"""Builds a runnable net from a NetParameter and runs it layer by layer."""
