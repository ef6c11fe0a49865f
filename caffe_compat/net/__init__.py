"""A NetParameter becomes a module that runs."""
