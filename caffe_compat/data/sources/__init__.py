"""Sources of records: databases, lists of files, HDF5."""
