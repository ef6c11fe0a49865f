"""Shows a net: a table of its layers, and a page to explore it in a browser."""
