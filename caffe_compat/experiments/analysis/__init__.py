"""What a trained SRN has learned: the paper's figures 1 to 3 and 5 to 7, and attention as numbers, on one page.

observed   maps, scores and neurons of all test images
places     where each label truly is
neurons    correlations of neurons with places, corrected for how many were tried
attention  pointing game and mass inside the boxes
gains      AP gain by class beside concurrent labels and training counts
diagram    the net's parts as a picture
page       report.html
"""
