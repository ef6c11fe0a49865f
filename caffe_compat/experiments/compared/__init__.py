"""The methods that section 4 of the paper compares SRN with, as rows that train, predict and are measured like SRN.

method     what a row is: names, citation, training and prediction
rows       the rows of tables 1 to 3
knn        k nearest neighbours on pool5
"""
