"""Datasets in the file layout of the released SRN code: image lists, label files, image and label LMDBs.

layout             where the files of a dataset lie, and how lists are read
new_folder         folders that appear whole or not at all
databases          image and label LMDBs from lists and label files

The demo's data:
digits             scikit-learn's handwritten digits, split so that no digit is in two splits
scene_rules        what a scene holds: co-occurrence, relative position, degraded digits
scene_pictures     how a scene looks
scenes             the demo's dataset

What others publish, and a user's own data:
samples            an image with its labels, before any image is read
coco               MS-COCO 2014
nus_wide           NUS-WIDE
wider_attribute    WIDER-Attribute
own                a user's own, in the formats that people have
json_file          annotations in JSON

From those to the layout:
prepare            all of it, in one run or several
split_writer       one split, block by block
outcomes           one sample: records, a line, or why not
in_order           samples shared out to processes
image_check        files of any kind to upright 8-bit colour; image_header, decoder_complaints
block_database     LMDBs that a killed run goes on with
progress           where it goes on
label_statistics   how often labels occur, alone and together
summary            counts, as a table and JSON; summary_picture
manifest           checksums
"""
