"""One file a format: how a model is read from it and written to it."""
