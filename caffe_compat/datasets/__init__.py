"""Datasets in the file layout of the released SRN code: image lists, label files, image and label LMDBs.

layout          where the files of a dataset lie, and how lists are read
new_folder      folders that appear whole or not at all
databases       image and label LMDBs from lists and label files
digits          scikit-learn's handwritten digits, split so that no digit is in two splits
scene_rules     what a scene holds: co-occurrence, relative position, degraded digits
scene_pictures  how a scene looks
scenes          the demo's dataset
"""
