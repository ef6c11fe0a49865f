"""Training in the paper's steps (section 3.4): which solver runs next, and from which weights.

stages         the solver files of a folder as steps, and where each step starts
first_weights  starting from a net of another label set
step_process   the process that trains a step
"""
