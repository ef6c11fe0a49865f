"""Multi-label metrics as the released SRN code computes them, and as later papers do.

number_files, text_matrices                      files of numbers, labels and scores as arrays
mat5_file, accessible_images                     NUS-WIDE's index of images that could still be downloaded
prepared                                         class names and training counts of a prepared folder
datasets                                         the rules of each data set, and what a user may choose
decisions, average_precision, precision_recall   the parts of all figures
released, later_papers                           two conventions, each a dictionary of named figures
measurement                                      all figures of one file of predictions
bootstrap, comparison                            confidence intervals, and gains of one model over another
attention_scores                                 attention maps against the true places of objects
report                                           everything about one or several files of predictions
tables, figures, json_report, outputs            terminal, CSV, LaTeX, PNG and JSON
"""
