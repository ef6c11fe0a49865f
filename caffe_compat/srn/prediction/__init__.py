"""Raw scores and attention of a net for image files, as the released SRN code computes them.

released_input   an image file as a net's input
predictor        scores of many images, with one or several devices
attention_maps   A and U of an SRN net for an image
attention_figure the photo and its maps as a picture (the paper's Figure 3)
shown_labels     which labels are drawn, and which are true
filled_weights   refuses weights that leave layers of a net without values
"""
