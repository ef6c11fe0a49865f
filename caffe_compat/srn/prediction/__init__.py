"""Raw scores of a net for images of a list, as the released SRN code computes them.

released_input   an image file becomes a net's input
predictor        nets on one or several devices, batches of images in, scores out
attention_maps   A and U of an SRN net over the image (the paper's Figure 3)
"""
