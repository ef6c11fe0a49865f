"""Multi-label metrics as the released SRN code computes them, and as later papers do.

text_matrices, accessible_images   files to arrays
decisions, average_precision, precision_recall   one question each
released, later_papers             the two conventions, each a dictionary of named figures
bootstrap, comparison              how sure a figure is, and which classes gain
report                             everything about one or several files of predictions
tables, figures                    CSV, LaTeX and PNG
"""
