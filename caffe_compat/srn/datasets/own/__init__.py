"""A user's own annotations: each format becomes rows, and rows become samples.

data               which format a file has, and the dataset
reading            the flags that decide where annotations can be read in two ways
rows               what all formats give
cells              what -1, 0, 1 and an empty cell mean
label_cells        cells that hold several labels
repeats            images that several rows name
image_names        names to files: missing suffixes, backslashes, absolute paths

Formats:
table              CSV and TSV; table_columns says which column is what
text_list          text without a header: `name 0 1 1`, CelebA's file
list_with_labels   an image list with a label file beside it
voc                PASCAL VOC's image sets and XML
json_annotations   JSON: MS-COCO's form, a list of objects, or an object by name
json_lines         an object per line
folders            a folder per label
"""
