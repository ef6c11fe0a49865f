"""Datasets in the file layout of the released SRN code: image lists, label files, image and label LMDBs.

layout             names of a dataset's files, and how lists are read
new_folder         folders that appear whole or not at all
regular_file       refuses pipes, devices and folders before they are opened
databases          image and label LMDBs from lists and label files

The data of the demo:
digits             scikit-learn's handwritten digits, divided so that no digit is in two splits
scene_rules        what a scene holds: co-occurrence, relative position, degraded digits
scene_pictures     draws a scene
scenes             writes the demo's dataset

Published datasets, and a user's own data:
samples            an image with its labels, before any image is read
coco               MS-COCO, and files in its form
nus_wide           NUS-WIDE
wider_attribute    WIDER-Attribute
own                a user's own annotations, in the formats that people have
json_file          reads annotations in JSON
validation         cuts a validation split from the training split

From those to the layout:
prepare            runs everything below, in one run or several
split_writer       writes a split block by block
outcomes           turns a sample into records and a line, or the reason why not
in_order           shares samples out to processes
image_check        turns files of any kind into upright 8-bit colour
image_header       reads headers of JPEG and PNG files
decoder_complaints catches what decoders print
block_database     LMDBs that a killed run can continue
progress           how much of a split is written
label_statistics   how often labels occur, alone and together
summary            counts as a table and in JSON
summary_picture    counts as a picture
manifest           checksums
"""
