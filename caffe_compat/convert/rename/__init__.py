"""Other names for layers and blobs."""
