"""The paper's tables 1 to 3 and its ablations: rows that are trained, measured and set beside the paper's numbers.

paper_numbers  what the paper prints
rows           a row: a model, and how its scores are read
ablations      the rows of the ablations
plans          what a table is made of at demo scale and at full scale
run_table      rates, training and measurement
form           Markdown, LaTeX and JSON in the paper's form
"""
