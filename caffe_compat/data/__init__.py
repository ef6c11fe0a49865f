"""From bytes to arrays: sources of records, the order of reading, and the transform of images before the net."""
