"""Where records come from: databases, lists of files, HDF5."""
