"""Demo and reproduction of the paper: may import every package, and only the command line imports it."""
