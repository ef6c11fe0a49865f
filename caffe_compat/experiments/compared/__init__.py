"""The methods that section 4 of the paper compares SRN with, as rows that train, predict and are measured like SRN.

method     what a row is: names, citation, training and prediction
rows       the rows of tables 1 to 3
knn        k nearest neighbours on pool5
cnn_rnn    the label paths of CNN-RNN, and its scores by beam search
people     photographs with people: boxes and regions for R-CNN, R*CNN and DHC
person_regions  where these look
people_scores   their scores
people_scenes   demo photographs whose attributes different parts of the picture decide
"""
