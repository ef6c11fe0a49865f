"""Training logs, ours and real Caffe's, as tables and curves.

clock      glog's time stamps, over new years
reader     log lines to rows
csv_files  rows to the files of Caffe's parse_log.py
follow     logs that are still written
charts     rows to the pictures of Caffe's plot_training_log.py
"""
