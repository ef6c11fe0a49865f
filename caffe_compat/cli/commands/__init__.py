"""The commands: one file each, with `parser()` for its flags, and `main(argv=None)` that returns the exit status."""
