"""Gives layers and blobs new names: names that tell their role, or names from a user's file."""
